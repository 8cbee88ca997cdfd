//! The page holds what the report knows, and nothing that others wrote leaves its place. That nothing of it runs is tried in a real
//! browser: `tests/it/browser.rs`.

use serde_json::Value;

use super::*;
use crate::report::sample;
use crate::types::JobKey;

fn render(ran: &sample::Ran) -> String {
    let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, None).expect("small sums");
    sample::text_of(&IndexHtml, &report)
}

fn data(page: &str) -> Value {
    let (_, after) = page.split_once(r#"<script type="application/json" id="data">"#).expect("the page has data");
    let (data, _) = after.split_once("</script>").expect("the data ends");
    serde_json::from_str(data).expect("the data is JSON")
}

#[test]
fn every_shot_is_in_the_data_with_status_cost_tries_and_relatives() {
    let ran = sample::ran();
    let data = data(&render(&ran));
    let shots = data["shots"].as_array().expect("a list");
    assert_eq!(shots.len(), ran.plan.jobs.len());
    let count = |status: &str| shots.iter().filter(|shot| shot["st"] == status).count();
    assert_eq!((count("done"), count("failed"), count("in doubt"), count("blocked")), (5, 1, 1, 7));
    let hero = &shots[0];
    assert_eq!((&hero["id"], &hero["f"], &hero["q"]), (&"hero[sku=teapot]".into(), &"teapot/hero.png".into(), &6_000_000.into()));
    let tries = hero["a"].as_array().expect("it was paid");
    assert_eq!(tries.iter().map(|one| one["st"].as_str().unwrap_or("")).collect::<Vec<_>>(), ["failed", "done"]);
    assert_eq!(
        (&tries[0]["rf"], &tries[0]["rl"], &tries[0]["e"], &tries[1]["ch"]),
        (&6_000_000.into(), &0.into(), &"failed/501".into(), &6_000_000.into())
    );
    assert_eq!((tries[0].get("used"), &tries[1]["used"]), (None, &true.into()));
    assert_eq!(shots[2]["i"], serde_json::json!([[0, "image"]]), "made from the first hero");
    assert_eq!((&shots[5]["st"], &shots[5]["by"]), (&"blocked".into(), &1.into()), "held up behind the second");
    assert!(shots[1]["why"].as_str().is_some_and(|why| why == "not allowed: \\u{1b}[31mred"), "a vendor's escape codes are written out");
    assert_eq!(data["gone"], serde_json::json!([0, []]));
}

#[test]
fn tries_for_pictures_that_the_plan_no_longer_has_are_told_apart() {
    let mut ran = sample::ran();
    ran.attempts[2].key = JobKey(crate::types::Digest::of(b"an older prompt"));
    assert_eq!(data(&render(&ran))["gone"], serde_json::json!([1, [[0, 6_000_000]]]));
}

#[test]
fn a_rehearsal_says_so() {
    let ran = sample::ran();
    let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, None).expect("small sums").rehearsed();
    let facts = |data: &Value| data["facts"].to_string();
    let rehearsed = data(&sample::text_of(&IndexHtml, &report));
    assert!(
        rehearsed["rehearsal"] == true && facts(&rehearsed).contains("a real run would have cost") && !facts(&rehearsed).contains("spent so far")
    );
    let real = data(&render(&ran));
    assert!(real["rehearsal"] == false && facts(&real).contains("spent so far"));
}

#[test]
fn the_page_asks_nothing_of_any_network_and_runs_its_own_script_only() {
    let page = render(&sample::ran());
    let addresses = page.replace(r#""http://www.w3.org/2000/svg""#, "");
    assert!(!addresses.contains("://"), "the name of a language is the only address");
    let (style, script) = (style(), script());
    for part in ["default-src 'none'", &format!("script-src '{}'", hash(&script)), &format!("style-src '{}'", hash(&style)), "trusted-types 'none'"] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("unsafe"), "neither inline code nor `eval`");
    assert!(
        page.contains(&format!("<style>{style}</style>")) && page.contains(&format!("<script>{script}</script>")),
        "what was hashed is what stands there"
    );
    for forbidden in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "DOMParser", "</script", "<!--"] {
        assert!(!script.contains(forbidden), "{forbidden}");
    }
    assert!(!style.contains("</style") && !style.contains("url("));
}

#[test]
fn hostile_prompts_and_names_stay_data() {
    let mut ran = sample::ran();
    let attack = "</script></title><script>alert(1)</script><img src=x onerror=alert(1)>\"'&{{data}}{{script}}<!--";
    ran.plan.jobs[0].prompt = attack.into();
    ran.plan.jobs[0].path = "java\"script:alert(1)//<b>/ä #?.png".into();
    ran.plan.campaign = attack.into();
    ran.plan.steps[0].name = attack.into();
    let page = render(&ran);
    assert_eq!(page.matches("<script").count(), 2, "the data and the script");
    assert_eq!(page.matches("</script").count(), 2);
    assert!(!page.contains("<img"));
    let data = data(&page);
    assert_eq!((&data["campaign"], &data["prompts"][0]), (&attack.into(), &attack.into()), "and is shown as it was written");
    assert_eq!(data["shots"][0]["f"], "java\"script:alert(1)//<b>/ä #?.png");
}

#[test]
fn every_part_of_the_script_is_short_enough_to_be_read() {
    for part in SCRIPTS.iter().chain(&STYLES) {
        assert!(part.lines().count() < 500);
    }
}

#[test]
fn a_picture_has_one_thumbnail_whoever_shows_it_and_a_small_one_has_none() {
    let ran = sample::ran();
    let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, None).expect("small sums");
    let small = thumbnails(&report);
    assert_eq!(small.len(), 5, "of five pictures");
    assert!(small.iter().all(|one| one.path.starts_with("thumbnails/") && one.path.ends_with(".jpg")));
    let mut artifact = crate::pricing::sample::artifact(&ran.plan, crate::plan::JobIx(0));
    assert!(thumbnail_path(&artifact).is_some());
    artifact.info.size = crate::types::PixelSize::new(crate::imaging::THUMBNAIL_SIDE, 64);
    assert_eq!(thumbnail_path(&artifact), None);
}

/// Returns the colours of a block of the style by name.
fn colours(block: &str) -> std::collections::HashMap<&str, [f64; 3]> {
    let declared = block.split(';').filter_map(|line| line.trim().strip_prefix("--")?.split_once(':'));
    let channel = |hex: &str, at: usize| -> Option<f64> {
        let digits = if hex.len() == 3 { hex.get(at..=at)?.repeat(2) } else { hex.get(2 * at..2 * at + 2)?.to_owned() };
        let value = f64::from(u8::from_str_radix(&digits, 16).ok()?) / 255.0;
        Some(if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) })
    };
    declared
        .filter_map(|(name, value)| {
            let hex = value.trim().strip_prefix('#')?;
            Some((name.trim(), [channel(hex, 0)?, channel(hex, 1)?, channel(hex, 2)?]))
        })
        .collect()
}

#[test]
fn every_text_can_be_read_on_its_ground_in_light_and_in_dark() {
    let base = STYLES[0];
    let light = &base[base.find(":root {").expect("light")..];
    let dark = &base[base.find(":root[data-theme=\"dark\"] {").expect("dark")..];
    for (theme, block) in [("light", light), ("dark", dark)] {
        let block = &block[block.find('{').expect("a block") + 1..block.find('}').expect("its end")];
        let colours = colours(block);
        let bright = |name: &str| {
            let [red, green, blue] = colours[name];
            0.2126 * red + 0.7152 * green + 0.0722 * blue
        };
        let pairs = ["ink", "soft", "accent", "done", "failed", "doubt", "rejected", "going", "idle"].iter();
        let pairs = pairs.flat_map(|text| ["page", "card", "mat"].map(|ground| (*text, ground)));
        for (text, ground) in pairs.chain([("on-accent", "accent"), ("accent", "wash"), ("ink", "ins"), ("ink", "del")]) {
            let (a, b) = (bright(text), bright(ground));
            let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
            assert!(contrast >= 4.5, "{theme}: {text} on {ground} is {contrast:.2}");
        }
    }
}
