use std::collections::BTreeMap;

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

fn with_models(models: &str) -> PriceBook {
    parsed(&format!("book: mine\ncurrency: credits\nas-of: 2026-11-22\nsource: a page\nmodels:\n{models}"))
}

#[test]
fn what_is_odd_about_a_book_is_all_said_at_once() {
    let text = concat!(
        "book: mine\ncurrency: USD\nusd-per-credit: 0\nas-of: 2026-11-22\nsource: a page\nmodels:\n",
        "  a: { aliases: [b], price: { flat: -1 } }\n  b: {}\n",
        "  c: { price: { by: [resolution, quality], table: { 1K: 6 }, lower-bound-at: [4K] } }\n",
        "  d: { prices: { upscale: { by: [output-class], table: {} } } }\n",
    );
    insta::assert_snapshot!(told(&parsed(text).lint(DOC)), @"
    needless-rate usd-per-credit: a book in USD needs no rate to USD
    bad-rate usd-per-credit: a credit costs more than 0
    ambiguous-alias models.a.aliases[0]: `b` names two models; give each model names of its own
    negative-price models.a.price.flat: a price of -1 is below 0
    no-price models.b: model `b` has no price; add `price: { flat: 12 }`, or `price: { certainty: unknown }`
    mixed-keys models.c.price.table.1K: row `1K` does not name resolution/quality
    mixed-keys models.c.price.lower-bound-at[0]: the table has no row `4K`
    empty-table models.d.prices.upscale.table: the table has no row
    mixed-keys models.d.prices.upscale: `classes` and the key `output-class` belong together; list the most pixels of the longer side by class: `classes: { 2K: 2048, 4K: 4096 }`
    ");
}

#[test]
fn names_that_lead_to_two_models_are_refused_and_needless_ones_are_told() {
    let text =
        "  a: { aliases: [a, x, x, b], price: { flat: 1 } }\n  b: { aliases: [y], price: { flat: 1 } }\n  c: { aliases: [y], price: { flat: 1 } }\n";
    insta::assert_snapshot!(told(&with_models(text).lint(DOC)), @"
    needless-alias models.a.aliases[0]: `a` finds `a` already; leave it out
    needless-alias models.a.aliases[2]: `x` finds `a` already; leave it out
    ambiguous-alias models.a.aliases[3]: `b` names two models; give each model names of its own
    ambiguous-alias models.b.aliases[0]: `y` names two models; give each model names of its own
    ambiguous-alias models.c.aliases[0]: `y` names two models; give each model names of its own
    ");
    let shouting = parsed("book: My Book\ncurrency: credits\nas-of: 2026-11-22\nsource: a page\nmodels: { m: { price: { flat: 1 } } }");
    insta::assert_snapshot!(told(&shouting.lint(DOC)), @"bad-name book: `My Book` is no name of a book; use lower case letters, digits, dots and dashes: credits are named after the book");
}

#[test]
fn prices_of_0_low_ceilings_and_rows_that_overlap_are_told() {
    let text = concat!(
        "  a: { price: { flat: 0 } }\n  b: { price: { flat: 0, note: free for now } }\n",
        "  c: { price: { by: [resolution], table: { 1K: 0, 1k: 3, 2K: 4 }, highest: 3 } }\n",
        "  d: { price: { flat: 1, batch: 1.5 } }\n  e: { price: { per-call: { price: 4, pictures: 0 } } }\n",
        "  f: { price: { tokens: { text-in: -5, image-out: 30 } } }\n",
        "  g: { price: { tokens: { text-in: 0, image-out: 30, output-factors: { low: 1 }, output-table: { low: 3 }, output-resolutions: { 1K: 3 } } } }\n",
        "  h: { price: { per-megapixel: { of: output, megapixel: 1000000, first: 1, input: -1 } } }\n",
    );
    insta::assert_snapshot!(told(&with_models(text).lint(DOC)), @"
    zero-price models.a.price.flat: a price of 0 that is not said to be free; say so, `note: free of charge`; or write `certainty: unknown` where no price is known
    zero-price models.c.price.table.1K: a price of 0 that is not said to be free; say so, `note: free of charge`; or write `certainty: unknown` where no price is known
    overlapping-rows models.c.price.table.1k: rows `1K` and `1k` are one in two spellings; keep the one that is spelt as the model's card spells it
    low-highest models.c.price.highest: `highest: 3` is below the price of 4; it is the most that one attempt can cost
    bad-value models.d.price.batch: a batch takes at most the whole price, 1; 0.5 is half the price
    bad-value models.e.price.per-call.pictures: a call brings at least 1 picture
    negative-price models.f.price.tokens.text-in: a price of -5 is below 0
    empty-table models.f.price.tokens: none of `output-factors`, `output-table` and `output-resolutions` says how many tokens a picture takes
    overlapping-rows models.g.price.tokens.output-resolutions: `output-resolutions` and a table by quality match the same request; keep one of the two
    mixed-keys models.g.price.tokens.output-table.low: row `low` does not name size/quality; write `1024x1024/low: 272`
    negative-price models.h.price.per-megapixel.input: a price of -1 is below 0
    ");
}

#[test]
fn a_date_that_is_yet_to_come_is_refused() {
    let text = "  a: { price: { flat: 1, as-of: 2027-01-01 } }\n  b: { price: { flat: 1, as-of: 2026-11-23 } }\n";
    let book = with_models(text);
    insta::assert_snapshot!(told(&book.lint_dates(DOC, jiff::civil::date(2026, 11, 22))), @"future-date models.a.price.as-of: 2027-01-01 is yet to come: today is 2026-11-22; write the day on which the prices were read");
    assert_eq!(book.lint_dates(DOC, jiff::civil::date(2026, 12, 31)), Diagnostics::new());
}

#[test]
fn what_a_card_offers_without_a_price_and_what_no_card_offers_is_told() {
    let text = concat!(
        "  table:\n    price: { by: [resolution, quality], table: { 1K/low: 1, 1K/high: 2, 2K/low: 2, 8K/low: 9 } }\n",
        "    card: { operations: { generate: { resolutions: { 1K: { area: 1024 }, 2K: { area: 2048 } }, qualities: [low, high] } } }\n",
        "  no-choice:\n    price: { by: [speed], table: { TURBO: 1, SLOW: 2 } }\n    card: { operations: { generate: {} } }\n",
        "  actions:\n    price: { flat: 1 }\n    prices: { generate: { flat: 1 }, upscale: { flat: 2 } }\n    card: { operations: { generate: {} } }\n",
        "  half:\n    prices: { generate: { flat: 1 } }\n    card: { operations: { generate: {}, edit: {} } }\n",
        "  scales:\n    price: { base-megapixels: { base: 20, of: input, megapixel: 1000000, factor: { 2x: 1, 8x: 7 } } }\n",
        "    card: { operations: { upscale: { scales: [2, 4] } } }\n",
        "  classes:\n    price: { by: [output-class], table: { 1K: 1, 2K: 2 }, classes: { 1K: 1024, 2K: 2048 } }\n",
        "    card: { operations: { upscale: { scales: [1, 2, 4] } } }\n",
        "  tokens:\n    price: { tokens: { text-in: 5, image-out: 30, output-table: { 1024x1024/low: 272, 1024x1024/best: 9 } } }\n",
        "    card: { operations: { generate: { aspects: [\"1:1\", \"3:2\"], qualities: [low], resolutions: { 1K: { area: 1024 } } } } }\n",
        "  open:\n    price: { by: [resolution], table: { 1K: 1, 9K: 2 } }\n    card: { operations: { generate: {} } }\n",
        "  no-card: { price: { by: [resolution], table: { 1K: 1 } } }\n",
    );
    insta::assert_snapshot!(told(&with_models(text).lint_cards(DOC, &BTreeMap::new())), @"
    unpriced-choice models.table.price.table: `table` can be asked to `generate` with resolution and quality `2K/high`, and there is no such row; add the row `2K/high`
    dead-price models.table.price.table.8K/low: no request to `table` has resolution/quality `8K/low`; take the row out, or spell it as the card does
    unpriced-choice models.no-choice.price.table: `no-choice` can be asked to `generate` without a choice of speed, and the price depends on it; price it without that key, or name the choices in the card
    dead-price models.no-choice.price.table.TURBO: no request to `no-choice` has speed `TURBO`; take the row out, or spell it as the card does
    dead-price models.no-choice.price.table.SLOW: no request to `no-choice` has speed `SLOW`; take the row out, or spell it as the card does
    dead-price models.actions.prices.upscale: `actions` cannot be asked to `upscale`; take it out
    dead-price models.actions.price: `prices` names every action of `actions`, nothing is left for `price`; take it out
    unpriced-action models.half.prices: `half` can be asked to `edit`, and only `generate` is priced; add a price of `edit`, with `certainty: unknown` if none is known
    unpriced-choice models.scales.price.base-megapixels.factor: `scales` can be asked to `upscale` with scale `4x`, and there is no such row; add the row `4x`
    dead-price models.scales.price.base-megapixels.factor.8x: no request to `scales` has scale `8x`; take the row out, or spell it as the card does
    unpriced-choice models.classes.price.table: `classes` can be asked to `upscale` with output class `4096 pixels`, and there is no such row; add a class that reaches as far
    unpriced-choice models.tokens.price.tokens: `tokens` can be asked to `generate` with size and quality `1248x832/low`, and there is no such row; add the row `1248x832/low`
    dead-price models.tokens.price.tokens.output-table.1024x1024/best: no request to `tokens` has size and quality `1024x1024/best`; take the row out, or spell it as the card does
    ");
}

#[test]
fn a_square_that_a_model_lacks_at_4k_is_no_gap() {
    let text = concat!(
        "  m:\n    price: { by: [output-class], table: { small: 1, wide: 2 }, classes: { small: 2048, wide: 3840 } }\n",
        "    card: { operations: { generate: { aspects: [\"1:1\", \"16:9\"], resolutions: { 2K: { area: 2048 }, 4K: { long: 3840 } },\n",
        "      holes: [{ aspects: [\"1:1\", auto], resolutions: [4K] }, { aspects: [\"16:9\"], resolutions: [2K] }] } } }\n",
    );
    assert_eq!(told(&with_models(text).lint_cards(DOC, &BTreeMap::new())), "");
}

#[test]
fn where_more_costs_less_is_worth_a_remark_and_no_mistake() {
    let text = concat!(
        "  a: { price: { by: [resolution, quality], table: { 1K/low: 5, 2K/low: 4, 2K/high: 1 } } }\n  b: { price: { by: [scale], table: { 2x: 1, 4x: 1 } } }\n",
        "  c: { price: { tokens: { text-in: 5, image-out: 30, output-factors: { medium: 48 } } } }\n",
        "  d: { price: { by: [quality], table: { low: 5, high: 1 } } }\n",
    );
    let book = with_models(text);
    assert_eq!(book.lint(DOC), Diagnostics::new());
    let remarks: Vec<String> = book.remarks(DOC).iter().map(|(at, remark)| format!("{at}: {remark}")).collect();
    insta::assert_snapshot!(remarks.join("\n"), @"
    models.a.price.table: with `a` `2K/low` costs less than `1K/low`
    models.c.price.tokens: with `c` 1536x1024 at `medium` costs less than 1024x1024
    ");
}

#[test]
fn the_remarks_on_embedded_books_are_the_known_ones() {
    let remarks = |name: &str| builtin::book(name).expect("a name of the list").remarks(DOC).iter().map(|(at, _)| at.to_string()).collect::<Vec<_>>();
    let odd: Vec<&str> = builtin::book_names().iter().filter(|name| !remarks(name).is_empty()).copied().collect();
    assert_eq!(odd, ["openai"], "a wide picture costs less than a square one");
}
