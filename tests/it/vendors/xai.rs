//! xAI: the answer is an address, the cost is counted in ticks.

use serde_json::json;

use super::{Counter, first_answered};
use crate::loopback::xai::{Xai, sentence};
use crate::loopback::{LoopbackScript, Misdeed, Reply};

const CHAIN: &str = r#"
callsheet: 1
campaign: grok
provider: xai
defaults: { model: grok-imagine }
steps:
  draft: { generate: { prompt: "a red cup, {\"json\": true}", aspect: "16:9" } }
  evening: { edit: { image: draft, prompt: "the cup in evening light" } }
budget: { cap: "USD 1" }
"#;

const ONE: &str = r#"
callsheet: 1
campaign: one
provider: xai
steps: { draft: { generate: { prompt: "a red cup", model: grok-imagine } } }
run: { attempts: 1 }
"#;

fn at(campaign: &str, script: LoopbackScript) -> Counter {
    Counter::new("xai", "/v1", campaign, script)
}

fn one(script: LoopbackScript) -> Counter {
    at(ONE, script)
}

fn xai() -> LoopbackScript {
    LoopbackScript::of(Xai::default())
}

#[test]
fn a_picture_and_its_edit_are_asked_for_as_documented_and_cost_what_the_ticks_say() {
    let counter = at(CHAIN, xai());
    counter.run(0);
    counter.shop.agrees("grok");
    assert_eq!(counter.shop.server.charges(), 42_000);
    let asked: Vec<String> = counter
        .shop
        .server
        .requests()
        .iter()
        .filter(|request| request.method == "POST")
        .map(|request| {
            let mut body = request.json();
            if let Some(url) = body.pointer_mut("/image/url") {
                *url = json!(url.as_str().unwrap_or_default().chars().take(22).collect::<String>());
            }
            format!("{} {body}", request.path)
        })
        .collect();
    insta::assert_snapshot!(asked.join("\n"), @r#"
    /v1/images/generations {"aspect_ratio":"16:9","model":"grok-imagine-image","n":1,"prompt":"a red cup, {\"json\": true}","response_format":"url"}
    /v1/images/edits {"image":{"url":"data:image/png;base64,"},"model":"grok-imagine-image","n":1,"prompt":"the cup in evening light","response_format":"url"}
    "#);
    let rows = counter.shop.rows("grok");
    assert!(rows.iter().all(|row| row["status"] == "done" && row["currency"] == "USD"), "{rows:?}");
    counter.run(0);
    assert_eq!(counter.shop.server.asked("/images/"), 2, "nothing is bought twice");
}

#[test]
fn a_download_that_breaks_is_repeated_and_the_picture_is_not_bought_again() {
    for misdeed in [
        Misdeed::Truncate(100),
        Misdeed::DropBefore,
        Misdeed::Answer(Reply::status(503)),
        Misdeed::Answer(Reply::bytes("image/png", b"<html>".to_vec())),
    ] {
        let counter = one(xai().fault("/files/", 1, misdeed));
        counter.run(0);
        counter.shop.agrees("one");
        assert_eq!((counter.shop.server.asked("/generations"), counter.shop.server.asked("/files/")), (1, 2));
    }
}

#[test]
fn a_picture_that_cannot_be_fetched_now_is_fetched_by_the_next_run_for_what_the_first_one_paid() {
    for reply in [Reply::status(503), Reply::status(404)] {
        let counter = one(xai().always("/files/", Misdeed::Answer(reply)));
        let said = counter.run(5);
        assert!(said.err.contains("fetches it for nothing"), "{}", said.err);
        counter.shop.server.mend();
        counter.run(0);
        counter.shop.agrees("one");
        assert_eq!(counter.shop.server.asked("/generations"), 1, "paid once");
        assert_eq!(counter.row("one")["charged"], "0.02");
    }
}

#[test]
fn an_address_that_leads_nowhere_public_is_not_followed_and_its_key_stays_here() {
    fn elsewhere(reply: &mut Reply) {
        *reply = Reply::json(
            200,
            &json!({ "data": [{ "url": "http://169.254.169.254/latest/meta-data" }], "usage": { "cost_in_usd_ticks": 200_000_000 } }),
        );
    }
    let counter = one(xai().always("/generations", Misdeed::Rewrite(elsewhere)));
    let said = counter.run(5);
    assert!(said.err.contains("only https is followed"), "{}", said.err);
    assert_eq!(counter.shop.server.asked("/"), 1, "paid once, and fetched from nowhere");
}

#[test]
fn further_pictures_are_paid_and_the_first_is_kept() {
    let counter = one(LoopbackScript::of(Xai { extra: 1, ..Xai::default() }));
    counter.run(0);
    counter.shop.agrees("one");
    let row = counter.row("one");
    assert_eq!((row["quoted"].as_str(), row["charged"].as_str()), ("0.02", "0.04"));
}

#[test]
fn without_a_figure_the_quote_is_charged() {
    let counter = one(LoopbackScript::of(Xai { hides_cost: true, ..Xai::default() }));
    counter.run(0);
    counter.shop.agrees("one");
}

#[test]
fn an_answer_without_a_picture_costs_what_it_says_and_is_in_doubt_where_it_says_nothing() {
    let counter = one(LoopbackScript::of(Xai { empty: true, ..Xai::default() }));
    counter.run(5);
    let row = counter.row("one");
    assert_eq!((row["status"].as_str(), row["error_code"].as_str(), row["charged"].as_str()), ("failed", "failed/no-picture", "0.02"));
    assert_eq!(counter.shop.server.charges(), 20_000);

    let counter = one(LoopbackScript::of(Xai { empty: true, hides_cost: true, ..Xai::default() }));
    counter.run(7);
    assert_eq!(counter.row("one")["error_code"], "ambiguous/no-picture");
}

#[test]
fn a_lost_answer_is_held_in_doubt() {
    for misdeed in [Misdeed::DropAfter, Misdeed::DropBefore, Misdeed::Garble, Misdeed::Truncate(20)] {
        let counter = one(xai().fault("/generations", 1, misdeed.clone()));
        counter.run(7);
        counter.run(7);
        assert_eq!(counter.shop.server.asked("/generations"), 1, "{misdeed:?}");
    }
}

#[test]
fn every_error_ends_as_it_should() {
    let told = first_answered(
        one,
        xai,
        "/generations",
        vec![
            ("bad field", sentence(422, "Failed to deserialize the JSON body: unknown field \u{7}`size`"), 5),
            ("bad key", Reply::json(401, &json!({ "code": "unauthenticated", "error": "no such key" })), 8),
            ("no credits", Reply::json(402, &json!({ "error": "no credits" })), 8),
            ("too fast", Reply::json(429, &json!({ "error": "Too many requests" })).header("retry-after", "0"), 0),
            ("moderation", Reply::json(400, &json!({ "error": "Generated image rejected by content moderation." })), 5),
            ("server", Reply::json(500, &json!({ "error": { "message": "oh" } })), 7),
            ("gateway", Reply { status: 502, headers: Vec::new(), body: b"<html>Bad Gateway</html>".to_vec() }, 7),
        ],
    );
    insta::assert_snapshot!(told, @r#"
    bad field: exit 5, failed invalid/422 charged "0", asked 1 times
    bad key: exit 8, failed account/unauthenticated charged "0", asked 1 times
    no credits: exit 8, failed account/402 charged "0", asked 1 times
    too fast: exit 0, failed throttled/429 charged "0", asked 2 times
    moderation: exit 5, failed refused/400 charged "0.02", asked 1 times
    server: exit 7, in-doubt ambiguous/500 charged "", asked 1 times
    gateway: exit 7, in-doubt ambiguous/502 charged "", asked 1 times
    "#);
    let counter = one(xai().fault("/generations", 1, Misdeed::Answer(sentence(422, "unknown field `size`"))));
    assert!(counter.run(5).err.contains("unknown field `size`"), "a plain sentence is told");
}
