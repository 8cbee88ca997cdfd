//! The one place where text of strangers becomes text for a terminal.
//!
//! In: prompts, providers' messages, names from a CSV. Out: one line that cannot move the cursor, colour the screen or hide itself.

use std::fmt;

/// Longest message shown on one line, in characters.
const LONGEST: usize = 400;

/// Returns `text` as one harmless line: control characters and those that reorder or hide text are spelled out, as `\u{1b}`.
pub fn escaped(text: &str) -> String {
    Line(text).to_string()
}

/// Displays a stranger's text as one harmless line, cut after 400 characters.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a>(pub &'a str);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, letter) in self.0.chars().enumerate() {
            if position == LONGEST {
                return f.write_str("…");
            }
            match letter {
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                letter if is_harmful(letter) => write!(f, "\\u{{{:x}}}", letter as u32)?,
                letter => write!(f, "{letter}")?,
            }
        }
        Ok(())
    }
}

/// Returns whether a character controls the terminal, or changes the order or visibility of the others.
pub(super) fn is_harmful(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
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
