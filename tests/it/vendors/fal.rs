//! fal.ai: the queue, its addresses, its result, its units.

use super::{Case, shop, told};
use crate::loopback::fal::{End, Fal, detail};
use crate::loopback::{LoopbackScript, Misdeed, Reply};
use serde_json::json;

const ONE: &str = r#"
callsheet: 1
campaign: one
provider: fast.yaml
defaults: { model: flux-dev, aspect: "1:1", resolution: 1K, format: png }
steps:
  draft: { generate: { prompt: "a red cup" } }
budget: { cap: "USD 2" }
run: { attempts: 1 }
"#;

/// Every model, and pictures that go along.
const ALL: &str = r#"
callsheet: 1
campaign: all
provider: fast.yaml
defaults: { model: nano-banana-2, aspect: "4:5", resolution: 2K, format: png }
steps:
  draft: { generate: { prompt: "a red cup" } }
  second: { generate: { prompt: "a blue cup", model: flux-dev, seed: 7 } }
  third: { generate: { prompt: "a grey cup", model: gpt-image-1.5, aspect: "3:2", quality: low } }
  both: { edit: { image: draft, images: [second], prompt: "both cups" } }
  warm: { edit: { image: both, images: [draft, second], prompt: "in evening light", model: imagineart-2.0, aspect: "1:1" } }
budget: { cap: "USD 2" }
"#;

fn fal() -> LoopbackScript {
    LoopbackScript::of(Fal::default())
}

fn ending(end: End) -> LoopbackScript {
    LoopbackScript::of(Fal { ends: vec![end], ..Fal::default() })
}

fn first(reply: Reply) -> LoopbackScript {
    fal().fault("/fal-ai/flux/dev", 1, Misdeed::Answer(reply))
}

#[test]
fn every_request_is_sent_as_the_documents_say() {
    let campaign = ALL.replace(", aspect: \"1:1\" } }", " } }").replace("resolution: 2K, format: png", "resolution: 2K");
    let shop = shop("fal", &campaign, fal());
    shop.run(&["--allow-unpriced"], 0);
    assert_eq!(shop.server.books().violations, [""; 0]);
    let mut asked: Vec<String> = shop
        .server
        .requests()
        .iter()
        .filter(|request| request.method == "POST" && !request.path.contains("upload"))
        .map(|request| {
            let mut body = request.json();
            if let Some(urls) = body["image_urls"].as_array() {
                body["image_urls"] = json!(format!("{} addresses", urls.len()));
            }
            format!("{} {body}", request.path)
        })
        .collect();
    asked.sort();
    insta::assert_snapshot!(asked.join("\n"), @r#"
    /fal-ai/flux/dev {"image_size":{"height":2320,"width":1856},"num_images":1,"prompt":"a blue cup","seed":7}
    /fal-ai/gpt-image-1.5 {"image_size":"1536x1024","num_images":1,"prompt":"a grey cup","quality":"low"}
    /fal-ai/nano-banana-2 {"aspect_ratio":"4:5","num_images":1,"prompt":"a red cup","resolution":"2K"}
    /fal-ai/nano-banana-2/edit {"aspect_ratio":"4:5","image_urls":"2 addresses","num_images":1,"prompt":"both cups","resolution":"2K"}
    /imagineart/imagineart-2.0-edit-preview/image-to-image {"aspect_ratio":"4:5","image_urls":"3 addresses","prompt":"in evening light"}
    "#);
    assert_eq!((shop.server.asked("/upload/initiate"), shop.server.asked("/put/")), (3, 3), "each picture is handed over once");
}

#[test]
fn units_that_were_billed_become_dollars() {
    for (units, tells_units, charged) in [(None, true, "0.025"), (Some(750_000), true, "0.01875"), (None, false, "0.025")] {
        let shop = shop("fal", ONE, LoopbackScript::of(Fal { units, tells_units, running: 3, ..Fal::default() }));
        shop.run(&[], 0);
        shop.agrees("one");
        assert_eq!(shop.rows("one")[0]["charged"], charged);
        assert_eq!(shop.server.asked("/status"), 4);
    }
}

#[test]
fn of_several_pictures_the_first_is_taken() {
    let shop = shop("fal", ONE, ending(End::Pictures(3)));
    shop.run(&[], 0);
    shop.agrees("one");
    assert_eq!((shop.server.asked("/files/"), shop.desk.files("out/one").iter().filter(|file| file.ends_with(".png")).count()), (1, 1));
}

#[test]
fn every_documented_outcome_has_its_class_and_its_charge() {
    let policy =
        || detail(422, "content_policy_violation", "The content could not be processed because it contained material flagged by a content checker.");
    let fault = |status: u16, retryable: &str| detail(status, "internal_server_error", "Internal server error").header("X-Fal-Retryable", retryable);
    let case = |name, script, exit, open| Case { name, script, exit, open };
    let cases = vec![
        case("no key", first(Reply::json(401, &json!({ "detail": "Authentication is required" }))), 8, 0),
        case("no balance", first(Reply::json(403, &json!({ "detail": "User is locked. Reason: TOP_UP" }))), 8, 0),
        case("too many", first(Reply::json(429, &json!({ "detail": "Too many requests, retry in 50ms" }))), 0, 0),
        case("malformed", first(detail(422, "value_error", "bad size")), 5, 0),
        case("refused at once", first(policy()), 5, 25_000),
        case("server at submit", first(Reply::status(500)), 7, 0),
        case("refused in the result", ending(End::Instead(policy(), 0)), 5, 25_000),
        case("refused in a good answer", ending(End::Instead(Reply { status: 200, ..policy() }, 25_000)), 5, 0),
        case("detail in a good answer", ending(End::Instead(Reply::json(200, &json!({ "detail": "something broke" })), 25_000)), 5, 0),
        case("malformed in the result", ending(End::Instead(detail(422, "image_too_small", "too small"), 0)), 5, 25_000),
        case("server in the result, may be retried", ending(End::Instead(fault(500, "true"), 0)), 5, 0),
        case("server in the result, may not", ending(End::Instead(fault(504, "false"), 0)), 5, 0),
        case(
            "gateway before the result",
            fal().fault("/requests/00000000-0000-4000-8000-000000000000", 3, Misdeed::Answer(Reply::status(502))),
            0,
            0,
        ),
        case("gateway before the status", fal().faults("/status", 1..=2, Misdeed::Answer(Reply::status(503))), 0, 0),
    ];
    insta::assert_snapshot!(told("fal", ONE, "/fal-ai/flux/dev", cases), @r#"
    no key: exit 8, 1 submits: failed account/401 quoted 0.025 charged "0"
    no balance: exit 8, 1 submits: failed account/403 quoted 0.025 charged "0"
    too many: exit 0, 2 submits: failed throttled/429 quoted 0.025 charged "0" | done  quoted 0.025 charged "0.025"
    malformed: exit 5, 1 submits: failed invalid/value_error quoted 0.025 charged "0"
    refused at once: exit 5, 1 submits: failed refused/content_policy_violation quoted 0.025 charged "0.025"
    server at submit: exit 7, 1 submits: in-doubt ambiguous/500 quoted 0.025 charged ""
    refused in the result: exit 5, 1 submits: failed refused/content_policy_violation quoted 0.025 charged "0.025"
    refused in a good answer: exit 5, 1 submits: failed refused/content_policy_violation quoted 0.025 charged "0.025"
    detail in a good answer: exit 5, 1 submits: failed failed/200 quoted 0.025 charged "0.025"
    malformed in the result: exit 5, 1 submits: failed invalid/image_too_small quoted 0.025 charged "0.025"
    server in the result, may be retried: exit 5, 1 submits: failed failed/internal_server_error quoted 0.025 charged "0"
    server in the result, may not: exit 5, 1 submits: failed invalid/internal_server_error quoted 0.025 charged "0"
    gateway before the result: exit 0, 1 submits: done  quoted 0.025 charged "0.025"
    gateway before the status: exit 0, 1 submits: done  quoted 0.025 charged "0.025"
    "#);
}

#[test]
fn what_may_be_retried_is_bought_again_within_the_attempts_and_what_may_not_is_not() {
    for (retryable, exit, submits) in [("true", 0, 2), ("false", 5, 1)] {
        let reply = detail(500, "internal_server_error", "tired").header("X-Fal-Retryable", retryable);
        let shop = shop("fal", &ONE.replace("attempts: 1", "attempts: 3"), ending(End::Instead(reply, 0)));
        shop.run(&[], exit);
        shop.agrees("one");
        assert_eq!(shop.server.asked("/fal-ai/flux/dev"), submits);
    }
}

#[test]
fn a_result_without_pictures_was_paid_for_and_is_kept_for_a_later_run() {
    let shop = shop("fal", ONE, ending(End::Pictures(0)));
    let told = shop.run(&[], 5);
    assert!(told.err.contains("names no picture"), "{}", told.all());
    assert_eq!(shop.committed("one"), shop.server.charges());
    assert_eq!(shop.server.asked("/fal-ai/flux/dev"), 1);
}

#[test]
fn a_later_run_asks_where_the_answer_to_the_submit_has_said() {
    let shop = shop("fal", ONE, fal().always("/status", Misdeed::Answer(Reply::status(503))));
    shop.run(&["-q"], 5);
    shop.server.mend();
    shop.run(&[], 0);
    shop.agrees("one");
    let row = &shop.rows("one")[0];
    assert_eq!((shop.server.asked("/fal-ai/flux/dev"), row["task_id"].as_str()), (1, "00000000-0000-4000-8000-000000000000"));
}

#[test]
fn the_key_is_sent_to_no_host_that_the_manifest_does_not_name() {
    for queue in [
        "https://queue.fal.run.example.org",
        "https://example.org",
        "http://queue.fal.run",
        "https://queue.fal.run:8443",
        "https://key@queue.fal.run",
    ] {
        let shop = shop("fal", ONE, LoopbackScript::of(Fal { queue, ..Fal::default() }));
        let told = shop.run(&[], 7);
        assert!(told.err.contains("cannot be asked after"), "{}", told.all());
        assert_eq!((shop.server.requests().len(), shop.committed("one")), (1, 25_000), "{queue}: nobody else is asked, and the money is held");
    }
}

#[test]
fn a_file_that_cannot_be_put_costs_nothing_and_is_put_again() {
    let campaign = ALL.replace(", aspect: \"1:1\" } }", " } }").replace("resolution: 2K, format: png", "resolution: 2K");
    for (path, misdeed) in
        [("/upload/initiate", Misdeed::Answer(Reply::status(503))), ("/put/", Misdeed::DropBefore), ("/put/", Misdeed::Answer(Reply::status(500)))]
    {
        let shop = shop("fal", &campaign, fal().fault(path, 1, misdeed));
        shop.run(&["--allow-unpriced"], 0);
        assert_eq!((shop.server.books().violations, shop.server.books().accepted.len()), (Vec::<String>::new(), 5), "{path}");
    }
}
