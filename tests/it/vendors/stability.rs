//! Stability AI: the answer is the picture itself.

use serde_json::json;

use super::{Counter, first_answered};
use crate::loopback::stability::{Stability, error};
use crate::loopback::{LoopbackScript, Misdeed, Reply};

const ALL: &str = r#"
callsheet: 1
campaign: still
provider: stability
steps:
  hole: { load: { file: mask.png } }
  ultra: { generate: { prompt: "a red cup, {\"json\": true}", model: stable-image-ultra, aspect: "16:9", format: webp } }
  core: { generate: { prompt: "a blue cup", model: stable-image-core, seed: 7 } }
  large: { generate: { prompt: "a green cup", model: sd-3.5-large } }
  same: { edit: { image: ultra, prompt: "the same in oak", model: stability-control } }
  mended: { edit: { image: core, mask: hole, prompt: "the handle is mended", model: stability-inpaint } }
  cut: { remove-background: { image: mended, model: stability-remove-background } }
  big: { upscale: { image: large, model: stability-upscale-fast } }
budget: { cap: 100 }
"#;

const ONE: &str = r#"
callsheet: 1
campaign: one
provider: stability
steps: { draft: { generate: { prompt: "a red cup", model: stable-image-core } } }
run: { attempts: 1 }
"#;

fn at(campaign: &str, script: LoopbackScript) -> Counter {
    Counter::new("stability", "", campaign, script)
}

fn one(script: LoopbackScript) -> Counter {
    at(ONE, script)
}

fn stability() -> LoopbackScript {
    LoopbackScript::of(Stability::default())
}

#[test]
fn every_kind_of_request_is_a_form_as_documented_and_every_answer_a_picture() {
    let counter = at(ALL, stability());
    counter.run(0);
    counter.shop.agrees("still");
    let mut asked: Vec<String> = counter
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
            Some(format!("{}: {}", request.path.trim_start_matches("/v2beta/stable-image/"), told.join(", ")))
        })
        .collect();
    asked.sort();
    insta::assert_snapshot!(asked.join("\n"), @r#"
    control/structure: prompt=the same in oak, image (file)
    edit/inpaint: prompt=the handle is mended, image (file), mask (file)
    edit/remove-background: image (file)
    generate/core: prompt=a blue cup, seed=7
    generate/sd3: model=sd3.5-large, prompt=a green cup
    generate/ultra: aspect_ratio=16:9, output_format=webp, prompt=a red cup, {"json": true}
    upscale/fast: image (file)
    "#);
    assert_eq!(counter.shop.server.charges(), 34_500_000);
}

#[test]
fn a_picture_that_breaks_off_was_paid_for_and_is_said_so() {
    for misdeed in [Misdeed::Truncate(100), Misdeed::Reset(100)] {
        let counter = one(stability().fault("/generate/", 1, misdeed.clone()));
        counter.run(5);
        let row = counter.row("one");
        assert_eq!((row["status"].as_str(), row["charged"].as_str()), ("failed", "3"), "{misdeed:?}");
        counter.shop.server.mend();
    }
}

#[test]
fn a_head_that_never_came_is_in_doubt() {
    for misdeed in [Misdeed::DropAfter, Misdeed::DropBefore] {
        let counter = one(stability().fault("/generate/", 1, misdeed.clone()));
        counter.run(7);
        counter.run(7);
        assert_eq!(counter.shop.server.asked("/generate/"), 1, "{misdeed:?}");
    }
}

#[test]
fn what_the_filter_blurs_is_no_picture_and_counts_until_somebody_knows() {
    for in_json in [false, true] {
        let counter = one(LoopbackScript::of(Stability { filtered: true, in_json }));
        counter.run(5);
        let row = counter.row("one");
        assert_eq!((row["error_code"].as_str(), row["charged"].as_str()), ("refused/CONTENT_FILTERED", "3"));
        assert_eq!(counter.shop.server.asked("/generate/"), 1, "final for this prompt");
    }
}

#[test]
fn a_picture_inside_json_is_a_picture_too() {
    let counter = one(LoopbackScript::of(Stability { in_json: true, ..Stability::default() }));
    counter.run(0);
    counter.shop.agrees("one");
}

#[test]
fn every_error_ends_as_it_should() {
    let told = first_answered(
        one,
        stability,
        "/generate/",
        vec![
            ("bad field", error(400, "bad_request", &["prompt: required"]), 5),
            ("bad key", error(401, "unauthorized", &["no"]), 8),
            ("no credits", error(402, "payment_required", &["You lack sufficient credits"]), 8),
            ("moderation", error(403, "content_moderation", &["Your request was flagged by our content moderation system"]), 5),
            ("too large", error(413, "payload_too_large", &["10 MiB"]), 5),
            ("unprocessable", error(422, "unprocessable_entity", &["no"]), 5),
            ("too fast", error(429, "rate_limit_exceeded", &["150 requests in 10 seconds"]).header("retry-after", "0"), 0),
            ("server", error(500, "internal_error", &["oh"]), 7),
            ("words for a picture", Reply::json(200, &json!({ "hello": 1 })), 7),
            ("a page for a picture", Reply::bytes("text/html", b"<html>".to_vec()), 7),
        ],
    );
    insta::assert_snapshot!(told, @r#"
    bad field: exit 5, failed invalid/bad_request charged "0", asked 1 times
    bad key: exit 8, failed account/unauthorized charged "0", asked 1 times
    no credits: exit 8, failed account/payment_required charged "0", asked 1 times
    moderation: exit 5, failed refused/content_moderation charged "0", asked 1 times
    too large: exit 5, failed invalid/payload_too_large charged "0", asked 1 times
    unprocessable: exit 5, failed invalid/unprocessable_entity charged "0", asked 1 times
    too fast: exit 0, failed throttled/rate_limit_exceeded charged "0", asked 2 times
    server: exit 7, in-doubt ambiguous/internal_error charged "", asked 1 times
    words for a picture: exit 7, in-doubt ambiguous/no-picture charged "", asked 1 times
    a page for a picture: exit 7, in-doubt ambiguous/unreadable charged "", asked 1 times
    "#);
}

#[test]
fn what_says_it_is_a_picture_and_is_none_was_paid_for() {
    let counter = one(stability().fault("/generate/", 1, Misdeed::Answer(Reply::bytes("image/png", b"<html>".to_vec()))));
    counter.run(5);
    let row = counter.row("one");
    assert_eq!((row["status"].as_str(), row["error_code"].as_str(), row["charged"].as_str()), ("failed", "bad-result/not-whole", "3"));
}

#[test]
fn the_balance_stands_beside_the_plan() {
    let counter = one(stability());
    let said = counter.run(0);
    assert!(said.err.contains("1,000.5") || said.out.contains("1,000.5") || said.all().contains("1000.5"), "{}", said.all());
}
