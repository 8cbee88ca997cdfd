//! Shows mistakes: file, line, column, the excerpt with carets, what is wrong, how to mend it.
//!
//! In: [`Diagnostics`] and the [`Sources`] that they point into. Out: text for a person, or JSON.
//! Never: a control character of a file, a prompt or a vendor on somebody's terminal.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde_json::{Value, json};

use crate::spec::{Place, Sources};
use crate::types::{Diagnostic, Diagnostics, FieldPath, Severity, visible};

/// Width of an excerpt when the terminal does not tell its own.
const DEFAULT_WIDTH: usize = 120;

/// Most characters of a line that are shown on each side of the place.
const MAX_BESIDE: usize = 160;

/// Returns all diagnostics as text, sorted by file and position, with an empty line between two.
///
/// The count at the end is the caller's to write. `width` is that of the terminal in columns.
pub fn render(diagnostics: &Diagnostics, sources: &Sources, color: bool, width: Option<usize>) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() }.term_width(width.unwrap_or(DEFAULT_WIDTH).max(40));
    let mut text = String::new();
    for diagnostic in sorted(diagnostics, sources) {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&one(diagnostic, sources, &renderer));
        text.push('\n');
    }
    text
}

/// Returns all diagnostics as JSON, in the order of [`render`].
pub fn to_json(diagnostics: &Diagnostics, sources: &Sources) -> Value {
    let all = sorted(diagnostics, sources).into_iter().map(|diagnostic| {
        let mut object = place_json(&diagnostic.at, sources);
        let related = diagnostic.related.iter().map(|(at, note)| {
            let mut object = place_json(at, sources);
            object.insert("note".to_owned(), json!(note));
            Value::Object(object)
        });
        object.insert("severity".to_owned(), json!(word(diagnostic.severity)));
        object.insert("code".to_owned(), json!(diagnostic.code.0));
        object.insert("message".to_owned(), json!(diagnostic.message));
        object.insert("label".to_owned(), json!(diagnostic.label));
        object.insert("help".to_owned(), json!(diagnostic.help));
        object.insert("path".to_owned(), json!(diagnostic.at.to_string()));
        object.insert("related".to_owned(), related.collect());
        Value::Object(object)
    });
    all.collect()
}

fn place_json(at: &FieldPath, sources: &Sources) -> serde_json::Map<String, Value> {
    let mut object = serde_json::Map::new();
    let Some((document, place)) = sources.locate(at).and_then(|place| Some((sources.document(place.doc)?, place))) else {
        return object;
    };
    let (line, column) = sources.position(place.doc, place.start);
    let (end_line, end_column) = sources.position(place.doc, place.end);
    object.insert("file".to_owned(), json!(document.shown));
    object.insert("line".to_owned(), json!(line));
    object.insert("column".to_owned(), json!(column));
    object.insert("end".to_owned(), json!({ "line": end_line, "column": end_column }));
    object
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn sorted<'a>(diagnostics: &'a Diagnostics, sources: &Sources) -> Vec<&'a Diagnostic> {
    let mut all: Vec<&Diagnostic> = diagnostics.iter().collect();
    all.sort_by_cached_key(|diagnostic| (diagnostic.at.doc, sources.locate(&diagnostic.at).map(|place| place.start), diagnostic.severity));
    all
}

fn one(diagnostic: &Diagnostic, sources: &Sources, renderer: &Renderer) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(visible(&diagnostic.message)).id(diagnostic.code.0);
    let mut primary = Group::with_title(title);
    primary = with_excerpt(primary, sources, &diagnostic.at, &diagnostic.label, AnnotationKind::Primary);
    let mut groups = vec![primary];
    for (at, note) in &diagnostic.related {
        let group = Group::with_title(Level::NOTE.secondary_title(visible(note)));
        groups.push(with_excerpt(group, sources, at, "", AnnotationKind::Context));
    }
    if let Some(help) = &diagnostic.help {
        groups.push(Group::with_title(Level::HELP.secondary_title(visible(help))));
    }
    renderer.render(&groups)
}

fn with_excerpt<'a>(group: Group<'a>, sources: &Sources, at: &FieldPath, label: &str, kind: AnnotationKind) -> Group<'a> {
    let Some(place) = sources.locate(at) else { return group };
    let Some(document) = sources.document(place.doc) else { return group };
    let excerpt = Excerpt::around(&document.text, &place);
    if excerpt.text.is_empty() {
        let (line, column) = sources.position(place.doc, place.start);
        return group.element(Origin::path(visible(&document.shown).into_owned()).line(line).char_column(column));
    }
    let mut annotation = kind.span(excerpt.span.clone());
    if !label.is_empty() {
        annotation = annotation.label(visible(label).into_owned());
    }
    let snippet = Snippet::source(excerpt.text).line_start(excerpt.line).path(visible(&document.shown).into_owned()).annotation(annotation);
    group.element(snippet)
}

/// The lines around a place, made safe to print.
struct Excerpt {
    text: String,
    /// Number of the first line.
    line: usize,
    /// The place in `text`.
    span: Range<usize>,
}

impl Excerpt {
    fn around(text: &str, place: &Place) -> Self {
        let start = text[..place.start].rfind('\n').map_or(0, |newline| newline + 1);
        let line = text[..start].bytes().filter(|byte| *byte == b'\n').count() + 1;
        let end_of_line = text[place.start..].find('\n').map_or(text.len(), |newline| place.start + newline);
        // A place of several lines is shown by its first.
        let end = place.end.min(end_of_line).max(place.start);
        let before = visible(&text[start..place.start]);
        let inside = visible(text[place.start..end].trim_end_matches('\r'));
        let after = visible(text[end..end_of_line].trim_end_matches('\r'));
        let span = before.len()..before.len() + inside.len();
        Self { text: format!("{before}{inside}{after}"), line, span }
    }
}
