//! How many columns of a terminal a text takes: letters of Chinese, Japanese and Korean and emoji take two, accents that stand over another
//! letter none.
//!
//! In: text as [`visible`](super::visible) makes it. Out: columns, and texts cut and filled up to them.
//! Never: bytes or characters taken for columns.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Makes an emoji of the letter before it, which then takes two columns.
const AS_EMOJI: char = '\u{fe0f}';

/// Returns how many columns a text takes.
///
/// # Examples
/// ```
/// use callsheet::types::width::columns;
/// assert_eq!([columns("mug"), columns("茶碗"), columns("Küche"), columns("🍵")], [3, 4, 5, 2]);
/// ```
pub fn columns(text: &str) -> usize {
    text.width()
}

/// Returns as much of a text as fits into `width` columns, with `…` where it was cut.
///
/// # Examples
/// ```
/// use callsheet::types::width::cut;
/// assert_eq!([cut("teapot", 6), cut("teapot", 5), cut("茶碗蒸し", 6)], ["teapot", "teap…", "茶碗…"]);
/// ```
pub fn cut(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let room = width.saturating_sub(1);
    let mut taken = 0;
    let fits = |letter: &char| {
        taken += if *letter == AS_EMOJI { 1 } else { letter.width().unwrap_or(0) };
        taken <= room
    };
    let mut cut: String = text.chars().take_while(fits).collect();
    cut.push('…');
    cut
}

/// Returns a text with blanks behind it, up to `width` columns.
pub fn filled(text: &str, width: usize) -> String {
    // Formatting itself panics where 16 bits do not hold a width, and tables of strangers may be that wide.
    text.to_owned() + &" ".repeat(width.saturating_sub(columns(text)))
}

/// Returns a text with blanks in front of it, up to `width` columns.
pub fn filled_before(text: &str, width: usize) -> String {
    " ".repeat(width.saturating_sub(columns(text))) + text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_cut_text_keeps_whole_letters_with_what_stands_over_them() {
        assert_eq!(cut("cafe\u{301} noir", 5), "cafe\u{301}…", "the accent stays on its letter");
        assert_eq!(cut("茶碗", 3), "茶…");
        assert_eq!(cut("茶碗", 2), "…", "half a letter is none");
        assert_eq!(cut("☕\u{fe0f}☕\u{fe0f}☕\u{fe0f}", 5), "☕\u{fe0f}…", "an emoji may be two characters");
        assert_eq!((cut("", 0), cut("a", 0)), (String::new(), "…".to_owned()));
    }

    #[test]
    fn a_name_may_be_as_wide_as_nobody_wants_to_see_it() {
        let width = 2 * usize::from(u16::MAX);
        assert_eq!([filled("a", width).len(), filled_before("a", width).len()], [width; 2]);
    }

    proptest! {
        #[test]
        fn a_text_is_cut_to_its_width_and_filled_to_it(text in "[a-z가-힣茶碗🍵é\u{301} ]{0,20}", width in 1_usize..12) {
            let cut = cut(&text, width);
            prop_assert!(columns(&cut) <= width, "{cut:?}");
            prop_assert_eq!(columns(&filled(&cut, width)), width);
            prop_assert_eq!(columns(&filled_before(&cut, width)), width);
        }
    }
}
