//! Where the cells of a table stand in its text.
//!
//! In: the beginnings of rows. Out: bytes of a row, a cell, a column's name. Never: what a cell means.
//! Cells are found again when asked for: a million of them need no memory.

use std::ops::Range;
use std::sync::Arc;

use super::yaml::{self, Positions};
use crate::types::{FieldPath, Segment};

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writing {
    /// Cells between delimiters, with a header.
    Delimited(u8),
    /// One JSON object a line.
    JsonLines,
}

/// Where the rows of a table begin.
#[derive(Debug, Clone)]
pub(super) struct TableMap {
    pub(super) writing: Writing,
    pub(super) columns: Vec<Arc<str>>,
    /// First byte of each row.
    pub(super) rows: Vec<u32>,
}

impl TableMap {
    /// Returns the bytes of `at`: a row, a cell of it, or a column's name in the header.
    pub(super) fn locate(&self, text: &str, at: &FieldPath) -> Range<usize> {
        match at.segments.as_slice() {
            [Segment::Index(row), rest @ ..] => {
                let Some(start) = self.rows.get(*row) else { return self.header_line(text) };
                self.in_row(text, *start as usize, rest.first(), at)
            }
            [Segment::Column(name) | Segment::Key(name), ..] if matches!(self.writing, Writing::Delimited(_)) => {
                self.field(text, 0, name, None).unwrap_or_else(|| self.header_line(text))
            }
            _ => self.header_line(text),
        }
    }

    fn header_line(&self, text: &str) -> Range<usize> {
        let start = text.len() - text.trim_start_matches(['\n', '\r']).len();
        line_at(text, start)
    }

    fn in_row(&self, text: &str, start: usize, cell: Option<&Segment>, at: &FieldPath) -> Range<usize> {
        let line = line_at(text, start);
        let Some(Segment::Column(name) | Segment::Key(name)) = cell else { return line };
        match self.writing {
            Writing::Delimited(_) => self.field(text, start, name, at.inside).unwrap_or(line),
            Writing::JsonLines => {
                let Some(object) = text.get(line.clone()) else { return line };
                let (map, _) = yaml::scan(at.doc, object, Positions::None);
                let in_line = FieldPath { segments: at.segments.iter().skip(1).cloned().collect(), ..at.clone() };
                let found = map.locate(object, &in_line);
                line.start + found.start..line.start + found.end
            }
        }
    }

    /// Returns the cell of column `name` in the row at `start`, without its quotes.
    fn field(&self, text: &str, start: usize, name: &str, inside: Option<(usize, usize)>) -> Option<Range<usize>> {
        let Writing::Delimited(delimiter) = self.writing else { return None };
        let column = self.columns.iter().position(|column| **column == *name)?;
        let field = fields(text, start, delimiter).fields.into_iter().nth(column)?;
        let Some((from, to)) = inside else { return Some(field.content) };
        let quoted = text.get(..field.content.start)?.ends_with('"');
        let source = |decoded: usize| if quoted { after_doubled(text, &field.content, decoded) } else { field.content.start + decoded };
        let (from, to) = (source(from), source(to));
        (from <= to && to <= field.content.end).then_some(from..to)
    }
}

/// Returns where byte `decoded` of a quoted cell stands, each `""` in the file being one `"`.
fn after_doubled(text: &str, content: &Range<usize>, decoded: usize) -> usize {
    let mut at = content.start;
    let bytes = text.as_bytes();
    for _ in 0..decoded {
        at += if bytes.get(at) == Some(&b'"') { 2 } else { 1 };
    }
    at
}

/// Returns the bytes of the line that begins at or after `start`, without its end.
fn line_at(text: &str, start: usize) -> Range<usize> {
    let rest = text.get(start..).unwrap_or("");
    let skipped = rest.len() - rest.trim_start_matches(['\n', '\r']).len();
    let line = rest[skipped..].split(['\n', '\r']).next().unwrap_or("");
    start + skipped..start + skipped + line.trim_end().len()
}

/// The cells of one row.
pub(super) struct Fields {
    pub(super) fields: Vec<Field>,
    /// First byte of an opening quote that is never closed.
    pub(super) open_quote: Option<usize>,
}

/// One cell.
pub(super) struct Field {
    /// Its text in the file, without the quotes around it.
    pub(super) content: Range<usize>,
}

/// Splits the row that begins at or after `start`.
pub(super) fn fields(text: &str, start: usize, delimiter: u8) -> Fields {
    let bytes = text.as_bytes();
    let mut at = start;
    while matches!(bytes.get(at), Some(b'\n' | b'\r')) {
        at += 1;
    }
    let mut found = Fields { fields: Vec::new(), open_quote: None };
    loop {
        if bytes.get(at) == Some(&b'"') {
            let open = at;
            at += 1;
            let content = at;
            loop {
                match (bytes.get(at), bytes.get(at + 1)) {
                    (Some(b'"'), Some(b'"')) => at += 2,
                    (Some(b'"'), _) | (None, _) => break,
                    _ => at += 1,
                }
            }
            if at >= bytes.len() {
                found.open_quote = Some(open);
            }
            found.fields.push(Field { content: content..at });
            at += 1;
            while bytes.get(at).is_some_and(|byte| *byte != delimiter && !matches!(byte, b'\n' | b'\r')) {
                at += 1;
            }
        } else {
            let content = at;
            while bytes.get(at).is_some_and(|byte| *byte != delimiter && !matches!(byte, b'\n' | b'\r')) {
                at += 1;
            }
            found.fields.push(Field { content: content..at });
        }
        if bytes.get(at) != Some(&delimiter) {
            return found;
        }
        at += 1;
    }
}
