//! Answers that no provider should give, to each that hands its picture over at once: a classed failure, never a panic, never a second purchase.

use callsheet::provider::{Provider, Submitted};
use callsheet::types::{Failure, FailureClass};
use serde_json::{Value, json};

use crate::hostile::{nonsense, shot_of, speaker, wait};
use crate::loopback::xai::Xai;
use crate::loopback::{Loopback, LoopbackScript, Misdeed, Reply};

/// Answers in the shape of these providers, with something wrong in each.
fn shaped() -> Vec<Reply> {
    let json = |body: Value| Reply::json(200, &body);
    vec![
        json(json!({ "candidates": "none" })),
        json(json!({ "candidates": [{ "content": { "parts": [{ "inlineData": { "data": 7 } }] } }] })),
        json(json!({ "candidates": [{ "content": { "parts": [{ "inlineData": { "data": "%%%" } }] } }] })),
        json(json!({ "candidates": vec![json!([]); 5000] })),
        json(json!({ "promptFeedback": { "blockReason": ["SAFETY"] } })),
        json(json!({ "data": [{ "url": 7 }], "usage": { "cost_in_usd_ticks": -1 }, "credits": "1e9" })),
        json(json!({ "data": [{ "url": "not an address\n", "is_image_safe": { "a": 1 } }] })),
        json(json!({ "data": [{ "url": "x".repeat(9000) }] })),
        json(json!({ "image": { "url": null }, "usage": { "cost_in_usd_ticks": "9".repeat(400) } })),
        Reply::bytes("image/png", Vec::new()),
    ]
}

#[test]
fn nonsense_after_a_paid_request_is_in_doubt_or_was_paid_for_and_never_a_panic() {
    let models = [
        ("gemini", "nano-banana-2.1"),
        ("xai", "grok-imagine"),
        ("stability", "stable-image-core"),
        ("recraft", "recraft-v4"),
        ("ideogram", "ideogram-v3"),
    ];
    for reply in nonsense().into_iter().chain(shaped()) {
        let body = String::from_utf8_lossy(&reply.body).chars().take(80).collect::<String>();
        let is_picture = reply.headers.iter().any(|(_, value)| value.starts_with("image/"));
        for (provider, model) in models {
            let server = Loopback::start(LoopbackScript::of(Xai::default()).always("/", Misdeed::Answer(reply.clone())));
            let answer: Result<Submitted, Failure> = wait(async { speaker(provider, &server.url).submit(&shot_of(provider, model)).await });
            match answer {
                Err(failure) => assert_eq!(failure.class, FailureClass::Ambiguous, "{provider} {body}: {failure:?}"),
                // The engine finds that it is no whole picture, and that it was paid for.
                Ok(Submitted::Picture { .. }) => assert!(is_picture && provider == "stability", "{provider} {body}"),
                Ok(Submitted::Arriving { .. }) => panic!("{provider} {body}: a picture is coming"),
                Ok(Submitted::Task(task)) => panic!("{provider} {body}: accepted as {task}"),
            }
            assert_eq!(server.requests().len(), 1, "{provider} {body}: sent once");
        }
    }
}
