//! JSON that can stand inside of a `<script>` element: no text in it ends the element or begins another.
//!
//! In: any value. Out: JSON in which `<`, `>`, `&` and the line separators of script are written as escapes. Never: an escape that changes a value.

use std::io;

use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, Serializer};

/// Writes a value.
///
/// # Errors
/// What `to` says.
pub fn write(value: &impl Serialize, to: &mut dyn io::Write) -> serde_json::Result<()> {
    value.serialize(&mut Serializer::with_formatter(to, InMarkup))
}

/// Writes out what markup or an old script parser would take for its own.
struct InMarkup;

impl Formatter for InMarkup {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, to: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            to.write_all(&rest.as_bytes()[..at])?;
            let found = rest[at..].chars().next().unwrap_or_default();
            write!(to, "\\u{:04x}", u32::from(found))?;
            rest = &rest[at + found.len_utf8()..];
        }
        to.write_all(rest.as_bytes())
    }

    fn write_char_escape<W: ?Sized + io::Write>(&mut self, to: &mut W, escape: CharEscape) -> io::Result<()> {
        serde_json::ser::CompactFormatter.write_char_escape(to, escape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text_of(value: &str) -> String {
        let mut bytes = Vec::new();
        write(&value, &mut bytes).expect("memory takes all");
        String::from_utf8(bytes).expect("JSON is text")
    }

    #[test]
    fn nothing_in_a_text_is_markup() {
        assert_eq!(text_of("</script><!--\u{2028}&\"\\\n"), r#""\u003c/script\u003e\u003c!--\u2028\u0026\"\\\n""#);
    }

    proptest! {
        #[test]
        fn every_text_is_read_back_as_it_was(text in "\\PC{0,20}[<>&\u{2028}\n\"]{0,4}\\PC{0,20}") {
            let written = text_of(&text);
            let is_plain = !written.contains(['<', '>', '&', '\u{2028}', '\u{2029}']);
            prop_assert!(is_plain);
            prop_assert_eq!(serde_json::from_str::<String>(&written).expect("it is JSON"), text);
        }
    }
}
