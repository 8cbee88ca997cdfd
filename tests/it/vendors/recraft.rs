//! Recraft: addresses, units in the answer, tools that take forms.

use serde_json::json;

use super::{Counter, first_answered};
use crate::loopback::recraft::Recraft;
use crate::loopback::{LoopbackScript, Misdeed, Reply};

const ALL: &str = r#"
callsheet: 1
campaign: craft
provider: recraft
steps:
  draft: { generate: { prompt: "a red cup, {\"json\": true}", model: recraft-v4.1, aspect: "4:5" } }
  fine: { generate: { prompt: "a blue cup", model: recraft-v4-pro } }
  cut: { remove-background: { image: draft, model: recraft-remove-background } }
  crisp: { upscale: { image: cut, model: recraft-crisp-upscale } }
  large: { upscale: { image: fine, model: recraft-creative-upscale } }
budget: { cap: 1000 }
"#;

const ONE: &str = r#"
callsheet: 1
campaign: one
provider: recraft
steps: { draft: { generate: { prompt: "a red cup", model: recraft-v4.1-flash } } }
run: { attempts: 1 }
"#;

fn at(campaign: &str, script: LoopbackScript) -> Counter {
    Counter::new("recraft", "/v1", campaign, script)
}

fn one(script: LoopbackScript) -> Counter {
    at(ONE, script)
}

fn recraft() -> LoopbackScript {
    LoopbackScript::of(Recraft::default())
}

#[test]
fn pictures_and_tools_are_asked_for_as_documented_and_cost_the_units_that_are_told() {
    let counter = at(ALL, recraft());
    counter.run(0);
    counter.shop.agrees("craft");
    let mut asked: Vec<String> = counter
        .shop
        .server
        .requests()
        .iter()
        .filter(|request| request.method == "POST")
        .map(|request| match request.form() {
            Some(parts) => format!("{} {}", request.path, parts.iter().map(|part| part.name.clone()).collect::<Vec<_>>().join(", ")),
            None => format!("{} {}", request.path, request.json()),
        })
        .collect();
    asked.sort();
    insta::assert_snapshot!(asked.join("\n"), @r#"
    /v1/images/creativeUpscale image, response_format
    /v1/images/crispUpscale image, response_format
    /v1/images/generations {"model":"recraftv4_1","n":1,"prompt":"a red cup, {\"json\": true}","response_format":"url","size":"4:5"}
    /v1/images/generations {"model":"recraftv4_pro","n":1,"prompt":"a blue cup","response_format":"url","size":"1:1"}
    /v1/images/removeBackground image, response_format
    "#);
    assert_eq!(counter.shop.server.charges(), (35 + 250 + 10 + 4 + 250) * 1_000_000);
}

#[test]
fn further_pictures_are_paid_and_the_first_is_kept() {
    let counter = one(LoopbackScript::of(Recraft { extra: 2, ..Recraft::default() }));
    counter.run(0);
    counter.shop.agrees("one");
    assert_eq!(counter.row("one")["charged"], "21");
}

#[test]
fn every_error_ends_as_it_should() {
    let said = |status, code: &str, message: &str| Reply::json(status, &json!({ "code": code, "message": message }));
    let told = first_answered(
        one,
        recraft,
        "/generations",
        vec![
            ("bad field", said(400, "bad_request", "unknown model"), 5),
            ("refused", said(400, "bad_request", "the prompt is not allowed: NSFW"), 5),
            ("bad key", said(401, "unauthorized", "invalid token"), 8),
            ("no units", said(402, "not_enough_credits", "no units"), 8),
            ("too fast", said(429, "rate_limit", "slow down").header("retry-after", "0"), 0),
            ("server", said(500, "internal", "oh"), 7),
        ],
    );
    insta::assert_snapshot!(told, @r#"
    bad field: exit 5, failed invalid/bad_request charged "0", asked 1 times
    refused: exit 5, failed refused/bad_request charged "7", asked 1 times
    bad key: exit 8, failed account/unauthorized charged "0", asked 1 times
    no units: exit 8, failed account/not_enough_credits charged "0", asked 1 times
    too fast: exit 0, failed throttled/rate_limit charged "0", asked 2 times
    server: exit 7, in-doubt ambiguous/internal charged "", asked 1 times
    "#);
}

#[test]
fn a_lost_download_is_repeated_without_a_second_purchase() {
    let counter = one(recraft().fault("/files/", 1, Misdeed::Truncate(50)));
    counter.run(0);
    counter.shop.agrees("one");
    assert_eq!((counter.shop.server.asked("/generations"), counter.shop.server.asked("/files/")), (1, 2));
}
