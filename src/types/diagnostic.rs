//! Mistakes with an address: what is wrong, where in which document, how to mend it.
//!
//! Layers up to `plan` return *all* problems. They speak of places as [`FieldPath`]; only the edge knows lines and columns.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Which document a path points into; an index into the loader's sources. 0 is the campaign file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocId(pub u32);

impl DocId {
    /// The campaign file itself.
    pub const CAMPAIGN: Self = Self(0);
}

/// One step into a document.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Segment {
    /// The value of this key in a map.
    Key(Arc<str>),
    /// An element of a list, or a row of a table, counted from 0 (a CSV's header is not a row).
    Index(usize),
    /// A column of a table's row.
    Column(Arc<str>),
}

/// The address of a value: document, path, and possibly bytes inside the value's text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldPath {
    /// The document.
    pub doc: DocId,
    /// The way from its root.
    pub segments: Vec<Segment>,
    /// Point at the key itself, not at its value.
    pub at_key: bool,
    /// Bytes inside the scalar's decoded text, for example the variable inside a template.
    pub inside: Option<(usize, usize)>,
}

impl FieldPath {
    /// Returns the root of `doc`.
    pub fn root(doc: DocId) -> Self {
        Self { doc, segments: Vec::new(), at_key: false, inside: None }
    }

    /// Returns the root of the campaign file.
    pub fn campaign() -> Self {
        Self::root(DocId::CAMPAIGN)
    }

    /// Returns the path one key deeper.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.deeper(Segment::Key(Arc::from(key)))
    }

    /// Returns the path one list element or row deeper.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.deeper(Segment::Index(index))
    }

    /// Returns the path one column deeper.
    #[must_use]
    pub fn column(&self, column: &str) -> Self {
        self.deeper(Segment::Column(Arc::from(column)))
    }

    /// Returns the same path, pointing at the key instead of the value.
    #[must_use]
    pub fn at_key(mut self) -> Self {
        self.at_key = true;
        self
    }

    /// Returns the same path, pointing at bytes inside the value's text.
    #[must_use]
    pub fn inside(mut self, range: Range<usize>) -> Self {
        self.inside = Some((range.start, range.end));
        self
    }

    fn deeper(&self, segment: Segment) -> Self {
        let mut segments = self.segments.clone();
        segments.push(segment);
        Self { doc: self.doc, segments, at_key: false, inside: None }
    }
}

impl fmt::Display for FieldPath {
    /// Prints `steps.hero.generate.over[1]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.segments.iter().enumerate() {
            match segment {
                Segment::Key(key) if position == 0 => write!(f, "{key}")?,
                Segment::Key(key) => write!(f, ".{key}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Column(column) => write!(f, "[{column:?}]")?,
            }
        }
        Ok(())
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing is sent; exit 3.
    Error,
    /// Said, then carried on.
    Warning,
}

/// The stable name of a mistake, for example `unknown-key`; fixtures and searches use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(pub &'static str);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Its stable name.
    pub code: Code,
    /// Where it is.
    pub at: FieldPath,
    /// What is wrong: lower case, backticks round literals, no trailing dot.
    pub message: String,
    /// Said right at the place, under the carets.
    pub label: String,
    /// How to mend it.
    pub help: Option<String>,
    /// Other places that belong to it, each with a few words.
    pub related: Vec<(FieldPath, String)>,
}

impl Diagnostic {
    /// Returns an error called `code` at `at`.
    pub fn error(code: &'static str, at: FieldPath, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, code: Code(code), at, message: message.into(), label: String::new(), help: None, related: Vec::new() }
    }

    /// Returns a warning called `code` at `at`.
    pub fn warning(code: &'static str, at: FieldPath, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, at, message) }
    }

    /// Says something right at the place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Says how to mend it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Points at another place that belongs to it.
    #[must_use]
    pub fn related(mut self, at: FieldPath, note: impl Into<String>) -> Self {
        self.related.push((at, note.into()));
        self
    }
}

/// All mistakes found so far, in the order found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Starts without a mistake.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.list.push(diagnostic);
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: Self) {
        self.list.extend(other.list);
    }

    /// Returns whether any of them forbids going on.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Returns whether there is none at all.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Returns them in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self { list: vec![diagnostic] }
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

/// Returns the candidate closest to `word`, if one is close enough to be what was meant.
///
/// Case is ignored; at most a third of the letters may differ.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (edit_distance(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Returns how many insertions, deletions, substitutions or swaps of neighbours turn `left` into `right`.
fn edit_distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().take(64).collect();
    let right: Vec<char> = right.chars().take(64).collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (row, left_char) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, right_char) in right.iter().enumerate() {
            let substitution = last[column] + usize::from(left_char != right_char);
            let mut best = substitution.min(last[column + 1] + 1).min(current[column] + 1);
            let swapped = row > 0 && column > 0 && *left_char == right[column - 1] && left[row - 1] == *right_char;
            if swapped {
                best = best.min(before_last[column - 1] + 1);
            }
            current.push(best);
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last[right.len()]
}

/// Returns `words` as "`a`, `b` and `c`"; more than `most` are cut with "and n more".
pub fn listed<S: AsRef<str>>(words: impl IntoIterator<Item = S>, most: usize) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{}`", word.as_ref())).collect();
    match words.as_slice() {
        [] => "none".to_owned(),
        [one] => one.clone(),
        all if all.len() > most => format!("{} and {} more", all[..most].join(", "), all.len() - most),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Returns "1 job" or "3 jobs".
pub fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised_and_a_stranger_is_not() {
        let steps = ["hero", "surface", "deliver"];
        assert_eq!(did_you_mean("heros", steps), Some("hero"));
        assert_eq!(did_you_mean("Surfcae", steps), Some("surface"));
        assert_eq!(did_you_mean("evening", steps), None);
    }

    #[test]
    fn paths_read_like_code() {
        let path = FieldPath::campaign().key("steps").key("hero").key("over").index(1);
        assert_eq!(path.to_string(), "steps.hero.over[1]");
    }

    #[test]
    fn lists_are_cut_with_a_count() {
        assert_eq!(listed(["a", "b", "c"], 8), "`a`, `b` and `c`");
        assert_eq!(listed(["a", "b", "c"], 2), "`a`, `b` and 1 more");
    }
}
