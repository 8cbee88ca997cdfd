//! Price books: dated prices with a source, in one currency.
//!
//! In: the text of a book. Out: [`PriceBook`], every mistake with its address.
//! Never: a file; whoever reads one hands over its text.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::card::ModelCard;
use super::price::{Certainty, PriceEntry, Rounding};
use super::price_text::{AmountText, amount_if_any};
use super::quote::Channel;
use super::strict::once_each;
use crate::types::diagnostic::did_you_mean;
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
    /// Which of the provider's APIs its prices are asked for; the direct one unless [`PriceBook::in_batches`] says otherwise.
    pub channel: Channel,
}

/// One model in a book.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, expecting = "a model with a `price` or `prices`")]
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
#[serde(rename_all = "kebab-case", deny_unknown_fields, expecting = "a price book: `book`, `currency` and `models`")]
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
    #[serde(default, deserialize_with = "amount_if_any")]
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
        let read: BookText = serde_path_to_error::deserialize(deserializer).map_err(|error| Diagnostics::from(mended(misread(doc, &error))))?;
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
            channel: Channel::Direct,
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

    /// Returns the same book as it prices requests that go in batches: each at its share, what no batch takes without a price.
    #[must_use]
    pub fn in_batches(self) -> Self {
        Self { channel: Channel::Batch, ..self }
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
}

/// Adds how to mend what readers find wrong in books.
fn mended(mut found: Diagnostic) -> Diagnostic {
    let is_date = matches!(found.at.segments.last(), Some(Segment::Key(key)) if **key == *"as-of");
    if is_date && found.code.0 == "bad-value" {
        found.message = "there is no such date".to_owned();
    }
    let help = match (found.code.0, found.message.as_str()) {
        ("bad-value", _) if is_date => "write year, month and day: `as-of: 2026-11-22`",
        (_, message) if message.ends_with("is not a decimal number such as `12` or `73.5`") => {
            "write plain digits, one at least before the point: `0.5`, `1000`"
        }
        (_, message) if message.contains("has more than 6 decimals") => "round it up to the millionth",
        ("missing-key", "missing field `book`") => "give it a name, `book: my-prices`",
        ("missing-key", "missing field `currency`") => "add `currency: credits`, the book's own, or `currency: USD`",
        ("missing-key", "missing field `models`") => "add `models:`, each with a price: `gpt-image-2: { price: { flat: 12 } }`",
        _ => return found,
    };
    found.help(help)
}

/// Says what a reader found wrong in a document, and at which path.
pub(crate) fn misread(doc: DocId, error: &serde_path_to_error::Error<serde_yaml::Error>) -> Diagnostic {
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
        _ if at.segments.is_empty() || message.contains(", while ") => "bad-yaml",
        _ => "bad-value",
    };
    if code == "unknown-key" {
        at = at.at_key();
    }
    // The reader quotes the unknown word first and then all that it knows.
    let mut quoted = message.split('`').skip(1).step_by(2);
    let meant = quoted.next().and_then(|word| did_you_mean(word, quoted));
    let help = meant.filter(|_| code.starts_with("unknown-")).map(|meant| format!("did you mean `{meant}`?"));
    let diagnostic = Diagnostic::error(code, at, message.as_str());
    match help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

/// Takes the reader's own path and line out of its message: the diagnostic carries the place.
fn bare_message(text: &str, path: &str) -> String {
    let text = match text.split_once(": ") {
        Some((head, rest)) if path.starts_with(head) => rest,
        _ => text,
    };
    // What is wrong with the document as a whole says where; a missing key stands nowhere.
    if path == "." && !text.starts_with("missing field") {
        return text.to_owned();
    }
    text.rsplit_once(" at line ").map_or(text, |(message, _)| message).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::builtin;

    const DOC: DocId = DocId(3);

    fn parsed(text: &str) -> PriceBook {
        PriceBook::parse(DOC, text).expect("a book of the test")
    }

    /// Every finding as "code path: message; help".
    fn told(found: &Diagnostics) -> String {
        found
            .iter()
            .map(|one| format!("{} {}: {}{}", one.code, one.at, one.message, one.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default()))
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn misread(text: &str) -> String {
        let found = PriceBook::parse(DOC, text).expect_err("a mistake in the book of the test");
        assert!(found.iter().all(|one| one.at.doc == DOC));
        told(&found)
    }

    #[test]
    fn a_book_of_ones_own_needs_few_words() {
        let book = parsed("book: mine\ncurrency: credits\nmodels:\n  gpt-image-2: { price: { flat: 7.5 } }\n");
        assert_eq!((book.currency.to_string().as_str(), book.title.as_str()), ("credits:mine", "mine"));
        insta::assert_snapshot!(told(&book.lint(DOC)), @"
        undated-prices : the book has no date; add `as-of: 2026-11-22`, the day the prices were read
        unsourced-prices : the book has no source; add `source:`, the page the prices were read from
        ");
    }

    #[test]
    fn mistakes_in_a_book_carry_the_path_to_them() {
        let with = |price: &str| misread(&format!("book: mine\ncurrency: credits\nmodels:\n  m:\n    price: {price}\n"));
        let prices = [
            "{ flat: twelve }",
            "{ flt: 12 }",
            "{ flat: 12, per-call: { price: 4, pictures: 2 } }",
            "{ by: [resolution] }",
            "{ by: [resolution], table: { 1K: 6, 1K: 7 } }",
            "{ by: [size], table: { 1K: 6 } }",
            "{ flat: 12, certainty: unknown }",
            "{ per-megapixel: { of: input, megapixel: 0, first: 1 } }",
            "{}",
        ];
        insta::assert_snapshot!(prices.map(with).join("\n"), @"
        bad-value models.m.price.flat: `twelve` is not a decimal number such as `12` or `73.5`; write plain digits, one at least before the point: `0.5`, `1000`
        unknown-key models.m.price.flt: unknown field `flt`, expected one of `flat`, `by`, `table`, `lower-bound-at`, `classes`, `per-megapixel`, `base-megapixels`, `per-call`, `tokens`, `per-reference`, `certainty`, `rounding`, `highest`, `batch`, `note`, `source`, `as-of`; did you mean `flat`?
        bad-value models.m.price: a price has only one of `flat`, `table`, `per-megapixel`, `base-megapixels`, `per-call` and `tokens`
        bad-value models.m.price: `by` needs a `table`
        duplicate-key models.m.price.table: duplicate key `1K`
        unknown-value models.m.price.by[0]: unknown variant `size`, expected one of `resolution`, `quality`, `speed`, `scale`, `output-class`
        bad-value models.m.price: `certainty: unknown` stands alone: a price that is written down is known
        bad-value models.m.price: `megapixel` is the number of pixels in one: 1000000 or 1048576, never 0
        bad-value models.m.price: a price needs one of `flat`, `table`, `per-megapixel`, `base-megapixels`, `per-call`, `tokens`; or `certainty: unknown`
        ");
        let books = ["book: mine\ncurrency: EUR\nmodels: {}\n", "book: mine\nmodels: {}\n", "book: \"mine\n"];
        insta::assert_snapshot!(books.map(misread).join("\n"), @"
        unknown-value currency: unknown variant `EUR`, expected `credits` or `USD`
        missing-key : missing field `currency`; add `currency: credits`, the book's own, or `currency: USD`
        bad-yaml book: found unexpected end of stream at line 2 column 1, while scanning a quoted scalar
        ");
    }

    #[test]
    fn credits_become_usd_only_by_a_stated_rate() {
        let (kie, flat) = (builtin::book("kie").expect("embedded"), builtin::book("gptimage2-flat").expect("embedded"));
        let six = Amount::new(kie.currency.clone(), Micros::new(6_500_000));
        assert_eq!(kie.usd(&six).map(|amount| amount.to_string()).as_deref(), Some("$0.0325"));
        assert_eq!(flat.usd(&Amount::new(flat.currency.clone(), Micros::units(12))), None);
        assert_eq!(flat.usd(&six), None, "credits of another book");
    }

    #[test]
    fn a_book_written_out_by_its_types_reads_back_the_same() {
        for name in builtin::book_names() {
            for (model, priced) in builtin::book(name).expect("a name of the list").models {
                let text = serde_json::to_string(&priced).expect("a model is plain data");
                let back: BookModel = serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{name} {model}: {error}"));
                assert_eq!(back, priced, "{name} {model}");
            }
        }
    }

    #[test]
    fn the_schema_accepts_every_embedded_book_and_refuses_a_slip() {
        let schema = serde_json::to_value(PriceBook::schema()).expect("a schema is plain data");
        let validator = jsonschema::validator_for(&schema).expect("a valid schema");
        for name in builtin::book_names() {
            let text = builtin::book_text(name).expect("a name of the list");
            let document: serde_json::Value = serde_yaml::from_str(text).expect("an embedded book is YAML");
            let wrong: Vec<String> = validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect();
            assert!(wrong.is_empty(), "{name}: {wrong:?}");
        }
        let slip = serde_json::json!({ "book": "mine", "currency": "credits", "models": { "m": { "price": { "flt": 1 } } } });
        assert!(!validator.is_valid(&slip));
    }
}
