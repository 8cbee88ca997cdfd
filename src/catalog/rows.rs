//! A price as rows: a few words and a number each, for tables and comparisons.
//!
//! In: a [`PriceEntry`]. Out: [`PriceRow`]s in the book's order. Never: a price that is not in the book.

use super::price::{Certainty, PriceEntry, PriceKind};
use super::tokens::TokenPrice;
use crate::types::{Micros, PixelSize};

/// One number of a price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceRow {
    /// What it is the price of: `a picture`, `1K/high`, `a further megapixel of the output`.
    pub name: String,
    /// The price; `None` where the source gives none.
    pub price: Option<Micros>,
    /// How sure it is.
    pub certainty: Certainty,
}

/// What a price of every picture is called.
pub(super) const EVERY_PICTURE: &str = "a picture";

/// How the row of a reference picture begins.
pub(super) const REFERENCE: &str = "a reference picture";

/// The sizes that a formula of tokens is shown at: the usual square, and the usual wide one.
const SHOWN: [PixelSize; 2] = [PixelSize::new(1024, 1024), PixelSize::new(1536, 1024)];

impl PriceEntry {
    /// Returns the entry's numbers; `book` is the book's certainty, which holds where the entry has no word of its own.
    pub fn rows(&self, book: Certainty) -> Vec<PriceRow> {
        let certainty = self.certainty.unwrap_or(book);
        let row = |name: String, price: Micros| PriceRow { name, price: Some(price), certainty };
        let mut rows = match &self.kind {
            PriceKind::Flat(price) => vec![row(EVERY_PICTURE.to_owned(), *price)],
            PriceKind::Table(table) => {
                let sure = |key: &String| if table.lower_bound_at.contains(key) { certainty.max(Certainty::LowerBound) } else { certainty };
                table.rows.iter().map(|(key, price)| PriceRow { certainty: sure(key), ..row(key.clone(), *price) }).collect()
            }
            PriceKind::PerMegapixel(price) => {
                let first = if price.additional.is_some() { "first megapixel" } else { "a megapixel" };
                let mut rows = vec![row(format!("{first} of the {}", price.of), price.first)];
                rows.extend(price.additional.map(|further| row(format!("a further megapixel of the {}", price.of), further)));
                rows.extend(price.input.map(|input| row("a megapixel of what goes along".to_owned(), input)));
                rows
            }
            PriceKind::BaseMegapixels(price) => {
                let at = |(scale, factor): (&String, &Micros)| {
                    let price_there = price.base.mul_ratio_ceil(factor.get(), 1_000_000).ok();
                    PriceRow { name: format!("a megapixel of the {} at {scale}", price.of), price: price_there, certainty }
                };
                price.factor.iter().map(at).collect()
            }
            PriceKind::PerCall(call) => vec![row(format!("a call of {} pictures", call.pictures), call.price)],
            PriceKind::Tokens(price) => tokens(price, certainty),
            PriceKind::Unknown => vec![PriceRow { name: EVERY_PICTURE.to_owned(), price: None, certainty: Certainty::Unknown }],
        };
        if let Some(reference) = &self.per_reference {
            let after = if reference.free == 0 { String::new() } else { format!(" after the first {}", reference.free) };
            rows.push(row(format!("{REFERENCE}{after}"), reference.price));
        }
        rows
    }
}

/// Returns the rates for a million tokens, and what the tokens of a picture cost.
fn tokens(price: &TokenPrice, certainty: Certainty) -> Vec<PriceRow> {
    let rates = [
        ("text in", Some(price.text_in)),
        ("remembered text in", price.text_cached),
        ("pictures in", price.image_in),
        ("remembered pictures in", price.image_cached),
        ("pictures out", Some(price.image_out)),
        ("text out", price.text_out),
    ];
    let rate = |(what, rate): (&str, Option<Micros>)| {
        rate.map(|rate| PriceRow { name: format!("a million tokens of {what}"), price: Some(rate), certainty })
    };
    let rates = rates.into_iter().filter_map(rate);
    let picture = |(name, tokens): (String, u64)| {
        let cost = i64::try_from(tokens).ok().and_then(|tokens| price.image_out.mul_ratio_ceil(tokens, 1_000_000).ok());
        PriceRow { name, price: cost, certainty }
    };
    rates.chain(pictures(price).into_iter().map(picture)).collect()
}

/// Returns the tokens of a picture by its name, `1024x1024/high`: those of the tables, and of the formula at the usual sizes.
pub fn pictures(price: &TokenPrice) -> Vec<(String, u64)> {
    let classes = price.output_resolutions.iter().map(|(class, tokens)| (class.to_string(), u64::from(*tokens)));
    let listed = price.output_table.iter().map(|(row, tokens)| (row.clone(), u64::from(*tokens)));
    let of_formula = price.output_factors.keys().flat_map(|quality| {
        let at = move |size: PixelSize| Some((format!("{size}/{quality}"), price.output_tokens(size, quality)?));
        SHOWN.into_iter().filter_map(at)
    });
    let mut all: Vec<(String, u64)> = classes.chain(listed).collect();
    for (name, tokens) in of_formula {
        if !price.output_table.contains_key(&name) {
            all.push((name, tokens));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::PriceBook;
    use crate::types::{Action, DocId};

    fn shown(price: &str) -> String {
        let text = format!("book: mine\ncurrency: credits\nmodels:\n  m:\n    price: {price}\n");
        let book = PriceBook::parse(DocId::CAMPAIGN, &text).expect("a book of the test");
        let rows = book.model("m").and_then(|model| model.entry(Action::Generate)).expect("a price").rows(book.certainty);
        let line = |row: &PriceRow| {
            let price = row.price.map_or("?".to_owned(), |price| price.to_string());
            format!("{}: {price}{}", row.name, if row.certainty == Certainty::LowerBound { " at least" } else { "" })
        };
        rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn every_kind_of_price_is_a_few_rows() {
        let kinds = [
            "{ flat: 12, per-reference: { price: 0.5, free: 1 } }",
            "{ by: [resolution, quality], table: { 1K/low: 1, 4K/high: 3 }, lower-bound-at: [4K/high] }",
            "{ per-megapixel: { of: output, megapixel: 1048576, first: 3, additional: 1.5, input: 1.5, whole: true } }",
            "{ per-megapixel: { of: input, megapixel: 1000000, first: 4 } }",
            "{ base-megapixels: { base: 20, of: input, megapixel: 1000000, factor: { 2x: 1, 3x: 2 } } }",
            "{ per-call: { price: 4, pictures: 6 } }",
            "{ tokens: { text-in: 5, text-cached: 1.25, image-out: 30, text-out: 10, output-factors: { low: 16 } } }",
            "{ tokens: { text-in: 5, image-in: 8, image-out: 30, output-resolutions: { 1K: 1120 } }, certainty: lower-bound }",
            "{ certainty: unknown }",
        ];
        insta::assert_snapshot!(kinds.map(shown).join("\n---\n"), @"
        a picture: 12
        a reference picture after the first 1: 0.5
        ---
        1K/low: 1
        4K/high: 3 at least
        ---
        first megapixel of the output: 3
        a further megapixel of the output: 1.5
        a megapixel of what goes along: 1.5
        ---
        a megapixel of the input: 4
        ---
        a megapixel of the input at 2x: 20
        a megapixel of the input at 3x: 40
        ---
        a call of 6 pictures: 4
        ---
        a million tokens of text in: 5
        a million tokens of remembered text in: 1.25
        a million tokens of pictures out: 30
        a million tokens of text out: 10
        1024x1024/low: 0.00588
        1536x1024/low: 0.00474
        ---
        a million tokens of text in: 5 at least
        a million tokens of pictures in: 8 at least
        a million tokens of pictures out: 30 at least
        1K: 0.0336 at least
        ---
        a picture: ?
        ");
    }
}
