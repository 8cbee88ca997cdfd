//! Price books as a person writes, checks and compares them; and every slip in one, said with its place.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use proptest::prelude::*;

use callsheet::catalog::{BookDiff, PriceBook, QuoteInput, TokenUsage, builtin};
use callsheet::types::{Action, DocId, PixelSize, Settings};

use crate::desk::Desk;

const SPRING: &str = "campaigns/spring-drop.yaml";

#[test]
fn every_slip_in_a_book_is_said_with_its_place_and_nothing_breaks() {
    let mut names: Vec<String> = fs::read_dir("tests/it/books")
        .expect("the fixtures are there")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok()?.strip_suffix(".yaml").map(str::to_owned))
        .collect();
    names.sort();
    assert!(names.len() >= 35, "only {} fixtures were found", names.len());
    for name in names {
        let file = format!("tests/it/books/{name}.yaml");
        let output = Command::new(assert_cmd::cargo::cargo_bin!("callsheet"))
            .env_clear()
            .args(["prices", "check", &file])
            .output()
            .expect("the program can be started");
        let text = String::from_utf8(output.stdout).expect("it speaks UTF-8");
        assert_eq!((output.status.code(), &*output.stderr), (Some(3), &b""[..]), "{name}:\n{text}");
        assert!(text.contains("error["), "{name}: only warnings:\n{text}");
        assert!(text.lines().any(|line| line.trim_start().starts_with(&format!("--> {file}:"))), "{name}: no place:\n{text}");
        // The day is the clock's.
        let text = regex_lite::Regex::new(r"today is \d{4}-\d\d-\d\d").expect("a pattern").replace_all(&text, "today is TODAY").into_owned();
        insta::with_settings!({ snapshot_path => "books", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name, text);
        });
    }
}

#[test]
fn the_books_that_come_along_have_no_mistakes() {
    let desk = Desk::new();
    let said = desk.say(&["prices", "check"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    insta::assert_snapshot!(said.out, @"
    bestphoto-hd: no mistakes, 1 model
    bfl: no mistakes, 10 models
    fal: no mistakes, 4 models
    gemini: no mistakes, 4 models
    gptimage2-flat: no mistakes, 1 model
    ideogram: no mistakes, 2 models
    imagineart-api: no mistakes, 6 models
    imagineart-studio: no mistakes, 30 models
    kie: no mistakes, 37 models
    openai: no mistakes, 8 models
      note: openai:16:7: with `gpt-image-2` 1536x1024 at `low` costs less than 1024x1024
      note: openai:30:7: with `gpt-image-2.5-flare` 1536x1024 at `low` costs less than 1024x1024
      note: openai:45:15: with `gpt-image-2.5-sunburst` 1536x1024 at `low` costs less than 1024x1024
      note: openai:52:15: with `gpt-image-2.6-flare` 1536x1024 at `low` costs less than 1024x1024
      note: openai:60:15: with `gpt-image-2.6-sunburst` 1536x1024 at `low` costs less than 1024x1024
    qolaba-api: no mistakes, 1 model
    qolaba-app: no mistakes, 15 models
    recraft: no mistakes, 11 models
    replicate: no mistakes, 3 models
    stability: no mistakes, 11 models
    xai: no mistakes, 1 model
    ");
    assert_eq!(desk.say(&["prices", "check", "kie"]).out, "kie: no mistakes, 37 models\n");
}

#[test]
fn gaps_dead_rows_and_missing_words_are_warnings_with_their_place() {
    let desk = Desk::new();
    desk.write(
        "mine.yaml",
        concat!(
            "book: mine\ncurrency: credits\nmodels:\n  m:\n    price:\n      by: [resolution]\n      table: { 1K: 6, 4K: 16 }\n",
            "    card:\n      operations:\n        generate: { resolutions: { 1K: { area: 1024 }, 2K: { area: 2048 } } }\n",
        ),
    );
    let said = desk.say(&["prices", "check", "mine.yaml"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    insta::assert_snapshot!(said.out, @"
    warning[undated-prices]: the book has no date
     --> mine.yaml:1:1
      |
    1 | book: mine
      | ^^^^^^^^^^
      |
    help: add `as-of: 2026-11-22`, the day the prices were read

    warning[unsourced-prices]: the book has no source
     --> mine.yaml:1:1
      |
    1 | book: mine
      | ^^^^^^^^^^
      |
    help: add `source:`, the page the prices were read from

    warning[unpriced-choice]: `m` can be asked to `generate` with resolution `2K`, and there is no such row
     --> mine.yaml:7:14
      |
    7 |       table: { 1K: 6, 4K: 16 }
      |              ^^^^^^^^^^^^^^^^^
      |
    help: add the row `2K`

    warning[dead-price]: no request to `m` has resolution `4K`
     --> mine.yaml:7:23
      |
    7 |       table: { 1K: 6, 4K: 16 }
      |                       ^^
      |
    help: take the row out, or spell it as the card does

    mine.yaml: 4 warnings, 1 model
    ");
}

#[test]
fn a_copy_of_a_providers_book_is_held_against_what_the_provider_sells() {
    let desk = Desk::new();
    let kie = desk.say(&["prices", "show", "kie", "--format", "yaml"]).out;
    desk.write(
        "kie.yaml",
        kie.replace("{ 1K: 8, 2K: 12, 4K: 18 }", "{ 1K: 8, 2K: 12 }").replace("  z-image:\n    title: Z-Image\n    price: { flat: 0.8 }\n", ""),
    );
    let said = desk.say(&["prices", "check", "kie.yaml"]);
    assert_eq!(said.code, 0);
    insta::assert_snapshot!(said.out, @"
    warning[unpriced-model]: the provider offers `z-image` (Z-Image), and the book has no price of it
      --> kie.yaml:12:1
       |
    12 | models:
       | ^^^^^^
       |
    help: add it, with `certainty: unknown` if no price is known

    warning[unpriced-choice]: `nano-banana-2` can be asked to `generate` and `edit` with resolution `4K`, and there is no such row
      --> kie.yaml:39:39
       |
    39 |     price: { by: [resolution], table: { 1K: 8, 2K: 12 } }
       |                                       ^^^^^^^^^^^^^^^^^
       |
    help: add the row `4K`

    kie.yaml: 2 warnings, 36 models
    ");
}

#[test]
fn several_books_are_checked_at_once_and_one_mistake_is_enough() {
    let desk = Desk::new();
    desk.write("mine.yaml", "book: mine\ncurrency: credits\nas-of: 2026-11-22\nsource: a page\nmodels:\n  m: { price: { flat: -1 } }\n");
    let said = desk.say(&["prices", "check", "mine.yaml", "xai"]);
    assert_eq!(said.code, 3);
    assert!(said.out.ends_with("mine.yaml: 1 mistake, 1 model\nxai: no mistakes, 1 model\n"), "{}", said.out);
    let unknown = desk.say(&["prices", "check", "xia"]);
    assert_eq!(unknown.code, 2);
    insta::assert_snapshot!(unknown.all(), @"
    exit 2
    --- stdout
    --- stderr
    error: there is no price book `xia`
    hint: did you mean `xai`?
    ");
}

#[test]
fn a_table_aligns_whatever_its_names_are_written_in() {
    let desk = Desk::new();
    let names = ["cup", "黒い茶碗", "찻주전자", "tea 🍵"];
    let models: String = names.map(|name| format!("  \"{name}\": {{ price: {{ flat: 12 }} }}\n")).concat();
    desk.write("mine.yaml", format!("book: mine\ncurrency: credits\nas-of: 2026-11-22\nsource: a page\nmodels:\n{models}"));
    let shown = desk.say(&["prices", "show", "mine.yaml"]).out;
    let ends = |name: &str| {
        let line = shown.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {shown}"));
        callsheet::types::width::columns(line.split("exact").next().unwrap_or_default())
    };
    assert!(names.iter().all(|name| ends(name) == ends("cup") && ends(name) > 20), "{shown}");
}

#[test]
fn the_list_and_a_book_are_shown_for_people() {
    let desk = Desk::new();
    insta::assert_snapshot!("prices_list", desk.say(&["prices", "list"]).out);
    insta::assert_snapshot!("prices_show_bfl", desk.say(&["prices", "show", "bfl"]).out);
    insta::assert_snapshot!("prices_show_openai", desk.say(&["prices", "show", "openai"]).out);
    desk.write(
        "mine.yaml",
        concat!(
            "book: mine\ncurrency: credits\nas-of: 2026-11-22\nsource: a page\nrounding: ceil\nmodels:\n",
            "  a: { price: { flat: 12, per-reference: { price: 0.5, free: 1 }, batch: 0.5, rounding: floor } }\n",
            "  b: { price: { by: [output-class], table: { 2K: 10, 8K: 40 }, classes: { 2K: 2048, 8K: 8192 }, highest: 40 } }\n",
            "  c: { price: { base-megapixels: { base: 20, of: input, megapixel: 1000000, factor: { 2x: 1, 3x: 2 } } } }\n",
            "  d: { prices: { generate: { per-call: { price: 4, pictures: 6 } } }, price: { certainty: unknown } }\n",
        ),
    );
    insta::assert_snapshot!("prices_show_own", desk.say(&["prices", "show", "mine.yaml"]).out);
}

/// A desk with a copy of KIE's book in which some prices have moved.
fn moved() -> Desk {
    let desk = Desk::new();
    let kie = desk.say(&["prices", "show", "kie", "--format", "yaml"]).out;
    let kie = kie.replace("as-of: 2026-06-30", "as-of: 2026-11-20");
    let kie = kie.replacen("{ 1K: 6, 2K: 10, 4K: 16 }", "{ 1K: 3, 2K: 10, 4K: 20 }", 1);
    let kie = kie.replace("  z-image:\n    title: Z-Image\n    price: { flat: 0.8 }\n", "  a-image:\n    price: { flat: 0.9 }\n");
    desk.write("kie.yaml", kie.replace("price: { certainty: unknown, note: not in the list of 2026-06-30 }\n  qwen3", "price: { flat: 5 }\n  qwen3"));
    desk
}

#[test]
fn two_books_are_compared_and_a_campaign_reckoned_by_both() {
    let desk = moved();
    let said = desk.say(&["prices", "diff", "kie", "kie.yaml", "--campaign", SPRING]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    insta::assert_snapshot!(said.out, @"
    kie of 2026-06-30 -> kie of 2026-11-20
    in credits of kie

    model        row        old  new  change  %
    gpt-image-2  1K           6    3      -3  -50%
                 4K          16   20      +4  +25%
    qwen3-image  a picture    ?    5       -  now known
    z-image      a picture  0.8    -       -  removed
    a-image      a picture    -  0.9       -  added

    60 prices: 1 dearer, 1 cheaper, 1 now known, 1 added, 1 removed, 55 unchanged
    1 model new: `a-image`
    1 model gone: `z-image`

    campaign spring-drop, every shot made once, in credits of kie

    step     shots  old  new  change     %
    hero        24  144   72     -72  -50%
    surface     72  432  216    -216  -50%
    evening     24  144   72     -72  -50%
    total      120  720  360    -360  -50%
    ");
    let json = desk.say(&["prices", "diff", "kie", "kie.yaml", "--campaign", SPRING, "--format", "json"]);
    let read: serde_json::Value = serde_json::from_str(&json.out).expect("stdout is JSON");
    assert_eq!((&read["counted-in"], &read["campaign"]["total"]["delta"]), (&"credits:kie".into(), &"-360".into()), "120 pictures at 3 less");
    assert_eq!(read["rows"][0]["percent"], "-50");
    let markdown = desk.say(&["prices", "diff", "kie", "kie.yaml", "--campaign", SPRING, "--format", "markdown"]).out;
    assert!(markdown.contains("| gpt-image-2 |  | 1K | 6 | 3 | -3 | -50% |"), "{markdown}");
    assert_eq!(desk.files("."), ["campaigns/data/spring-skus.csv", "campaigns/spring-drop.yaml", "kie.yaml"], "nothing is left behind");
}

#[test]
fn the_rows_of_a_comparison_are_a_table_for_spreadsheets() {
    let desk = moved();
    let said = desk.say(&["prices", "diff", "kie", "kie.yaml", "--campaign", SPRING, "--format", "csv"]);
    let mut reader = csv::Reader::from_reader(said.out.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    let cells = |of: &str, row: &str| -> Vec<String> {
        let found = rows.iter().find(|record| &record[0] == of && &record[2] == row).expect("a row of the table");
        found.iter().skip(3).map(str::to_owned).collect()
    };
    assert_eq!(cells("gpt-image-2", "4K"), ["16", "credits:kie", "exact", "20", "credits:kie", "exact", "dearer", "4", "25"]);
    assert_eq!(cells("a-image", "a picture"), ["", "", "", "0.9", "credits:kie", "exact", "added", "", ""]);
    assert_eq!(cells("qwen3-image-pro", "a picture")[6], "same", "no price on either side");
    assert_eq!(cells("campaign spring-drop", "total")[7], "-360");
}

#[test]
fn different_currencies_are_compared_in_dollars_or_stand_side_by_side() {
    let desk = Desk::new();
    let said = desk.say(&["prices", "diff", "kie", "gptimage2-flat", "--campaign", SPRING]);
    assert_eq!(said.code, 0, "{}", said.all());
    insta::assert_snapshot!(said.out, @"
    kie of 2026-06-30 -> gptimage2-flat of 2026-04-30
    credits:kie and credits:gptimage2-flat are different currencies, and not both books state a rate to USD: prices stand
      side by side, no difference is reckoned

    model        row  old  new  change  %
    gpt-image-2  1K     6   12       -
                 2K    10   12       -
                 4K    16   12       -

    59 prices: 56 removed, 3 side by side, 0 unchanged
    36 models gone: `gpt-image-2.5-flare`, `gpt-image-2.5-sunburst`, `gpt-image-1.5`, `gpt-4o-image`, `flux-kontext-pro`,
      `flux-kontext-max`, `nano-banana`, `nano-banana-2`, `nano-banana-2-lite`, `nano-banana-pro`, `imagen-4`,
      `imagen-4-fast` and 24 more

    campaign spring-drop, every shot made once, in credits:kie and in credits:gptimage2-flat

    step     shots  old   new  change  %
    hero        24  144   288       -  -
    surface     72  432   864       -  -
    evening     24  144   288       -  -
    total      120  720  1440       -  -
    ");
    let json = desk.say(&["prices", "diff", "kie", "gptimage2-flat", "--campaign", SPRING, "--format", "json"]);
    let read: serde_json::Value = serde_json::from_str(&json.out).expect("stdout is JSON");
    assert!(read["counted-in"].is_null() && read["campaign"]["total"]["delta"].is_null(), "{read}");
    assert!(read["rows"].as_array().is_some_and(|rows| rows.iter().all(|row| row["delta"].is_null())), "{read}");
    let dollars = desk.say(&["prices", "diff", "kie", "bfl", "--format", "json"]);
    let read: serde_json::Value = serde_json::from_str(&dollars.out).expect("stdout is JSON");
    assert_eq!(read["counted-in"], "USD");
    let kontext = read["rows"].as_array().and_then(|rows| rows.iter().find(|row| row["model"] == "flux-kontext-pro")).expect("both sell it");
    assert_eq!((&kontext["old"]["price"], &kontext["new"]["price"], &kontext["percent"]), (&"0.025".into(), &"0.04".into(), &"60".into()));
}

#[test]
fn a_campaign_capped_in_credits_is_reckoned_by_a_book_in_dollars() {
    let desk = Desk::new();
    desk.write("usd.yaml", "book: mine\ncurrency: USD\nas-of: 2026-11-22\nsource: a page\nmodels:\n  gpt-image-2: { price: { flat: 0.04 } }\n");
    let said = desk.say(&["prices", "diff", "kie", "usd.yaml", "--campaign", SPRING, "--format", "json"]);
    let read: serde_json::Value = serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {}", said.all()));
    let total = &read["campaign"]["total"];
    assert_eq!((&total["old"]["micros"], &total["new"]["micros"]), (&"3.6".into(), &"4.8".into()), "120 pictures of $0.03, and of $0.04");
    assert_eq!((&total["delta"], &total["percent"]), (&"1.2".into(), &"33.3".into()));
}

#[test]
fn what_has_no_price_by_one_book_leaves_no_difference() {
    let desk = Desk::new();
    desk.write(
        "bare.yaml",
        "book: kie\ncurrency: credits\nas-of: 2026-11-22\nsource: a page\nmodels:\n  gpt-image-2: { price: { certainty: unknown } }\n",
    );
    let said = desk.say(&["prices", "diff", "kie", "bare.yaml", "--campaign", SPRING, "--format", "json"]);
    let read: serde_json::Value = serde_json::from_str(&said.out).expect("stdout is JSON");
    assert_eq!(read["campaign"]["total"]["new"], serde_json::json!({ "micros": "0", "certainty": "unknown" }));
    assert!(read["campaign"]["total"]["delta"].is_null());
    let shown = desk.say(&["prices", "diff", "kie", "bare.yaml", "--campaign", SPRING]).out;
    assert!(shown.contains("0 + ?"), "{shown}");
}

/// Asks a book for everything that can be asked.
fn ask(text: &str) {
    let Ok(book) = PriceBook::parse(DocId::CAMPAIGN, text) else { return };
    let _ = book.lint(DocId::CAMPAIGN);
    let _ = book.lint_dates(DocId::CAMPAIGN, jiff::civil::date(2026, 11, 22));
    let _ = book.lint_cards(DocId::CAMPAIGN, &book.cards());
    let _ = book.remarks(DocId::CAMPAIGN);
    let _ = BookDiff::of(&book, &builtin::book("kie").expect("an embedded book"));
    let words = |word: &str| Settings {
        resolution: Some(word.into()),
        quality: Some("low".into()),
        speed: Some("TURBO".into()),
        scale: Some(2),
        ..Settings::default()
    };
    let usage = TokenUsage { text_in: u64::MAX, text_cached: 7, image_in: u64::MAX, image_cached: u64::MAX, image_out: u64::MAX, text_out: 1 };
    for (model, priced) in &book.models {
        for action in Action::ALL {
            let _ = priced.entry(action).map(|entry| entry.rows(book.certainty));
            let _ = book.charge_tokens(model, action, &usage);
            for side in [1, 1024, u32::MAX] {
                let size = PixelSize::new(side, u32::MAX - side + 1);
                for settings in [words("1K"), words("4K"), Settings::default()] {
                    let request = QuoteInput {
                        model,
                        action,
                        settings: &settings,
                        input: Some(size),
                        output: size,
                        references: u32::MAX,
                        prompt_chars: usize::MAX,
                    };
                    let _ = book.quote(&request);
                    let _ = book.quote_pictures(&request, std::num::NonZeroU32::MAX);
                }
            }
        }
    }
}

/// A value that somebody might write in a price.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("12".to_owned()),
        Just("-9223372036854.775808".to_owned()),
        Just("9223372036854.775807".to_owned()),
        Just("0.000001".to_owned()),
        Just("4294967295".to_owned()),
        Just("18446744073709551615".to_owned()),
        Just("1e3".to_owned()),
        Just("~".to_owned()),
        Just("[resolution, quality]".to_owned()),
        Just("[scale]".to_owned()),
        Just("{ 1K: 4294967295, 1K/low: 9223372036854.775807, low: 4294967295, 2x: 9000000000000 }".to_owned()),
        Just("{ of: output, megapixel: 1, first: 9000000000000, additional: 9000000000000, input: 9000000000000, whole: true }".to_owned()),
        Just("{ of: input, megapixel: 18446744073709551615, first: 1 }".to_owned()),
        Just("{ base: 9000000000000, of: input, megapixel: 1, factor: { 2x: 9000000000000 } }".to_owned()),
        Just("{ price: 9000000000000, pictures: 4294967295 }".to_owned()),
        Just("{ text-in: 9000000000000, image-out: 9000000000000, output-factors: { low: 4294967295 }, chars-per-token: 0, input-patch: 0 }".to_owned()),
        Just("{ text-in: 1, image-in: 1, image-out: 1, output-resolutions: { 1K: 4294967295 }, input-image-most: 4294967295 }".to_owned()),
        Just("{ operations: { generate: { aspects: [\"10000:1\"], resolutions: { 1K: { area: 100000 } }, grid: { multiple: 4294967295, min-pixels: 18446744073709551615 } } } }".to_owned()),
        Just("{ operations: { edit: { aspects: [\"1:10000\"], resolutions: { 1K: { area: 1 } }, grid: { multiple: 0, max-edge: 0, max-pixels: 0 } } } }".to_owned()),
        "[ -~]{0,12}",
    ]
}

fn key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "flat",
        "by",
        "table",
        "lower-bound-at",
        "classes",
        "per-megapixel",
        "base-megapixels",
        "per-call",
        "tokens",
        "per-reference",
        "certainty",
        "rounding",
        "highest",
        "batch",
        "note",
        "source",
        "as-of",
    ])
}

proptest! {
    #[test]
    fn no_text_makes_a_book_panic(text in "\\PC{0,300}") {
        ask(&text);
    }

    #[test]
    fn no_price_makes_a_book_panic(pairs in prop::collection::vec((key(), value()), 1..4), card in value(), rate in value()) {
        let price: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}: {value}")).collect();
        for currency in ["credits", "USD"] {
            ask(&format!("book: mine\ncurrency: {currency}\nusd-per-credit: {rate}\nmodels:\n  m:\n    price: {{ {} }}\n    card: {card}\n", price.join(", ")));
            ask(&format!("book: mine\ncurrency: {currency}\nmodels:\n  m:\n    prices: {{ upscale: {{ {} }} }}\n", price.join(", ")));
        }
    }

    #[test]
    fn no_torn_book_panics(place in 0_usize..15, from in 0_usize..400, count in 0_usize..8, with in value()) {
        let name = builtin::book_names()[place % builtin::book_names().len()];
        let text = builtin::book_text(name).expect("a name of the list");
        let mut lines: Vec<&str> = text.lines().collect();
        let from = from % lines.len();
        let to = (from + count).min(lines.len());
        let torn = lines[from].split_once(':').map_or(with.clone(), |(key, _)| format!("{key}: {with}"));
        lines.splice(from..to, [torn.as_str()]);
        ask(&lines.join("\n"));
    }
}

#[test]
fn the_schema_lies_beside_the_program_and_accepts_every_kind_of_price() {
    let schema: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(Path::new("schemas/price-book.schema.json")).expect("it is there")).expect("it is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is one");
    let accepts = |price: &str| {
        let text = format!("book: mine\ncurrency: credits\nmodels: {{ m: {{ price: {price} }} }}");
        let value: serde_json::Value = serde_yaml::from_str(&text).expect("it is YAML");
        validator.is_valid(&value)
    };
    for price in [
        "{ flat: 12, batch: 0.5 }",
        "{ by: [resolution], table: { 1K: 1 } }",
        "{ per-megapixel: { of: output, megapixel: 1048576, first: 3, additional: 1.5, input: 1.5, whole: true } }",
        "{ base-megapixels: { base: 20, of: input, megapixel: 1000000, factor: { 2x: 1 } } }",
        "{ per-call: { price: 4, pictures: 6 } }",
        "{ tokens: { text-in: 5, text-cached: 1.25, image-out: 30, text-out: 10, output-resolutions: { 1K: 1120 } } }",
        "{ certainty: unknown }",
    ] {
        assert!(accepts(price), "{price}");
    }
    for slip in ["{ flt: 12 }", "{ per-megapixel: { of: output, megapixel: 1, first: 1, inputs: 1 } }", "{ flat: 12, certainty: probably }"] {
        assert!(!accepts(slip), "{slip}");
    }
}
