//! What the author allows: rules by name under `lint`, or by a comment `# callsheet: allow(rule)` on a line or above it.
//!
//! In: what the rules said, and the text of the campaign. Out: what is left to say, and every allow that was not needed.
//! Comments are read in the campaign file only; what a cell of a table says is allowed at the template that looks it up.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::LazyLock;

use regex_lite::Regex;

use super::{Linted, Remark};
use crate::spec::Sources;
use crate::types::diagnostic::{did_you_mean, listed};
use crate::types::{Diagnostic, Diagnostics, DocId, FieldPath, Rule};

/// The warning about an allow that allows nothing.
pub const UNUSED: &str = "unused-allow";

/// The warning about a name that no rule has.
pub const UNKNOWN: &str = "unknown-rule";

/// The warning about a comment that is not one, because it stands in a text.
pub const MISPLACED: &str = "misplaced-allow";

static COMMENT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?:^|\s)(#\s*callsheet:\s*allow\(([^)]*)\))").expect("a pattern of this file is sound"));

/// Returns whether a text that is sent holds what was meant as a comment, and where.
pub(super) fn comment_in(text: &str) -> Option<Range<usize>> {
    COMMENT.captures(text).and_then(|found| found.get(1)).map(|found| found.range())
}

/// One rule that a comment allows.
struct Allowed {
    name: String,
    /// Where the name stands in the text.
    range: Range<usize>,
    /// The line that it is about, from 1.
    line: usize,
}

/// Returns what is left to say. `says_unused` is whether allows that were not needed are told: not for a profile, which may leave out what needs them.
pub fn heard(linted: Linted, allowed: &[Rule], says_unused: bool, sources: &Sources) -> Diagnostics {
    let mut found = Diagnostics::new();
    let sent: Vec<Range<usize>> = linted.sent_comments.iter().filter_map(|at| Some(sources.locate(at)?.span())).collect();
    let comments = comments(sources.document(DocId::CAMPAIGN).map_or("", |document| &document.text), &sent);
    for at in linted.sent_comments {
        let finding = Diagnostic::warning(MISPLACED, at, "this comment is part of the prompt: it is sent to the model, and allows nothing");
        found.push(finding.help("write it above the text, on the line of its key"));
    }
    let mut used_rules = BTreeSet::new();
    let mut used_comments: BTreeSet<usize> = BTreeSet::new();
    for remark in linted.remarks {
        let lines = lines(&remark, sources);
        let of_line: Vec<usize> =
            (0..comments.len()).filter(|place| comments[*place].name == remark.rule.name() && lines.contains(&comments[*place].line)).collect();
        let is_allowed = allowed.contains(&remark.rule);
        used_rules.extend(is_allowed.then_some(remark.rule));
        used_comments.extend(&of_line);
        if of_line.is_empty() && !is_allowed {
            found.push(remark.said);
        }
    }
    for (place, comment) in comments.iter().enumerate() {
        let at = FieldPath::campaign().inside(comment.range.clone());
        if !Rule::ALL.iter().any(|rule| rule.name() == comment.name) {
            found.push(unknown(at, &comment.name));
        } else if says_unused && !used_comments.contains(&place) {
            found.push(unused(at, &comment.name));
        }
    }
    for (index, rule) in allowed.iter().enumerate().filter(|(_, rule)| says_unused && !used_rules.contains(*rule)) {
        found.push(unused(FieldPath::campaign().key("lint").key("allow").index(index), rule.name()));
    }
    found
}

fn unknown(at: FieldPath, name: &str) -> Diagnostic {
    let names = || Rule::ALL.iter().map(|rule| rule.name());
    let help = match did_you_mean(name, names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("rules are {}", listed(names(), 20)),
    };
    Diagnostic::warning(UNKNOWN, at, format!("there is no rule `{name}` to allow")).help(help)
}

fn unused(at: FieldPath, name: &str) -> Diagnostic {
    let finding = Diagnostic::warning(UNUSED, at, format!("`{name}` has nothing to say here, so there is nothing to allow"));
    finding.help("remove it: else it hides the next one")
}

/// Returns the lines at which a remark can be allowed: of its words, and of the keys of the texts that they stand in.
fn lines(remark: &Remark, sources: &Sources) -> BTreeSet<usize> {
    let places = std::iter::once(&remark.said.at).chain(&remark.also_at).filter(|at| at.doc == DocId::CAMPAIGN);
    let both = places.flat_map(|at| {
        let mut key = at.clone().at_key();
        key.inside = None;
        [at.clone(), key]
    });
    both.filter_map(|at| sources.locate(&at)).map(|place| sources.position(place.doc, place.start).0).collect()
}

/// Reads the comments of a text; those in `sent` are none.
fn comments(text: &str, sent: &[Range<usize>]) -> Vec<Allowed> {
    let mut found = Vec::new();
    // A comment on a line of its own is about the next line that is more than a comment.
    let mut above: Vec<(String, Range<usize>)> = Vec::new();
    let mut start = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let is_only_comment = line.trim_start().starts_with('#');
        if !is_only_comment && !line.trim().is_empty() {
            found.extend(above.drain(..).map(|(name, range)| Allowed { name, range, line: index + 1 }));
        }
        for names in COMMENT.captures_iter(line).filter_map(|comment| comment.get(2)) {
            let mut at = start + names.start();
            for name in names.as_str().split(',') {
                let from = at + (name.len() - name.trim_start().len());
                at += name.len() + 1;
                let range = from..from + name.trim().len();
                if sent.iter().any(|sent| sent.start <= range.start && range.end <= sent.end) {
                    continue;
                }
                if is_only_comment {
                    above.push((name.trim().to_owned(), range));
                } else {
                    found.push(Allowed { name: name.trim().to_owned(), range, line: index + 1 });
                }
            }
        }
        start += line.len();
    }
    found.extend(above.into_iter().map(|(name, range)| Allowed { name, range, line: 0 }));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_about_its_own_line_or_the_next_one_that_says_something() {
        let text =
            "a: 1 # callsheet: allow(negation)\n# callsheet: allow(too-long, too-short): a reason\n# more\n\nb: 2\nc: \"x#callsheet: allow(no)\"\n";
        let read: Vec<(String, usize, String)> =
            comments(text, &[]).into_iter().map(|allowed| (allowed.name, allowed.line, text[allowed.range].to_owned())).collect();
        let expected = [("negation", 1), ("too-long", 5), ("too-short", 5)];
        assert_eq!(read, expected.map(|(name, line)| (name.to_owned(), line, name.to_owned())));
    }

    #[test]
    fn a_comment_inside_a_text_that_is_sent_is_none() {
        let text = "a: |\n  x\n  # callsheet: allow(negation)\n";
        assert_eq!(comments(text, &[]).len(), 1);
        let sent = 3..text.len();
        assert_eq!(comments(text, std::slice::from_ref(&sent)).len(), 0);
    }
}
