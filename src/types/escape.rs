//! Text that is harmless on a terminal, in a log and in a report.

use std::borrow::Cow;

/// Returns the text with control characters, and those that hide or turn the direction of writing, written out.
///
/// A tab becomes four spaces. One line stays one line: a line break is written out too.
///
/// # Examples
/// ```
/// use callsheet::types::visible;
/// assert_eq!(visible("a red mug"), "a red mug");
/// assert_eq!(visible("\u{1b}[2Jmug"), "\\u{1b}[2Jmug");
/// ```
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut visible = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        match char {
            '\t' => visible.push_str("    "),
            '\n' => visible.push_str("\\n"),
            '\r' => visible.push_str("\\r"),
            harmful if is_harmful(harmful) => visible.extend(harmful.escape_unicode()),
            plain => visible.push(plain),
        }
    }
    Cow::Owned(visible)
}

/// Returns whether a character drives a terminal, or hides or reorders the others.
pub fn is_harmful(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        assert_eq!(visible("a\u{1b}]0;b\u{7}\r\n\u{9b}c\u{202e}d\u{200b}"), r"a\u{1b}]0;b\u{7}\r\n\u{9b}c\u{202e}d\u{200b}");
        assert_eq!(visible("\ttea"), "    tea");
        assert!(matches!(visible("Küche, 台, “mug”"), Cow::Borrowed(_)));
    }
}
