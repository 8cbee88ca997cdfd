//! Text that must never be printed.
//!
//! In: a key. Out: the key where a header is built; everywhere else what is left of a text when the key is taken out of it.
//! Never: the key in `Debug`, `Display` or a serialised value.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// What stands in the place of a secret.
pub const REDACTED: &str = "[redacted]";

/// Shortest form of a secret that is looked for: a shorter one stands in any text by chance.
const SHORTEST: usize = 6;

/// An API key: `Debug` and `Display` print `[redacted]`, and there is no `Serialize`.
#[derive(Clone)]
pub struct Secret {
    text: String,
    /// The ways in which it may come back: itself, in base64 of three offsets and two alphabets, in hex; longest first.
    forms: Vec<String>,
}

impl Secret {
    /// Takes ownership of the secret text.
    pub fn new(text: String) -> Self {
        let mut forms = forms(&text);
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        forms.dedup();
        Self { text, forms }
    }

    /// Returns the text itself; call it only where a header is built.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// Returns whether the secret stands in a text, as it is or encoded.
    pub fn stands_in(&self, text: &str) -> bool {
        self.forms.iter().any(|form| text.contains(form.as_str())) || escaped(text, &self.text, 0).is_some()
    }

    /// Returns a text without the secret.
    pub fn taken_out_of<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for form in &self.forms {
            if text.contains(form.as_str()) {
                text = Cow::Owned(text.replace(form.as_str(), REDACTED));
            }
        }
        let mut from = 0;
        while let Some(range) = escaped(&text, &self.text, from) {
            from = range.start + REDACTED.len();
            let (before, after) = (text.get(..range.start).unwrap_or_default(), text.get(range.end..).unwrap_or_default());
            text = Cow::Owned(format!("{before}{REDACTED}{after}"));
        }
        text
    }
}

/// Returns the forms that a secret may take inside other texts.
fn forms(text: &str) -> Vec<String> {
    let mut forms = Vec::new();
    if text.is_empty() {
        return forms;
    }
    forms.push(text.to_owned());
    for before in 0..3_usize {
        // What stands before and after decides the first and the last letters; those between are the secret's own.
        let padded = [&vec![0; before][..], text.as_bytes()].concat();
        let whole = padded.len() / 3 * 3;
        for encoded in [STANDARD_NO_PAD.encode(&padded[..whole]), URL_SAFE_NO_PAD.encode(&padded[..whole])] {
            forms.push(encoded.chars().skip([0, 2, 3][before]).collect());
        }
    }
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    // In JSON and in `Debug` a quote or a backslash stands with a backslash before it.
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    forms.extend([hex.to_uppercase(), hex, escaped]);
    forms.retain(|form| form.len() >= SHORTEST || form == text);
    forms
}

/// Finds a secret from a place on in which any characters stand as `%2D` or `\\u002d`; encoders differ in which they leave as they are.
fn escaped(text: &str, secret: &str, from: usize) -> Option<Range<usize>> {
    if secret.len() < SHORTEST || !text.contains(['%', '\\']) {
        return None;
    }
    let bytes = text.as_bytes();
    (from..bytes.len()).find_map(|start| ends(bytes, start, secret.as_bytes()).map(|end| start..end))
}

/// Returns where a secret ends that begins at `at`.
fn ends(text: &[u8], mut at: usize, secret: &[u8]) -> Option<usize> {
    for wanted in secret {
        let rest = text.get(at..)?;
        at += match rest {
            [first, ..] if first == wanted => 1,
            [b'%', digits @ ..] if hex(digits, 2) == Some(u32::from(*wanted)) => 3,
            [b'\\', b'u', digits @ ..] if hex(digits, 4) == Some(u32::from(*wanted)) => 6,
            _ => return None,
        };
    }
    Some(at)
}

/// Reads so many hexadecimal digits.
fn hex(digits: &[u8], count: usize) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(digits.get(..count)?).ok()?, 16).ok()
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use proptest::prelude::*;

    #[test]
    fn a_secret_prints_nothing_of_itself() {
        let secret = Secret::new("sk-canary-5f1d77".to_owned());
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "[redacted] [redacted] Some([redacted])");
        assert_eq!(secret.taken_out_of("key sk-canary-5f1d77!"), "key [redacted]!");
        assert_eq!(
            secret.taken_out_of("a%20sk%2Dcanary-5f1d77, sk-canary%2d5%661d77 or sk\\u002Dcanary-5f1d77%"),
            "a%20[redacted], [redacted] or [redacted]%"
        );
        assert_eq!(Secret::new(String::new()).taken_out_of("nothing is hidden"), "nothing is hidden");
    }

    fn hex_digits(byte: u8) -> String {
        format!("{byte:02X}")
    }

    proptest! {
        #[test]
        fn wherever_a_secret_stands_in_base64_it_is_found(before in "[ -~]{0,7}", after in "[ -~]{0,7}", key in "sk-[A-Za-z0-9+/?%_-]{12,40}") {
            let (secret, text) = (Secret::new(key.clone()), format!("{before}{key}{after}"));
            for encoded in [STANDARD.encode(&text), URL_SAFE.encode(&text)] {
                prop_assert!(secret.stands_in(&encoded));
                prop_assert!(!secret.stands_in(&secret.taken_out_of(&encoded)));
            }
            prop_assert!(secret.stands_in(&key.bytes().map(hex_digits).collect::<String>()));
            prop_assert!(!secret.stands_in(&secret.taken_out_of(&text)));
        }
    }
}
