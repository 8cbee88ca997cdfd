//! Text of strangers as one line of a report.
//!
//! In: prompts, providers' messages, names from a CSV. Out: one line that cannot move the cursor, colour the screen, hide itself or fill it.

use std::fmt;

use crate::types::visible;

/// Longest message shown on one line, in characters.
const LONGEST: usize = 400;

/// Returns `text` as one harmless line, cut after 400 characters.
pub fn escaped(text: &str) -> String {
    Line(text).to_string()
}

/// Displays a stranger's text as one harmless line, cut after 400 characters.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a>(pub &'a str);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(LONGEST) {
            Some((end, _)) => write!(f, "{}…", visible(&self.0[..end])),
            None => f.write_str(&visible(self.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_would_drive_a_terminal_is_spelled_out() {
        insta::assert_snapshot!(escaped("\u{1b}[2Jgone\r\n\u{9b}31mred \u{202e}live \u{200b}x \u{7}"), @r"\u{1b}[2Jgone\r\n\u{9b}31mred \u{202e}live \u{200b}x \u{7}");
        assert_eq!(escaped("Bücher & 茶壺 👜"), "Bücher & 茶壺 👜");
    }

    #[test]
    fn a_long_message_is_cut() {
        assert_eq!(escaped(&"x".repeat(1_000)).chars().count(), LONGEST + 1);
    }
}
