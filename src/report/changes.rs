//! One changed ingredient as pieces of text, for every view: what stays, what it was, what it is.
//!
//! In: a [`FieldChange`]. Out: [`Piece`]s, and lines of a terminal. Never: strangers' text unescaped.

use anstyle::{AnsiColor, Style};

use crate::plan::word_diff::{Stretch, stretches, words};
use crate::plan::{FieldChange, Group, Value};
use crate::types::{JobId, visible};

/// A piece of a text that has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// In both texts; `…` where more was left out.
    Same(String),
    /// Only in the old one.
    Old(String),
    /// Only in the new one.
    New(String),
}

/// Longest value that is shown in full when it came or went, in characters.
const LONGEST: usize = 200;

/// Returns a change as pieces, with so many words around what differs.
pub fn pieces(change: &FieldChange, context: usize) -> Vec<Piece> {
    match (&change.was, &change.is) {
        (Some(Value::Text(was)), Some(Value::Text(is))) => text_pieces(was, is, context),
        (was, is) => {
            let old = was.as_ref().map(|was| Piece::Old(cut(shown(was))));
            let new = is.as_ref().map(|is| Piece::New(cut(shown(is))));
            old.into_iter().chain(new).collect()
        }
    }
}

/// Returns a value as text; a picture as the address of the job that makes it.
pub fn shown(value: &Value) -> &str {
    match value {
        Value::Text(text) => text,
        Value::Picture(job) => job.as_str(),
    }
}

fn text_pieces(was: &str, is: &str, context: usize) -> Vec<Piece> {
    let (was, is) = (words(was), words(is));
    let stretches = stretches(&was, &is);
    if !stretches.iter().any(|stretch| matches!(stretch, Stretch::Other { .. })) {
        return vec![Piece::Same("only blanks or line breaks differ".to_owned())];
    }
    let last = stretches.len().saturating_sub(1);
    let mut pieces = Vec::new();
    for (place, stretch) in stretches.iter().enumerate() {
        match stretch {
            Stretch::Same(words) => pieces.push(Piece::Same(around(words, context, place > 0, place < last))),
            Stretch::Other { was, is } => {
                pieces.extend((!was.is_empty()).then(|| Piece::Old(cut(&was.join(" ")))));
                pieces.extend((!is.is_empty()).then(|| Piece::New(cut(&is.join(" ")))));
            }
        }
    }
    pieces
}

/// Returns equal words, only those next to a change.
fn around(words: &[&str], context: usize, after_change: bool, before_change: bool) -> String {
    let head = if after_change { context } else { 0 };
    let tail = if before_change { context } else { 0 };
    if words.len() <= head + tail {
        return words.join(" ");
    }
    let kept = [words[..head].join(" "), "…".to_owned(), words[words.len() - tail..].join(" ")];
    kept.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Returns the address of a job of a group: the current one, else that of the base.
pub fn address(group: &Group, place: usize, base: &dyn crate::plan::Side, current: &dyn crate::plan::Side) -> JobId {
    match group.pairs.get(place) {
        Some(pair) => match (pair.current, pair.base) {
            (Some(place), _) => current.id(place as usize),
            (None, Some(place)) => base.id(place as usize),
            (None, None) => group.first.clone(),
        },
        None => group.first.clone(),
    }
}

/// Lines of a terminal: words in styles, wrapped between them.
pub struct Lines {
    text: String,
    width: usize,
    indent: usize,
    column: usize,
    color: bool,
}

impl Lines {
    /// Starts behind a word that takes `indent` columns; later lines begin with as many blanks.
    pub fn new(width: usize, indent: usize, color: bool) -> Self {
        Self { text: String::new(), width: width.max(indent + 20), indent, column: indent, color }
    }

    /// Adds words.
    pub fn say(&mut self, text: &str) {
        self.words(text, Style::new(), false);
    }

    /// Adds a change: `[-old-]{+new+}`, coloured where that is wanted.
    pub fn pieces(&mut self, pieces: &[Piece]) {
        let mut after_old = false;
        for piece in pieces {
            match piece {
                Piece::Same(text) => self.words(text, Style::new(), false),
                Piece::Old(text) => self.words(&format!("[-{text}-]"), AnsiColor::Red.on_default(), false),
                Piece::New(text) => self.words(&format!("{{+{text}+}}"), AnsiColor::Green.on_default(), after_old),
            }
            after_old = matches!(piece, Piece::Old(_));
        }
    }

    /// Adds words, the first right behind what stands there already if it is `glued` to it.
    fn words(&mut self, text: &str, style: Style, glued: bool) {
        for (place, word) in text.split_whitespace().enumerate() {
            let word = visible(word);
            let length = crate::types::width::columns(&word);
            let gap = usize::from(place > 0 || !glued);
            if self.column > self.indent && self.column + gap + length > self.width {
                self.text.push('\n');
                self.text.extend(std::iter::repeat_n(' ', self.indent));
                self.column = self.indent;
            } else if self.column > self.indent && gap > 0 {
                self.text.push(' ');
                self.column += 1;
            }
            self.text.push_str(&super::text::styled(&word, style, self.color));
            self.column += length;
        }
    }

    /// Returns the text, without a final line break.
    pub fn finish(self) -> String {
        self.text
    }
}
