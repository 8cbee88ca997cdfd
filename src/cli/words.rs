//! Small pieces of sentences that several commands share.
//!
//! In: plain values. Out: text for people. Never: a decision.

use std::path::Path;

use crate::plan::word_diff::{Stretch, stretches};
use crate::plan::{Difference, Plan};
use crate::types::visible;

/// Most words that a diff shows before and after a change.
const CONTEXT: usize = 4;

/// Longest value that is shown whole, in characters.
const SHORT: usize = 40;

/// Returns a word as a shell takes it: in quotes, unless nothing in it means something to one.
pub fn shell_word(word: &str) -> String {
    let is_plain = |char: char| char.is_alphanumeric() || "_-./=:,@%+".contains(char);
    if !word.is_empty() && word.chars().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// Returns the path of a file as it is typed in a command.
pub fn typed(path: &Path) -> String {
    shell_word(&path.display().to_string())
}

/// Returns the first difference in one line: `prompt: … stands [oak -> walnut] …`.
pub fn first_difference(plan: &Plan, differences: &[Difference]) -> String {
    let Some(first) = differences.first() else { return "another picture stood here; the ledger kept no recipe of it".to_owned() };
    let more = match differences.len() {
        1 => String::new(),
        many => format!(" (and {} more)", many - 1),
    };
    format!("{}{more}", difference(plan, first))
}

/// Returns what the first difference has in common with that of other shots: the same change to the text, or another picture of the same step.
pub fn kind_of_difference(plan: &Plan, differences: &[Difference]) -> String {
    let Some(first) = differences.first() else { return String::new() };
    match (first.input, &first.was, &first.is) {
        (Some(input), Some(_), Some(_)) => format!("picture of {}", plan.step_of(input).name),
        (_, Some(was), Some(is)) => format!("{}: {}", first.field, only_changes(was, is)),
        _ => format!("{} {}", first.field, first.is.is_some()),
    }
}

/// Returns the words of the person who turned a picture down.
fn rejection(plan: &Plan, picture: &str) -> String {
    let refused = plan.refused.values().flatten().find(|refused| refused.picture.to_string() == *picture);
    let note = refused.and_then(|refused| refused.note.as_deref()).map_or(String::new(), |note| format!(": {}", visible(note)));
    format!("rejected by you{note}")
}

/// Returns the parts of two texts that differ.
fn only_changes(was: &str, is: &str) -> String {
    let was: Vec<&str> = was.split_whitespace().collect();
    let is: Vec<&str> = is.split_whitespace().collect();
    let changed = stretches(&was, &is).into_iter().filter_map(|stretch| match stretch {
        Stretch::Same(_) => None,
        Stretch::Other { was, is } => Some(format!("{was:?} {is:?}")),
    });
    changed.collect::<Vec<_>>().join(", ")
}

/// Returns a difference in one line.
pub fn difference(plan: &Plan, difference: &Difference) -> String {
    let field = visible(&difference.field);
    if let ("rejected", Some(picture)) = (&*difference.field, &difference.is) {
        return rejection(plan, picture);
    }
    if let (Some(input), Some(_), Some(_)) = (difference.input, &difference.was, &difference.is) {
        return format!("its {field} `{}` is another picture now", visible(plan.id(input).as_str()));
    }
    match (&difference.was, &difference.is) {
        (Some(was), Some(is)) if was.chars().count() <= SHORT && is.chars().count() <= SHORT => {
            format!("{field}: {} -> {}", visible(was), visible(is))
        }
        (Some(was), Some(is)) => format!("{field}: {}", word_diff(was, is)),
        (None, Some(is)) => format!("{field} is new: {}", visible(&shortened(is))),
        (Some(was), None) => format!("{field} is gone: {}", visible(&shortened(was))),
        (None, None) => format!("{field} has changed"),
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHORT) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Returns both texts in one, word by word: what differs stands in brackets, old `->` new; long equal stretches are left out.
pub fn word_diff(was: &str, is: &str) -> String {
    let was: Vec<&str> = was.split_whitespace().collect();
    let is: Vec<&str> = is.split_whitespace().collect();
    let stretches = stretches(&was, &is);
    let last = stretches.len().saturating_sub(1);
    let parts = stretches.iter().enumerate().map(|(place, stretch)| match stretch {
        Stretch::Same(words) => visible(&around(words, place > 0, place < last)).into_owned(),
        Stretch::Other { was: [], is } => format!("[+ {}]", visible(&is.join(" "))),
        Stretch::Other { was, is: [] } => format!("[- {}]", visible(&was.join(" "))),
        Stretch::Other { was, is } => format!("[{} -> {}]", visible(&was.join(" ")), visible(&is.join(" "))),
    });
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Returns equal words, only those next to a change.
fn around(words: &[&str], after_change: bool, before_change: bool) -> String {
    let head = if after_change { CONTEXT } else { 0 };
    let tail = if before_change { CONTEXT } else { 0 };
    if words.len() <= head + tail {
        return words.join(" ");
    }
    let kept = [words[..head].join(" "), "…".to_owned(), words[words.len() - tail..].join(" ")];
    kept.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_word_stands_between_its_neighbours() {
        let was = "Replace only the background: the product now stands on a pale oak tabletop. Keep identical shape and colour.";
        let is = "Replace only the background: the product now stands on a dark walnut tabletop. Keep identical shape and colour.";
        assert_eq!(word_diff(was, is), "… now stands on a [pale oak -> dark walnut] tabletop. Keep identical shape …");
        assert_eq!(word_diff("soft light", "very soft light"), "[+ very] soft light");
        assert_eq!(word_diff("soft light \u{1b}[2J", "soft light"), r"soft light [- \u{1b}[2J]");
    }
}
