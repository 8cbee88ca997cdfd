//! What the pages behind the embedded books print, recomputed: calculators, projects, worked examples, recorded answers.

use callsheet::catalog::{Certainty, Channel, PriceBook, QuoteInput, Rounding, TokenUsage, builtin};
use callsheet::types::{Action, Micros, PixelSize, Settings};

const HD: PixelSize = PixelSize::new(1920, 1080);

fn book(name: &str) -> PriceBook {
    builtin::book(name).expect("an embedded book")
}

fn resolution(name: &str) -> Settings {
    Settings { resolution: Some(name.into()), ..Settings::default() }
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

fn times(price: Micros, count: u64) -> String {
    price.checked_mul(count).expect("a small number").to_string()
}

#[test]
fn the_flat_book_prices_steps_batches_and_what_a_budget_affords() {
    let book = book("gptimage2-flat");
    let none = Settings::default();
    let one = generated(&book, "gpt-image-2", &none);
    assert_eq!(one.to_string(), "12");
    let edit = book.quote(&input("gpt-image-2", Action::Edit, &none)).expect("a price of the book");
    let chain = one.checked_add(edit.amount.micros.checked_mul(3).expect("small")).expect("small");
    assert_eq!(chain.to_string(), "48", "one generation and three edits");
    let longer = chain.checked_add(edit.amount.micros).expect("small");
    assert_eq!(longer.to_string(), "60", "a chain of four edits has five pictures");
    let (charged, refunded) = (one.checked_mul(3).expect("small"), one);
    assert_eq!(charged.checked_sub(refunded).map(|net| net.to_string()).as_deref(), Ok("24"), "three asked for, one failed and rolled back");
    assert!(Micros::units(11) < one && Micros::units(12) >= one, "a balance of 11 starts nothing");
    for (count, credits) in [(10, "120"), (12, "144"), (20, "240"), (3, "36"), (44, "528")] {
        assert_eq!(times(one, count), credits);
    }
    assert_eq!((100_000_000 / one.get(), 100_000_000 % one.get()), (8, 4_000_000), "100 credits buy 8 and leave 4");
    assert_eq!((edit.certainty, edit.highest, edit.basis.as_str()), (Certainty::Exact, one, "12 a picture"));
}

#[test]
fn the_three_tiers_reproduce_the_printed_calculator_and_projects() {
    let book = book("bestphoto-hd");
    let tier = |name: &str, count: u64| generated(&book, "bestphoto", &resolution(name)).checked_mul(count).expect("small");
    for (count, row) in [(1, ["1", "2", "3"]), (4, ["4", "8", "12"]), (8, ["8", "16", "24"]), (10, ["10", "20", "30"]), (20, ["20", "40", "60"])] {
        assert_eq!(["HD", "HD+", "2K"].map(|name| tier(name, count).to_string()), row);
    }
    let projects: [(&str, &[(&str, u64)]); 4] = [
        ("26", &[("HD", 20), ("HD+", 3)]),
        ("34", &[("HD+", 5), ("HD", 15), ("2K", 3)]),
        ("34", &[("2K", 8), ("HD+", 5)]),
        ("85", &[("2K", 10), ("HD+", 20), ("HD", 15)]),
    ];
    for (total, lines) in projects {
        let sum = lines.iter().try_fold(Micros::ZERO, |sum, (name, count)| sum.checked_add(tier(name, *count)));
        assert_eq!(sum.expect("small").to_string(), total);
    }
}

#[test]
fn the_studio_prices_fractions_by_resolution_and_by_scale() {
    let book = book("imagineart-studio");
    let nano = |name: &str| generated(&book, "nano-banana-2", &resolution(name));
    assert_eq!(["1K", "2K", "4K"].map(|name| nano(name).to_string()), ["49", "73.5", "98"]);
    assert_eq!(times(nano("2K"), 2), "147");
    assert_eq!(["1K", "2K", "4K"].map(|name| generated(&book, "nano-banana-pro", &resolution(name)).to_string()), ["80", "80", "160"]);
    assert_eq!(times(generated(&book, "z-image-turbo", &Settings::default()), 10), "50");
    let upscaled = |model: &str, by: u32| book.quote(&input(model, Action::Upscale, &scale(by))).expect("a price").amount.micros.to_string();
    assert_eq!([2, 3, 4].map(|by| upscaled("topaz-upscale", by)), ["41.472", "82.944", "124.416"]);
    assert_eq!([2, 4, 8, 16].map(|by| upscaled("magnific-precision-v2", by)), ["65", "260", "520", "1040"]);
    let flat = book.quote(&input("seedream-4", Action::Generate, &resolution("4K"))).expect("a price");
    assert_eq!(flat.certainty, Certainty::LowerBound, "the page says that size changes the price and prints none");
}

#[test]
fn the_workspace_is_linear_and_sure_up_to_2k() {
    let book = book("qolaba-app");
    let each = |model: &str, name: &str| generated(&book, model, &resolution(name));
    assert_eq!(times(each("nano-banana-pro", "2K"), 3), "147");
    assert_eq!(times(each("imagegen-fast", "2K"), 3), "9", "the page's own name finds it");
    assert_eq!(times(each("gpt-image-2", "1K"), 4), "72");
    let ladder = [
        ("imagen-4-fast", "720p", 1),
        ("flux-dev", "1K", 1),
        ("nano-banana-2", "1K", 1),
        ("nano-banana-2", "2K", 2),
        ("nano-banana-pro", "2K", 2),
        ("nano-banana-pro", "4K", 4),
    ];
    assert_eq!(ladder.map(|(model, name, count)| times(each(model, name), count)), ["3", "9", "25", "50", "98", "196"]);
    let sure = |name: &str| book.quote(&input("sdxl", Action::Generate, &resolution(name))).expect("a price").certainty;
    assert_eq!(["720p", "2K", "4K"].map(sure), [Certainty::Exact, Certainty::Exact, Certainty::LowerBound]);
}

#[test]
fn recorded_token_counts_cost_what_was_recorded() {
    let book = book("openai");
    let usd = |text_in, image_in| {
        let usage = TokenUsage { text_in, image_in, image_out: 1756, ..TokenUsage::default() };
        book.charge_tokens("gpt-image-2", Action::Generate, &usage).map(|amount| amount.to_string())
    };
    assert_eq!(usd(41, 0).as_deref(), Some("$0.052885"));
    assert_eq!(usd(30, 1024).as_deref(), Some("$0.061022"));
    let usage = TokenUsage { text_in: 41, image_out: 1756, ..TokenUsage::default() };
    let exactly = |channel| book.charge_exactly("gpt-image-2", Action::Generate, &usage, channel).expect("a token price");
    assert_eq!(exactly(Channel::Direct).to_string(), "0.052885");
    assert_eq!(exactly(Channel::Batch).to_string(), "0.0264425", "half of it, to the tenth of a millionth");
    let rounded = exactly(Channel::Batch).round(Rounding::Exact);
    assert_eq!(rounded.map(|usd| usd.to_string()).as_deref(), Some("0.026443"), "an amount of millionths is rounded up, once");
    let thousand = exactly(Channel::Batch).times(1000, 1).and_then(|sum| sum.round(Rounding::Exact));
    assert_eq!(thousand.map(|usd| usd.to_string()).as_deref(), Some("26.4425"), "a sum that is rounded at its end loses nothing");
    assert_eq!(self::book("kie").charge_tokens("gpt-image-2", Action::Edit, &TokenUsage::default()), None);
}

#[test]
fn expected_pictures_are_a_forecast_and_whole_ones_a_budget() {
    let one = generated(&book("gptimage2-flat"), "gpt-image-2", &Settings::default());
    let explore = builtin::iteration_factor("explore").expect("a way of the guide");
    let forecast = times(one, 24).parse::<Micros>().and_then(|floor| floor.mul_ratio_ceil(explore.get(), 1_000_000));
    assert_eq!(forecast.map(|credits| credits.to_string()).as_deref(), Ok("518.4"), "43.2 pictures");
    let pictures = Micros::units(24).mul_ratio_ceil(explore.get(), 1_000_000).expect("small").get().unsigned_abs().div_ceil(1_000_000);
    assert_eq!((pictures, times(one, 44).as_str()), (44, "528"), "43 would not do");
    let (strict, blank) = (builtin::iteration_factor("strict"), builtin::iteration_factor("blank-box"));
    let ratio = blank.expect("a way").get() * 100 / strict.expect("a way").get();
    assert_eq!(ratio, 208, "best and worst habit differ by 2.08");
}
