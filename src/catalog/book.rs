//! Price books: dated prices with a source, in one currency.
//!
//! In: the text of a book. Out: [`PriceBook`], every mistake with its address.
//! Never: a file; whoever reads one hands over its text.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::card::ModelCard;
use super::price::{AmountText, Certainty, PriceEntry, PriceKey, PriceKind, Rounding};
use super::strict::once_each;
use crate::types::{Action, Amount, Currency, Diagnostic, Diagnostics, Digest, DocId, FieldPath, Micros, Segment};

/// Dated prices with a source, in credits of their own or in USD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceBook {
    /// Its name; also the name of its credits.
    pub name: Arc<str>,
    /// What it is, for people.
    pub title: String,
    /// What its prices are counted in.
    pub currency: Currency,
    /// What one credit costs, if the source states it.
    pub usd_per_credit: Option<Micros>,
    /// The day on which the prices were read.
    pub as_of: Option<jiff::civil::Date>,
    /// Where they were read.
    pub source: Option<String>,
    /// How prices are rounded where an entry does not say.
    pub rounding: Rounding,
    /// How sure prices are where an entry does not say.
    pub certainty: Certainty,
    /// What a reader should know.
    pub note: Option<String>,
    /// Prices by the catalog's name of the model.
    pub models: IndexMap<Arc<str>, BookModel>,
    /// Digest of the text it was read from: two books that differ anywhere differ here.
    pub digest: Digest,
}

/// One model in a book.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BookModel {
    /// The name that the source uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Other names that find it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<Arc<str>>,
    /// The price of every action that `prices` does not name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<PriceEntry>,
    /// Prices by action.
    #[serde(default, deserialize_with = "once_each", skip_serializing_if = "BTreeMap::is_empty")]
    pub prices: BTreeMap<Action, PriceEntry>,
    /// What the model can do, for products without an API: campaigns without a provider are planned on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<ModelCard>,
}

impl BookModel {
    /// Returns the price of `action`.
    pub fn entry(&self, action: Action) -> Option<&PriceEntry> {
        self.prices.get(&action).or(self.price.as_ref())
    }
}

/// A price book: dated prices of image models, with a source.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "PriceBook", title = "callsheet price book")]
struct BookText {
    /// Its name: lower case letters, digits and dashes. Its credits are named after it.
    #[schemars(example = &"gptimage2-flat")]
    book: Arc<str>,
    /// What it is, for people.
    #[serde(default)]
    title: String,
    /// `credits` (the book's own) or `USD`.
    currency: CurrencyText,
    /// What one credit costs in USD, if the source states it.
    #[serde(default)]
    #[schemars(with = "Option<AmountText>")]
    usd_per_credit: Option<Micros>,
    /// The day on which the prices were read.
    #[serde(default)]
    #[schemars(with = "Option<String>", extend("format" = "date"), example = &"2026-06-30")]
    as_of: Option<jiff::civil::Date>,
    /// Where they were read.
    #[serde(default)]
    source: Option<String>,
    /// How the price of one picture is rounded where an entry does not say; default exact.
    #[serde(default)]
    rounding: Rounding,
    /// How sure prices are where an entry does not say; default exact.
    #[serde(default)]
    certainty: Certainty,
    /// What a reader should know.
    #[serde(default)]
    note: Option<String>,
    /// Prices by the catalog's name of the model.
    #[serde(deserialize_with = "once_each")]
    models: IndexMap<Arc<str>, BookModel>,
}

/// What a book may be counted in.
#[derive(Debug, Clone, Copy, Deserialize, schemars::JsonSchema)]
enum CurrencyText {
    /// Credits of the book itself.
    #[serde(rename = "credits")]
    Credits,
    /// United States dollars.
    #[serde(rename = "USD")]
    Usd,
}

impl PriceBook {
    /// Reads a book.
    ///
    /// # Errors
    /// What is wrong and at which path; the caller knows the document's text and finds the line.
    pub fn parse(doc: DocId, text: &str) -> Result<Self, Diagnostics> {
        let deserializer = serde_yaml::Deserializer::from_str(text);
        let read: BookText = serde_path_to_error::deserialize(deserializer).map_err(|error| Diagnostics::from(misread(doc, &error)))?;
        Ok(Self::of(read, text))
    }

    /// Reads an embedded book: no address is kept, which makes it quicker.
    pub(super) fn embedded(text: &str) -> Result<Self, serde_yaml::Error> {
        serde_yaml::from_str(text).map(|read| Self::of(read, text))
    }

    fn of(read: BookText, text: &str) -> Self {
        let currency = match read.currency {
            CurrencyText::Credits => Currency::Credits(Arc::clone(&read.book)),
            CurrencyText::Usd => Currency::Usd,
        };
        Self {
            title: if read.title.is_empty() { read.book.to_string() } else { read.title },
            name: read.book,
            currency,
            usd_per_credit: read.usd_per_credit,
            as_of: read.as_of,
            source: read.source,
            rounding: read.rounding,
            certainty: read.certainty,
            note: read.note,
            models: read.models,
            digest: Digest::of(text.as_bytes()),
        }
    }

    /// Returns the JSON Schema of a book's file.
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(BookText)
    }

    /// Returns the model called `name`, or known by it as another name.
    pub fn model(&self, name: &str) -> Option<&BookModel> {
        self.models.get(name).or_else(|| self.models.get(self.own_name(name)?))
    }

    /// Returns the book's own name of a model known as `name`.
    pub fn own_name(&self, name: &str) -> Option<&str> {
        if let Some((own, _)) = self.models.get_key_value(name) {
            return Some(own);
        }
        self.models.iter().find(|(_, model)| model.aliases.iter().any(|alias| &**alias == name)).map(|(own, _)| &**own)
    }

    /// Returns the cards that the book itself carries, by model.
    pub fn cards(&self) -> BTreeMap<Arc<str>, ModelCard> {
        let card = |(name, model): (&Arc<str>, &BookModel)| {
            let mut card = model.card.clone()?;
            if let (true, Some(title)) = (card.title.is_empty(), &model.title) {
                card.title.clone_from(title);
            }
            Some((Arc::clone(name), card.named(name)))
        };
        self.models.iter().filter_map(card).collect()
    }

    /// Returns `amount` in USD, rounded up to the millionth; `None` unless it is of this book and the book states a rate.
    pub fn usd(&self, amount: &Amount) -> Option<Amount> {
        if amount.currency != self.currency {
            return None;
        }
        let micros = match self.currency {
            Currency::Usd => amount.micros,
            Currency::Credits(_) => amount.micros.mul_ratio_ceil(self.usd_per_credit?.get(), 1_000_000).ok()?,
        };
        Some(Amount::new(Currency::Usd, micros))
    }

    /// Returns what is odd about a book that reads well: paths are those of `doc`.
    pub fn lint(&self, doc: DocId) -> Diagnostics {
        let root = FieldPath::root(doc);
        let mut found = Diagnostics::new();
        if self.as_of.is_none() {
            found.push(
                Diagnostic::warning("undated-prices", root.clone(), "the book has no date")
                    .help("add `as-of: 2026-11-22`, the day the prices were read"),
            );
        }
        if self.source.as_deref().is_none_or(|source| source.trim().is_empty()) {
            found.push(
                Diagnostic::warning("unsourced-prices", root.clone(), "the book has no source")
                    .help("add `source:`, the page the prices were read from"),
            );
        }
        if self.currency == Currency::Usd && self.usd_per_credit.is_some() {
            found.push(Diagnostic::error("needless-rate", root.key("usd-per-credit"), "a book in USD needs no rate to USD"));
        }
        if self.usd_per_credit.is_some_and(|rate| rate <= Micros::ZERO) {
            found.push(Diagnostic::error("bad-rate", root.key("usd-per-credit"), "a credit costs more than 0"));
        }
        if self.models.is_empty() {
            found.push(Diagnostic::error("empty-book", root.key("models"), "the book prices no model"));
        }
        for (name, model) in &self.models {
            let at = root.key("models").key(name);
            if model.price.is_none() && model.prices.is_empty() {
                let help = "add `price: { flat: 12 }`, or `price: { certainty: unknown }`";
                found.push(Diagnostic::error("no-price", at.clone(), format!("model `{name}` has no price")).help(help));
            }
            for (index, alias) in model.aliases.iter().enumerate() {
                if self.models.iter().any(|(other, theirs)| other == alias || (other != name && theirs.aliases.contains(alias))) {
                    found.push(Diagnostic::error("ambiguous-alias", at.key("aliases").index(index), format!("`{alias}` names two models")));
                }
            }
            model.price.iter().for_each(|entry| lint_entry(entry, &at.key("price"), &mut found));
            model.prices.iter().for_each(|(action, entry)| lint_entry(entry, &at.key("prices").key(action.as_str()), &mut found));
        }
        found
    }
}

/// Finds what is odd about one price.
fn lint_entry(entry: &PriceEntry, at: &FieldPath, found: &mut Diagnostics) {
    let mut not_negative = |at: FieldPath, price: Micros| {
        if price < Micros::ZERO {
            found.push(Diagnostic::error("negative-price", at, format!("a price of {price} is below 0")));
        }
    };
    if let Some(highest) = entry.highest {
        not_negative(at.key("highest"), highest);
    }
    if let Some(extra) = &entry.per_reference {
        not_negative(at.key("per-reference").key("price"), extra.price);
    }
    match &entry.kind {
        PriceKind::Flat(price) => not_negative(at.key("flat"), *price),
        PriceKind::PerMegapixel(price) => {
            not_negative(at.key("per-megapixel").key("first"), price.first);
            price.additional.into_iter().for_each(|price| not_negative(at.key("per-megapixel").key("additional"), price));
        }
        PriceKind::BaseMegapixels(price) => {
            not_negative(at.key("base-megapixels").key("base"), price.base);
            for (scale, factor) in &price.factor {
                not_negative(at.key("base-megapixels").key("factor").key(scale), *factor);
            }
            if price.factor.is_empty() {
                found.push(Diagnostic::error("empty-table", at.key("base-megapixels").key("factor"), "the table has no row"));
            }
        }
        PriceKind::PerCall(call) => {
            not_negative(at.key("per-call").key("price"), call.price);
            if call.pictures == 0 {
                found.push(Diagnostic::error("bad-value", at.key("per-call").key("pictures"), "a call brings at least 1 picture"));
            }
        }
        PriceKind::Tokens(tokens) => {
            for (key, rate) in [("text-in", tokens.text_in), ("image-in", tokens.image_in), ("image-out", tokens.image_out)] {
                not_negative(at.key("tokens").key(key), rate);
            }
            if tokens.output_factors.is_empty() && tokens.output_table.is_empty() {
                found.push(Diagnostic::error(
                    "empty-table",
                    at.key("tokens"),
                    "neither `output-factors` nor `output-table` says how many tokens a picture takes",
                ));
            }
        }
        PriceKind::Table(table) => {
            table.rows.iter().for_each(|(row, price)| not_negative(at.key("table").key(row), *price));
            lint_table(table, at, found);
        }
        PriceKind::Unknown => {}
    }
}

/// Finds what is odd about the rows of a table.
fn lint_table(table: &super::price::PriceTable, at: &FieldPath, found: &mut Diagnostics) {
    if table.rows.is_empty() {
        found.push(Diagnostic::error("empty-table", at.key("table"), "the table has no row"));
    }
    for row in table.rows.keys().filter(|row| row.split('/').count() != table.by.len()) {
        let keys = table.by.iter().map(ToString::to_string).collect::<Vec<_>>().join("/");
        found.push(Diagnostic::error("mixed-keys", at.key("table").key(row).at_key(), format!("row `{row}` does not name {keys}")));
    }
    let mut seen: Vec<PriceKey> = Vec::new();
    for (index, key) in table.by.iter().enumerate() {
        if seen.contains(key) {
            found.push(Diagnostic::error("mixed-keys", at.key("by").index(index), format!("{key} stands twice")));
        }
        seen.push(*key);
    }
    for (index, row) in table.lower_bound_at.iter().enumerate().filter(|(_, row)| !table.rows.contains_key(*row)) {
        found.push(Diagnostic::error("mixed-keys", at.key("lower-bound-at").index(index), format!("the table has no row `{row}`")));
    }
    if table.by.contains(&PriceKey::OutputClass) == table.classes.is_empty() {
        let message = "`classes` and the key `output-class` belong together";
        found.push(
            Diagnostic::error("mixed-keys", at.clone(), message)
                .help("list the most pixels of the longer side by class: `classes: { 2K: 2048, 4K: 4096 }`"),
        );
    }
    let unordered = table.classes.values().zip(table.classes.values().skip(1)).any(|(smaller, larger)| smaller >= larger);
    if unordered {
        found.push(Diagnostic::error("mixed-keys", at.key("classes"), "classes stand in order, the smallest first"));
    }
}

/// Turns a reader's error into a diagnostic at its path.
fn misread(doc: DocId, error: &serde_path_to_error::Error<serde_yaml::Error>) -> Diagnostic {
    let mut at = FieldPath::root(doc);
    for segment in error.path().iter() {
        match segment {
            serde_path_to_error::Segment::Seq { index } => at.segments.push(Segment::Index(*index)),
            serde_path_to_error::Segment::Map { key } => at.segments.push(Segment::Key(Arc::from(key.as_str()))),
            serde_path_to_error::Segment::Enum { .. } | serde_path_to_error::Segment::Unknown => {}
        }
    }
    let message = bare_message(&error.inner().to_string(), &error.path().to_string());
    let code = match message.split_whitespace().take(2).collect::<Vec<_>>().as_slice() {
        ["unknown", "field"] => "unknown-key",
        ["missing", "field"] => "missing-key",
        ["duplicate", _] => "duplicate-key",
        ["unknown", "variant"] => "unknown-value",
        _ if at.segments.is_empty() => "bad-yaml",
        _ => "bad-value",
    };
    if code == "unknown-key" {
        at = at.at_key();
    }
    Diagnostic::error(code, at, message)
}

/// Takes the reader's own path and line out of its message: the diagnostic carries the place.
fn bare_message(text: &str, path: &str) -> String {
    let text = text.strip_prefix(path).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(text);
    if path == "." {
        return text.to_owned();
    }
    text.rsplit_once(" at line ").map_or(text, |(message, _)| message).to_owned()
}
