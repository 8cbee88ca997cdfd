//! Two texts, word by word: what they share and what they do not.
//!
//! In: words of an old and of a new text. Out: [`Stretch`]es in order. Never: how they are shown; prompts are strangers' text, and
//! every view escapes them in its own way.

use similar::{Algorithm, DiffOp, capture_diff_slices};

/// Most words of a text that are compared; a prompt has some hundred, and the work grows with the square of what differs.
const MOST_WORDS: usize = 4_000;

/// One stretch of a diff, as words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stretch<'a> {
    /// In both texts.
    Same(&'a [&'a str]),
    /// In place of the old words stand the new ones; one of the two may be empty.
    Other {
        /// Old words.
        was: &'a [&'a str],
        /// New words.
        is: &'a [&'a str],
    },
}

/// Returns the words of a text; blanks and line breaks only separate them.
pub fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

/// Splits two lists of words into what they share, in order, and what they do not.
pub fn stretches<'a>(was: &'a [&'a str], is: &'a [&'a str]) -> Vec<Stretch<'a>> {
    if was.len() > MOST_WORDS || is.len() > MOST_WORDS {
        return if was == is { vec![Stretch::Same(is)] } else { vec![Stretch::Other { was, is }] };
    }
    let mut found = Vec::new();
    // Where the stretch that differs began, in both.
    let (mut left, mut right) = (0, 0);
    for op in capture_diff_slices(Algorithm::Myers, was, is) {
        let DiffOp::Equal { old_index, new_index, len } = op else { continue };
        if old_index > left || new_index > right {
            found.push(Stretch::Other { was: &was[left..old_index], is: &is[right..new_index] });
        }
        found.push(Stretch::Same(&is[new_index..new_index + len]));
        (left, right) = (old_index + len, new_index + len);
    }
    if was.len() > left || is.len() > right {
        found.push(Stretch::Other { was: &was[left..], is: &is[right..] });
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Writes a diff as the most plain of all views does.
    fn shown(was: &str, is: &str) -> String {
        let (was, is) = (words(was), words(is));
        let parts = stretches(&was, &is).into_iter().map(|stretch| match stretch {
            Stretch::Same(words) => words.join(" "),
            Stretch::Other { was, is: [] } => format!("[-{}-]", was.join(" ")),
            Stretch::Other { was: [], is } => format!("{{+{}+}}", is.join(" ")),
            Stretch::Other { was, is } => format!("[-{}-]{{+{}+}}", was.join(" "), is.join(" ")),
        });
        parts.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn changed_words_stand_side_by_side() {
        insta::assert_snapshot!(
            shown("Now it stands on a pale oak tabletop. Keep the shape.", "Now it stands on a dark walnut tabletop. Keep the exact shape."),
            @"Now it stands on a [-pale oak-]{+dark walnut+} tabletop. Keep the {+exact+} shape."
        );
        assert_eq!(shown("soft light", "soft light"), "soft light");
        assert_eq!(shown("", "soft light"), "{+soft light+}");
        assert_eq!(shown("soft\nlight", ""), "[-soft light-]");
        assert_eq!(shown(" soft\n\nlight ", "soft light"), "soft light", "blanks are no words");
    }

    #[test]
    fn texts_without_an_end_are_not_compared() {
        let (long, longer) = ("a b ".repeat(5_000), "b a ".repeat(5_000));
        let (was, is) = (words(&long), words(&longer));
        assert_eq!(stretches(&was, &is), [Stretch::Other { was: &was, is: &is }]);
        assert_eq!(stretches(&was, &was), [Stretch::Same(&was)]);
    }

    proptest! {
        #[test]
        fn a_diff_holds_both_texts(was in "[abc ]{0,24}", is in "[abc ]{0,24}") {
            let (was, is) = (words(&was), words(&is));
            let found = stretches(&was, &is);
            let side = |old: bool| found.iter().flat_map(|stretch| match stretch {
                Stretch::Same(words) => words.to_vec(),
                Stretch::Other { was, is } => if old { was.to_vec() } else { is.to_vec() },
            }).collect::<Vec<_>>();
            prop_assert_eq!(side(true), was.clone());
            prop_assert_eq!(side(false), is.clone());
            let differs = found.iter().any(|stretch| matches!(stretch, Stretch::Other { .. }));
            prop_assert_eq!(differs, was != is);
        }
    }
}
