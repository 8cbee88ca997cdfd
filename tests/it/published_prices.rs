//! Every price that an embedded book states, beside the number that its source prints; and the traps around them.
//!
//! The numbers stand here a second time, typed from the sources and not read from the books.

use callsheet::catalog::{Catalog, Certainty, PriceBook, QuoteInput, Unpriced, builtin};
use callsheet::provider::manifest;
use callsheet::types::{Action, Amount, Currency, Micros, MoneyError, PixelSize, Settings};

use Action::{Edit, Generate, Inpaint, RemoveBackground, Upscale};

const SQUARE: PixelSize = PixelSize::new(1024, 1024);

fn book(name: &str) -> PriceBook {
    builtin::book(name).expect("an embedded book")
}

/// Reads `1K`, `high`, `TURBO` or `2x` as the setting that it is.
fn settings(word: &str) -> Settings {
    let none = Settings::default();
    match word {
        "" => none,
        "low" | "medium" | "high" | "xhigh" | "max" => Settings { quality: Some(word.into()), ..none },
        "TURBO" | "BALANCED" | "DEFAULT" | "QUALITY" => Settings { speed: Some(word.into()), ..none },
        "2x" | "3x" | "4x" | "8x" | "16x" => Settings { scale: word.trim_end_matches('x').parse().ok(), ..none },
        _ => Settings { resolution: Some(word.into()), ..none },
    }
}

fn asked<'a>(model: &'a str, action: Action, settings: &'a Settings, output: PixelSize) -> QuoteInput<'a> {
    let input = (action != Generate).then_some(SQUARE);
    QuoteInput { model, action, settings, input, output, references: 0, prompt_chars: 0 }
}

fn price(book: &PriceBook, model: &str, action: Action, word: &str) -> Result<(String, Certainty), Unpriced> {
    let settings = settings(word);
    book.quote(&asked(model, action, &settings, SQUARE)).map(|quote| (quote.amount.micros.to_string(), quote.certainty))
}

/// Prices of a model by its actions, written as `word price, word price`.
type Row = (&'static str, &'static [Action], &'static str);

/// Asserts prices written as `word price`, for each action, and that the book prices no model that is not in the list.
fn states(name: &str, certainty: Certainty, table: &[Row]) {
    let book = book(name);
    for (model, actions, prices) in table {
        for action in *actions {
            for pair in prices.split(", ") {
                let (word, printed) = pair.rsplit_once(' ').unwrap_or(("", pair));
                let found = price(&book, model, *action, word).unwrap_or_else(|error| panic!("{name} {model} {action} {word}: {error}"));
                assert_eq!(found.0, printed, "{name} {model} {action} {word}");
                if certainty != Certainty::Unknown {
                    assert_eq!(found.1, certainty, "{name} {model} {action} {word}");
                }
            }
        }
    }
}

/// Returns models of a book that have a price and do not stand in the tables.
fn unlisted(name: &str, tables: &[&[Row]]) -> Vec<String> {
    let listed = |model: &str| tables.iter().any(|table| table.iter().any(|(known, ..)| *known == model));
    let book = book(name);
    let priced = |model: &callsheet::catalog::BookModel| {
        let entries = model.price.iter().chain(model.prices.values());
        entries.into_iter().any(|entry| entry.kind != callsheet::catalog::PriceKind::Unknown)
    };
    book.models.iter().filter(|(model, priced_model)| priced(priced_model) && !listed(model)).map(|(model, _)| model.to_string()).collect()
}

const MADE: &[Action] = &[Generate];
const EDITED: &[Action] = &[Edit];
const BOTH: &[Action] = &[Generate, Edit];

const KIE: &[Row] = &[
    ("gpt-image-2", BOTH, "1K 6, 2K 10, 4K 16"),
    ("gpt-image-2.5-flare", BOTH, "1K 6, 2K 10, 4K 16"),
    ("gpt-image-2.5-sunburst", BOTH, "1K 6, 2K 10, 4K 16"),
    ("gpt-image-1.5", BOTH, "medium 4, high 22"),
    ("gpt-4o-image", BOTH, "6"),
    ("flux-kontext-pro", BOTH, "5"),
    ("flux-kontext-max", BOTH, "10"),
    ("nano-banana", BOTH, "4"),
    ("nano-banana-2", BOTH, "1K 8, 2K 12, 4K 18"),
    ("nano-banana-pro", BOTH, "1K 18, 2K 18, 4K 24"),
    ("imagen-4", MADE, "8"),
    ("imagen-4-fast", MADE, "4"),
    ("imagen-4-ultra", MADE, "12"),
    ("seedream-4.5", BOTH, "6.5"),
    ("seedream-5-lite", BOTH, "5.5"),
    ("flux-2-flex", BOTH, "1K 14, 2K 24"),
    ("flux-2-pro", BOTH, "1K 5, 2K 7"),
    ("ideogram-v3", BOTH, "TURBO 3.5, BALANCED 7, QUALITY 10"),
    ("ideogram-character", BOTH, "TURBO 12, BALANCED 18, QUALITY 24"),
    ("ideogram-character-remix", EDITED, "TURBO 12, BALANCED 18, QUALITY 24"),
    ("qwen2-image", BOTH, "5.6"),
    ("wan-2.7-image", BOTH, "4.8"),
    ("wan-2.7-image-pro", BOTH, "12"),
    ("z-image", MADE, "0.8"),
    ("grok-imagine", BOTH, "4"),
    ("recraft-crisp-upscale", &[Upscale], "0.5"),
    ("recraft-remove-background", &[RemoveBackground], "1"),
];

/// 4 and 6 credits a megapixel of 1000000; classes of the result's longer side.
const KIE_BY_PIXELS: &[Row] = &[("qwen-image", MADE, "4.194304"), ("qwen-image-edit", EDITED, "6.291456"), ("topaz-upscale", &[Upscale], "10")];

#[test]
fn kie_costs_what_its_list_of_june_prints() {
    states("kie", Certainty::Exact, KIE);
    states("kie", Certainty::LowerBound, KIE_BY_PIXELS);
    assert_eq!(unlisted("kie", &[KIE, KIE_BY_PIXELS]), [""; 0]);
    let kie = book("kie");
    assert_eq!(kie.usd(&Amount::new(kie.currency.clone(), Micros::units(160))).map(|usd| usd.to_string()).as_deref(), Some("$0.8"));
}

/// The one printed number of each model of the studio.
const STUDIO: &[Row] = &[
    ("imagineart-1.5", BOTH, "15"),
    ("imagineart-1.5-pro", BOTH, "25"),
    ("gpt-image-1.5", BOTH, "35"),
    ("seedream-5-lite", BOTH, "20"),
    ("recraft-v4", BOTH, "24"),
    ("recraft-v4-pro", BOTH, "150"),
    ("grok-imagine", BOTH, "12"),
    ("flux-2-max", BOTH, "50"),
    ("flux-2-pro", BOTH, "28"),
    ("z-image-turbo", BOTH, "5"),
    ("seedream-4.5", BOTH, "24"),
    ("flux-1.1-ultra", BOTH, "36"),
    ("gpt-image-1", BOTH, "45"),
    ("nano-banana", BOTH, "24"),
    ("imagen-4", BOTH, "24"),
    ("dreamina-3.1", BOTH, "18"),
    ("ideogram-v3", BOTH, "25"),
    ("flux-dev", BOTH, "5"),
    ("qwen-image", BOTH, "24"),
    ("minimax-image", BOTH, "6"),
    ("seedream-4", BOTH, "18"),
    ("imagineart-2.0", BOTH, "25"),
    ("personalize-core", MADE, "24"),
    ("personalize-max", MADE, "24"),
    ("personalize-ultra", MADE, "24"),
    ("style-reference", EDITED, "24"),
    ("nano-banana-2", BOTH, "1K 49, 2K 73.5, 4K 98"),
    ("nano-banana-pro", BOTH, "1K 80, 2K 80, 4K 160"),
    ("magnific-precision-v2", &[Upscale], "2x 65, 4x 260, 8x 520, 16x 1040"),
    // A megapixel of 1000000: 1024x1024 is 1.048576 of them, at 20 credits and factors 1, 2, 3.
    ("topaz-upscale", &[Upscale], "2x 20.97152, 3x 41.94304, 4x 62.91456"),
];

#[test]
fn the_studio_costs_what_its_page_prints() {
    states("imagineart-studio", Certainty::Unknown, STUDIO);
    assert_eq!(unlisted("imagineart-studio", &[STUDIO]), [""; 0]);
    let spelt = [("chatgpt-1.5", "35"), ("chatgpt", "45"), ("topaz", "20.97152"), ("magnific", "65")];
    for (name, printed) in spelt {
        let (action, word) = if printed.len() > 2 || name == "magnific" { (Upscale, "2x") } else { (Generate, "") };
        assert_eq!(price(&book("imagineart-studio"), name, action, word).map(|found| found.0).as_deref(), Ok(printed), "{name}");
    }
}

/// The workspace's one number of each model; up to 2K it is sure.
const WORKSPACE: &[(&str, &str)] = &[
    ("nano-banana-pro", "49"),
    ("nano-banana-2", "25"),
    ("gpt-image-2", "18"),
    ("flux-1.1-pro", "16"),
    ("seedream-4.5", "21"),
    ("recraft-v3", "22"),
    ("ideogram-v3", "22"),
    ("sd-3.5", "23"),
    ("dall-e-3", "12"),
    ("sdxl", "18"),
    ("flux-dev", "9"),
    ("sd-3.5-turbo", "8"),
    ("sd-3.5-medium", "9"),
    ("imagen-4", "4"),
    ("imagen-4-fast", "3"),
];

#[test]
fn the_workspace_costs_what_its_page_prints_whatever_the_size() {
    let book = book("qolaba-app");
    for (model, printed) in WORKSPACE {
        for (word, certainty) in [("720p", Certainty::Exact), ("1K", Certainty::Exact), ("2K", Certainty::Exact), ("4K", Certainty::LowerBound)] {
            assert_eq!(price(&book, model, Generate, word), Ok(((*printed).to_owned(), certainty)), "{model} {word}");
            assert_eq!(price(&book, model, Edit, word), Ok(((*printed).to_owned(), Certainty::LowerBound)), "{model} {word}");
        }
    }
    assert_eq!(book.models.len(), WORKSPACE.len());
}

/// Cents: the first megapixel, and for an edit the one megapixel that goes along.
const BFL_BY_PIXELS: &[Row] = &[
    ("flux-2-klein-4b", MADE, "1.4"),
    ("flux-2-klein-4b", EDITED, "1.5"),
    ("flux-2-klein-9b", MADE, "1.5"),
    ("flux-2-klein-9b", EDITED, "1.7"),
    ("flux-2-pro", MADE, "3"),
    ("flux-2-pro", EDITED, "4.5"),
    ("flux-2-max", MADE, "7"),
    ("flux-2-max", EDITED, "10"),
    ("flux-2-flex", MADE, "5"),
    ("flux-2-flex", EDITED, "10"),
];

const BFL: &[Row] = &[
    ("flux-kontext-pro", BOTH, "4"),
    ("flux-kontext-max", BOTH, "8"),
    ("flux-1.1-pro", MADE, "4"),
    ("flux-1.1-ultra", MADE, "6"),
    ("flux-fill", &[Inpaint], "5"),
];

#[test]
fn bfl_costs_what_its_page_prints() {
    states("bfl", Certainty::LowerBound, BFL_BY_PIXELS);
    states("bfl", Certainty::Exact, BFL);
    assert_eq!(unlisted("bfl", &[BFL_BY_PIXELS, BFL]), [""; 0]);
    let (bfl, none) = (book("bfl"), Settings::default());
    let cents = |output, input| {
        let request = QuoteInput { input: Some(input), ..asked("flux-2-pro", Edit, &none, output) };
        bfl.quote(&request).expect("a price").amount.micros.to_string()
    };
    let large = PixelSize::new(2048, 2048);
    assert_eq!(cents(large, large), "13.5", "3 + 3 x 1.5 out, 4 x 1.5 in");
    assert_eq!(cents(PixelSize::new(1025, 1024), SQUARE), "6", "a started megapixel is a whole one");
}

const STABILITY: &[Row] = &[
    ("stability-control", EDITED, "5"),
    ("stability-inpaint", &[Inpaint], "5"),
    ("stability-erase", &[Inpaint], "5"),
    ("stability-search-and-replace", EDITED, "5"),
    ("stability-remove-background", &[RemoveBackground], "5"),
    ("stability-upscale-fast", &[Upscale], "2"),
    ("stability-upscale-conservative", &[Upscale], "40"),
    ("stability-upscale-creative", &[Upscale], "60"),
];

const STABILITY_UNSURE: &[Row] = &[("stable-image-ultra", MADE, "8"), ("stable-image-core", MADE, "3"), ("sd-3.5-large", MADE, "6.5")];

const RECRAFT: &[Row] = &[
    ("recraft-v4.1", MADE, "35"),
    ("recraft-v4.1-pro", MADE, "210"),
    ("recraft-v4.1-flash", MADE, "7"),
    ("recraft-v4", MADE, "40"),
    ("recraft-v4-pro", MADE, "250"),
    ("recraft-v3", MADE, "40"),
    ("recraft-v2", MADE, "22"),
    ("recraft-remove-background", &[RemoveBackground], "10"),
    ("recraft-crisp-upscale", &[Upscale], "4"),
    ("recraft-creative-upscale", &[Upscale], "250"),
    ("recraft-erase", &[Inpaint], "2"),
];

const IDEOGRAM: &[Row] = &[("ideogram-v3", &[Generate, Edit, Inpaint], "TURBO 0.03, DEFAULT 0.075, QUALITY 0.09")];
const XAI: &[Row] = &[("grok-imagine", MADE, "0.02"), ("grok-imagine", EDITED, "0.022")];
const QOLABA_API: &[Row] = &[("nano-banana", MADE, "6")];
const STYLES: &[Row] = &[("imagine-realistic", MADE, "5"), ("imagine-anime", MADE, "5"), ("flux-schnell", MADE, "5"), ("flux-dev-fast", MADE, "5")];
const DEARER_STYLES: &[Row] = &[("flux-dev", MADE, "5"), ("imagine-turbo", MADE, "5")];

#[test]
fn the_smaller_books_cost_what_their_sources_print() {
    states("stability", Certainty::Exact, STABILITY);
    states("stability", Certainty::LowerBound, STABILITY_UNSURE);
    states("recraft", Certainty::Exact, RECRAFT);
    states("ideogram", Certainty::LowerBound, IDEOGRAM);
    states("xai", Certainty::Exact, XAI);
    states("qolaba-api", Certainty::LowerBound, QOLABA_API);
    states("imagineart-api", Certainty::Exact, STYLES);
    states("imagineart-api", Certainty::LowerBound, DEARER_STYLES);
    let all: [(&str, &[&[Row]]); 6] = [
        ("stability", &[STABILITY, STABILITY_UNSURE]),
        ("recraft", &[RECRAFT]),
        ("ideogram", &[IDEOGRAM]),
        ("xai", &[XAI]),
        ("qolaba-api", &[QOLABA_API]),
        ("imagineart-api", &[STYLES, DEARER_STYLES]),
    ];
    for (name, tables) in all {
        assert_eq!(unlisted(name, tables), [""; 0], "{name}");
    }
    for (name, dollar) in [("stability", 100), ("bfl", 100), ("recraft", 1000), ("kie", 200), ("qolaba-api", 200)] {
        let book = book(name);
        assert_eq!(book.usd(&Amount::new(book.currency.clone(), Micros::units(dollar))).map(|usd| usd.to_string()).as_deref(), Some("$1"), "{name}");
    }
    assert!(matches!(price(&book("ideogram"), "ideogram-4-5", Generate, ""), Err(Unpriced::Unknown { .. })));
}

#[test]
fn fal_prices_by_the_unit_of_each_model() {
    const FAL: &[Row] = &[("flux-dev", MADE, "0.025"), ("imagineart-2.0", EDITED, "0.05")];
    states("fal", Certainty::Unknown, FAL);
    assert_eq!(unlisted("fal", &[FAL]), [""; 0]);
    let (fal, none) = (book("fal"), Settings::default());
    let request = QuoteInput { references: 3, ..asked("imagineart-2.0", Edit, &none, SQUARE) };
    assert_eq!(fal.quote(&request).map(|quote| quote.amount.to_string()).as_deref(), Ok("$0.071"), "0.05 and 3 further pictures of 0.007");
}

#[test]
fn gemini_prices_by_tokens_or_by_the_picture() {
    const PICTURES: &[Row] = &[
        ("nano-banana-pro", BOTH, "1K 0.134, 2K 0.134, 4K 0.24"),
        ("nano-banana-2", BOTH, "512 0.045, 1K 0.067, 2K 0.101, 4K 0.151"),
        ("nano-banana", BOTH, "0.039"),
    ];
    states("gemini", Certainty::LowerBound, PICTURES);
    // 1120 tokens at $30 a million, besides 6 tokens of an empty prompt at $1.50.
    const TOKENS: &[Row] = &[("nano-banana-2.1", BOTH, "1K 0.033609, 4K 0.113019")];
    states("gemini", Certainty::LowerBound, TOKENS);
    assert_eq!(unlisted("gemini", &[PICTURES, TOKENS]), [""; 0]);
}

#[test]
fn pictures_by_tokens_come_to_the_prices_that_openai_prints() {
    let book = book("openai");
    let (wide, tall) = (PixelSize::new(1536, 1024), PixelSize::new(1024, 1536));
    for (model, size, printed) in [
        ("gpt-image-2", SQUARE, ["0.006", "0.053", "0.211"]),
        ("gpt-image-2", wide, ["0.005", "0.041", "0.165"]),
        ("gpt-image-1.5", SQUARE, ["0.009", "0.034", "0.133"]),
        ("gpt-image-1.5", tall, ["0.013", "0.05", "0.2"]),
        ("gpt-image-1", SQUARE, ["0.011", "0.042", "0.167"]),
        ("gpt-image-1", tall, ["0.016", "0.063", "0.25"]),
    ] {
        for (quality, printed) in ["low", "medium", "high"].into_iter().zip(printed) {
            let settings = settings(quality);
            let found = book.quote(&asked(model, Generate, &settings, size)).expect("a price").amount.micros.get();
            let printed: Micros = printed.parse().expect("a number of the test");
            assert!((found - printed.get()).abs() <= 1_000, "{model} {size} {quality}: {found} is printed as {printed}");
        }
    }
}

#[test]
fn the_same_word_is_another_price_under_another_model() {
    let book = book("openai");
    let usd = |model: &str, quality: &str| price(&book, model, Generate, quality).expect("a price").0;
    assert_eq!(usd("gpt-image-2", "high"), "0.21075", "7024 x 30 and 6 x 5 millionths");
    assert_eq!(usd("gpt-image-2.5-flare", "high"), usd("gpt-image-2", "medium"));
    assert_eq!(usd("gpt-image-2.5-sunburst", "max"), usd("gpt-image-2", "high"));
    assert_eq!(usd("gpt-image-2.6-flare", "high"), usd("gpt-image-2.5-flare", "high"));
    assert!(price(&book, "gpt-image-2", Generate, "max").is_err(), "gpt-image-2 has no such quality");
}

#[test]
fn a_wider_picture_can_cost_less() {
    let (book, medium) = (book("openai"), settings("medium"));
    let usd = |size| book.quote(&asked("gpt-image-2", Generate, &medium, size)).expect("a price").amount.micros;
    assert!(usd(PixelSize::new(1536, 1024)) < usd(SQUARE));
}

#[test]
fn an_upscale_by_input_megapixels_can_be_read_in_one_way_only() {
    let studio = book("imagineart-studio");
    let quote = |book: &PriceBook, word: &str| {
        let settings = settings(word);
        let input = Some(PixelSize::new(1920, 1080));
        let request = QuoteInput { input, output: PixelSize::new(3840, 2160), ..asked("topaz-upscale", Upscale, &settings, SQUARE) };
        book.quote(&request).map(|quote| quote.amount.micros.to_string())
    };
    assert_eq!(["2x", "3x", "4x"].map(|word| quote(&studio, word)), ["41.472", "82.944", "124.416"].map(|credits| Ok(credits.to_owned())));
    assert!(matches!(quote(&studio, ""), Err(Unpriced::Unset { .. })), "the bare 20 is a base and no price");
    let read = |of: &str, megapixel: u32, rounding: &str| {
        let text = format!(
            "book: other\ncurrency: credits\nmodels:\n  topaz-upscale:\n    price:\n      rounding: {rounding}\n      base-megapixels: {{ base: 20, of: {of}, megapixel: {megapixel}, factor: {{ 2x: 1 }} }}\n"
        );
        quote(&PriceBook::parse(callsheet::types::DocId::CAMPAIGN, &text).expect("a book of the test"), "2x").expect("a price")
    };
    assert_eq!(read("input", 1_048_576, "exact"), "39.550782", "a megapixel of 1024 x 1024 would be less than printed");
    assert_eq!(read("output", 1_000_000, "exact"), "165.888", "pixels of the result would be four times as much");
    assert_eq!(["floor", "nearest", "ceil"].map(|way| read("input", 1_000_000, way)), ["41", "41", "42"], "the page prints about 41");
}

#[test]
fn tiers_are_priced_by_tier_and_not_by_pixels() {
    let book = book("bestphoto-hd");
    let credits = ["HD", "HD+", "2K"].map(|word| price(&book, "bestphoto", Generate, word).expect("a price").0);
    assert_eq!(credits, ["1", "2", "3"]);
    let card = book.cards().remove("bestphoto").and_then(|mut card| card.operations.remove(&Generate)).expect("a card");
    let pixels = ["HD", "HD+", "2K"].map(|word| card.output_size(&settings(word), None).pixels());
    assert_eq!(pixels, [1024 * 1024, 1536 * 1536, 2048 * 2048], "1 to 2.25 to 4");
}

#[test]
fn fractions_of_a_credit_add_up_to_the_last_digit() {
    for (name, model, word, count, sum) in [
        ("imagineart-studio", "nano-banana-2", "2K", 3, "220.5"),
        ("kie", "z-image", "", 7, "5.6"),
        ("kie", "seedream-4.5", "", 3, "19.5"),
        ("kie", "ideogram-v3", "TURBO", 11, "38.5"),
        ("xai", "grok-imagine", "", 3, "0.06"),
    ] {
        let one: Micros = price(&book(name), model, Generate, word).expect("a price").0.parse().expect("a number");
        assert_eq!(one.checked_mul(count).map(|sum| sum.to_string()).as_deref(), Ok(sum), "{name} {model}");
    }
}

#[test]
fn credits_of_an_api_are_not_those_of_its_app() {
    let of = |name: &str| Amount::new(book(name).currency, Micros::units(1));
    for (one, other) in [("qolaba-api", "qolaba-app"), ("imagineart-api", "imagineart-studio"), ("kie", "gptimage2-flat")] {
        assert!(matches!(of(one).checked_add(&of(other)), Err(MoneyError::Mixed(..))), "{one} {other}");
    }
    assert_eq!(of("xai").currency, Currency::Usd);
}

#[test]
fn a_square_is_never_made_at_4k_and_an_open_shape_only_at_1k() {
    let kie = manifest::builtin("kie").expect("it is built in");
    let catalog = Catalog::new("kie", kie.models, book("kie"));
    for action in [Generate, Edit] {
        let card = catalog.card("gpt-image-2").and_then(|card| card.operation(action)).expect("a card");
        let fits = |aspect: Option<&str>, word: &str| {
            let aspect = aspect.map(|text| text.parse().expect("a ratio of the test"));
            card.fit(&Settings { aspect, ..settings(word) }, 0, 0).is_empty()
        };
        assert_eq!(["1K", "2K", "4K"].map(|word| fits(Some("1:1"), word)), [true, true, false], "{action}");
        assert_eq!(["1K", "2K", "4K"].map(|word| fits(None, word)), [true, false, false], "{action}");
        assert_eq!(["1K", "2K", "4K"].map(|word| fits(Some("16:9"), word)), [true, true, true], "{action}");
    }
}

#[test]
fn the_books_of_built_in_providers_price_all_that_they_sell_and_nothing_else() {
    for name in manifest::builtin_names() {
        let manifest = manifest::builtin(name).expect("a name of the list");
        let found = book(&manifest.prices).lint_cards(callsheet::types::DocId::CAMPAIGN, &manifest.models);
        let told: Vec<String> = found.iter().map(|one| format!("{}: {}", one.at, one.message)).collect();
        assert_eq!(told, [""; 0], "{name}");
    }
}

#[test]
fn a_campaign_can_be_planned_on_every_book_that_no_built_in_provider_sells_by() {
    let sold: Vec<String> = manifest::builtin_names().iter().filter_map(|name| manifest::builtin(name)).map(|own| own.prices.to_string()).collect();
    for name in builtin::book_names().iter().filter(|name| !sold.contains(&(**name).to_owned())) {
        let book = book(name);
        let without: Vec<&str> = book.models.iter().filter(|(_, model)| model.card.is_none()).map(|(model, _)| &**model).collect();
        assert_eq!(without, [""; 0], "{name}");
    }
}
