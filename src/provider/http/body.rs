//! JSON of strangers, read with a limit on what it may unfold to.
//!
//! In: the bytes of an answer. Out: a [`Value`], or why there is none.
//! Never: more than a few megabytes beside the bytes themselves and one picture in them; two meanings for one key.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Most values of an answer: a value of two bytes takes up to a kilobyte of memory.
const MOST_VALUES: u32 = 20_000;

/// Longest text that is not base64, 1 MiB.
const LONGEST_TEXT: usize = 1 << 20;

/// Reads an answer.
pub(super) fn read(bytes: &[u8]) -> Result<Value, String> {
    let left = Cell::new(MOST_VALUES);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Bounded(&left).deserialize(&mut reader).map_err(|error| error.to_string())?;
    reader.end().map_err(|error| error.to_string())?;
    Ok(value)
}

/// Reads one value, and all in it, while there is room.
struct Bounded<'a>(&'a Cell<u32>);

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let left = self.0.get().checked_sub(1).ok_or_else(|| D::Error::custom(format!("more than {MOST_VALUES} values")))?;
        self.0.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        if text.len() > LONGEST_TEXT && !may_be_a_picture(text) {
            return Err(E::custom(format!("a text of {} bytes", text.len())));
        }
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(Bounded(self.0))? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(Bounded(self.0))?;
            let shown: String = key.chars().take(40).collect();
            if fields.insert(key, value).is_some() {
                return Err(A::Error::custom(format!("the key `{shown}` stands there twice")));
            }
        }
        Ok(Value::Object(fields))
    }
}

/// Whether a long text is base64, bare or as a `data:` address.
fn may_be_a_picture(text: &str) -> bool {
    let bare = match text.strip_prefix("data:") {
        Some(rest) => rest.split_once(";base64,").map_or("", |(_, bare)| bare),
        None => text,
    };
    !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_read_is_what_the_usual_reader_reads() {
        for text in [
            r#"null"#,
            r#"{"code":200,"data":{"taskId":"a","n":[1,-2,0.8,1e3,true,null,""]},"msg":"\u00e4\n"}"#,
            r#"[{},[],{"a":{}}]"#,
            r#"18446744073709551615"#,
            r#"6.0"#,
        ] {
            assert_eq!(read(text.as_bytes()), serde_json::from_str::<Value>(text).map_err(|error| error.to_string()), "{text}");
        }
        for text in ["", "{", "NaN", "{\"a\":NaN}", "[1,]", "{} {}", "1e999", "\u{feff}{}", "{'a':1}", "\"\\ud800\""] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(read(b"{\"a\":\"\xff\"}").is_err());
    }

    #[test]
    fn what_unfolds_is_refused_by_its_limit() {
        let said = |text: String| read(text.as_bytes()).expect_err("too much").split(" at line").next().unwrap_or_default().to_owned();
        assert_eq!(said(format!("[{}0]", "0,".repeat(1_000_000))), "more than 20000 values");
        assert_eq!(said(format!("[{}{{}}]", "{\"a\":0},".repeat(1_000_000))), "more than 20000 values");
        assert_eq!(said("[".repeat(1_000_000)), "recursion limit exceeded");
        assert_eq!(said(format!("\"{}\"", "a b".repeat(1 << 20))), "a text of 3145728 bytes");
        assert_eq!(said("{\"code\":200,\"code\":500}".to_owned()), "the key `code` stands there twice");
        let picture = format!("data:image/png;base64,{}", "QUJD".repeat(1 << 19));
        assert_eq!(read(json!({ "data": picture }).to_string().as_bytes()), Ok(json!({ "data": picture })));
    }
}
