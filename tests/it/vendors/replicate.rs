//! Replicate: predictions without a price.

use super::{Case, shop, unpriced};
use crate::loopback::replicate::{Fate, Replicate, Shape, problem};
use crate::loopback::{LoopbackScript, Misdeed, Reply};
use serde_json::json;

const ONE: &str = r#"
callsheet: 1
campaign: one
provider: fast.yaml
defaults: { model: flux-schnell, aspect: "4:5", format: jpeg }
steps:
  draft: { generate: { prompt: "a red cup", seed: 7 } }
run: { attempts: 1 }
"#;

const ALL: &str = r#"
callsheet: 1
campaign: all
provider: fast.yaml
defaults: { model: flux-schnell, aspect: "4:5", format: png }
steps:
  draft: { generate: { prompt: "a red cup" } }
  second: { generate: { prompt: "a blue cup", model: flux-1.1-pro, seed: 3 } }
  third: { generate: { prompt: "a grey cup", model: nano-banana-2 } }
  both: { edit: { image: draft, images: [second, third, draft], prompt: "three cups", model: nano-banana-2 } }
"#;

fn replicate() -> LoopbackScript {
    LoopbackScript::of(Replicate { running: 2, ..Replicate::default() })
}

fn fate(fate: Fate) -> LoopbackScript {
    LoopbackScript::of(Replicate { fates: vec![fate], ..Replicate::default() })
}

fn first(reply: Reply) -> LoopbackScript {
    replicate().fault("/predictions", 1, Misdeed::Answer(reply))
}

#[test]
fn every_request_is_sent_as_the_documents_say() {
    let shop = shop("replicate", ALL, replicate());
    shop.run(&["--allow-unpriced"], 0);
    assert_eq!(shop.server.books().violations, [""; 0]);
    let posts = shop.server.requests().into_iter().filter(|request| request.method == "POST" && request.path.ends_with("/predictions"));
    let mut asked: Vec<String> = posts
        .map(|request| {
            let mut body = request.json();
            if let Some(urls) = body["input"]["image_input"].as_array() {
                body["input"]["image_input"] = json!(format!("{} addresses", urls.len()));
            }
            format!("{} {body}", request.path)
        })
        .collect();
    asked.sort();
    insta::assert_snapshot!(asked.join("\n"), @r#"
    /v1/models/black-forest-labs/flux-1.1-pro/predictions {"input":{"aspect_ratio":"4:5","output_format":"png","prompt":"a blue cup","seed":3}}
    /v1/models/black-forest-labs/flux-schnell/predictions {"input":{"aspect_ratio":"4:5","num_outputs":1,"output_format":"png","prompt":"a red cup"}}
    /v1/models/google/nano-banana-2/predictions {"input":{"aspect_ratio":"4:5","image_input":"4 addresses","output_format":"png","prompt":"three cups"}}
    /v1/models/google/nano-banana-2/predictions {"input":{"aspect_ratio":"4:5","output_format":"png","prompt":"a grey cup"}}
    "#);
    assert_eq!(shop.server.asked("/v1/files"), 3, "each picture is handed over once");
}

#[test]
fn nothing_is_sent_without_a_price_unless_somebody_says_so() {
    let shop = shop("replicate", ONE, replicate());
    let told = shop.run(&[], 4);
    assert!(told.err.contains("--allow-unpriced"), "{}", told.all());
    assert_eq!(shop.server.requests().len(), 0);
}

#[test]
fn an_output_is_found_whatever_its_shape() {
    for shape in [Shape::Text, Shape::List(1), Shape::List(4), Shape::Object] {
        let shop = shop("replicate", ONE, fate(Fate::Output(shape)));
        shop.run(&["--allow-unpriced"], 0);
        assert_eq!((shop.server.books().violations.len(), shop.server.asked("/delivery/")), (0, 1), "{shape:?}");
    }
}

#[test]
fn every_documented_outcome_has_its_class_and_its_charge() {
    let case = |name, script, exit| Case { name, script, exit, open: 0 };
    let cases = vec![
        case("bad key", first(problem(401, "You did not pass a valid authentication token")), 8),
        case("no credit", first(problem(402, "You have insufficient credit to run this model.")), 8),
        case("malformed", first(problem(422, "- input: prompt is required")), 5),
        case("no such model", first(problem(404, "The requested resource could not be found.")), 5),
        case("server", first(problem(500, "Internal server error")), 7),
        case("failed", fate(Fate::Ends("failed", "E1001: the model ran out of memory")), 5),
        case(
            "refused",
            fate(Fate::Ends("failed", "The input or output was flagged as sensitive. Please try again with different inputs. (E005)")),
            5,
        ),
        case("canceled", fate(Fate::Ends("canceled", "")), 5),
        case("aborted", fate(Fate::Ends("aborted", "")), 5),
        case("gateway in between", replicate().faults("/v1/predictions/", 1..=2, Misdeed::Answer(Reply::status(502))), 0),
    ];
    insta::assert_snapshot!(unpriced("replicate", ONE, "/models/", cases), @r#"
    bad key: exit 8, 1 submits: failed account/401 quoted "" charged "0"
    no credit: exit 8, 1 submits: failed account/402 quoted "" charged "0"
    malformed: exit 5, 1 submits: failed invalid/422 quoted "" charged "0"
    no such model: exit 5, 1 submits: failed invalid/404 quoted "" charged "0"
    server: exit 7, 1 submits: in-doubt ambiguous/500 quoted "" charged ""
    failed: exit 5, 1 submits: failed failed/failed quoted "" charged ""
    refused: exit 5, 1 submits: failed refused/failed quoted "" charged ""
    canceled: exit 5, 1 submits: failed failed/canceled quoted "" charged ""
    aborted: exit 5, 1 submits: failed failed/aborted quoted "" charged "0"
    gateway in between: exit 0, 1 submits: done  quoted "" charged ""
    "#);
}

#[test]
fn who_is_told_in_words_to_wait_waits_so_long() {
    let reply =
        problem(429, "Request was throttled. Your rate limit for creating predictions is reduced to 6 requests per minute. It resets in ~1s.");
    let shop = shop("replicate", ONE, first(reply));
    shop.run(&["--allow-unpriced"], 0);
    let at: Vec<_> = shop.server.requests().iter().filter(|request| request.path.ends_with("/predictions")).map(|request| request.at).collect();
    assert_eq!(at.len(), 2);
    assert!(at[1] - at[0] >= std::time::Duration::from_secs(1), "asked again after {:?}", at[1] - at[0]);
}

#[test]
fn an_output_that_was_deleted_is_told_as_such_and_not_bought_again() {
    let shop = shop("replicate", ONE, fate(Fate::Output(Shape::Gone)));
    let told = shop.run(&["--allow-unpriced"], 5);
    assert!(told.err.contains("names no picture"), "{}", told.all());
    assert_eq!(shop.server.asked("/models/"), 1);
}
