//! What is odd about a book that reads well: mistakes, gaps, rows that nothing can reach.
//!
//! In: a book; the cards of who sells by it; today. Out: [`Diagnostics`] with the paths of the book's document, and remarks that are no mistakes.
//! Never: a file, the clock.

mod cards;

use super::book::{BookModel, PriceBook};
use super::price::{PriceEntry, PriceKey, PriceKind, PriceTable};
use super::tokens::TokenPrice;
use crate::types::{Currency, Diagnostic, Diagnostics, DocId, FieldPath, Micros, PixelSize};

/// Factor of a batch that takes the whole price.
const WHOLE: Micros = Micros::units(1);

impl PriceBook {
    /// Returns what is odd about a book that reads well: paths are those of `doc`.
    pub fn lint(&self, doc: DocId) -> Diagnostics {
        let root = FieldPath::root(doc);
        let mut found = Diagnostics::new();
        self.lint_head(&root, &mut found);
        for (name, model) in &self.models {
            let at = root.key("models").key(name);
            if model.price.is_none() && model.prices.is_empty() {
                let help = "add `price: { flat: 12 }`, or `price: { certainty: unknown }`";
                found.push(Diagnostic::error("no-price", at.clone(), format!("model `{name}` has no price")).help(help));
            }
            self.lint_aliases(name, model, &at, &mut found);
            for (entry, at) in entries(model, &at) {
                self.lint_entry(entry, &at, &mut found);
            }
        }
        found
    }

    /// Returns what is odd about the book's dates on the day `today`; a day is left for those who are ahead of UTC.
    pub fn lint_dates(&self, doc: DocId, today: jiff::civil::Date) -> Diagnostics {
        let root = FieldPath::root(doc);
        let mut found = Diagnostics::new();
        let latest = today.tomorrow().unwrap_or(today);
        let mut not_ahead = |date: Option<jiff::civil::Date>, at: FieldPath| {
            if let Some(date) = date.filter(|date| *date > latest) {
                let help = "write the day on which the prices were read";
                found.push(Diagnostic::error("future-date", at, format!("{date} is yet to come: today is {today}")).help(help));
            }
        };
        not_ahead(self.as_of, root.key("as-of"));
        for (name, model) in &self.models {
            for (entry, at) in entries(model, &root.key("models").key(name)) {
                not_ahead(entry.as_of, at.key("as-of"));
            }
        }
        found
    }

    /// Returns what is no mistake and yet worth knowing: where more costs less.
    pub fn remarks(&self, doc: DocId) -> Vec<(FieldPath, String)> {
        let mut remarks = Vec::new();
        for (name, model) in &self.models {
            for (entry, at) in entries(model, &FieldPath::root(doc).key("models").key(name)) {
                let cheaper = match &entry.kind {
                    PriceKind::Table(table) => cheaper_rows(table).map(|pair| (pair, at.key("table"))),
                    PriceKind::Tokens(price) => cheaper_sizes(price).map(|pair| (pair, at.key("tokens"))),
                    _ => None,
                };
                if let Some(((larger, smaller), at)) = cheaper {
                    remarks.push((at, format!("with `{name}` {larger} costs less than {smaller}")));
                }
            }
        }
        remarks
    }

    fn lint_head(&self, root: &FieldPath, found: &mut Diagnostics) {
        let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '-' | '.');
        if self.name.is_empty() || !self.name.chars().all(plain) {
            let message = format!("`{}` is no name of a book", self.name);
            let help = "use lower case letters, digits, dots and dashes: credits are named after the book";
            found.push(Diagnostic::error("bad-name", root.key("book"), message).help(help));
        }
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
    }

    /// Finds names that lead to two models, or twice to one.
    fn lint_aliases(&self, name: &str, model: &BookModel, at: &FieldPath, found: &mut Diagnostics) {
        for (index, alias) in model.aliases.iter().enumerate() {
            let place = at.key("aliases").index(index);
            if **alias == *name || model.aliases[..index].contains(alias) {
                found.push(Diagnostic::warning("needless-alias", place, format!("`{alias}` finds `{name}` already")).help("leave it out"));
                continue;
            }
            let other =
                |(other, theirs): &(&std::sync::Arc<str>, &BookModel)| *other == alias || (***other != *name && theirs.aliases.contains(alias));
            if let Some((other, _)) = self.models.iter().find(other) {
                let root = FieldPath::root(at.doc).key("models").key(other).at_key();
                found.push(
                    Diagnostic::error("ambiguous-alias", place, format!("`{alias}` names two models"))
                        .related(root, format!("it finds `{other}` too"))
                        .help("give each model names of its own"),
                );
            }
        }
    }

    /// Finds what is odd about one price.
    fn lint_entry(&self, entry: &PriceEntry, at: &FieldPath, found: &mut Diagnostics) {
        let notes = [entry.note.as_deref(), self.note.as_deref()];
        let said_free = notes.into_iter().flatten().any(|note| note.to_lowercase().contains("free"));
        for (at, price, part) in amounts(entry, at) {
            if price < Micros::ZERO {
                found.push(Diagnostic::error("negative-price", at, format!("a price of {price} is below 0")));
            } else if price == Micros::ZERO && part == Part::Whole && !said_free {
                found.push(
                    Diagnostic::warning("zero-price", at, "a price of 0 that is not said to be free")
                        .help("say so, `note: free of charge`; or write `certainty: unknown` where no price is known"),
                );
            }
        }
        if entry.batch.is_some_and(|share| share > WHOLE) {
            let help = "0.5 is half the price";
            found.push(Diagnostic::error("bad-value", at.key("batch"), "a batch takes at most the whole price, 1").help(help));
        }
        match &entry.kind {
            PriceKind::BaseMegapixels(price) if price.factor.is_empty() => {
                found.push(Diagnostic::error("empty-table", at.key("base-megapixels").key("factor"), "the table has no row"));
            }
            PriceKind::PerCall(call) if call.pictures == 0 => {
                found.push(Diagnostic::error("bad-value", at.key("per-call").key("pictures"), "a call brings at least 1 picture"));
            }
            PriceKind::Tokens(price) => lint_tokens(price, &at.key("tokens"), found),
            PriceKind::Table(table) => lint_table(table, at, found),
            _ => {}
        }
        let dearest = match &entry.kind {
            PriceKind::Flat(price) => Some(*price),
            PriceKind::Table(table) => table.rows.values().max().copied(),
            PriceKind::PerCall(call) => Some(call.price),
            _ => None,
        };
        if let (Some(dearest), Some(highest)) = (dearest, entry.highest)
            && highest < dearest
        {
            let message = format!("`highest: {highest}` is below the price of {dearest}");
            found.push(Diagnostic::error("low-highest", at.key("highest"), message).help("it is the most that one attempt can cost"));
        }
    }
}

/// Returns every price of a model with its path.
fn entries<'a>(model: &'a BookModel, at: &FieldPath) -> Vec<(&'a PriceEntry, FieldPath)> {
    let any = model.price.iter().map(|entry| (entry, at.key("price")));
    let named = model.prices.iter().map(|(action, entry)| (entry, at.key("prices").key(action.as_str())));
    any.chain(named).collect()
}

/// Whether an amount is what a picture costs, or only adds to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    Share,
}

/// Returns every amount of an entry with its path.
fn amounts(entry: &PriceEntry, at: &FieldPath) -> Vec<(FieldPath, Micros, Part)> {
    let mut all = Vec::new();
    let mut share = |at: FieldPath, price: Option<Micros>| all.extend(price.map(|price| (at, price, Part::Share)));
    share(at.key("highest"), entry.highest);
    share(at.key("batch"), entry.batch);
    share(at.key("per-reference").key("price"), entry.per_reference.as_ref().map(|extra| extra.price));
    match &entry.kind {
        PriceKind::PerMegapixel(price) => {
            share(at.key("per-megapixel").key("additional"), price.additional);
            share(at.key("per-megapixel").key("input"), price.input);
        }
        PriceKind::Tokens(price) => {
            let rates = [("text-in", Some(price.text_in)), ("text-cached", price.text_cached), ("image-in", price.image_in)];
            let rates = rates.into_iter().chain([("image-cached", price.image_cached), ("text-out", price.text_out)]);
            rates.for_each(|(key, rate)| share(at.key("tokens").key(key), rate));
        }
        _ => {}
    }
    let mut whole = |at: FieldPath, price: Micros| all.push((at, price, Part::Whole));
    match &entry.kind {
        PriceKind::Flat(price) => whole(at.key("flat"), *price),
        PriceKind::PerMegapixel(price) => whole(at.key("per-megapixel").key("first"), price.first),
        PriceKind::BaseMegapixels(price) => {
            whole(at.key("base-megapixels").key("base"), price.base);
            price.factor.iter().for_each(|(scale, factor)| whole(at.key("base-megapixels").key("factor").key(scale), *factor));
        }
        PriceKind::PerCall(call) => whole(at.key("per-call").key("price"), call.price),
        PriceKind::Tokens(price) => whole(at.key("tokens").key("image-out"), price.image_out),
        PriceKind::Table(table) => table.rows.iter().for_each(|(row, price)| whole(at.key("table").key(row), *price)),
        PriceKind::Unknown => {}
    }
    all
}

/// Finds what is odd about how tokens are counted.
fn lint_tokens(price: &TokenPrice, at: &FieldPath, found: &mut Diagnostics) {
    let by_quality = !price.output_factors.is_empty() || !price.output_table.is_empty();
    match (by_quality, price.output_resolutions.is_empty()) {
        (false, true) => {
            let message = "none of `output-factors`, `output-table` and `output-resolutions` says how many tokens a picture takes";
            found.push(Diagnostic::error("empty-table", at.clone(), message));
        }
        (true, false) => {
            let message = "`output-resolutions` and a table by quality match the same request";
            found.push(Diagnostic::error("overlapping-rows", at.key("output-resolutions").at_key(), message).help("keep one of the two"));
        }
        _ => {}
    }
    for row in price.output_table.keys() {
        let size = row.split_once('/').filter(|(_, quality)| !quality.is_empty()).and_then(|(size, _)| size.parse::<PixelSize>().ok());
        if size.is_none() {
            let at = at.key("output-table").key(row).at_key();
            found.push(Diagnostic::error("mixed-keys", at, format!("row `{row}` does not name size/quality")).help("write `1024x1024/low: 272`"));
        }
    }
}

/// Finds what is odd about the rows of a table.
fn lint_table(table: &PriceTable, at: &FieldPath, found: &mut Diagnostics) {
    if table.rows.is_empty() {
        found.push(Diagnostic::error("empty-table", at.key("table"), "the table has no row"));
    }
    let keys = table.by.iter().map(ToString::to_string).collect::<Vec<_>>().join("/");
    for (index, row) in table.rows.keys().enumerate() {
        let place = at.key("table").key(row).at_key();
        if row.split('/').count() != table.by.len() {
            found.push(Diagnostic::error("mixed-keys", place, format!("row `{row}` does not name {keys}")));
            continue;
        }
        let twin = table.rows.keys().take(index).find(|other| plain(other) == plain(row));
        if let Some(twin) = twin {
            found.push(
                Diagnostic::error("overlapping-rows", place, format!("rows `{twin}` and `{row}` are one in two spellings"))
                    .related(at.key("table").key(twin).at_key(), "the other one")
                    .help("keep the one that is spelt as the model's card spells it"),
            );
        }
    }
    for (index, key) in table.by.iter().enumerate().filter(|(index, key)| table.by[..*index].contains(key)) {
        found.push(Diagnostic::error("mixed-keys", at.key("by").index(index), format!("{key} stands twice")));
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

/// Returns a row's name without what a slip may change: blanks, and the case of letters.
fn plain(row: &str) -> String {
    row.chars().filter(|letter| !letter.is_whitespace()).flat_map(char::to_lowercase).collect()
}

/// Returns two rows of which the larger costs less, if there are any; other keys being equal.
fn cheaper_rows(table: &PriceTable) -> Option<(String, String)> {
    let place = table.by.iter().position(|key| matches!(key, PriceKey::Resolution | PriceKey::Scale | PriceKey::OutputClass))?;
    let split = |row: &str| {
        let mut parts: Vec<String> = row.split('/').map(str::to_owned).collect();
        let size = (place < parts.len()).then(|| size_word(&parts.remove(place))).flatten()?;
        Some((size, parts))
    };
    let sized: Vec<_> = table.rows.iter().filter_map(|(row, price)| Some((split(row)?, row, *price))).collect();
    let pairs = sized.iter().flat_map(|larger| sized.iter().map(move |smaller| (larger, smaller)));
    let mut odd = pairs.filter(|(larger, smaller)| larger.0.1 == smaller.0.1 && larger.0.0 > smaller.0.0 && larger.2 < smaller.2);
    odd.next().map(|(larger, smaller)| (format!("`{}`", larger.1), format!("`{}`", smaller.1)))
}

/// Returns how large a word for a size is: `2K`, `720p`, `4x`.
fn size_word(word: &str) -> Option<u64> {
    let end = word.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(word.len());
    let number: u64 = word[..end].parse().ok()?;
    match &word[end..] {
        "K" | "k" => number.checked_mul(1024),
        "" | "p" | "x" => Some(number),
        _ => None,
    }
}

/// Returns two sizes of which the larger takes fewer tokens in one quality, if there are any.
fn cheaper_sizes(price: &TokenPrice) -> Option<(String, String)> {
    let listed = price.output_table.iter().filter_map(|(row, _)| {
        let (size, quality) = row.split_once('/')?;
        Some((size.parse::<PixelSize>().ok()?, quality.to_owned()))
    });
    let usual = [PixelSize::new(1024, 1024), PixelSize::new(1536, 1024)];
    let formula = price.output_factors.keys().flat_map(|quality| usual.map(|size| (size, quality.to_string())));
    let all: Vec<_> = listed.chain(formula).filter_map(|(size, quality)| Some((size, price.output_tokens(size, &quality)?, quality))).collect();
    let pairs = all.iter().flat_map(|larger| all.iter().map(move |smaller| (larger, smaller)));
    let mut odd = pairs.filter(|(larger, smaller)| larger.2 == smaller.2 && larger.0.pixels() > smaller.0.pixels() && larger.1 < smaller.1);
    odd.next().map(|(larger, smaller)| (format!("{} at `{}`", larger.0, larger.2), smaller.0.to_string()))
}

#[cfg(test)]
mod tests;
