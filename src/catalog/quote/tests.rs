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
        // 1024x1024 out is one started megapixel; 1920x1080 in is two, and three references count as much each.
        ("{ per-megapixel: { of: output, megapixel: 1048576, first: 3, additional: 1.5, input: 1.5, whole: true } }", "15"),
        ("{ per-megapixel: { of: output, megapixel: 1000000, first: 3, input: 1 } }", "11.440128"),
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

#[test]
fn tokens_by_size_class_need_no_quality_and_what_has_no_rate_makes_a_lower_bound() {
    let book = own_book("{ tokens: { text-in: 1.5, image-out: 30, text-out: 7.5, output-resolutions: { 1K: 1120 } }, batch: 0.5 }");
    let one = resolution("1K");
    let quote = |action| book.quote(&input("m", action, &one)).expect("a price");
    let made = quote(Action::Generate);
    assert_eq!((made.amount.micros.to_string().as_str(), made.certainty), ("0.033647", Certainty::Exact), "1120 x 30 + 31 x 1.5 millionths");
    let edited = quote(Action::Edit);
    assert_eq!((edited.amount.micros, edited.certainty), (made.amount.micros, Certainty::LowerBound));
    assert_eq!(edited.basis, "tokens: 1120 of picture, about 31 of prompt, input not priced");
    let refused = |settings: &Settings| book.quote(&input("m", Action::Generate, settings)).expect_err("no price").to_string();
    insta::assert_snapshot!(refused(&Settings::default()), @"the price of `m` in book `mine` depends on resolution, which is not set; it has `1K`");
    insta::assert_snapshot!(refused(&resolution("2K")), @"price book `mine` has no price of `m` for resolution `2K`; it has `1K`");
    let usage = TokenUsage { text_in: 10, image_in: 258, image_out: 1120, ..TokenUsage::default() };
    assert_eq!(book.charge_tokens("m", Action::Edit, &usage), None, "tokens without a rate have no price");
    let usage = TokenUsage { image_in: 0, text_out: 100, ..usage };
    let exactly = |channel| book.charge_exactly("m", Action::Edit, &usage, channel).map(|cost| cost.to_string());
    assert_eq!([Channel::Direct, Channel::Batch].map(exactly), ["0.034365", "0.0171825"].map(|usd| Some(usd.to_owned())));
}

#[test]
fn remembered_tokens_cost_their_own_rate_and_no_more_are_remembered_than_came() {
    let book = book("openai");
    let charge = |usage: TokenUsage| book.charge_tokens("gpt-image-2", Action::Edit, &usage).map(|amount| amount.to_string());
    let usage = TokenUsage { text_in: 100, text_cached: 40, image_in: 1000, image_cached: 400, image_out: 0, text_out: 0 };
    assert_eq!(charge(usage).as_deref(), Some("$0.00595"), "60 x 5 + 40 x 1.25 + 600 x 8 + 400 x 2 millionths");
    assert_eq!(charge(TokenUsage { text_cached: 500, image_in: 0, image_cached: 9, ..usage }).as_deref(), Some("$0.000125"));
    assert_eq!(charge(TokenUsage { text_out: 100, text_in: 0, image_in: 0, ..TokenUsage::default() }).as_deref(), Some("$0.001"));
    let newer = TokenUsage { text_out: 1, ..TokenUsage::default() };
    assert_eq!(book.charge_tokens("gpt-image-2.5-flare", Action::Edit, &newer), None, "text of the result has no rate there");
    let batch = |model: &str| book.charge_exactly(model, Action::Generate, &TokenUsage { image_out: 1, ..TokenUsage::default() }, Channel::Batch);
    assert_eq!((batch("gpt-image-2").map(|cost| cost.to_string()).as_deref(), batch("gpt-image-2.6-flare")), (Some("0.000015"), None));
}

#[test]
fn references_of_unknown_size_make_a_price_by_megapixels_a_lower_bound() {
    let book = book("bfl");
    let settings = resolution("1K");
    let quote = |references| {
        let small = Some(PixelSize::new(1024, 1024));
        let asked = QuoteInput { input: small, references, ..input("flux-kontext-pro", Action::Edit, &settings) };
        let by_pixels = QuoteInput { model: "flux-2-pro", ..asked };
        (book.quote(&by_pixels).expect("a price"), book.quote(&asked).expect("a price"))
    };
    let (one, flat) = quote(0);
    assert_eq!((one.amount.to_string().as_str(), flat.amount.to_string().as_str()), ("4.5 credits", "4 credits"), "first + one input");
    let (three, flat) = quote(2);
    assert_eq!((three.amount.to_string().as_str(), three.certainty, flat.certainty), ("7.5 credits", Certainty::LowerBound, Certainty::Exact));
    assert_eq!(
        one.basis,
        "3 for the first megapixel of output, 1.5 for each further (1048576 pixels, 1048576 each), 1.5 a megapixel of what goes along"
    );
}

fn many(book: &PriceBook, request: &QuoteInput<'_>, pictures: u32) -> Result<Quote, Unpriced> {
    book.quote_pictures(request, NonZeroU32::new(pictures).expect("a count of the test"))
}

#[test]
fn a_call_of_several_pictures_costs_what_they_cost_one_by_one_and_a_bundle_is_bought_whole() {
    let kie = book("kie");
    let none = Settings::default();
    for (pictures, credits) in [(1, "4 credits"), (6, "4 credits"), (7, "8 credits"), (13, "12 credits")] {
        let quote = many(&kie, &input("grok-imagine", Action::Generate, &none), pictures).expect("a price");
        assert_eq!(quote.amount.to_string(), credits, "{pictures} pictures in calls of 6");
    }
    let fast = Settings { speed: Some("TURBO".into()), ..Settings::default() };
    let four = many(&kie, &input("ideogram-v3", Action::Generate, &fast), 4).expect("a price");
    assert_eq!((four.amount.to_string().as_str(), four.basis.as_str()), ("14 credits", "by speed: TURBO = 3.5, 4 times"));
    let rounded = own_book("{ flat: 0.4, rounding: ceil }");
    let ten = many(&rounded, &input("m", Action::Generate, &none), 10).expect("a price");
    assert_eq!(ten.amount.to_string(), "10 credits", "each picture is rounded, not the call");
    let huge = own_book("{ flat: 9000000000000 }");
    assert!(matches!(many(&huge, &input("m", Action::Generate, &none), 2), Err(Unpriced::TooLarge { .. })));
}

proptest! {
    #[test]
    fn k_pictures_cost_k_times_one_and_more_never_cost_less(
        price in 1_i64..1_000_000_000_000, pictures in 1_u32..1000, more in 1_u32..1000, brings in 1_u32..10, rounding in 0_usize..4,
    ) {
        let none = Settings::default();
        let way = ["exact", "floor", "nearest", "ceil"][rounding];
        let flat = own_book(&format!("{{ flat: {}, rounding: {way} }}", Micros::new(price)));
        let request = input("m", Action::Generate, &none);
        let one = flat.quote(&request).expect("a price").amount.micros;
        let all = many(&flat, &request, pictures).expect("a price");
        prop_assert_eq!(Ok(all.amount.micros), one.checked_mul(u64::from(pictures)));
        let bundle = own_book(&format!("{{ per-call: {{ price: {}, pictures: {brings} }} }}", Micros::new(price)));
        let few = many(&bundle, &request, pictures).expect("a price").amount.micros;
        let lots = many(&bundle, &request, pictures + more).expect("a price").amount.micros;
        prop_assert!(few <= lots);
        prop_assert!(i128::from(few.get()) * i128::from(brings) >= i128::from(price) * i128::from(pictures), "no picture is cheaper than its part");
    }

    #[test]
    fn what_tokens_cost_is_never_below_the_exact_price(text_in in 0_u64..1_000_000, image_in in 0_u64..1_000_000, image_out in 0_u64..1_000_000) {
        let book = own_book("{ tokens: { text-in: 1.234567, image-in: 0.000003, image-out: 29.999999, output-resolutions: { 1K: 1 } }, batch: 0.5 }");
        let usage = TokenUsage { text_in, image_in, image_out, ..TokenUsage::default() };
        let exact = i128::from(text_in) * 1_234_567 + i128::from(image_in) * 3 + i128::from(image_out) * 29_999_999;
        let charged = i128::from(book.charge_tokens("m", Action::Edit, &usage).expect("a price").micros.get()) * 1_000_000;
        prop_assert!(charged >= exact && charged - exact < 1_000_000, "{charged} {exact}");
        let half = book.charge_exactly("m", Action::Edit, &usage, Channel::Batch).expect("a price");
        prop_assert_eq!(half.times(2, 1), book.charge_exactly("m", Action::Edit, &usage, Channel::Direct));
    }

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

#[test]
fn a_book_in_batches_charges_its_share_of_the_whole_sum_once_rounded() {
    let settings = Settings { quality: Some("medium".into()), resolution: Some("1K".into()), ..Settings::default() };
    let input = QuoteInput {
        model: "gpt-image-2",
        action: Action::Generate,
        settings: &settings,
        input: None,
        output: PixelSize::new(1024, 1024),
        references: 0,
        prompt_chars: 140,
    };
    let (direct, batch) = (book("openai"), book("openai").in_batches());
    let quotes = [&direct, &batch].map(|book| book.quote(&input).expect("it is priced"));
    // 41 x 5 + 1756 x 30 = 52885 millionths; half of it is 26442.5.
    assert_eq!(quotes.clone().map(|quote| quote.amount.micros.get()), [52_885, 26_443]);
    assert_eq!(quotes[1].highest.get(), (146 * 5 + 1756 * 30) / 2, "the reservation is the batch's too");
    assert_eq!(quotes[1].basis, format!("{}, x 0.5 in a batch", quotes[0].basis));
    let usage = TokenUsage { text_in: 41, image_out: 1756, ..TokenUsage::default() };
    let charged = direct.charge_tokens_by("gpt-image-2", Action::Generate, &usage, Channel::Batch).expect("tokens are priced");
    assert_eq!(charged.micros.get(), 26_443);

    let newest = QuoteInput { model: "gpt-image-2.6-flare", ..input };
    assert!(direct.quote(&newest).is_ok());
    insta::assert_snapshot!(batch.quote(&newest).expect_err("it goes in no batch"), @"price book `openai` has no batch price of `gpt-image-2.6-flare`; in batches it prices `gpt-image-2`, `gpt-image-2.5-flare`, `gpt-image-2.5-sunburst`, `gpt-image-1.5`, `gpt-image-1-mini` and `gpt-image-1`");
    assert!(matches!(book("kie").in_batches().quote(&input), Err(Unpriced::Batch { .. })));
}
