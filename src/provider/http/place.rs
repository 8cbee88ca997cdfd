//! Where something stands in a provider's answer.
//!
//! In: `/data/taskId`, `/data/*/b64_json`, `/parts/*!thought/data`, `/data/resultJson/@json/resultUrls`. Out: the values that stand there.
//! Never: a panic on an answer of another shape; what is not there is simply not found.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// Most values that one place may name: no call brings more pictures.
const MOST: usize = 64;

/// A path into an answer: keys and indices after `/`; `*` for all items of a list, `*?safe` and `*!draft` for those whose `safe` is true and
/// whose `draft` is not, `@json` for the JSON inside a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Key(String),
    Each,
    /// Items whose key is true, or is not.
    EachThat {
        key: String,
        is: bool,
    },
    Json,
}

/// One step on the way into an answer that is not read yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A name of a map; `None` before it is known, or if it is none that a place could have.
    Key(Option<String>),
    /// A place in a list.
    Index(usize),
}

impl Place {
    /// Returns whether it names something in the answer itself by names and numbers alone: not in JSON inside a text, not by a flag beside it.
    pub(super) fn is_plain(&self) -> bool {
        self.0.iter().all(|part| matches!(part, Part::Key(_) | Part::Each))
    }

    /// Returns whether a text that stands there is one that [`texts`](Self::texts) returns.
    pub(super) fn leads_to(&self, path: &[&Step]) -> bool {
        let fits = |(part, step): (&Part, &&Step)| match (part, step) {
            (Part::Key(wanted), Step::Key(key)) => key.as_ref() == Some(wanted),
            (Part::Key(wanted), Step::Index(index)) => wanted.parse() == Ok(*index),
            (Part::Each, Step::Index(index)) => *index < MOST,
            (Part::Each, Step::Key(_)) | (Part::EachThat { .. } | Part::Json, _) => false,
        };
        let item = path.get(self.0.len());
        let is_item = item.is_none_or(|step| matches!(step, Step::Index(index) if *index < MOST));
        path.len() >= self.0.len() && path.len() <= self.0.len() + 1 && is_item && self.0.iter().zip(path).all(fits)
    }

    /// Returns what stands there, in order; `null` counts as nothing.
    pub fn find<'a>(&self, answer: &'a Value) -> Vec<Cow<'a, Value>> {
        let mut found = vec![Cow::Borrowed(answer)];
        for part in &self.0 {
            found = found.into_iter().flat_map(|value| part.of(value)).take(MOST).collect();
        }
        found.retain(|value| !value.is_null());
        found
    }

    /// Returns the key that it ends with.
    pub fn name(&self) -> Option<&str> {
        self.0.last().and_then(|part| match part {
            Part::Key(key) => Some(key.as_str()),
            Part::Each | Part::EachThat { .. } | Part::Json => None,
        })
    }

    /// Returns every text, number and truth value that stands there, as text.
    pub fn plains(&self, answer: &Value) -> Vec<String> {
        self.find(answer).iter().filter_map(|value| plain(value)).collect()
    }

    /// Returns the first text, number or truth value that stands there, as text.
    pub fn text(&self, answer: &Value) -> Option<String> {
        self.find(answer).iter().find_map(|value| plain(value))
    }

    /// Returns all texts that stand there; a list of texts counts as its items.
    pub fn texts(&self, answer: &Value) -> Vec<String> {
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let items = |value: &Value| match value {
            Value::Array(items) => items.iter().filter_map(text).collect(),
            one => text(one).into_iter().collect::<Vec<_>>(),
        };
        self.find(answer).iter().flat_map(|value| items(value)).take(MOST).collect()
    }

    /// Returns the whole number that stands there, also when it stands there as a text.
    pub fn count(&self, answer: &Value) -> Option<u64> {
        self.find(answer).first().and_then(|value| value.as_u64().or_else(|| value.as_str()?.parse().ok()))
    }
}

/// Returns a value of one piece as text.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        // Small figures must not turn into `1e-5`: amounts are read as decimal text.
        Value::Number(number) => Some(number.as_f64().filter(|_| number.is_f64()).map_or_else(|| number.to_string(), |figure| figure.to_string())),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

impl Part {
    fn of<'a>(&self, value: Cow<'a, Value>) -> Vec<Cow<'a, Value>> {
        match self {
            Self::Key(key) => match value {
                Cow::Borrowed(value) => child(value, key).map(Cow::Borrowed).into_iter().collect(),
                Cow::Owned(value) => child(&value, key).cloned().map(Cow::Owned).into_iter().collect(),
            },
            Self::Each => match value {
                Cow::Borrowed(Value::Array(items)) => items.iter().take(MOST).map(Cow::Borrowed).collect(),
                Cow::Owned(Value::Array(items)) => items.into_iter().take(MOST).map(Cow::Owned).collect(),
                _ => Vec::new(),
            },
            Self::EachThat { key, is } => {
                let fits = |item: &Value| item.get(key).is_some_and(is_true) == *is;
                match value {
                    Cow::Borrowed(Value::Array(items)) => items.iter().take(MOST).filter(|item| fits(item)).map(Cow::Borrowed).collect(),
                    Cow::Owned(Value::Array(items)) => items.into_iter().take(MOST).filter(|item| fits(item)).map(Cow::Owned).collect(),
                    _ => Vec::new(),
                }
            }
            Self::Json => {
                let read = value.as_str().and_then(|text| super::body::read(text.as_bytes()).ok());
                read.map(Cow::Owned).into_iter().collect()
            }
        }
    }
}

/// Whether a flag is set: providers write it as a truth value, a number or a text.
fn is_true(flag: &Value) -> bool {
    match flag {
        Value::Bool(truth) => *truth,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !matches!(text.as_str(), "" | "false" | "0"),
        Value::Null => false,
        Value::Array(_) | Value::Object(_) => true,
    }
}

fn child<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Object(map) => map.get(key),
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        _ => None,
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is not a place in an answer like `/data/taskId`, `/data/*/url` or `/data/resultJson/@json/urls`");
        let path = text.strip_prefix('/').ok_or_else(wrong)?;
        if path.is_empty() || path.split('/').any(str::is_empty) {
            return Err(wrong());
        }
        let part = |part: &str| match part {
            "*" => Part::Each,
            "@json" => Part::Json,
            part => match (part.strip_prefix("*?"), part.strip_prefix("*!")) {
                (Some(key), _) => Part::EachThat { key: unescaped(key), is: true },
                (_, Some(key)) => Part::EachThat { key: unescaped(key), is: false },
                (None, None) => Part::Key(unescaped(part)),
            },
        };
        Ok(Self(path.split('/').map(part).collect()))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Key(key) => write!(f, "/{}", escaped(key)),
            Part::Each => f.write_str("/*"),
            Part::EachThat { key, is } => write!(f, "/*{}{}", if *is { '?' } else { '!' }, escaped(key)),
            Part::Json => f.write_str("/@json"),
        })
    }
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn unescaped(key: &str) -> String {
    key.replace("~1", "/").replace("~0", "~")
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Place {
    fn schema_name() -> Cow<'static, str> {
        "Place".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A path into an answer; `*` for all items of a list, `*?safe` and `*!draft` for those whose `safe` is true and whose `draft` is not, `@json` for the JSON inside a text.",
            "type": "string", "pattern": "^(/[^/]+)+$", "examples": ["/data/taskId", "/data/resultJson/@json/resultUrls"]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn place(text: &str) -> Place {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_figure_is_read_however_the_provider_writes_it() {
        let found: Vec<Option<String>> = [json!(6.0), json!(0.00001), json!(0.000_001), json!(12), json!("3.5")]
            .into_iter()
            .map(|figure| place("/x").text(&json!({ "x": figure })))
            .collect();
        assert_eq!(found, [Some("6"), Some("0.00001"), Some("0.000001"), Some("12"), Some("3.5")].map(|text| text.map(str::to_owned)));
        let counted = [json!(1024), json!("1024"), json!("many"), json!(-1), json!(1.5)].map(|count| place("/x").count(&json!({ "x": count })));
        assert_eq!(counted, [Some(1024), Some(1024), None, None, None]);
    }

    #[test]
    fn json_inside_a_text_is_read_as_often_as_the_place_says() {
        let answer = json!({ "data": { "resultJson": "{\"resultUrls\":[\"https://a/1.png\",\"https://a/2.png\"]}", "param": "{\"input\":\"{\\\"prompt\\\":\\\"cup\\\"}\"}" } });
        assert_eq!(place("/data/resultJson/@json/resultUrls").texts(&answer), ["https://a/1.png", "https://a/2.png"]);
        assert_eq!(place("/data/param/@json/input/@json/prompt").text(&answer).as_deref(), Some("cup"));
    }

    #[test]
    fn an_answer_of_another_shape_has_nothing_there() {
        for answer in [
            json!(null),
            json!(7),
            json!([]),
            json!({ "data": "text" }),
            json!({ "data": { "resultJson": "" } }),
            json!({ "data": { "resultJson": "{" } }),
        ] {
            assert_eq!(place("/data/resultJson/@json/resultUrls").texts(&answer), [""; 0], "{answer}");
        }
        assert_eq!(place("/data/*/url").texts(&json!({ "data": [{ "url": 7 }, {}, { "url": "u" }] })), ["u"]);
    }

    #[test]
    fn items_are_chosen_by_a_flag() {
        let answer =
            json!({ "parts": [{ "text": "words" }, { "thought": true, "data": "draft" }, { "thought": false, "data": "a" }, { "data": "b" }, 7] });
        assert_eq!(place("/parts/*!thought/data").texts(&answer), ["a", "b"]);
        assert_eq!(place("/parts/*?thought/data").texts(&answer), ["draft"]);
        let answer = json!({ "data": [{ "safe": "true", "url": "a" }, { "safe": 0, "url": "b" }, { "url": "c" }, { "safe": null, "url": "d" }] });
        assert_eq!(place("/data/*?safe/url").texts(&answer), ["a"]);
        assert_eq!(place("/data/*!safe/url").texts(&answer), ["b", "c", "d"]);
    }

    #[test]
    fn places_are_written_as_they_are_read() {
        for text in ["/data", "/data/*/b64_json", "/data/0/url", "/a~1b/@json/c", "/parts/*!thought/data", "/data/*?is_image_safe/url"] {
            assert_eq!(place(text).to_string(), text);
        }
        for text in ["", "/", "data", "/data//x"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_place_in_an_endless_list_ends() {
        let answer = json!({ "data": vec!["u"; 1000] });
        assert_eq!(place("/data").texts(&answer).len(), MOST);
        assert_eq!(place("/data/*").texts(&answer).len(), MOST);
    }
}
