//! Words for values and places in messages about shape.

use serde_yaml::Value;

use crate::types::{FieldPath, Segment};

/// Most characters of a value that a message repeats.
const MAX_SHOWN: usize = 60;

/// Returns what a path is called in a sentence: `` `over` ``, ``item 2 of `over` ``, `the file`.
pub(super) fn named(at: &FieldPath) -> String {
    match at.segments.as_slice() {
        [] => "the file".to_owned(),
        [.., Segment::Key(list), Segment::Index(index)] => format!("item {} of `{}`", index + 1, shown(list)),
        [.., Segment::Index(index)] => format!("item {}", index + 1),
        [.., Segment::Key(key) | Segment::Column(key)] => format!("`{}`", shown(key)),
    }
}

/// Returns a text short enough for a sentence, on one line.
pub(super) fn shown(text: &str) -> String {
    let line = text.lines().next().unwrap_or("");
    let cut = line.len() < text.trim_end().len() || line.chars().count() > MAX_SHOWN;
    let kept: String = line.chars().take(MAX_SHOWN).collect();
    if cut { format!("{kept}…") } else { kept }
}

/// Returns the word for what a value is.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty value",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Sequence(_) => "list",
        Value::Mapping(_) => "map",
        Value::Tagged(_) => "tagged value",
    }
}

/// Returns what a value is, with itself when it is short: "the number 3", "a list".
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::Bool(truth) => format!("`{truth}`"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the text `{}`", shown(text)),
        _ => article(kind(value)),
    }
}

/// Puts "a" or "an" before a noun.
pub(super) fn article(noun: &str) -> String {
    match noun {
        "true or false" => noun.to_owned(),
        _ if noun.starts_with(['a', 'e', 'i', 'o', 'u']) => format!("an {noun}"),
        _ => format!("a {noun}"),
    }
}

/// Returns "a text, a list or a map".
pub(super) fn either(nouns: &[&str]) -> String {
    let nouns: Vec<String> = nouns.iter().map(|noun| article(noun)).collect();
    match nouns.as_slice() {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// Returns a sentence of a schema as a clause: without its capital and its final dot.
pub(super) fn clause(description: &str) -> String {
    let line = description.trim().trim_end_matches('.').replace('\n', " ");
    let mut chars = line.chars();
    match (chars.next(), chars.next()) {
        (Some(first), Some(second)) if second.is_lowercase() || second == ' ' => first.to_lowercase().chain(line.chars().skip(1)).collect(),
        _ => line,
    }
}

/// Returns a scalar as its author wrote it, about; empty for lists and maps.
pub(super) fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        _ => String::new(),
    }
}

/// Returns a JSON value as a person writes it in YAML: `hero`, `"4:5"`, `[sku, angle]`, `{ width: 1080 }`.
pub(super) fn as_yaml(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => {
            let plain = text.starts_with(|first: char| first.is_ascii_alphabetic())
                && text.chars().all(|each| each.is_ascii_alphanumeric() || matches!(each, '-' | '_' | '.' | '/'))
                && super::traps::value(text).is_none();
            if plain { text.clone() } else { format!("{text:?}") }
        }
        serde_json::Value::Array(items) => format!("[{}]", items.iter().map(as_yaml).collect::<Vec<_>>().join(", ")),
        serde_json::Value::Object(entries) => {
            let entries: Vec<String> = entries.iter().map(|(key, value)| format!("{key}: {}", as_yaml(value))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        other => other.to_string(),
    }
}
