//! Text that a spreadsheet shows instead of running it.
//!
//! A cell that begins with `=`, `+`, `-`, `@`, a tab or a line break can be taken for a formula; so can what follows a `;`, a quote or a tab
//! where a program splits the line differently than it was written. Such text gets a `'` in front, which spreadsheets take as "this is
//! text". [`original`] takes it away again, so nothing is lost. Numbers never pass through here.

use std::borrow::Cow;

/// Returns whether a program might take text that begins so for a formula, or for our own mark.
fn is_risky(rest: &str) -> bool {
    let is_mark = |char| matches!(char, '=' | '+' | '-' | '@' | '\'' | '＝' | '＋' | '－' | '＠');
    rest.starts_with(['\t', '\r', '\n']) || rest.trim_start().starts_with(is_mark)
}

/// Returns whether a program might begin a new cell after this character.
fn splits(char: char) -> bool {
    matches!(char, ';' | '"' | '\t' | '\r' | '\n')
}

/// Returns the text with a `'` wherever a formula could begin.
pub fn neutral(text: &str) -> Cow<'_, str> {
    let starts =
        |text: &str| std::iter::once(0).chain(text.char_indices().filter(|(_, char)| splits(*char)).map(|(at, char)| at + char.len_utf8())).collect();
    let starts: Vec<usize> = starts(text);
    if !starts.iter().any(|start| is_risky(&text[*start..])) {
        return Cow::Borrowed(text);
    }
    let mut neutral = String::with_capacity(text.len() + 4);
    for (place, start) in starts.iter().enumerate() {
        if is_risky(&text[*start..]) {
            neutral.push('\'');
        }
        neutral.push_str(&text[*start..starts.get(place + 1).copied().unwrap_or(text.len())]);
    }
    Cow::Owned(neutral)
}

/// Returns the text that [`neutral`] was given.
pub fn original(cell: &str) -> String {
    let mut original = String::with_capacity(cell.len());
    let mut at_start = true;
    for char in cell.chars() {
        if !(at_start && char == '\'') {
            original.push(char);
        }
        at_start = splits(char);
    }
    original
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whatever_could_run_gets_a_mark_and_plain_text_does_not() {
        for text in ["=1+1", "+1", "-2", "@SUM(A1)", "\t=1", "\r=1", "＝1", "＋1", "－1", "＠x", "  =1", "\n=1", "'quoted"] {
            assert!(neutral(text).starts_with('\''), "{text:?}");
        }
        assert_eq!(neutral("a;=cmd|' /C calc'!A0"), "a;'=cmd|' /C calc'!A0");
        assert_eq!(neutral("a\";+1"), "a\";'+1");
        for text in ["", "teapot", "hero[sku=teapot,angle=front]", "a - b", "1-2", "half \"quoted\" text"] {
            assert!(matches!(neutral(text), Cow::Borrowed(_)), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost(text in "[=+@a';\"\t\r\n ＝-]{0,12}") {
            prop_assert_eq!(original(&neutral(&text)), text);
        }

        #[test]
        fn no_cell_begins_with_a_formula(text in "[=+@a';\"\t\r\n ＝-]{0,12}") {
            for part in neutral(&text).split([';', '"', '\t', '\r', '\n']).filter(|part| !part.starts_with('\'')) {
                prop_assert!(!part.trim_start().starts_with(['=', '+', '-', '@', '＝']), "{:?}", part);
            }
        }
    }
}
