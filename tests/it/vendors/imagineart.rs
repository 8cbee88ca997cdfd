//! The Imagine API: the answer is the picture, byte for byte.

use super::{Case, shop, told};
use crate::loopback::imagineart::{ImagineArt, error};
use crate::loopback::{LoopbackScript, Misdeed, Reply};

const ONE: &str = r#"
callsheet: 1
campaign: one
provider: imagineart
defaults: { model: imagine-realistic, aspect: "4:3" }
steps:
  draft: { generate: { prompt: "a red cup", seed: 7 } }
budget: { cap: 100 }
run: { attempts: 1 }
"#;

fn imagineart() -> LoopbackScript {
    LoopbackScript::of(ImagineArt)
}

fn first(reply: Reply) -> LoopbackScript {
    imagineart().fault("/image/generations", 1, Misdeed::Answer(reply))
}

#[test]
fn every_style_is_asked_for_with_a_form_as_the_documents_say() {
    for model in ["imagine-realistic", "imagine-anime", "flux-schnell", "flux-dev-fast", "flux-dev", "imagine-turbo"] {
        let shop = shop("imagineart", &ONE.replace("imagine-realistic", model), imagineart());
        shop.run(&[], 0);
        shop.agrees("one");
        let form = shop.server.requests()[0].form().expect("a form");
        let fields: Vec<String> = form.iter().map(|part| format!("{}={}", part.name, part.text())).collect();
        assert_eq!(
            fields,
            [
                "prompt=a red cup",
                &format!("style={}", if model == "imagine-turbo" { model } else { model.trim_start_matches("imagine-") }),
                "aspect_ratio=4:3",
                "seed=7"
            ]
        );
    }
}

#[test]
fn every_documented_outcome_has_its_class_and_its_charge() {
    let case = |name, script, exit| Case { name, script, exit, open: if name == "an empty picture" { 5_000_000 } else { 0 } };
    let cases = vec![
        case("no bearer", first(error(400, 1000, "No bearer token")), 8),
        case("bad key", first(error(401, 1001, "Invalid key")), 8),
        case("expired key", first(error(406, 1002, "Expired")), 8),
        case("unauthorized", first(error(401, 1208, "Unauthorized")), 8),
        case("malformed", first(error(400, 1100, "Invalid request")), 5),
        case("no tokens", first(error(402, 1101, "Payment required")), 8),
        case("too many", first(Reply::status(429).header("retry-after", "0")), 0),
        case("server", first(Reply::status(500)), 7),
        case("an empty picture", first(Reply::bytes("image/png", Vec::new())), 5),
    ];
    insta::assert_snapshot!(told("imagineart", ONE, "/image/generations", cases), @r#"
    no bearer: exit 8, 1 submits: failed account/1000 quoted 5 charged "0"
    bad key: exit 8, 1 submits: failed account/1001 quoted 5 charged "0"
    expired key: exit 8, 1 submits: failed account/1002 quoted 5 charged "0"
    unauthorized: exit 8, 1 submits: failed account/1208 quoted 5 charged "0"
    malformed: exit 5, 1 submits: failed invalid/1100 quoted 5 charged "0"
    no tokens: exit 8, 1 submits: failed account/1101 quoted 5 charged "0"
    too many: exit 0, 2 submits: failed throttled/429 quoted 5 charged "0" | done  quoted 5 charged "5"
    server: exit 7, 1 submits: in-doubt ambiguous/500 quoted 5 charged ""
    an empty picture: exit 5, 1 submits: failed bad-result/not-whole quoted 5 charged "5"
    "#);
}

#[test]
fn a_lost_picture_is_in_doubt_and_not_bought_again() {
    let shop = shop("imagineart", ONE, imagineart().fault("/image/generations", 1, Misdeed::DropAfter));
    shop.run(&[], 7);
    shop.run(&[], 7);
    assert_eq!(shop.server.asked("/image/generations"), 1);
}
