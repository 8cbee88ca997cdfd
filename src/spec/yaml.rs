//! One pass over a YAML text: where every key and value stands, and what is wrong with it as YAML.
//!
//! In: text. Out: a [`YamlMap`] and all findings at once. Never: what a key means.
//! The parser here and the one that reads values are two grammars: where they disagree the values win and the place is an ancestor's.

use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, StructureStyle};

use super::scalar_text;
use super::source::floor_boundary;
use super::traps;
use crate::types::{Diagnostic, Diagnostics, DocId, FieldPath, Segment};

/// Deepest nesting of lists and maps; campaigns need about 8.
const MAX_DEPTH: usize = 64;

/// Most values in one document: a table of 100,000 rows has about a million.
const MAX_NODES: usize = 2_000_000;

/// Most values that aliases may add; a campaign that shares blocks adds hundreds.
const MAX_ALIASED: u64 = 100_000;

/// Most merges and aliases followed to find one place, so that a loop of them ends.
const MAX_HOPS: usize = 32;

/// Where plain words are data, so that other YAML readers must not change them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Positions {
    /// Nowhere: settings, read into typed fields.
    None,
    /// A campaign: `vars`, the values of `axes`, the rungs of `ladders`.
    Campaign,
    /// Everywhere: a table of rows.
    All,
}

/// Where every key and value of a document stands.
#[derive(Debug, Clone, Default)]
pub struct YamlMap {
    nodes: Vec<Node>,
    root: Option<u32>,
}

#[derive(Debug, Clone)]
struct Node {
    span: Span,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Scalar(ScalarStyle),
    List { flow: bool, items: Vec<u32> },
    Map { flow: bool, entries: Vec<Entry> },
    Alias(u32),
}

#[derive(Debug, Clone)]
struct Entry {
    key: Box<str>,
    key_span: Span,
    value: u32,
}

/// A byte range; 32 bits each, because files are limited to megabytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: u32,
    end: u32,
}

impl Span {
    fn new(range: Range<usize>) -> Self {
        let narrow = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { start: narrow(range.start), end: narrow(range.end) }
    }

    fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl YamlMap {
    /// Returns the bytes of `at` in `text`, or of its nearest ancestor with text of its own.
    ///
    /// A map or list in block style has only its key to show; without a key, its first line.
    pub fn locate(&self, text: &str, at: &FieldPath) -> Range<usize> {
        let Some(root) = self.root else { return 0..0 };
        let mut hops = 0;
        let mut node = root;
        let mut key: Option<Range<usize>> = None;
        let mut whole = true;
        for segment in &at.segments {
            match self.child(node, segment, &mut hops) {
                Some((child, child_key)) => {
                    key = child_key.map(Span::range).or(if matches!(segment, Segment::Index(_)) { None } else { key });
                    node = child;
                }
                None => {
                    whole = false;
                    break;
                }
            }
        }
        if let (true, Some(key)) = (at.at_key || !whole, &key) {
            return key.clone();
        }
        self.shown(text, node, key, at.inside.filter(|_| whole))
    }

    /// Returns the bytes that stand for a value: itself when it is written in one piece, else its key or its first line.
    fn shown(&self, text: &str, node: u32, key: Option<Range<usize>>, inside: Option<(usize, usize)>) -> Range<usize> {
        let Some(found) = self.nodes.get(node as usize) else { return key.unwrap_or(0..0) };
        let range = found.span.range();
        match &found.kind {
            Kind::Scalar(style) => match inside {
                Some((start, end)) => scalar_text::source_of(text, range.clone(), *style, start..end).unwrap_or_else(|| trimmed(text, range)),
                None if range.is_empty() => key.unwrap_or(range),
                None => trimmed(text, range),
            },
            Kind::Alias(target) => match inside {
                Some(_) => self.shown(text, *target, key, inside),
                None => range,
            },
            Kind::List { flow: true, .. } | Kind::Map { flow: true, .. } => range,
            Kind::List { .. } | Kind::Map { .. } => key.unwrap_or_else(|| first_line(text, range)),
        }
    }

    /// Returns the child behind `segment`, through aliases and merges, with the place of its key.
    fn child(&self, node: u32, segment: &Segment, hops: &mut usize) -> Option<(u32, Option<Span>)> {
        *hops += 1;
        if *hops > MAX_HOPS + 64 {
            return None;
        }
        match (&self.nodes.get(node as usize)?.kind, segment) {
            (Kind::Alias(target), _) => self.child(*target, segment, hops),
            (Kind::List { items, .. }, Segment::Index(index)) => items.get(*index).map(|child| (*child, None)),
            (Kind::Map { entries, .. }, Segment::Key(name) | Segment::Column(name)) => {
                let own = entries.iter().find(|entry| *entry.key == **name).map(|entry| (entry.value, Some(entry.key_span)));
                own.or_else(|| {
                    let merged = entries.iter().find(|entry| &*entry.key == "<<")?;
                    self.child(merged.value, segment, hops)
                })
            }
            (Kind::List { items, .. }, Segment::Key(_)) => items.iter().find_map(|item| self.child(*item, segment, hops)),
            _ => None,
        }
    }
}

/// Cuts white space and comments' gaps off the end of a range: block scalars reach up to the next key.
fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let kept = text.get(range.clone()).map_or(0, |piece| piece.trim_end().len());
    range.start..range.start + kept
}

/// Most bytes that are underlined for a map without a key of its own.
const MAX_UNDERLINED: usize = 80;

/// Returns the part of a range up to the end of its first line.
fn first_line(text: &str, range: Range<usize>) -> Range<usize> {
    let piece = text.get(range.clone()).unwrap_or("");
    let line = piece.split(['\n', '\r']).next().unwrap_or("").trim_end();
    range.start..range.start + floor_boundary(line, MAX_UNDERLINED)
}

/// Reads `text` once and returns where everything stands, with everything that is wrong.
pub(super) fn scan(doc: DocId, text: &str, data: Positions) -> (YamlMap, Diagnostics) {
    let mut scan = Scan {
        doc,
        text,
        data,
        map: YamlMap::default(),
        open: Vec::new(),
        anchors: HashMap::new(),
        sizes: Vec::new(),
        aliased: 0,
        documents: 0,
        found: Diagnostics::new(),
    };
    let options = granit_parser::options! { emit_comments: false, flow_nesting_limit: MAX_DEPTH, block_nesting_limit: MAX_DEPTH };
    for event in Parser::new_from_str_with_options(text, options) {
        let keep_going = match event {
            Ok((event, span)) => scan.event(&event, span.byte_range().unwrap_or(0..0)),
            Err(error) => {
                scan.syntax(&error);
                false
            }
        };
        if !keep_going {
            break;
        }
    }
    scan.close_everything();
    (scan.map, scan.found)
}

struct Scan<'a> {
    doc: DocId,
    text: &'a str,
    data: Positions,
    map: YamlMap,
    open: Vec<Open<'a>>,
    /// Anchor number to the value that carries it.
    anchors: HashMap<usize, u32>,
    /// How many values each node stands for once its aliases are written out.
    sizes: Vec<u64>,
    aliased: u64,
    documents: usize,
    found: Diagnostics,
}

/// A list or map whose end has not been read.
struct Open<'a> {
    node: u32,
    shape: Shape<'a>,
    /// Whether plain words in it are data.
    data: bool,
    size: u64,
}

enum Shape<'a> {
    List(Vec<u32>),
    Map {
        entries: Vec<Entry>,
        key: Option<(std::borrow::Cow<'a, str>, Span)>,
        /// Key to its first place.
        seen: HashMap<Box<str>, Span>,
    },
}

impl<'a> Scan<'a> {
    /// Takes the next event; returns whether reading on makes sense.
    fn event(&mut self, event: &Event<'a>, range: Range<usize>) -> bool {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents == 2 {
                    let finding = Diagnostic::error("yaml-syntax", self.bytes(range), "the file holds more than one YAML document")
                        .label("a second document begins here")
                        .help("keep one document to a file; remove this `---`");
                    self.found.push(finding);
                }
                self.documents < 2
            }
            Event::Scalar(value, style, anchor, tag) => {
                if let Some(tag) = tag {
                    self.tag(&tag.to_string(), range.clone());
                }
                let node = self.node(Span::new(range.clone()), Kind::Scalar(*style), *anchor);
                self.complete(node, 1, Some((value, *style)), range);
                self.within_limits()
            }
            Event::SequenceStart(style, anchor, tag) | Event::MappingStart(style, anchor, tag) => {
                if let Some(tag) = tag {
                    self.tag(&tag.to_string(), range.clone());
                }
                let flow = matches!(style, StructureStyle::Flow);
                let is_map = matches!(event, Event::MappingStart(..));
                let kind = if is_map { Kind::Map { flow, entries: Vec::new() } } else { Kind::List { flow, items: Vec::new() } };
                let node = self.node(Span::new(range), kind, *anchor);
                let shape = if is_map { Shape::Map { entries: Vec::new(), key: None, seen: HashMap::new() } } else { Shape::List(Vec::new()) };
                let data = self.child_is_data();
                self.open.push(Open { node, shape, data, size: 1 });
                self.within_limits()
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.close(range);
                true
            }
            Event::Alias(anchor) => {
                let Some(target) = self.anchors.get(anchor).copied() else { return true };
                let node = self.node(Span::new(range.clone()), Kind::Alias(target), 0);
                // A size of 0 is an anchor that is still open: it holds itself.
                let size = self.sizes.get(target as usize).copied().unwrap_or(0);
                self.aliased = if size == 0 { u64::MAX } else { self.aliased.saturating_add(size) };
                self.complete(node, size.max(1), None, range.clone());
                self.check_aliases(size == 0, range)
            }
            _ => true,
        }
    }

    fn node(&mut self, span: Span, kind: Kind, anchor: usize) -> u32 {
        let id = u32::try_from(self.map.nodes.len()).unwrap_or(u32::MAX);
        self.map.nodes.push(Node { span, kind });
        self.sizes.push(0);
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        id
    }

    /// Puts a finished value into what surrounds it.
    fn complete(&mut self, node: u32, size: u64, scalar: Option<(&std::borrow::Cow<'a, str>, ScalarStyle)>, range: Range<usize>) {
        if let Some(slot) = self.sizes.get_mut(node as usize) {
            *slot = size;
        }
        let data = self.child_is_data();
        let Some(open) = self.open.last_mut() else {
            self.map.root.get_or_insert(node);
            return;
        };
        open.size = open.size.saturating_add(size);
        let mut trap_in_key = false;
        let mut is_value = true;
        match &mut open.shape {
            Shape::List(items) => items.push(node),
            Shape::Map { entries, key: slot @ None, seen } => {
                is_value = false;
                trap_in_key = open.data;
                let span = Span::new(range.clone());
                let text = scalar.map(|(value, _)| value.clone()).unwrap_or_default();
                *slot = Some((text.clone(), span));
                match (scalar, seen.get(&*text)) {
                    (None, _) if self.text.get(range.start.saturating_sub(1)..).is_some_and(|rest| rest.starts_with("{{")) => self.found.push(
                        Diagnostic::error(
                            "yaml-syntax",
                            bytes(self.doc, range.start.saturating_sub(1)..range.end),
                            "a text that begins with `{{` must stand in quotes",
                        )
                        .label("YAML takes this for a map")
                        .help("put the whole text in quotes: \"{{ … }}\""),
                    ),
                    (None, _) => self.found.push(
                        Diagnostic::error("yaml-syntax", bytes(self.doc, range.clone()), "a key must be a text")
                            .label("this key is a list, a map or an alias"),
                    ),
                    (Some(_), Some(first)) => {
                        let first = bytes(self.doc, first.range());
                        self.found.push(
                            Diagnostic::error("duplicate-key", bytes(self.doc, range.clone()), format!("the key `{text}` is written twice"))
                                .label("second time here")
                                .related(first, "first time here")
                                .help("keep one of the two: YAML readers differ in which one they take"),
                        );
                    }
                    (Some(_), None) => {
                        seen.insert(Box::from(&*text), span);
                    }
                }
                let _ = entries;
            }
            Shape::Map { entries, key, .. } => {
                if let Some((text, key_span)) = key.take() {
                    entries.push(Entry { key: Box::from(&*text), key_span, value: node });
                }
            }
        }
        if let (Some((value, ScalarStyle::Plain)), true) = (scalar, trap_in_key || (is_value && data)) {
            let value = if range.is_empty() { "" } else { value.as_ref() };
            let trap = if is_value { traps::value(value) } else { traps::key(value) };
            if let Some(trap) = trap {
                let at = if range.is_empty() { self.key_of_last(range) } else { range };
                self.found.push(trap.diagnostic(bytes(self.doc, at), value));
            }
        }
    }

    /// Returns the place of the key whose value has just been completed, for a value without text.
    fn key_of_last(&self, otherwise: Range<usize>) -> Range<usize> {
        match self.open.last().map(|open| &open.shape) {
            Some(Shape::Map { entries, .. }) => entries.last().map_or(otherwise, |entry| entry.key_span.range()),
            _ => otherwise,
        }
    }

    /// Returns whether the value that comes next stands where plain words are data.
    fn child_is_data(&self) -> bool {
        match self.data {
            Positions::None => false,
            Positions::All => true,
            Positions::Campaign => {
                if self.open.last().is_some_and(|open| open.data) {
                    return true;
                }
                let key = |depth: usize| match self.open.get(depth).map(|open| &open.shape) {
                    Some(Shape::Map { key: Some((key, _)), .. }) => Some(key.as_ref()),
                    _ => None,
                };
                match (self.open.len(), key(0)) {
                    (1, Some("vars")) => true,
                    (2, Some("axes")) => key(1).is_some(),
                    (3, Some("ladders")) => key(2) == Some("rungs"),
                    _ => false,
                }
            }
        }
    }

    fn close(&mut self, range: Range<usize>) {
        let Some(open) = self.open.pop() else { return };
        let end = Span::new(range.clone()).end;
        if let Some(node) = self.map.nodes.get_mut(open.node as usize) {
            node.span.end = node.span.end.max(end);
            match (&mut node.kind, open.shape) {
                (Kind::List { items, .. }, Shape::List(found)) => *items = found,
                (Kind::Map { entries, .. }, Shape::Map { entries: found, .. }) => *entries = found,
                _ => {}
            }
        }
        let span = self.map.nodes.get(open.node as usize).map_or(range, |node| node.span.range());
        self.complete(open.node, open.size, None, span);
    }

    /// Closes what a broken text left open, so that places before the mistake are known.
    fn close_everything(&mut self) {
        while let Some(open) = self.open.last() {
            let at = self.map.nodes.get(open.node as usize).map_or(0, |node| node.span.end as usize);
            self.close(at..at);
        }
    }

    fn within_limits(&mut self) -> bool {
        if self.map.nodes.len() <= MAX_NODES {
            return true;
        }
        let message = format!("the file holds more than {MAX_NODES} values");
        self.found.push(Diagnostic::error("too-large", FieldPath::root(self.doc), message).help("split it into several files"));
        false
    }

    fn check_aliases(&mut self, holds_itself: bool, range: Range<usize>) -> bool {
        if self.aliased <= MAX_ALIASED {
            return true;
        }
        let message = if holds_itself {
            "an alias stands inside its own anchor".to_owned()
        } else {
            format!("aliases blow this file up to more than {MAX_ALIASED} values")
        };
        self.found.push(Diagnostic::error("alias-bomb", self.bytes(range), message).help("write the values out, or share smaller blocks"));
        false
    }

    fn tag(&mut self, tag: &str, range: Range<usize>) {
        let core = tag.strip_prefix("tag:yaml.org,2002:").or_else(|| tag.strip_prefix("!!"));
        if core == Some("str") {
            return;
        }
        self.found.push(
            Diagnostic::error("yaml-tag", self.bytes(range), format!("the YAML tag `{tag}` means nothing here"))
                .label("tagged value")
                .help("remove the tag; put the value in quotes if it is text"),
        );
    }

    fn syntax(&mut self, error: &ScanError) {
        let offset = error.marker().byte_offset().unwrap_or(0).min(self.text.len());
        let too_deep = error.info().contains("nesting") || error.info().contains("recursion");
        if too_deep {
            let message = format!("lists and maps are nested more than {MAX_DEPTH} levels deep");
            self.found.push(Diagnostic::error("too-deep", self.bytes(offset..offset + 1), message));
            return;
        }
        let newest = self.found.iter().last().and_then(|finding| finding.at.inside);
        let between = newest.and_then(|(start, _)| self.text.get(start..offset));
        // What follows from a mistake on the same line that has been named already.
        if between.is_some_and(|between| !between.contains('\n')) {
            return;
        }
        let line_start = self.text.get(..offset).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
        let line = self.text.get(line_start..).unwrap_or("").lines().next().unwrap_or("");
        let indent = line.len() - line.trim_start().len();
        if let Some(tab) = line.get(..indent).and_then(|white| white.find('\t')) {
            let at = self.bytes(line_start + tab..line_start + tab + 1);
            let finding =
                Diagnostic::error("yaml-syntax", at, "a tab indents this line").label("tab here").help("YAML wants spaces; replace the tab");
            self.found.push(finding);
            return;
        }
        let help = syntax_help(line);
        let mut finding = Diagnostic::error("yaml-syntax", self.bytes(offset..offset + 1), format!("this is not YAML: {}", error.info()));
        finding.help = help;
        self.found.push(finding);
    }

    fn bytes(&self, range: Range<usize>) -> FieldPath {
        bytes(self.doc, range)
    }
}

fn bytes(doc: DocId, range: Range<usize>) -> FieldPath {
    FieldPath::root(doc).inside(range)
}

/// Guesses how a line that is not YAML is mended.
fn syntax_help(line: &str) -> Option<String> {
    let value = line.split_once(": ").map_or(line, |(_, value)| value).trim_start();
    let wants_quotes = value.starts_with(['{', '%', '@', '`', '*', '&', '!']) || value.contains(": ") || value.starts_with("- ");
    wants_quotes.then(|| "text with `{`, `%`, `: ` and the like needs quotes; long prompts read best as a block after `|`".to_owned())
}

mod meant;
#[cfg(test)]
mod tests;
