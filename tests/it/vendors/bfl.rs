//! Black Forest Labs: tasks in a region, moderation as a state, prices by the megapixel.

use super::{Case, shop, told};
use crate::loopback::bfl::{Bfl, Fate};
use crate::loopback::{LoopbackScript, Misdeed, Reply};
use serde_json::json;

const ONE: &str = r#"
callsheet: 1
campaign: one
provider: fast.yaml
defaults: { model: flux-2-pro, aspect: "1:1", resolution: 1K, format: png }
steps:
  draft: { generate: { prompt: "a red cup" } }
budget: { cap: 200 }
run: { attempts: 1 }
"#;

/// Every shape of request.
const ALL: &str = r#"
callsheet: 1
campaign: all
provider: fast.yaml
defaults: { model: flux-2-pro, aspect: "4:5", resolution: 1K, format: png }
steps:
  draft: { generate: { prompt: "a red cup", seed: 7 } }
  second: { generate: { prompt: "a blue cup", model: flux-2-max, aspect: "16:9", resolution: 2K } }
  older: { generate: { prompt: "a grey cup", model: flux-1.1-pro, resolution: null, aspect: "3:2" } }
  both: { edit: { image: draft, images: [second, older], prompt: "three cups", model: flux-2-flex } }
budget: { cap: 200 }
"#;

fn bfl() -> LoopbackScript {
    LoopbackScript::of(Bfl::default())
}

fn fate(fate: Fate) -> LoopbackScript {
    LoopbackScript::of(Bfl { fates: vec![fate], ..Bfl::default() })
}

fn first(reply: Reply) -> LoopbackScript {
    bfl().fault("/v1/flux-2-pro", 1, Misdeed::Answer(reply))
}

#[test]
fn every_request_is_sent_as_the_documents_say() {
    let campaign = ALL.replace(", resolution: null", "");
    let campaign = campaign.replace("resolution: 1K, format: png", "format: png");
    let shop = shop("bfl", &campaign, bfl());
    shop.run(&[], 0);
    shop.agrees("all");
    let mut asked: Vec<String> = shop
        .server
        .requests()
        .iter()
        .filter(|request| request.method == "POST")
        .map(|request| {
            let mut body = request.json();
            for (_, value) in body.as_object_mut().into_iter().flatten().filter(|(name, _)| name.contains("image")) {
                *value = json!("base64");
            }
            format!("{} {body}", request.path)
        })
        .collect();
    asked.sort();
    insta::assert_snapshot!(asked.join("\n"), @r#"
    /v1/flux-2-flex {"height":1120,"input_image":"base64","input_image_2":"base64","input_image_3":"base64","output_format":"png","prompt":"three cups","width":896}
    /v1/flux-2-max {"height":1440,"output_format":"png","prompt":"a blue cup","width":2560}
    /v1/flux-2-pro {"height":1120,"output_format":"png","prompt":"a red cup","seed":7,"width":896}
    /v1/flux-pro-1.1 {"height":832,"output_format":"png","prompt":"a grey cup","width":1248}
    "#);
}

#[test]
fn the_price_in_the_answer_to_the_submit_settles_the_try() {
    for (tells_cost, price, charged) in [(true, None, "3"), (true, Some(3_500_000), "3.5"), (false, None, "3")] {
        let shop = shop("bfl", ONE, LoopbackScript::of(Bfl { tells_cost, price, pending: 3, ..Bfl::default() }));
        shop.run(&[], 0);
        shop.agrees("one");
        assert_eq!((shop.rows("one")[0]["charged"].as_str(), shop.server.asked("get_result")), (charged, 4));
    }
}

#[test]
fn every_documented_outcome_has_its_class_and_its_charge() {
    let case = |name, script, exit, open| Case { name, script, exit, open };
    let said = |status: u16, why: &str| Reply::json(status, &json!({ "detail": why }));
    let cases = vec![
        case("bad key", first(said(403, "Not authenticated")), 8, 0),
        case("no credits", first(said(402, "Insufficient credits")), 8, 0),
        case("too many tasks", first(said(429, "More than 24 active tasks").header("retry-after", "0")), 0, 0),
        case(
            "malformed",
            first(Reply::json(422, &json!({ "detail": [{ "loc": ["body", "width"], "msg": "too small", "type": "value_error" }] }))),
            5,
            0,
        ),
        case("server", first(Reply::status(500)), 7, 0),
        case("request moderated, kept", fate(Fate::Ends("Request Moderated", 3_000_000)), 5, 0),
        case("content moderated, given back", fate(Fate::Ends("Content Moderated", 0)), 5, 3_000_000),
        case("error", fate(Fate::Ends("Error", 0)), 5, 3_000_000),
        case("failed", fate(Fate::Ends("Failed", 3_000_000)), 5, 0),
        case("fresh and not found", LoopbackScript::of(Bfl { unseen: 3, ..Bfl::default() }), 0, 0),
        case("gateway in between", bfl().faults("get_result", 1..=2, Misdeed::Answer(Reply::status(502))), 0, 0),
        case(
            "a state that nobody has documented",
            bfl().fault("get_result", 1, Misdeed::Answer(Reply::json(200, &json!({ "status": "Reticulating" })))),
            0,
            0,
        ),
    ];
    insta::assert_snapshot!(told("bfl", ONE, "/v1/flux-2-pro", cases), @r#"
    bad key: exit 8, 1 submits: failed account/403 quoted 3 charged "0"
    no credits: exit 8, 1 submits: failed account/402 quoted 3 charged "0"
    too many tasks: exit 0, 2 submits: failed throttled/429 quoted 3 charged "0" | done  quoted 3 charged "3"
    malformed: exit 5, 1 submits: failed invalid/value_error quoted 3 charged "0"
    server: exit 7, 1 submits: in-doubt ambiguous/500 quoted 3 charged ""
    request moderated, kept: exit 5, 1 submits: failed refused/Request_Moderated quoted 3 charged "3"
    content moderated, given back: exit 5, 1 submits: failed refused/Content_Moderated quoted 3 charged "3"
    error: exit 5, 1 submits: failed failed/Error quoted 3 charged "3"
    failed: exit 5, 1 submits: failed failed/Failed quoted 3 charged "3"
    fresh and not found: exit 0, 1 submits: done  quoted 3 charged "3"
    gateway in between: exit 0, 1 submits: done  quoted 3 charged "3"
    a state that nobody has documented: exit 0, 1 submits: done  quoted 3 charged "3"
    "#);
}

#[test]
fn a_task_that_is_never_found_is_in_doubt_and_not_bought_again() {
    let shop = shop("bfl", ONE, LoopbackScript::of(Bfl { unseen: u32::MAX, ..Bfl::default() }));
    let told = shop.run(&[], 7);
    assert!(told.err.contains("00000000-1111-4000-8000-000000000000") && !told.err.contains("bfl.ai"), "the task has a name: {}", told.all());
    shop.run(&[], 7);
    assert_eq!((shop.server.asked("/v1/flux-2-pro"), shop.committed("one")), (1, 3_000_000));
}

#[test]
fn a_picture_without_an_address_was_paid_for_and_is_not_bought_again() {
    let shop = shop("bfl", ONE, fate(Fate::Empty));
    shop.run(&[], 5);
    assert_eq!((shop.server.asked("/v1/flux-2-pro"), shop.committed("one")), (1, 3_000_000));
}

#[test]
fn an_address_that_has_expired_is_got_anew_by_asking_again() {
    let shop = shop("bfl", ONE, bfl().fault("/delivery/", 1, Misdeed::Answer(Reply::status(403))));
    shop.run(&[], 0);
    shop.agrees("one");
    assert_eq!((shop.server.asked("/v1/flux-2-pro"), shop.server.asked("/delivery/"), shop.server.asked("get_result")), (1, 2, 3));
}

#[test]
fn a_later_run_asks_in_the_region_where_the_task_lives() {
    let shop = shop("bfl", ONE, bfl().always("get_result", Misdeed::Answer(Reply::status(503))));
    shop.run(&["-q"], 5);
    shop.server.mend();
    shop.run(&[], 0);
    shop.agrees("one");
    assert_eq!(shop.server.asked("/v1/flux-2-pro"), 1);
}

#[test]
fn a_task_that_is_said_to_live_with_strangers_is_in_doubt_and_the_key_stays_here() {
    for region in ["https://api.eu1.bfl.ai.example.org", "https://bfl.ai", "https://api.a.b.bfl.ai", "http://api.eu1.bfl.ai", "file:///etc/passwd?"] {
        let shop = shop("bfl", ONE, LoopbackScript::of(Bfl { region, ..Bfl::default() }));
        shop.run(&[], 7);
        assert_eq!((shop.server.requests().len(), shop.committed("one")), (1, 3_000_000), "{region}");
    }
}
