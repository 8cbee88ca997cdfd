//! Which variables a template or a condition looks up, and where each stands in its text.
//!
//! The engine tells which roots are free; a small reader of its expressions finds their places and fields, `["Column Name"]` included.

use std::collections::BTreeSet;
use std::ops::Range;

/// A variable that is looked up: `sku.title` is `["sku", "title"]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// Its names, outermost first.
    pub names: Vec<String>,
    /// Where it stands in the source.
    pub range: Range<usize>,
}

/// Functions that a template may call; they are not variables.
const FUNCTIONS: [&str; 3] = ["range", "cycler", "joiner"];

/// Returns the lookups of a template: those inside `{{ }}` and `{% %}` whose root is among `free`.
pub(super) fn of_template(source: &str, free: &BTreeSet<String>) -> Vec<Lookup> {
    let mut found = Vec::new();
    let mut position = 0;
    while let Some(open) = source[position..].find(['{']).map(|found| position + found) {
        let close = match source.get(open..open + 2) {
            Some("{{") => "}}",
            Some("{%") => "%}",
            _ => {
                position = open + 1;
                continue;
            }
        };
        let end = source[open + 2..].find(close).map_or(source.len(), |found| open + 2 + found);
        read(source, open + 2..end, free, &mut found);
        position = end;
    }
    found
}

/// Returns the lookups of an expression whose root is among `free`.
pub(super) fn of_expression(source: &str, free: &BTreeSet<String>) -> Vec<Lookup> {
    let mut found = Vec::new();
    read(source, 0..source.len(), free, &mut found);
    found
}

/// Returns the roots that are only ever used as a whole.
pub(super) fn used_whole(lookups: &[Lookup]) -> BTreeSet<String> {
    let by_fields: BTreeSet<&str> = lookups.iter().filter(|lookup| lookup.names.len() > 1).map(|lookup| lookup.names[0].as_str()).collect();
    lookups.iter().map(|lookup| &lookup.names[0]).filter(|root| !by_fields.contains(root.as_str())).cloned().collect()
}

/// Reads `name(.name | ["name"])*` if that is all that stands in `range`.
pub(super) fn alone(source: &str, range: Range<usize>) -> Option<Lookup> {
    let text = &source[range.clone()];
    if text.trim().is_empty() {
        return None;
    }
    let start = range.start + (text.len() - text.trim_start().len());
    let end = range.start + text.trim_end().len();
    let lookup = chain(source, start..end)?;
    let is_word = !["true", "false", "none", "not", "self", "loop"].contains(&lookup.names[0].as_str());
    (is_word && lookup.range.end == end && start < end).then_some(lookup)
}

fn read(source: &str, range: Range<usize>, free: &BTreeSet<String>, found: &mut Vec<Lookup>) {
    let mut position = range.start;
    // What stood before the present place: a `.` or `|` makes the next name a field or a filter.
    let mut before = ' ';
    while position < range.end {
        let Some(letter) = source[position..range.end].chars().next() else { break };
        if matches!(letter, '"' | '\'') {
            let close = source[position + 1..range.end].find(letter).map_or(range.end, |found| position + 1 + found + 1);
            position = close;
            before = letter;
        } else if letter.is_ascii_alphabetic() || letter == '_' {
            let lookup = chain(source, position..range.end);
            let end = lookup.as_ref().map_or(position + 1, |lookup| lookup.range.end);
            if let Some(lookup) = lookup.filter(|lookup| !matches!(before, '.' | '|') && free.contains(&lookup.names[0])) {
                let called = source[end..range.end].trim_start().starts_with('(');
                let is_function = called && lookup.names.len() == 1 && FUNCTIONS.contains(&lookup.names[0].as_str());
                if !is_function {
                    found.push(lookup);
                }
            }
            position = end;
            before = 'a';
        } else {
            position += letter.len_utf8();
            if !letter.is_whitespace() {
                before = letter;
            }
        }
    }
}

/// Reads a name with its fields from the start of `range`, as far as it goes.
fn chain(source: &str, range: Range<usize>) -> Option<Lookup> {
    let word = |text: &str| text.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(text.len());
    let text = &source[range.clone()];
    let first = word(text);
    if first == 0 || text.starts_with(|letter: char| letter.is_ascii_digit()) {
        return None;
    }
    let mut names = vec![text[..first].to_owned()];
    let mut end = first;
    while let Some((name, length)) = field(&text[end..], word) {
        names.push(name);
        end += length;
    }
    Some(Lookup { names, range: range.start..range.start + end })
}

/// Reads `.name` or `["name"]`; returns the name and how many bytes it took.
fn field(text: &str, word: impl Fn(&str) -> usize) -> Option<(String, usize)> {
    if let Some(after) = text.strip_prefix('.') {
        let length = word(after);
        let is_name = length > 0 && !after.starts_with(|letter: char| letter.is_ascii_digit());
        return is_name.then(|| (after[..length].to_owned(), 1 + length));
    }
    let after = text.strip_prefix('[')?;
    let quote = after.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let length = after[1..].find(quote)?;
    let name = &after[1..1 + length];
    let closed = after[length + 2..].starts_with(']');
    (closed && !name.contains('\\')).then(|| (name.to_owned(), 1 + 1 + length + 1 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(source: &str, free: &[&str]) -> Vec<String> {
        let free = free.iter().map(|name| (*name).to_owned()).collect();
        of_template(source, &free).into_iter().map(|lookup| format!("{} at {}", lookup.names.join("/"), &source[lookup.range])).collect()
    }

    #[test]
    fn an_expression_with_nothing_in_it_looks_nothing_up() {
        for text in ["", " ", "  ", "\n\t ", "\u{a0}"] {
            assert_eq!(alone(text, 0..text.len()), None, "{text:?}");
        }
    }

    #[test]
    fn fields_are_found_by_dot_and_by_subscript() {
        let source = "the sku {{ sku.title }}: {{ sku['Body (HTML)'] | striptags }} {% if angle == 'sku' %}{{ angle.view }}{% endif %}";
        assert_eq!(
            told(source, &["sku", "angle"]),
            ["sku/title at sku.title", "sku/Body (HTML) at sku['Body (HTML)']", "angle at angle", "angle/view at angle.view"]
        );
    }

    #[test]
    fn filters_functions_loop_names_and_texts_are_no_variables() {
        assert_eq!(told("{% for i in range(3) %}{{ i }} {{ 'sku' | upper }}{% endfor %}", &["range", "sku"]), Vec::<String>::new());
    }

    #[test]
    fn a_root_used_by_its_fields_too_is_not_whole() {
        let free = ["angle".to_owned(), "sku".to_owned()].into();
        let lookups = of_expression("angle == 'front' and sku.price != '' and sku", &free);
        assert_eq!(used_whole(&lookups), ["angle".to_owned()].into());
    }
}
