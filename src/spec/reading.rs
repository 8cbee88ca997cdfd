//! Bytes to text to typed values, each step with all its mistakes.
//!
//! In: the bytes of one YAML file. Out: a value of the wanted type, or diagnostics with their places. Never: I/O.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use super::shape;
use super::source::Sources;
use super::traps;
use super::yaml::Positions;
use crate::types::{Diagnostic, Diagnostics, DocId, FieldPath};

/// Turns bytes into text: UTF-8, a byte order mark skipped.
///
/// # Errors
/// The text that could be read, for the excerpt, with what is wrong: `not-utf8` or `nul-byte`.
pub(super) fn decode(bytes: &[u8]) -> Result<Arc<str>, (Arc<str>, impl FnOnce(DocId) -> Diagnostic)> {
    let looks_utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    let body = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(bytes);
    let (text, problem) = match std::str::from_utf8(body) {
        Ok(text) => match text.find('\0') {
            None => return Ok(Arc::from(text)),
            Some(nul) => (text.to_owned(), ("nul-byte", nul, "the file holds a NUL byte: it is not text".to_owned())),
        },
        Err(_) if looks_utf16 => (String::new(), ("not-utf8", 0, "the file is UTF-16".to_owned())),
        Err(error) => {
            let at = error.valid_up_to();
            let message = format!("byte {} of the file is not UTF-8", at + bytes.len() - body.len() + 1);
            (String::from_utf8_lossy(body).into_owned(), ("not-utf8", at, message))
        }
    };
    let (code, at, message) = problem;
    let finding = move |doc| {
        let help = "save it as UTF-8; spreadsheets call this \"CSV UTF-8\"";
        Diagnostic::error(code, FieldPath::root(doc).inside(at..at + 1), message).help(help)
    };
    Err((Arc::from(text), finding))
}

/// Reads one YAML document into `T`, checked against the schema of `T`, and keeps its text in `sources` for messages.
///
/// # Errors
/// All that is wrong with it; warnings never fail a reading and are left out.
pub fn read_yaml<T: DeserializeOwned + JsonSchema>(
    sources: &mut Sources,
    shown: impl Into<String>,
    bytes: &[u8],
    data: Positions,
) -> Result<(DocId, T), Diagnostics> {
    let (doc, read, found) = read_as_meant(sources, shown, bytes, data)?;
    if found.has_errors() { Err(found) } else { Ok((doc, read)) }
}

/// Like [`read_yaml`], but reads past mistakes that leave no doubt about the rest: misspelt keys and words that need quotes.
///
/// The last part are those mistakes; the value is good for finding more, not for going on.
///
/// # Errors
/// All that is wrong with it, if it cannot be read at all.
pub(super) fn read_as_meant<T: DeserializeOwned + JsonSchema>(
    sources: &mut Sources,
    shown: impl Into<String>,
    bytes: &[u8],
    data: Positions,
) -> Result<(DocId, T, Diagnostics), Diagnostics> {
    let (doc, mut value, traps) = read_value(sources, shown, bytes, data)?;
    let schema = schemars::schema_for!(T).to_value();
    let (misfits, read_as) = shape::check(&mut value, &schema, doc);
    read_as.iter().for_each(|(at, written, meant)| sources.read_as(at, written, meant));
    let readable = misfits.iter().all(|misfit| misfit.code == shape::UNKNOWN_KEY);
    let mut all = traps;
    all.extend(misfits);
    if !readable {
        return Err(all);
    }
    match serde_path_to_error::deserialize(value) {
        Ok(read) => Ok((doc, read, all)),
        Err(error) => {
            let path = error.path().iter().fold(FieldPath::root(doc), |path, segment| match segment {
                Segment::Seq { index } => path.index(*index),
                Segment::Map { key } | Segment::Enum { variant: key } => path.key(key),
                Segment::Unknown => path,
            });
            all.push(Diagnostic::error("wrong-value", path, error.inner().to_string()));
            Err(all)
        }
    }
}

/// Reads one YAML document into a plain value whose keys are all texts and whose merges are written out.
///
/// The last part are plain words that must be quoted: mistakes that do not stand in the way of finding others.
pub(super) fn read_value(
    sources: &mut Sources,
    shown: impl Into<String>,
    bytes: &[u8],
    data: Positions,
) -> Result<(DocId, serde_yaml::Value, Diagnostics), Diagnostics> {
    let text = match decode(bytes) {
        Ok(text) => text,
        Err((text, finding)) => return Err(finding(sources.add_opaque(shown, text)).into()),
    };
    let (doc, found) = sources.add_yaml(shown, text.clone(), data);
    if found.iter().any(|finding| finding.code != traps::CODE) {
        return Err(found);
    }
    let refused = |error: &serde_yaml::Error| {
        let offset = error.location().map_or(0, |location| location.index());
        let sentence = error.to_string();
        let reason = sentence.split(" at line ").next().unwrap_or_default().to_owned();
        let at = FieldPath::root(doc).inside(offset..offset + 1);
        if let Some(number) = beyond_counting(&reason) {
            let at = FieldPath::root(doc).inside(offset..offset + number.len());
            let finding = Diagnostic::error("wrong-value", at, format!("the number `{number}` is too large")).label("more than can be counted");
            return finding.help("write a smaller one; what is a name and no number needs quotes").into();
        }
        Diagnostics::from(Diagnostic::error("yaml-syntax", at, format!("this is not YAML: {reason}")))
    };
    let mut value: serde_yaml::Value = serde_yaml::from_str(&text).map_err(|error| refused(&error))?;
    value.apply_merge().map_err(|error| refused(&error))?;
    let mut odd = Diagnostics::new();
    let value = with_text_keys(value, &FieldPath::root(doc), &mut odd);
    if odd.has_errors() { Err(odd) } else { Ok((doc, value, found)) }
}

/// Returns the whole number of more than 64 bits that a reader has refused: it is YAML all the same.
fn beyond_counting(reason: &str) -> Option<&str> {
    let (number, rest) = reason.split_once("integer `")?.1.split_once('`')?;
    (rest.starts_with(" as u128") || rest.starts_with(" as i128")).then_some(number)
}

/// Turns keys such as `2024` into text: what names a thing is text, however it is written.
fn with_text_keys(value: serde_yaml::Value, at: &FieldPath, odd: &mut Diagnostics) -> serde_yaml::Value {
    use serde_yaml::Value;
    match value {
        Value::Mapping(entries) => {
            let mut renamed = serde_yaml::Mapping::with_capacity(entries.len());
            for (key, value) in entries {
                let key = match key {
                    Value::String(text) => text,
                    Value::Number(number) => number.to_string(),
                    Value::Bool(truth) => truth.to_string(),
                    _ => {
                        odd.push(Diagnostic::error("yaml-syntax", at.clone(), "a key must be a text").help("put the key in quotes"));
                        continue;
                    }
                };
                let value = with_text_keys(value, &at.key(&key), odd);
                renamed.insert(Value::String(key), value);
            }
            Value::Mapping(renamed)
        }
        Value::Sequence(items) => {
            Value::Sequence(items.into_iter().enumerate().map(|(index, item)| with_text_keys(item, &at.index(index), odd)).collect())
        }
        Value::Tagged(tagged) => with_text_keys(tagged.value, at, odd),
        scalar => scalar,
    }
}
