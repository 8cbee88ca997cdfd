//! Ideogram: forms, a header of its own for the key, and no address for what is not safe.

use serde_json::json;

use super::{Counter, first_answered};
use crate::loopback::ideogram::Ideogram;
use crate::loopback::{LoopbackScript, Misdeed, Reply};

const ALL: &str = r#"
callsheet: 1
campaign: letters
provider: ideogram
defaults: { model: ideogram-v3 }
steps:
  hole: { load: { file: mask.png } }
  draft: { generate: { prompt: "a sign: {\"OPEN\"}", aspect: "16:9", speed: TURBO, seed: 7 } }
  warm: { edit: { image: draft, prompt: "the sign at night", speed: QUALITY } }
  mended: { edit: { image: warm, mask: hole, prompt: "the left half is brick" } }
budget: { cap: "USD 5" }
"#;

const ONE: &str = r#"
callsheet: 1
campaign: one
provider: ideogram
steps: { draft: { generate: { prompt: "a red cup", model: ideogram-v3 } } }
run: { attempts: 1 }
"#;

fn at(campaign: &str, script: LoopbackScript) -> Counter {
    Counter::new("ideogram", "", campaign, script)
}

fn one(script: LoopbackScript) -> Counter {
    at(ONE, script)
}

fn ideogram() -> LoopbackScript {
    LoopbackScript::of(Ideogram::default())
}

#[test]
fn every_kind_of_request_is_a_form_as_documented() {
    let counter = at(ALL, ideogram());
    counter.run(0);
    counter.shop.agrees("letters");
    let asked: Vec<String> = counter
        .shop
        .server
        .requests()
        .iter()
        .filter_map(|request| {
            let parts = request.form()?;
            let told: Vec<String> = parts
                .iter()
                .map(|part| if part.file_name.is_some() { format!("{} (file)", part.name) } else { format!("{}={}", part.name, part.text()) })
                .collect();
            Some(format!("{}: {}", request.path, told.join(", ")))
        })
        .collect();
    insta::assert_snapshot!(asked.join("\n"), @r#"
    /v1/ideogram-v3/generate: aspect_ratio=16x9, magic_prompt=OFF, num_images=1, prompt=a sign: {"OPEN"}, rendering_speed=TURBO, seed=7
    /v1/ideogram-v3/remix: magic_prompt=OFF, num_images=1, prompt=the sign at night, rendering_speed=QUALITY, image (file)
    /v1/ideogram-v3/edit: magic_prompt=OFF, num_images=1, prompt=the left half is brick, rendering_speed=DEFAULT, image (file), mask (file)
    "#);
    assert_eq!(counter.shop.server.charges(), 30_000 + 90_000 + 75_000);
}

#[test]
fn a_picture_that_is_not_safe_has_no_address_and_is_a_refusal() {
    let counter = one(LoopbackScript::of(Ideogram { is_unsafe: true, ..Ideogram::default() }));
    counter.run(5);
    let row = counter.row("one");
    assert_eq!((row["error_code"].as_str(), row["charged"].as_str()), ("refused/is_image_safe=false", "0.075"), "what it costs is not said");
    assert_eq!(counter.shop.server.asked("/generate"), 1, "final for this prompt");
}

#[test]
fn an_answer_without_pictures_is_in_doubt() {
    let counter = one(LoopbackScript::of(Ideogram { empty: true, ..Ideogram::default() }));
    counter.run(7);
    assert_eq!(counter.row("one")["error_code"], "ambiguous/no-picture");
}

#[test]
fn a_run_that_ends_between_answer_and_download_fetches_the_picture_later_for_nothing() {
    let counter = one(ideogram().always("/files/", Misdeed::Answer(Reply::status(500))));
    counter.run(5);
    counter.shop.server.mend();
    counter.run(0);
    counter.shop.agrees("one");
    assert_eq!(counter.shop.server.asked("/generate"), 1);
}

#[test]
fn a_model_without_a_price_is_not_bought_unless_that_is_wanted() {
    let counter = at(&ONE.replace("ideogram-v3", "ideogram-4.5"), ideogram());
    let said = counter.run(4);
    assert!(said.err.contains("dry_run"), "{}", said.err);
    assert_eq!(counter.shop.server.requests().len(), 0);
}

#[test]
fn every_error_ends_as_it_should() {
    let told = first_answered(
        one,
        ideogram,
        "/generate",
        vec![
            ("bad field", Reply::json(400, &json!({ "error": "unknown field" })), 5),
            ("bad key", Reply::json(401, &json!({ "error": "Unauthorized" })), 8),
            ("safety", Reply::json(422, &json!({ "detail": "Prompt failed the safety check" })), 5),
            ("too fast", Reply::status(429).header("retry-after", "0"), 0),
            ("unavailable", Reply::status(503), 7),
        ],
    );
    insta::assert_snapshot!(told, @r#"
    bad field: exit 5, failed invalid/400 charged "0", asked 1 times
    bad key: exit 8, failed account/401 charged "0", asked 1 times
    safety: exit 5, failed refused/422 charged "0.075", asked 1 times
    too fast: exit 0, failed throttled/429 charged "0", asked 2 times
    unavailable: exit 7, in-doubt ambiguous/503 charged "", asked 1 times
    "#);
}
