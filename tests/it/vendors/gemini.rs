//! Gemini: the picture is a part of the answer, tokens are counted, and a refusal comes with HTTP 200.

use std::time::Duration;

use serde_json::json;

use super::{Counter, first_answered};
use crate::loopback::gemini::{Gemini, Turn, error};
use crate::loopback::{LoopbackScript, Misdeed, Reply};

const CHAIN: &str = r#"
callsheet: 1
campaign: banana
provider: gemini
defaults: { model: nano-banana-2.1, aspect: "4:5" }
steps:
  draft: { generate: { prompt: "a red cup, {\"json\": true}" } }
  second: { generate: { prompt: "a blue cup", model: nano-banana-pro, resolution: 2K } }
  both: { edit: { image: draft, images: [second], prompt: "both cups on one table" } }
  old: { generate: { prompt: "a green cup", model: nano-banana } }
budget: { cap: "USD 5" }
"#;

const ONE: &str = r#"
callsheet: 1
campaign: one
provider: gemini
steps: { draft: { generate: { prompt: "a red cup", model: nano-banana-2.1 } } }
run: { attempts: 1 }
"#;

fn at(campaign: &str, script: LoopbackScript) -> Counter {
    Counter::new("gemini", "", campaign, script)
}

fn one(script: LoopbackScript) -> Counter {
    at(ONE, script)
}

fn gemini() -> LoopbackScript {
    LoopbackScript::of(Gemini::default())
}

#[test]
fn pictures_go_along_as_parts_and_thoughts_are_no_result() {
    let counter = at(CHAIN, LoopbackScript::of(Gemini { thoughts: 300, ..Gemini::default() }));
    counter.run(0);
    counter.shop.agrees("banana");
    let asked: Vec<String> = counter
        .shop
        .server
        .requests()
        .iter()
        .map(|request| {
            let mut body = request.json();
            for part in body.pointer_mut("/contents/0/parts").and_then(|parts| parts.as_array_mut()).into_iter().flatten() {
                if let Some(data) = part.pointer_mut("/inlineData/data") {
                    *data = json!("...");
                }
            }
            format!("{} {body}", request.path)
        })
        .collect();
    let mut asked = asked;
    asked.sort();
    insta::assert_snapshot!(asked.join("\n"), @r#"
    /v1beta/models/gemini-2.5-flash-image:generateContent {"contents":[{"parts":[{"text":"a green cup"}]}],"generationConfig":{"imageConfig":{"aspectRatio":"4:5"},"responseModalities":["IMAGE"]}}
    /v1beta/models/gemini-3-pro-image:generateContent {"contents":[{"parts":[{"text":"a blue cup"}]}],"generationConfig":{"imageConfig":{"aspectRatio":"4:5","imageSize":"2K"},"responseModalities":["IMAGE"]}}
    /v1beta/models/gemini-nano-banana-2.1:generateContent {"contents":[{"parts":[{"text":"a red cup, {\"json\": true}"}]}],"generationConfig":{"imageConfig":{"aspectRatio":"4:5","imageSize":"1K"},"responseModalities":["IMAGE"]}}
    /v1beta/models/gemini-nano-banana-2.1:generateContent {"contents":[{"parts":[{"text":"both cups on one table"},{"inlineData":{"data":"...","mimeType":"image/png"}},{"inlineData":{"data":"...","mimeType":"image/png"}}]}],"generationConfig":{"imageConfig":{"aspectRatio":"4:5","imageSize":"1K"},"responseModalities":["IMAGE"]}}
    "#);
}

#[test]
fn further_pictures_are_paid_by_their_tokens_and_the_first_is_kept() {
    let counter = one(LoopbackScript::of(Gemini { extra: 2, ..Gemini::default() }));
    counter.run(0);
    counter.shop.agrees("one");
    assert_eq!(counter.shop.server.charges(), 3 * 1120 * 30 + 3);
}

#[test]
fn an_answer_without_a_picture_is_a_refusal_that_counts_until_somebody_knows() {
    let mut told = Vec::new();
    for turn in [
        Turn::Finish("IMAGE_SAFETY"),
        Turn::Finish("PROHIBITED_CONTENT"),
        Turn::Finish("RECITATION"),
        Turn::Finish("NO_IMAGE"),
        Turn::Finish("STOP"),
        Turn::Block("SAFETY"),
        Turn::Thoughts,
    ] {
        let counter = at(&ONE.replace("attempts: 1", "attempts: 3"), LoopbackScript::of(Gemini { turn, ..Gemini::default() }));
        counter.run(5);
        assert_eq!(counter.shop.server.asked("generateContent"), 1, "{turn:?}: final for this prompt");
        let row = counter.row("one");
        assert_eq!(row["charged"], row["quoted"], "{turn:?}");
        told.push(format!("{turn:?}: {} {}", row["status"], row["error_code"]));
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    Finish("IMAGE_SAFETY"): failed refused/IMAGE_SAFETY
    Finish("PROHIBITED_CONTENT"): failed refused/PROHIBITED_CONTENT
    Finish("RECITATION"): failed refused/RECITATION
    Finish("NO_IMAGE"): failed refused/NO_IMAGE
    Finish("STOP"): failed refused/STOP
    Block("SAFETY"): failed refused/SAFETY
    Thoughts: failed refused/NO_IMAGE
    "#);
    let counter = one(LoopbackScript::of(Gemini { turn: Turn::Nothing, ..Gemini::default() }));
    counter.run(7);
    assert_eq!(counter.row("one")["error_code"], "ambiguous/no-picture", "what says nothing may have been charged");
}

#[test]
fn every_error_ends_as_it_should() {
    let told = first_answered(
        one,
        gemini,
        "generateContent",
        vec![
            ("bad field", error(400, "INVALID_ARGUMENT", "Unknown name", json!([])), 5),
            ("bad key", error(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", json!([])), 8),
            ("no billing", error(400, "FAILED_PRECONDITION", "enable billing", json!([])), 8),
            ("not allowed", error(403, "PERMISSION_DENIED", "no", json!([])), 8),
            ("no model", error(404, "NOT_FOUND", "no such model", json!([])), 5),
            ("too fast", error(429, "RESOURCE_EXHAUSTED", "quota", json!([{ "retryDelay": "0.1s" }])), 0),
            ("internal", error(500, "INTERNAL", "oh", json!([])), 0),
            ("overloaded", error(503, "UNAVAILABLE", "overloaded", json!([])), 0),
            ("nobody knows", Reply { status: 502, headers: Vec::new(), body: b"<html>Bad Gateway</html>".to_vec() }, 7),
        ],
    );
    insta::assert_snapshot!(told, @r#"
    bad field: exit 5, failed invalid/INVALID_ARGUMENT charged "0", asked 1 times
    bad key: exit 8, failed account/INVALID_ARGUMENT charged "0", asked 1 times
    no billing: exit 8, failed account/FAILED_PRECONDITION charged "0", asked 1 times
    not allowed: exit 8, failed account/PERMISSION_DENIED charged "0", asked 1 times
    no model: exit 5, failed invalid/NOT_FOUND charged "0", asked 1 times
    too fast: exit 0, failed throttled/RESOURCE_EXHAUSTED charged "0", asked 2 times
    internal: exit 0, failed transient/INTERNAL charged "0", asked 2 times
    overloaded: exit 0, failed transient/UNAVAILABLE charged "0", asked 2 times
    nobody knows: exit 7, in-doubt ambiguous/502 charged "", asked 1 times
    "#);
}

#[test]
fn a_wait_that_stands_in_the_body_is_kept() {
    let details = json!([{ "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.2s" }]);
    let counter = one(gemini().fault("generateContent", 1, Misdeed::Answer(error(429, "RESOURCE_EXHAUSTED", "quota", details))));
    counter.run(0);
    counter.shop.agrees("one");
    let at: Vec<std::time::Instant> = counter.shop.server.requests().iter().map(|request| request.at).collect();
    assert!(at.len() == 2 && at[1] - at[0] >= Duration::from_millis(1200), "{:?}", at[1] - at[0]);
}

#[test]
fn a_lost_answer_that_held_a_picture_is_in_doubt() {
    for misdeed in [Misdeed::DropAfter, Misdeed::Truncate(300), Misdeed::Garble] {
        let counter = one(gemini().fault("generateContent", 1, misdeed.clone()));
        counter.run(7);
        counter.run(7);
        assert_eq!(counter.shop.server.asked("generateContent"), 1, "{misdeed:?}");
    }
}
