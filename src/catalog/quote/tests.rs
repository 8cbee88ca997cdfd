use super::*;
use crate::catalog::builtin;
use crate::types::DocId;
use proptest::prelude::*;

const HD: PixelSize = PixelSize::new(1920, 1080);

fn book(name: &str) -> PriceBook {
    builtin::book(name).expect("an embedded book")
}

fn own_book(price: &str) -> PriceBook {
    let text = format!("book: mine\ncurrency: credits\nmodels:\n  m:\n    price: {price}\n");
    PriceBook::parse(DocId::CAMPAIGN, &text).expect("a book of the test")
}

fn resolution(name: &str) -> Settings {
    Settings { resolution: Some(name.into()), ..Settings::default() }
}

fn quality(name: &str) -> Settings {
    Settings { quality: Some(name.into()), ..Settings::default() }
}

fn scale(scale: u32) -> Settings {
    Settings { scale: Some(scale), ..Settings::default() }
}

fn input<'a>(model: &'a str, action: Action, settings: &'a Settings) -> QuoteInput<'a> {
    let picture = (action != Action::Generate).then_some(HD);
    QuoteInput { model, action, settings, input: picture, output: PixelSize::new(1024, 1024), references: 0, prompt_chars: 100 }
}

fn generated(book: &PriceBook, model: &str, settings: &Settings) -> Micros {
    book.quote(&input(model, Action::Generate, settings)).expect("a price of the book").amount.micros
}

#[test]
fn output_tokens_follow_the_formula_and_the_tables() {
    let book = book("openai");
    let tokens = |model: &str, size: &str, quality: &str| {
        let PriceKind::Tokens(price) = &book.entry(model, Action::Generate).expect("an entry").kind else { panic!("{model} has token prices") };
        price.output_tokens(size.parse().expect("a size of the test"), quality)
    };
    for (size, published) in [
        ("1024x1024", [196, 1756, 7024]),
        ("1536x1024", [158, 1372, 5488]),
        ("1024x1536", [158, 1372, 5488]),
        ("2048x2048", [397, 3568, 14272]),
        ("3840x2160", [371, 3336, 13342]),
        ("1536x864", [120, 1078, 4312]),
        ("1792x1024", [139, 1243, 5063]),
        ("2560x1440", [205, 1843, 7370]),
        ("3584x2048", [337, 3027, 12329]),
        ("3472x1488", [201, 1806, 7052]),
        ("976x704", [129, 1129, 4450]),
    ] {
        assert_eq!(["low", "medium", "high"].map(|quality| tokens("gpt-image-2", size, quality)), published.map(Some), "{size}");
    }
    let newer = ["low", "medium", "high", "xhigh", "max"].map(|quality| tokens("gpt-image-2.5-flare", "1024x1024", quality));
    assert_eq!(newer, [196, 439, 1756, 3122, 7024].map(Some));
    assert_eq!(["low", "medium", "high"].map(|quality| tokens("gpt-image-1.5", "1024x1536", quality)), [408, 1584, 6240].map(Some));
    assert_eq!(tokens("gpt-image-1.5", "1536x864", "low"), None, "only three sizes are published");
}

#[test]
fn a_token_quote_reserves_the_most_that_prompt_and_pictures_can_come_to() {
    let book = book("openai");
    let settings = quality("medium");
    let request =
        QuoteInput { input: Some(PixelSize::new(1024, 1024)), references: 1, prompt_chars: 400, ..input("gpt-image-2", Action::Edit, &settings) };
    let quote = book.quote(&request).expect("a price");
    assert_eq!(quote.amount.to_string(), "$0.07369", "106 x 5 + 2560 x 8 + 1756 x 30 millionths");
    assert_eq!(quote.highest.to_string(), "0.079286", "406 x 5 + 3072 x 8 + 1756 x 30 millionths");
    assert_eq!(quote.basis, "tokens: 1756 of picture, about 106 of prompt, 2560 of input");
}

#[test]
fn a_class_of_output_decides_and_the_highest_class_is_reserved() {
    let book = book("kie");
    let settings = scale(2);
    let quote =
        |width, height| book.quote(&QuoteInput { output: PixelSize::new(width, height), ..input("topaz-upscale", Action::Upscale, &settings) });
    let price = |width, height| quote(width, height).map(|quote| quote.amount.to_string());
    assert_eq!([price(2048, 2048), price(3840, 2160), price(5000, 8192)], ["10", "20", "40"].map(|credits| Ok(format!("{credits} credits"))));
    let twenty = quote(3840, 2160).expect("a price");
    assert_eq!((twenty.highest, twenty.certainty), (Micros::units(40), Certainty::LowerBound));
    insta::assert_snapshot!(quote(9000, 9000).expect_err("no class is that large"), @"price book `kie` has no price of `topaz-upscale` for output class `9000 pixels`; it has `2K`, `4K` and `8K`");
}

#[test]
fn a_call_that_brings_several_pictures_is_paid_once() {
    let book = book("kie");
    let none = Settings::default();
    let quote = book.quote(&input("grok-imagine", Action::Generate, &none)).expect("a price");
    assert_eq!((quote.amount.to_string().as_str(), quote.basis.as_str()), ("4 credits", "4 a call, which brings 6 pictures"));
}

#[test]
fn megapixels_are_charged_by_part_or_whole_with_a_first_and_further_ones() {
    for (price, credits) in [
        ("{ per-megapixel: { of: input, megapixel: 1000000, first: 10 } }", "20.736"),
        ("{ per-megapixel: { of: input, megapixel: 1000000, first: 10, whole: true } }", "30"),
        ("{ per-megapixel: { of: input, megapixel: 1000000, first: 10, additional: 5 } }", "15.368"),
        ("{ per-megapixel: { of: input, megapixel: 1000000, first: 10, additional: 5, whole: true } }", "20"),
        ("{ per-megapixel: { of: output, megapixel: 1048576, first: 10, additional: 5 } }", "10"),
        ("{ flat: 4, per-reference: { price: 0.5, free: 1 } }", "5"),
        ("{ per-megapixel: { of: input, megapixel: 1000000, first: 10 }, rounding: floor }", "20"),
        ("{ per-megapixel: { of: input, megapixel: 1000000, first: 10 }, rounding: nearest }", "21"),
        ("{ per-megapixel: { of: input, megapixel: 1000000, first: 10 }, rounding: ceil }", "21"),
        ("{ per-megapixel: { of: input, megapixel: 7, first: 0.000001 } }", "0.296229"),
    ] {
        let none = Settings::default();
        let request = QuoteInput { references: 3, ..input("m", Action::Edit, &none) };
        assert_eq!(own_book(price).quote(&request).map(|quote| quote.amount.micros.to_string()), Ok(credits.to_owned()), "{price}");
    }
}

#[test]
fn a_table_of_two_keys_asks_for_what_is_open_only_where_it_matters() {
    let book = own_book("{ by: [resolution, quality], table: { 1K/low: 1, 1K/high: 1, 2K/low: 2, 2K/high: 3 } }");
    assert_eq!(generated(&book, "m", &resolution("1K")).to_string(), "1", "both qualities cost the same at 1K");
    let both = Settings { quality: Some("high".into()), ..resolution("2K") };
    assert_eq!(generated(&book, "m", &both).to_string(), "3");
    let refused = |settings: &Settings| book.quote(&input("m", Action::Generate, settings)).expect_err("no price").to_string();
    insta::assert_snapshot!(refused(&resolution("2K")), @"the price of `m` in book `mine` depends on quality, which is not set; it has `1K/low`, `1K/high`, `2K/low` and `2K/high`");
    insta::assert_snapshot!(refused(&resolution("8K")), @"price book `mine` has no price of `m` for resolution and quality `8K/any`; it has `1K/low`, `1K/high`, `2K/low` and `2K/high`");
}

#[test]
fn what_has_no_price_says_so_and_is_never_0() {
    let refused = |book: &PriceBook, model: &str, action| {
        let none = Settings::default();
        book.quote(&QuoteInput { input: None, ..input(model, action, &none) }).expect_err("no price").to_string()
    };
    let (kie, flat) = (book("kie"), book("gptimage2-flat"));
    insta::assert_snapshot!(refused(&flat, "dall-e-9", Action::Generate), @"price book `gptimage2-flat` has no model `dall-e-9`; it has `gpt-image-2`");
    insta::assert_snapshot!(refused(&book("qolaba-app"), "sdxl", Action::Upscale), @"price book `qolaba-app` does not price `upscale` with `sdxl`; it prices `generate` and `edit`");
    insta::assert_snapshot!(refused(&kie, "seedream-5-pro", Action::Edit), @"the price of `seedream-5-pro` is unknown to book `kie`: not in the list of 2026-06-30");
    insta::assert_snapshot!(refused(&book("imagineart-studio"), "topaz-upscale", Action::Upscale), @"the price of `topaz-upscale` in book `imagineart-studio` depends on scale, which is not set; it has `2x`, `3x` and `4x`");
    let by_input = own_book("{ per-megapixel: { of: input, megapixel: 1000000, first: 10 } }");
    insta::assert_snapshot!(refused(&by_input, "m", Action::Edit), @"the price of `m` in book `mine` depends on the size of the input image, which is not known");
    let huge = own_book("{ per-megapixel: { of: output, megapixel: 1, first: 9000000000000 } }");
    insta::assert_snapshot!(refused(&huge, "m", Action::Generate), @"the price of `m` in book `mine` is too large (over 9.2 trillion units)");
}

proptest! {
    #[test]
    fn rounding_goes_the_stated_way_and_never_by_a_whole_unit(millis in 0_i64..1_000_000_000, pixels in 1_u32..100_000_000) {
        let at = |rounding: &str| {
            let price = Micros::new(millis);
            let book = own_book(&format!("{{ per-megapixel: {{ of: output, megapixel: 1000000, first: {price} }}, rounding: {rounding} }}"));
            let none = Settings::default();
            let request = QuoteInput { output: PixelSize::new(pixels, 1), ..input("m", Action::Generate, &none) };
            book.quote(&request).expect("a price that fits").amount.micros.get()
        };
        let (exact, floor, nearest, ceil) = (at("exact"), at("floor"), at("nearest"), at("ceil"));
        let product = i128::from(millis) * i128::from(pixels);
        prop_assert_eq!(i128::from(exact), (product + 999_999) / 1_000_000);
        prop_assert!(floor <= nearest && nearest <= ceil);
        prop_assert!(exact - floor <= 1_000_000 && ceil >= exact && ceil - floor <= 1_000_000);
    }
}
