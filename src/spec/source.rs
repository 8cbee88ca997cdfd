//! The texts of a load, and the way from a [`FieldPath`] back to bytes, lines and columns.
//!
//! In: text as it was read. Out: [`Place`]s. Never: a refusal to answer; what has no text of its own is shown at its nearest known ancestor.

use std::ops::Range;
use std::sync::Arc;

use super::cells::TableMap;
use super::yaml::{self, Positions, YamlMap};
use crate::types::{Diagnostics, DocId, FieldPath};

/// One text that was read: the campaign file or a table.
#[derive(Debug, Clone)]
pub struct Document {
    /// Its number in the load.
    pub id: DocId,
    /// Its path as the author wrote it, for people.
    pub shown: String,
    /// Its text, without a byte order mark.
    pub text: Arc<str>,
    map: DocumentMap,
    /// First byte of each line.
    lines: Vec<usize>,
}

/// How paths lead into a document's text.
#[derive(Debug, Clone)]
enum DocumentMap {
    Yaml(YamlMap),
    Table(TableMap),
    /// Text that could not be understood; only byte positions lead into it.
    Opaque,
}

/// Bytes of a document.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The document.
    pub doc: DocId,
    /// First byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl Place {
    /// Returns the bytes as a range over [`Document::text`].
    pub fn span(&self) -> Range<usize> {
        self.start..self.end
    }
}

/// All documents of a load, in the order read; the campaign file is the first.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    documents: Vec<Document>,
}

impl Sources {
    /// Starts without a document.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a YAML document and returns what is wrong with it as YAML: syntax, duplicate keys, aliases, nesting, treacherous plain words.
    ///
    /// `data` says where such words are data and must be quoted.
    pub fn add_yaml(&mut self, shown: impl Into<String>, text: Arc<str>, data: Positions) -> (DocId, Diagnostics) {
        let id = self.next_id();
        let (map, found) = yaml::scan(id, &text, data);
        (self.add(shown.into(), text, DocumentMap::Yaml(map)), found)
    }

    /// Notes that a key was read as another: places below either are the same text.
    pub(super) fn read_as(&mut self, at: &FieldPath, written: &str, meant: &str) {
        let document = usize::try_from(at.doc.0).ok().and_then(|place| self.documents.get_mut(place));
        if let Some(DocumentMap::Yaml(map)) = document.map(|document| &mut document.map) {
            map.read_as(at, written, meant);
        }
    }

    /// Adds a table whose cells are found through `map`.
    pub(super) fn add_table(&mut self, shown: impl Into<String>, text: Arc<str>, map: TableMap) -> DocId {
        self.add(shown.into(), text, DocumentMap::Table(map))
    }

    /// Adds a text that only byte positions lead into; also for a file that could not be read, with an empty text.
    pub fn add_opaque(&mut self, shown: impl Into<String>, text: Arc<str>) -> DocId {
        self.add(shown.into(), text, DocumentMap::Opaque)
    }

    fn add(&mut self, shown: String, text: Arc<str>, map: DocumentMap) -> DocId {
        let id = self.next_id();
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(newline, _)| newline + 1)).collect();
        self.documents.push(Document { id, shown, text, map, lines });
        id
    }

    /// Returns the number that the next document will have.
    pub(super) fn next_id(&self) -> DocId {
        DocId(u32::try_from(self.documents.len()).unwrap_or(u32::MAX))
    }

    /// Returns the document called `id`.
    pub fn document(&self, id: DocId) -> Option<&Document> {
        self.documents.get(usize::try_from(id.0).ok()?)
    }

    /// Returns all documents in the order read.
    pub fn iter(&self) -> std::slice::Iter<'_, Document> {
        self.documents.iter()
    }

    /// Returns where `at` stands, or its nearest ancestor that has text; `None` only for a document that is not here.
    ///
    /// A path without segments and with [`FieldPath::inside`] means those bytes of the whole text. The bytes lie on character boundaries.
    pub fn locate(&self, at: &FieldPath) -> Option<Place> {
        let document = self.document(at.doc)?;
        let found = match (&document.map, at.inside) {
            (_, Some((start, end))) if at.segments.is_empty() => start..end,
            (DocumentMap::Yaml(map), _) => map.locate(&document.text, at),
            (DocumentMap::Table(map), _) => map.locate(&document.text, at),
            (DocumentMap::Opaque, _) => 0..0,
        };
        let start = floor_boundary(&document.text, found.start);
        let end = ceil_boundary(&document.text, found.end.max(start));
        Some(Place { doc: at.doc, start, end })
    }

    /// Returns line and column, both counted from 1 and the column in characters, of a byte of a document.
    pub fn position(&self, doc: DocId, offset: usize) -> (usize, usize) {
        let Some(document) = self.document(doc) else { return (1, 1) };
        let offset = floor_boundary(&document.text, offset);
        let line = document.lines.partition_point(|start| *start <= offset).max(1);
        let start = document.lines.get(line - 1).copied().unwrap_or(0);
        (line, document.text.get(start..offset).map_or(0, |before| before.chars().count()) + 1)
    }
}

/// Returns the last character boundary at or before `offset`.
pub(crate) fn floor_boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// Returns the first character boundary at or after `offset`.
pub(crate) fn ceil_boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset += 1;
    }
    offset
}
