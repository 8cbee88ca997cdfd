//! What stands in the cells of a reference: kinds of values, defaults, meanings, examples.

use serde_json::{Map, Value};

use super::outline::{Outline, anchor};

/// Returns the required keys of an object.
pub fn required(schema: &Map<String, Value>) -> Vec<&str> {
    schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Returns the ways to write a value, of which one is chosen; `null` is none of them.
pub fn members(schema: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    let several = schema.get("anyOf").and_then(Value::as_array).into_iter().flatten();
    several.filter(|one| one.get("type").and_then(Value::as_str) != Some("null"))
}

/// Returns the words of which one is chosen, each with its meaning.
pub fn choices(schema: &Map<String, Value>) -> Vec<(&str, &str)> {
    let several = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    several.filter_map(|one| Some((one.get("const")?.as_str()?, one.get("description").and_then(Value::as_str).unwrap_or_default()))).collect()
}

/// So many words stand in a cell; more have a table of their own.
const FEW: usize = 8;

/// Returns the words of which a key takes some, where they are too many for a cell.
pub fn many_choices(schema: &Value) -> Vec<(&str, &str)> {
    let item = schema.get("items").unwrap_or(schema);
    item.as_object().map(choices).filter(|words| words.len() > FEW).unwrap_or_default()
}

/// Returns what a key holds, in words, with links.
pub fn kind(schema: &Value, outline: &Outline<'_>) -> String {
    let Some(entries) = schema.as_object() else { return "anything".to_owned() };
    if let Some((title, _)) = entries.get("$ref").and_then(Value::as_str).and_then(|reference| outline.target(reference)) {
        return format!("[{}](#{})", title.to_lowercase(), anchor(title));
    }
    if entries.contains_key("anyOf") {
        return members(entries).map(|one| kind(one, outline)).collect::<Vec<_>>().join(" or ");
    }
    if let Some(words) = entries.get("enum").and_then(Value::as_array) {
        return words.iter().map(|word| format!("`{}`", flow(word))).collect::<Vec<_>>().join(", ");
    }
    let only = entries.get("minimum").filter(|least| entries.get("maximum") == Some(least));
    if let Some(only) = entries.get("const").or(only) {
        return format!("`{}`", flow(only));
    }
    let choices = choices(entries);
    if choices.len() > FEW {
        return "one of the words below".to_owned();
    }
    if !choices.is_empty() {
        return choices.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    }
    let types: Vec<&str> = match entries.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).filter(|one| *one != "null").collect(),
        _ => return "anything".to_owned(),
    };
    types.iter().map(|one| plain(one, entries, outline)).collect::<Vec<_>>().join(" or ")
}

fn plain(name: &str, schema: &Map<String, Value>, outline: &Outline<'_>) -> String {
    match name {
        "string" if schema.get("format").and_then(Value::as_str) == Some("date") => "date".to_owned(),
        "string" => schema.get("patternErrorMessage").and_then(Value::as_str).unwrap_or("text").to_owned(),
        "integer" => format!("whole number{}", bounds(schema)),
        "number" => format!("number{}", bounds(schema)),
        "boolean" => "`true` or `false`".to_owned(),
        "array" => match schema.get("items") {
            Some(items) => format!("list of {}", in_list(&kind(items, outline))),
            None => "list".to_owned(),
        },
        "object" => {
            let patterns = schema.get("patternProperties").and_then(Value::as_object).and_then(|patterns| patterns.values().next());
            let inner = patterns.or_else(|| schema.get("additionalProperties").filter(|inner| inner.is_object()));
            match (inner, schema.get("properties").and_then(Value::as_object)) {
                (_, Some(properties)) => format!("map with {}", properties.keys().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")),
                (Some(inner), None) => format!("map of names to {}", in_list(&kind(inner, outline))),
                (None, None) => "map".to_owned(),
            }
        }
        other => other.to_owned(),
    }
}

/// Words as they stand behind `list of` and `map of names to`.
fn in_list(kind: &str) -> String {
    match kind {
        "text" => "texts".to_owned(),
        "one of the words below" => "the words below".to_owned(),
        "number" => "numbers".to_owned(),
        "anything" => "anything".to_owned(),
        "`true` or `false`" => "truth values".to_owned(),
        other if other.contains(" or ") && !other.contains(" or more") => other.split(" or ").map(in_list).collect::<Vec<_>>().join(" or "),
        "map" => "maps".to_owned(),
        "list" => "lists".to_owned(),
        other => match other.strip_prefix("whole number") {
            Some(rest) => format!("whole numbers{rest}"),
            None => other.replace("map of", "maps of").replace("list of", "lists of"),
        },
    }
}

fn bounds(schema: &Map<String, Value>) -> String {
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    // An unsigned number starts at 0 by its nature, a small one ends where its type does.
    let least = bound("minimum")
        .filter(|least| *least > 0.0 || !schema.get("format").and_then(Value::as_str).is_some_and(|format| format.starts_with("uint")));
    let most = bound("maximum").filter(|most| *most < 65_535.0);
    match (least, most) {
        (Some(least), Some(most)) => format!(", {least} to {most}"),
        (Some(least), None) => format!(", {least} or more"),
        (None, Some(most)) => format!(", at most {most}"),
        (None, None) => String::new(),
    }
}

/// Returns what a plain value is and how it is written, with its examples.
pub fn written(schema: &Map<String, Value>, with_form: bool, outline: &Outline<'_>) -> String {
    let mut said: Vec<String> = schema.get("description").and_then(Value::as_str).map(one_line).into_iter().collect();
    let form = schema.get("patternErrorMessage").and_then(Value::as_str).map(|form| form.replace(", nor ", " or "));
    if with_form && (form.is_some() || said.is_empty()) {
        said.push(format!("Written as {}.", form.unwrap_or_else(|| kind(&Value::Object(schema.clone()), outline))));
    }
    said.extend(examples(schema));
    said.join(" ")
}

/// Returns the default as a cell has it; an absent value has none.
pub fn default(schema: &Value) -> Option<String> {
    match schema.get("default")? {
        nothing if is_nothing(nothing) => None,
        value => Some(format!("`{}`", flow(value))),
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.values().all(is_nothing),
        _ => false,
    }
}

/// Returns what a value is for, in one paragraph, with examples; what a reference points to speaks for a key that says nothing itself.
pub fn meaning(schema: &Value, outline: &Outline<'_>) -> String {
    let own = schema.get("description").and_then(Value::as_str);
    let target = || outline.target(schema.get("$ref")?.as_str()?)?.1.get("description")?.as_str();
    let mut said: Vec<String> = own.or_else(target).map(one_line).into_iter().collect();
    said.extend(schema.as_object().and_then(examples));
    said.join(" ")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn examples(schema: &Map<String, Value>) -> Option<String> {
    let several = schema.get("examples").and_then(Value::as_array).filter(|several| !several.is_empty())?;
    let shown: Vec<String> = several.iter().map(|one| code(&flow(one))).collect();
    Some(format!("For example {}.", shown.join(", ")))
}

fn code(text: &str) -> String {
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

/// Writes a value as one line of YAML.
fn flow(value: &Value) -> String {
    match value {
        Value::Object(entries) if entries.is_empty() => "{}".to_owned(),
        Value::Object(entries) => {
            let inside: Vec<String> = entries.iter().map(|(key, value)| format!("{key}: {}", flow(value))).collect();
            format!("{{ {} }}", inside.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::String(text) if needs_quotes(text) => format!("{text:?}"),
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string().trim_end_matches(".0").to_owned(),
        other => other.to_string(),
    }
}

fn needs_quotes(text: &str) -> bool {
    let plain = |letter: char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_' | '.' | '/' | '%' | '$');
    text.is_empty() || !text.chars().all(plain) || text.starts_with([' ', '-', '%'])
}

/// Makes a text fit into a cell of a table.
pub fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// Returns a doc comment as paragraphs, each on one line.
pub fn paragraphs(text: &str) -> String {
    text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect::<Vec<_>>().join("\n\n")
}

/// Returns a type's name in words: `FileAxis` is `File axis`.
pub fn in_words(name: &str) -> String {
    let mut words = String::new();
    for (index, letter) in name.char_indices() {
        if index > 0 && letter.is_uppercase() {
            words.push(' ');
        }
        words.push(if index == 0 { letter } else { letter.to_ascii_lowercase() });
    }
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_example_is_one_line_of_yaml() {
        let example = json!({ "aspect": "4:5", "steps": ["hero", "not \"so\""], "share": 1.5, "none": {}, "prompt": "{{ sku.title }}" });
        let line = flow(&example);
        assert_eq!(serde_yaml::from_str::<Value>(&line).expect("it is YAML"), example, "{line}");
    }

    #[test]
    fn names_of_types_become_words() {
        assert_eq!(in_words("FileAxis"), "File axis");
        assert_eq!(in_words("Budget"), "Budget");
    }
}
