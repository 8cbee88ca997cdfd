//! `callsheet estimate`: the worked examples behind the price books, as a person would type them.

use crate::desk::Desk;

/// Returns what the command says as data, with its exit code.
fn sheet(words: &str) -> (i32, serde_json::Value) {
    let desk = Desk::new();
    let words: Vec<&str> = ["estimate"].into_iter().chain(words.split(' ')).chain(["--format", "json"]).collect();
    let said = desk.say(&words);
    let read: serde_json::Value = serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{words:?}: {error}: {}", said.all()));
    (said.code, read["books"][0].clone())
}

#[test]
fn twenty_four_finals_of_an_exploring_team() {
    let desk = Desk::new();
    let words = "estimate --finals 24 --iteration explore --model gpt-image-2 --prices gptimage2-flat";
    let words: Vec<&str> = words.split(' ').collect();
    insta::assert_snapshot!(desk.say(&words).all(), @"
    exit 0
    --- stdout
    gpt-image-2, prices `gptimage2-flat` of 2026-04-30, in credits

    what      pictures  effective  unit  floor  expected  whole  set aside
    generate        24       43.2    12    288     518.4     44        528

    effective  43.2 images: 24 finals x 1.8 (explore)
    floor      288 credits: each picture once
    expected   518.4 credits: the effective images
    set aside  528 credits: 44 whole generations
    per final  12 credits floor, 21.6 credits expected, over 24 finals
    note       the book states no rate to USD
    --- stderr
    ");
    let csv: Vec<&str> = words.iter().copied().chain(["--format", "csv"]).collect();
    insta::assert_snapshot!(desk.say(&csv).out, @"
    book,as_of,model,operation,resolution,quality,aspect,scale,pictures,factor,effective,unit,floor,expected,whole,set_aside,currency,floor_usd,expected_usd,set_aside_usd,certainty,reason
    gptimage2-flat,2026-04-30,gpt-image-2,generate,,,,,24,1.8,43.2,12,288,518.4,44,528,credits:gptimage2-flat,,,,exact,
    ");
}

#[test]
fn tiers_are_counted_one_by_one_and_several_books_answer_for_themselves() {
    let desk = Desk::new();
    insta::assert_snapshot!(desk.say(&["estimate", "--count", "HD=20", "--count", "HD+=3", "--prices", "bestphoto-hd"]).out, @"
    bestphoto, prices `bestphoto-hd` of 2026-11-22, in credits

    what          pictures  effective  unit  floor  expected  whole  set aside
    generate HD         20         20     1     20        20     20         20
    generate HD+         3          3     2      6         6      3          6
    total               23         23           26        26     23         26

    effective  23 images: 23 finals x 1 (no `--iteration` is named)
    floor      26 credits: each picture once
    expected   26 credits: the effective images
    set aside  26 credits: 23 whole generations, rounded up in each line
    per final  1.1305 credits floor, 1.1305 credits expected, over 23 finals
    note       the book states no rate to USD
    ");
    let words = "estimate --finals 24 --iteration 1.8 --model gpt-image-2 --prices kie,bestphoto-hd";
    insta::assert_snapshot!(desk.say(&words.split(' ').collect::<Vec<_>>()).all(), @"
    exit 0
    --- stdout
    gpt-image-2, prices `kie` of 2026-06-30, in credits

    what         pictures  effective  unit  floor  expected  whole  set aside
    generate 1K        24       43.2     6    144     259.2     44        264

    effective  43.2 images: 24 finals x 1.8
    floor      144 credits ($0.72): each picture once
    expected   259.2 credits ($1.296): the effective images
    set aside  264 credits ($1.32): 44 whole generations
    per final  6 credits floor, 10.8 credits expected, over 24 finals

    bestphoto-hd

    cannot     book `bestphoto-hd` has no model `gpt-image-2`; it has `bestphoto`
    --- stderr
    ");
}

#[test]
fn the_flat_product_costs_what_its_page_says() {
    for (words, floor) in [
        ("", "12"),
        ("--steps 4 ", "48"),
        ("--finals 10 ", "120"),
        ("--finals 12 ", "144"),
        ("--finals 20 ", "240"),
        ("--finals 44 ", "528"),
        ("--finals 3 ", "36"),
        ("--steps 5 ", "60"),
    ] {
        let (code, read) = sheet(&format!("{words}--prices gptimage2-flat"));
        assert_eq!((code, read["floor"]["amount"].as_str()), (0, Some(floor)), "{words}");
    }
}

#[test]
fn a_budget_says_how_far_it_reaches_and_refuses_what_is_above_it() {
    let (code, read) = sheet("--prices gptimage2-flat --budget 100");
    assert_eq!((code, &read["budget"]), (0, &serde_json::json!({ "amount": "100", "finals": 8, "left": "4", "is-enough": true })));
    let (code, read) = sheet("--prices gptimage2-flat --budget 11");
    assert_eq!((code, read["budget"]["finals"].as_u64()), (4, Some(0)), "one picture costs 12");
    let (code, read) = sheet("--prices kie --model gpt-image-2 --resolution 1K --budget 6");
    assert_eq!((code, read["budget"]["is-enough"].as_bool()), (0, Some(true)));
    let said = Desk::new().say(&["estimate", "--prices", "gptimage2-flat", "--budget", "USD 3"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("states no rate to dollars"), "{}", said.err);
}

#[test]
fn the_tiers_reproduce_every_cell_of_the_printed_calculator_and_the_four_projects() {
    for count in [1, 4, 8, 10, 20] {
        for (tier, price) in [("HD", 1), ("HD+", 2), ("2K", 3)] {
            let (_, read) = sheet(&format!("--count {tier}={count} --prices bestphoto-hd"));
            assert_eq!(read["floor"]["amount"], (count * price).to_string(), "{count} x {tier}");
        }
    }
    for (counts, total) in [
        ("--count HD=20 --count HD+=3", "26"),
        ("--count HD+=5 --count HD=15 --count 2K=3", "34"),
        ("--count 2K=8 --count HD+=5", "34"),
        ("--count 2K=10 --count HD+=20 --count HD=15", "85"),
    ] {
        assert_eq!(sheet(&format!("{counts} --prices bestphoto-hd")).1["floor"]["amount"], total, "{counts}");
    }
}

#[test]
fn the_iteration_factors_of_the_guide_make_effective_images_and_whole_generations() {
    for (finals, factor, effective, expected, whole, set_aside) in [
        (24, "explore", "43.2", "518.4", 44, "528"),
        (24, "1.8", "43.2", "518.4", 44, "528"),
        (24, "strict", "28.8", "345.6", 29, "348"),
        (24, "blank-box", "60", "720", 60, "720"),
        (6, "strict", "7.2", "86.4", 8, "96"),
        (9, "explore", "16.2", "194.4", 17, "204"),
    ] {
        let (_, read) = sheet(&format!("--finals {finals} --iteration {factor} --prices gptimage2-flat"));
        assert_eq!(read["effective"], effective, "{finals} x {factor}");
        assert_eq!((&read["expected"]["amount"], &read["whole"], &read["set-aside"]["amount"]), (&expected.into(), &whole.into(), &set_aside.into()));
    }
}

#[test]
fn sizes_scales_and_certainty_come_from_the_book() {
    for (words, amount, certainty) in [
        ("--prices imagineart-studio --model nano-banana-2 --resolution 2K --finals 2", "147", "exact"),
        ("--prices imagineart-studio --model topaz-upscale --scale 2 --input 1920x1080", "41.472", "exact"),
        ("--prices imagineart-studio --model magnific-precision-v2 --scale 16 --input 1920x1080", "1040", "lower-bound"),
        ("--prices qolaba-app --model nano-banana-pro --resolution 2K --finals 3", "147", "exact"),
        ("--prices qolaba-app --model gpt-image-2 --finals 2 --takes 2", "72", "exact"),
    ] {
        let read = sheet(words).1;
        assert_eq!(read["floor"]["amount"], amount, "{words}");
        assert_eq!(read["floor"]["certainty"], certainty, "{words}");
    }
    assert_eq!(sheet("--prices kie --model gpt-image-2 --resolution 1K --finals 24").1["floor"]["usd"], "0.72", "the book states a rate");
    assert_eq!(sheet("--prices gptimage2-flat").1["floor"]["usd"], serde_json::Value::Null, "the book states none");
}

#[test]
fn what_cannot_be_estimated_is_said_with_what_can() {
    let desk = Desk::new();
    let slips = [
        "--finals 24 --model gpt-image-2",
        "--finals 24 --model gpt-imag-2 --prices kie",
        "--finals 24 --prices kie",
        "--finals 24 --model gpt-image-2 --prices kei",
        "--count HD++=2 --prices bestphoto-hd",
        "--count HD --prices bestphoto-hd",
        "--finals 24 --iteration explroe --prices gptimage2-flat",
        "--model gpt-image-1.5 --aspect 16:9 --prices imagineart-studio",
        "--model nano-banana --resolution 2K --prices imagineart-studio",
        "--model nano-banana-2-lite --prices kie",
        "--model gpt-image-2 --operation upscale --prices qolaba-app",
        "--model topaz-upscale --scale 2 --prices imagineart-studio",
    ];
    let mut said = String::new();
    for slip in slips {
        let words: Vec<&str> = ["estimate"].into_iter().chain(slip.split(' ')).collect();
        let answer = desk.say(&words);
        assert_eq!(answer.out, "", "{slip}");
        said.push_str(&format!("$ callsheet estimate {slip}\nexit {}\n{}\n", answer.code, answer.err));
    }
    insta::assert_snapshot!("estimate_slips", said);
}
