//! Plain words that YAML readers read differently: `no`, `1e3`, `12:30`.
//!
//! In: the text of one plain scalar in a data position. Out: why it must be quoted. Never: a guess at what was meant.

use crate::types::{Code, Diagnostic, FieldPath};

/// The name of all findings made here.
pub(super) const CODE: Code = Code("yaml-trap");

/// Why a plain word must be quoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trap {
    why: String,
}

impl Trap {
    /// Returns the finding about `word` at `at`.
    pub(super) fn diagnostic(&self, at: FieldPath, word: &str) -> Diagnostic {
        if word.is_empty() {
            return Diagnostic::error(CODE.0, at, "there is no value here").label(self.why.clone()).help("write the value, or an empty text: \"\"");
        }
        Diagnostic::error(CODE.0, at, format!("`{word}` is not the same to every YAML reader"))
            .label(self.why.clone())
            .help(format!("put it in quotes: \"{word}\""))
    }
}

fn trap(why: impl Into<String>) -> Option<Trap> {
    Some(Trap { why: why.into() })
}

/// Returns why a plain value must be quoted; whole and decimal numbers in their usual form, `true` and `false` need not be.
pub(super) fn value(word: &str) -> Option<Trap> {
    match word.to_ascii_lowercase().as_str() {
        "" => return trap("nothing, where a value belongs"),
        "~" | "null" => return trap("the same as no value at all"),
        "no" | "off" | "n" => return trap("false to older readers"),
        "yes" | "on" | "y" => return trap("true to older readers"),
        ".inf" | "+.inf" | "-.inf" | ".nan" => return trap("not a number that can be used"),
        _ => {}
    }
    number(word)
}

/// Returns why a plain key must be quoted. Single letters are let through: `x` and `y` are common names of fields.
pub(super) fn key(word: &str) -> Option<Trap> {
    if word.len() == 1 || word == "<<" { None } else { value(word) }
}

fn number(word: &str) -> Option<Trap> {
    let digits = word.strip_prefix(['-', '+']).unwrap_or(word);
    if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') || !digits.contains(|any: char| any.is_ascii_digit()) {
        return None;
    }
    let only = |allowed: &str| digits.chars().all(|each| each.is_ascii_digit() || allowed.contains(each));
    if let Some((prefix, rest)) = digits.split_at_checked(2) {
        let radix = match prefix {
            "0x" | "0X" => 16,
            "0o" | "0O" => 8,
            "0b" | "0B" => 2,
            _ => 0,
        };
        if radix > 0 && !rest.is_empty() && rest.chars().all(|each| each.is_digit(radix) || each == '_') {
            return trap("a number in another notation to some readers");
        }
    }
    if is_date(digits) {
        return trap("a date to some readers");
    }
    if only(":.") && digits.contains(':') && !digits.starts_with(':') && digits.split(':').all(|part| !part.is_empty()) {
        return trap("a number of seconds to some readers");
    }
    if only("_.") && digits.contains('_') {
        return trap("a number without the `_` to some readers");
    }
    if only("") {
        let leading_zero = digits.len() > 1 && digits.starts_with('0');
        return match (leading_zero, word.starts_with('+')) {
            (true, _) => trap("an octal number to older readers, or loses its zeros"),
            (_, true) => trap("loses its `+`"),
            _ if word.parse::<i64>().is_err() && word.parse::<u64>().is_err() => trap("too large to stay exact"),
            _ => None,
        };
    }
    let exponent = only(".eE+-") && digits.contains(['e', 'E']) && word.parse::<f64>().is_ok();
    if exponent {
        return trap("a number in exponent notation to some readers");
    }
    if only(".") {
        let canonical = word.parse::<f64>().map(|number| number.to_string());
        return match canonical {
            Ok(canonical) if canonical != word => trap(format!("read as {canonical}")),
            _ => None,
        };
    }
    None
}

/// Returns whether `word` begins like `2026-11-22`.
fn is_date(word: &str) -> bool {
    let shape = |part: &str, most: usize| (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = word.splitn(3, '-');
    let (Some(year), Some(month), Some(rest)) = (parts.next(), parts.next(), parts.next()) else { return false };
    let day: &str = rest.split(['T', 't', ' ']).next().unwrap_or("");
    year.len() == 4 && shape(year, 4) && shape(month, 2) && shape(day, 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_change_between_readers_must_be_quoted() {
        let words = [
            "",
            "~",
            "null",
            "Null",
            "no",
            "No",
            "NO",
            "yes",
            "on",
            "off",
            "OFF",
            "y",
            "N",
            "1e3",
            "1.5E-3",
            "12:30",
            "12:30:45",
            "0o17",
            "017",
            "00",
            "0x1F",
            "0b11",
            "1_000",
            "1.10",
            "1.0",
            ".5",
            "1.",
            "+1",
            "2026-11-22",
            "2026-1-2T10:00:00Z",
            ".inf",
            "-.inf",
            ".nan",
            "99999999999999999999",
            "-007",
        ];
        for word in words {
            assert!(value(word).is_some(), "{word}");
        }
    }

    #[test]
    fn ordinary_words_and_numbers_are_left_alone() {
        for word in [
            "0",
            "7",
            "-3",
            "42",
            "0.5",
            "-1.25",
            "true",
            "false",
            "oak",
            "none",
            "nope",
            "yesterday",
            "4:5 ratio",
            "1K",
            "3-4",
            "v1.10",
            "12 monkeys",
            "...",
            "-",
            "1.2.3",
            "1e",
            "e3",
            "85mm",
            "2026-11",
            "a: b",
            "0xZZ",
        ] {
            assert_eq!(value(word), None, "{word}");
        }
        assert_eq!(key("y"), None);
        assert!(key("no").is_some());
    }
}
