//! Request bodies as data: a tree whose leaves may be slots like `{{ prompt }}`.
//!
//! In: a tree of a manifest and the values of one request. Out: JSON of the same shape.
//! Never: text glued into JSON; a value is placed as a value, so whatever a prompt contains stays inside its string.
//!
//! A leaf that is one slot keeps the type of its value; a slot without a value takes its key away. Filters: `{{ scale | text }}` writes a
//! number as text, `{{ aspect | or auto }}` stands in for a missing value, `{{ resolution | via seedream-quality }}` translates a word,
//! `{{ references | nth 0 }}` takes one item of a list,
//! `{{ references | else pictures }}` takes another slot where there is nothing.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::types::diagnostic::{did_you_mean, listed};

/// The values of one request, by the name of their slot.
pub type Values = BTreeMap<&'static str, Value>;

/// Translations by name: from our word to the provider's.
pub type Words = BTreeMap<String, BTreeMap<String, Value>>;

/// The slots that exist.
pub const SLOTS: [&str; 28] = [
    "action",
    "aspect",
    "background",
    "file-name",
    "format",
    "height",
    "idempotency-key",
    "image",
    "key",
    "mask",
    "media",
    "model",
    "parameters",
    "picture",
    "pictures",
    "prompt",
    "quality",
    "references",
    "resolution",
    "scale",
    "seed",
    "size",
    "source-url",
    "speed",
    "task",
    "url",
    "width",
    "wire",
];

/// A tree with slots.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub struct Template {
    source: Value,
    tree: Tree,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Tree {
    Fixed(Value),
    Text(Vec<Piece>),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

impl Default for Tree {
    fn default() -> Self {
        Self::Fixed(Value::Null)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Plain(String),
    Slot(Slot),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Slot {
    name: &'static str,
    filters: Vec<Filter>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Filter {
    Text,
    Or(String),
    Via(String),
    Nth(usize),
    Else(&'static str),
}

/// Why a template makes no body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfilled {
    /// A translation lacks a word.
    #[error("the manifest's words `{words}` have nothing for `{word}`")]
    Word {
        /// The translation.
        words: String,
        /// What it was asked for.
        word: String,
    },
    /// A list or a tree stands where only text can.
    #[error("`{0}` is not a text and cannot stand inside one")]
    NotText(&'static str),
    /// A value that must be there is not.
    #[error("the manifest asks for `{0}`, which this request does not have")]
    Missing(String),
    /// A value would lead elsewhere.
    #[error("`{0}` cannot stand in the path of a request")]
    Path(String),
}

impl Template {
    /// Places the values; `None` when nothing is left.
    ///
    /// # Errors
    /// [`Unfilled`] when a translation lacks a word, or a tree stands inside a text.
    pub fn fill(&self, values: &Values, words: &Words) -> Result<Option<Value>, Unfilled> {
        self.tree.fill(values, words)
    }

    /// Places the values into a text, such as a header, a field of a form or a parameter of a query.
    ///
    /// # Errors
    /// As [`Template::fill`].
    pub fn fill_text(&self, values: &Values, words: &Words) -> Result<Option<String>, Unfilled> {
        match self.fill(values, words)? {
            None => Ok(None),
            Some(value) => as_text(&value).map(|text| Some(text.into_owned())).ok_or(Unfilled::NotText("the value")),
        }
    }

    /// Places the values into the path of a request; slashes stay, whatever else could mean something is escaped.
    ///
    /// # Errors
    /// As [`Template::fill`]; a value that is missing or leads upwards.
    pub fn fill_path(&self, values: &Values, words: &Words) -> Result<String, Unfilled> {
        let Tree::Text(pieces) = &self.tree else { return Ok(as_text(&self.source).unwrap_or_default().into_owned()) };
        let mut path = String::new();
        for piece in pieces {
            match piece {
                Piece::Plain(text) => path.push_str(text),
                Piece::Slot(slot) => {
                    let value = slot.value(values, words)?.ok_or_else(|| Unfilled::Missing(slot.name.to_owned()))?;
                    let text = as_text(&value).ok_or(Unfilled::NotText(slot.name))?;
                    if text.is_empty() || text.split('/').any(|part| part == "." || part == "..") {
                        return Err(Unfilled::Path(text.into_owned()));
                    }
                    path.extend(text.bytes().map(escaped));
                }
            }
        }
        Ok(path)
    }

    /// Returns the names of all translations that it asks for.
    pub fn translations(&self) -> Vec<&str> {
        let mut found = Vec::new();
        self.tree.walk(&mut |slot| {
            found.extend(slot.filters.iter().filter_map(|filter| match filter {
                Filter::Via(name) => Some(name.as_str()),
                Filter::Text | Filter::Or(_) | Filter::Nth(_) | Filter::Else(_) => None,
            }));
        });
        found
    }

    /// Returns whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.source.is_null()
    }

    /// Returns whether it has a slot of this name.
    pub fn has(&self, name: &str) -> bool {
        let mut found = false;
        self.tree.walk(&mut |slot| {
            found |= slot.name == name || slot.filters.iter().any(|filter| matches!(filter, Filter::Else(other) if *other == name))
        });
        found
    }
}

/// Returns a byte of a path as it may stand there.
fn escaped(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b':' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    }
}

/// Returns a value of one piece as text.
fn as_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(truth) => Some(Cow::Owned(truth.to_string())),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

impl Tree {
    fn fill(&self, values: &Values, words: &Words) -> Result<Option<Value>, Unfilled> {
        match self {
            Self::Fixed(value) => Ok(Some(value.clone())),
            Self::Text(pieces) => match pieces.as_slice() {
                [Piece::Slot(slot)] => slot.value(values, words),
                pieces => {
                    let mut text = String::new();
                    for piece in pieces {
                        match piece {
                            Piece::Plain(plain) => text.push_str(plain),
                            Piece::Slot(slot) => match slot.value(values, words)? {
                                None => return Ok(None),
                                Some(value) => text.push_str(&as_text(&value).ok_or(Unfilled::NotText(slot.name))?),
                            },
                        }
                    }
                    Ok(Some(Value::String(text)))
                }
            },
            Self::List(items) => {
                let mut filled = Vec::with_capacity(items.len());
                for item in items {
                    match (item.fill(values, words)?, item) {
                        // A slot that holds several things lays them out beside its neighbours.
                        (Some(Value::Array(several)), Self::Text(_)) => filled.extend(several),
                        (Some(one), _) => filled.push(one),
                        (None, _) => {}
                    }
                }
                Ok(Some(Value::Array(filled)))
            }
            Self::Map(entries) => {
                let mut map = serde_json::Map::new();
                for (key, tree) in entries {
                    if let Some(value) = tree.fill(values, words)? {
                        map.insert(key.clone(), value);
                    }
                }
                Ok(Some(Value::Object(map)))
            }
        }
    }

    fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Slot)) {
        match self {
            Self::Fixed(_) => {}
            Self::Text(pieces) => pieces.iter().for_each(|piece| {
                if let Piece::Slot(slot) = piece {
                    visit(slot);
                }
            }),
            Self::List(items) => items.iter().for_each(|item| item.walk(visit)),
            Self::Map(entries) => entries.iter().for_each(|(_, tree)| tree.walk(visit)),
        }
    }
}

impl Slot {
    fn value(&self, values: &Values, words: &Words) -> Result<Option<Value>, Unfilled> {
        let mut value = values.get(self.name).cloned().filter(|value| value.as_array().is_none_or(|items| !items.is_empty()));
        for filter in &self.filters {
            value = match (filter, value) {
                (Filter::Or(word), None) => Some(Value::String(word.clone())),
                (Filter::Text, Some(value)) => Some(Value::String(as_text(&value).ok_or(Unfilled::NotText(self.name))?.into_owned())),
                (Filter::Via(name), Some(value)) => {
                    let word = as_text(&value).ok_or(Unfilled::NotText(self.name))?;
                    let meant = words.get(name).and_then(|words| words.get(&*word));
                    Some(meant.cloned().ok_or_else(|| Unfilled::Word { words: name.clone(), word: word.into_owned() })?)
                }
                (Filter::Else(other), None) => values.get(other).cloned(),
                (Filter::Nth(index), Some(value)) => value.get(index).cloned(),
                (_, value) => value,
            };
        }
        // A list without items is a setting that is not there.
        Ok(value.filter(|value| value.as_array().is_none_or(|items| !items.is_empty())))
    }
}

impl TryFrom<Value> for Template {
    type Error = String;

    fn try_from(source: Value) -> Result<Self, String> {
        let tree = tree(&source)?;
        Ok(Self { source, tree })
    }
}

impl From<Template> for Value {
    fn from(template: Template) -> Self {
        template.source
    }
}

fn tree(source: &Value) -> Result<Tree, String> {
    Ok(match source {
        Value::String(text) if text.contains("{{") => Tree::Text(pieces(text)?),
        Value::Array(items) => Tree::List(items.iter().map(tree).collect::<Result<_, _>>()?),
        Value::Object(map) => Tree::Map(map.iter().map(|(key, value)| Ok((key.clone(), tree(value)?))).collect::<Result<_, String>>()?),
        fixed => Tree::Fixed(fixed.clone()),
    })
}

fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (inside, further) = after.split_once("}}").ok_or_else(|| format!("`{text}` opens a slot with `{{{{` and does not close it"))?;
        if !before.is_empty() {
            pieces.push(Piece::Plain(before.to_owned()));
        }
        pieces.push(Piece::Slot(slot(inside)?));
        rest = further;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Plain(rest.to_owned()));
    }
    Ok(pieces)
}

fn slot(inside: &str) -> Result<Slot, String> {
    let mut parts = inside.split('|').map(str::trim);
    let asked = parts.next().unwrap_or_default();
    let name = SLOTS.iter().find(|name| **name == asked).ok_or_else(|| {
        let hint = did_you_mean(asked, SLOTS).map_or_else(|| format!("there are {}", listed(SLOTS, 30)), |near| format!("did you mean `{near}`?"));
        format!("there is no slot `{asked}`; {hint}")
    })?;
    let filter = |text: &str| match text.split_once(' ').map(|(word, rest)| (word, rest.trim())) {
        None if text == "text" => Ok(Filter::Text),
        Some(("or", word)) => Ok(Filter::Or(word.to_owned())),
        Some(("via", words)) => Ok(Filter::Via(words.to_owned())),
        Some(("else", other)) => {
            SLOTS.iter().find(|name| **name == other).map(|name| Filter::Else(name)).ok_or_else(|| format!("there is no slot `{other}`"))
        }
        Some(("nth", index)) => index.parse().map(Filter::Nth).map_err(|_| format!("`{index}` is no number of an item, counted from 0")),
        _ => Err(format!("`{text}` is no filter; write `text`, `or WORD`, `via WORDS`, `nth NUMBER` or `else SLOT`")),
    };
    Ok(Slot { name, filters: parts.map(filter).collect::<Result<_, _>>()? })
}

impl schemars::JsonSchema for Template {
    fn schema_name() -> Cow<'static, str> {
        "Template".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A tree whose texts may hold slots like `{{ prompt }}`; a slot that is the whole text keeps the type of its value, one without a value takes its key away. Filters: `| text`, `| or WORD`, `| via WORDS`, `| nth NUMBER`, `| else SLOT`.",
            "examples": ["{{ prompt }}", "{{ aspect | or auto }}", "{{ resolution | via seedream-quality }}"]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn template(source: Value) -> Template {
        Template::try_from(source).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn values_keep_their_type_and_absent_ones_take_their_key_away() {
        let body = template(
            json!({ "n": 1, "prompt": "{{ prompt }}", "seed": "{{ seed }}", "factor": "{{ scale | text }}", "gone": "{{ quality }}", "urls": "{{ pictures }}",
            "size": "{{ width }}*{{ height }}", "ratio": "{{ aspect | or auto }}", "deep": { "also": "{{ mask }}" } }),
        );
        let values = Values::from([
            ("prompt", json!("a \"cup\"}{ {{ seed }}")),
            ("seed", json!(u64::MAX)),
            ("scale", json!(2)),
            ("pictures", json!([])),
            ("width", json!(640)),
            ("height", json!(480)),
        ]);
        let filled = body.fill(&values, &Words::new()).expect("it can be filled").expect("something is left");
        assert_eq!(
            filled,
            json!({ "n": 1, "prompt": "a \"cup\"}{ {{ seed }}", "seed": u64::MAX, "factor": "2", "size": "640*480", "ratio": "auto", "deep": {} })
        );
    }

    #[test]
    fn a_slot_in_a_list_lays_its_items_out_beside_its_neighbours() {
        let body = template(json!({ "parts": [{ "text": "{{ prompt }}" }, "{{ pictures }}", "{{ mask }}"], "nested": [["{{ prompt }}"]] }));
        let values = Values::from([("prompt", json!("cup")), ("pictures", json!([{ "data": "a" }, { "data": "b" }]))]);
        let filled = body.fill(&values, &Words::new()).expect("it can be filled").expect("something is left");
        assert_eq!(filled, json!({ "parts": [{ "text": "cup" }, { "data": "a" }, { "data": "b" }], "nested": [["cup"]] }));
    }

    #[test]
    fn a_word_that_a_translation_lacks_is_an_error_and_not_sent() {
        let body = template(json!({ "quality": "{{ resolution | via q }}" }));
        let words = Words::from([("q".to_owned(), BTreeMap::from([("2K".to_owned(), json!("basic"))]))]);
        let filled = |resolution: &str| body.fill(&Values::from([("resolution", json!(resolution))]), &words);
        assert_eq!(filled("2K"), Ok(Some(json!({ "quality": "basic" }))));
        assert_eq!(filled("8K"), Err(Unfilled::Word { words: "q".to_owned(), word: "8K".to_owned() }));
        assert_eq!(body.translations(), ["q"]);
    }

    #[test]
    fn one_item_of_a_list_and_another_slot_can_be_named() {
        let body = template(json!({ "a": "{{ references | nth 0 }}", "b": "{{ references | nth 1 }}", "c": "{{ references | else pictures }}" }));
        let filled = |references: Value| {
            let values = Values::from([("references", references), ("pictures", json!(["p"]))]);
            body.fill(&values, &Words::new()).expect("it can be filled").expect("something is left")
        };
        assert_eq!(filled(json!(["r"])), json!({ "a": "r", "c": ["r"] }));
        assert_eq!(filled(json!([])), json!({ "c": ["p"] }));
        assert!(body.has("pictures") && body.has("references") && !body.has("image"));
        for wrong in ["{{ references | nth first }}", "{{ references | else nothing }}"] {
            assert!(Template::try_from(json!(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn slots_that_do_not_exist_are_named() {
        assert_eq!(
            Template::try_from(json!({ "p": "{{ promt }}" })).expect_err("a misspelt slot"),
            "there is no slot `promt`; did you mean `prompt`?"
        );
        assert!(Template::try_from(json!("{{ prompt | upper }}")).expect_err("an unknown filter").contains("`upper` is no filter"));
        assert!(Template::try_from(json!("{{ prompt")).is_err());
    }

    #[test]
    fn a_path_keeps_slashes_and_escapes_the_rest() {
        let path = template(json!("/models/{{ wire }}/run"));
        let filled = |wire: &str| path.fill_path(&Values::from([("wire", json!(wire))]), &Words::new());
        assert_eq!(filled("wan/2-7-image").as_deref(), Ok("/models/wan/2-7-image/run"));
        assert_eq!(filled("a b?c#d%").as_deref(), Ok("/models/a%20b%3Fc%23d%25/run"));
        assert!(filled("../admin").is_err() && filled("").is_err());
        assert!(path.fill_path(&Values::new(), &Words::new()).is_err());
    }
}
