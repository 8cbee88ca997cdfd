//! `callsheet prices check`: is a book whole, dated, and free of prices that mean nothing?

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::catalog::{ModelCard, PriceBook, builtin};
use crate::cli::console;
use crate::cli::diagnostics::{counted_words, render};
use crate::cli::error::{CliError, Outcome};
use crate::cli::exit::Exit;
use crate::cli::market::Said;
use crate::provider::manifest;
use crate::report::text::wrapped;
use crate::spec::{DiskFiles, Files, Positions, Sources};
use crate::types::diagnostic::{counted, did_you_mean, listed};
use crate::types::{Diagnostics, DocId, FieldPath, visible};

/// Largest book that is checked, 2 MB.
const MAX_BYTES: u64 = 2_000_000;

/// Checks books by name or path; all built-in ones if none is named.
pub(super) fn check(books: &[String]) -> Outcome<Exit> {
    let named: Vec<&str> = if books.is_empty() { builtin::book_names().to_vec() } else { books.iter().map(String::as_str).collect() };
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let mut has_errors = false;
    for name in named {
        let (shown, text) = text_of(name)?;
        let checked = Checked::of(&shown, &text, today);
        has_errors |= checked.found.has_errors();
        console::data(&checked.told(console::width()))?;
    }
    Ok(if has_errors { Exit::Mistakes } else { Exit::Done })
}

/// Returns a book's text, and what to call it.
fn text_of(name: &str) -> Outcome<(String, Arc<str>)> {
    if let Some(path) = Said::Here(name.to_owned()).path(Path::new("")) {
        let bytes = DiskFiles
            .read(&path, MAX_BYTES)
            .map_err(|error| CliError::usage(format!("the file `{name}` cannot be read: {error}"), "give the path of a price book"))?;
        let text = String::from_utf8(bytes).map_err(|_| CliError::usage(format!("the file `{name}` is not UTF-8 text"), "save it as UTF-8"))?;
        return Ok((name.to_owned(), Arc::from(text.trim_start_matches('\u{feff}'))));
    }
    let text = builtin::book_text(name).ok_or_else(|| {
        let help = match did_you_mean(name, builtin::book_names().iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("books are {}; a book of your own is named by its file: `./my-prices.yaml`", listed(builtin::book_names(), 20)),
        };
        CliError::usage(format!("there is no price book `{name}`"), help)
    })?;
    Ok((name.to_owned(), Arc::from(text)))
}

/// A book after its check.
struct Checked {
    shown: String,
    sources: Sources,
    found: Diagnostics,
    remarks: Vec<(FieldPath, String)>,
    models: Option<usize>,
}

impl Checked {
    fn of(shown: &str, text: &Arc<str>, today: jiff::civil::Date) -> Self {
        let mut sources = Sources::new();
        let (doc, found) = sources.add_yaml(shown.to_owned(), Arc::clone(text), Positions::None);
        let mut checked = Self { shown: shown.to_owned(), sources, found, remarks: Vec::new(), models: None };
        if checked.found.has_errors() {
            return checked;
        }
        match PriceBook::parse(doc, text) {
            Ok(book) => checked.judge(&book, doc, today),
            Err(mistakes) => checked.found.extend(mistakes),
        }
        checked
    }

    fn judge(&mut self, book: &PriceBook, doc: DocId, today: jiff::civil::Date) {
        self.found.extend(book.lint(doc));
        self.found.extend(book.lint_dates(doc, today));
        if !self.found.has_errors() {
            self.found.extend(book.lint_cards(doc, &sold_by(book)));
            self.remarks = book.remarks(doc);
        }
        self.models = Some(book.models.len());
    }

    fn told(&self, width: Option<usize>) -> String {
        let mut said = render(&self.found, &self.sources, true, width);
        if !said.is_empty() {
            said.push('\n');
        }
        let count = if self.found.is_empty() { "no mistakes".to_owned() } else { counted_words(&self.found) };
        let models = self.models.map_or(String::new(), |models| format!(", {}", counted(models, "model")));
        said.push_str(&format!("{}: {count}{models}\n", visible(&self.shown)));
        for (at, remark) in &self.remarks {
            let place = self.sources.locate(at).map(|place| self.sources.position(place.doc, place.start));
            let place = place.map_or(String::new(), |(line, column)| format!(":{line}:{column}"));
            let line = format!("  note: {}{place}: {remark}", visible(&self.shown));
            said.push_str(&format!("  {}\n", wrapped(&visible(&line), width.unwrap_or(120), 8)));
        }
        said
    }
}

/// Returns the cards of the built-in provider whose own book has this name; none for other books.
fn sold_by(book: &PriceBook) -> BTreeMap<Arc<str>, ModelCard> {
    let manifests = manifest::builtin_names().iter().filter_map(|name| manifest::builtin(name));
    manifests.filter(|manifest| *manifest.prices == *book.name).flat_map(|manifest| manifest.models).collect()
}
