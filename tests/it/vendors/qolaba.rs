//! Qolaba: a task whose states nobody has published.

use super::{Case, shop, told};
use crate::loopback::qolaba::Qolaba;
use crate::loopback::{LoopbackScript, Misdeed, Reply};
use serde_json::json;

const ONE: &str = r#"
callsheet: 1
campaign: one
provider: fast.yaml
defaults: { model: nano-banana, aspect: "4:5" }
steps:
  draft: { generate: { prompt: "a red cup" } }
budget: { cap: 100 }
run: { attempts: 1 }
"#;

fn qolaba() -> LoopbackScript {
    LoopbackScript::of(Qolaba { running: 2, ..Qolaba::default() })
}

fn first(reply: Reply) -> LoopbackScript {
    qolaba().fault("/images/generate", 1, Misdeed::Answer(reply))
}

#[test]
fn a_picture_is_bought_as_the_page_says_and_costs_what_the_answer_says() {
    for (below, price, charged) in [(None, None, "6"), (Some("result"), None, "6"), (Some("data"), Some(7_500_000), "7.5")] {
        let shop = shop("qolaba", ONE, LoopbackScript::of(Qolaba { running: 2, below, price, ..Qolaba::default() }));
        shop.run(&[], 0);
        shop.agrees("one");
        assert_eq!((shop.rows("one")[0]["charged"].as_str(), shop.server.asked("/tasks/")), (charged, 3));
        let post = shop.server.requests().into_iter().find(|request| request.method == "POST").expect("it was asked for");
        assert_eq!(post.json(), json!({ "model": "vertex/nano-banana-flash", "prompt": "a red cup", "aspect_ratio": "4:5", "celery": true }));
    }
}

#[test]
fn of_several_pictures_the_first_is_taken() {
    let shop = shop("qolaba", ONE, LoopbackScript::of(Qolaba { pictures: Some(3), ..Qolaba::default() }));
    shop.run(&[], 0);
    shop.agrees("one");
    assert_eq!(shop.server.asked("/files/"), 1);
}

#[test]
fn a_task_that_never_names_a_picture_is_kept_and_not_bought_again() {
    let shop = shop("qolaba", ONE, LoopbackScript::of(Qolaba { pictures: Some(0), ..Qolaba::default() }));
    shop.run(&["-q"], 5);
    shop.run(&["-q"], 5);
    assert_eq!((shop.server.asked("/images/generate"), shop.committed("one")), (1, 6_000_000));
}

#[test]
fn every_outcome_has_its_class_and_its_charge() {
    let case = |name, script, exit, open| Case { name, script, exit, open };
    let said = |status: u16| Reply::json(status, &json!({ "detail": "no" }));
    let cases = vec![
        case("bad key", first(said(401)), 8, 0),
        case("no credits", first(said(402)), 8, 0),
        case("malformed", first(said(422)), 5, 0),
        case("too many", first(said(429).header("retry-after", "0")), 0, 0),
        case("server", first(said(500)), 7, 0),
        case("gateway in between", qolaba().faults("/tasks/", 1..=2, Misdeed::Answer(said(502))), 0, 0),
        case("fresh and not found", qolaba().faults("/tasks/", 1..=2, Misdeed::Answer(said(404))), 0, 0),
    ];
    insta::assert_snapshot!(told("qolaba", ONE, "/images/generate", cases), @r#"
    bad key: exit 8, 1 submits: failed account/401 quoted 6 charged "0"
    no credits: exit 8, 1 submits: failed account/402 quoted 6 charged "0"
    malformed: exit 5, 1 submits: failed invalid/422 quoted 6 charged "0"
    too many: exit 0, 2 submits: failed throttled/429 quoted 6 charged "0" | done  quoted 6 charged "6"
    server: exit 7, 1 submits: in-doubt ambiguous/500 quoted 6 charged ""
    gateway in between: exit 0, 1 submits: done  quoted 6 charged "6"
    fresh and not found: exit 0, 1 submits: done  quoted 6 charged "6"
    "#);
}
