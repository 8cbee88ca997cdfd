//! The HTTP engine alone, against answers and addresses that mean no good.

use std::sync::Arc;
use std::time::{Duration, Instant};

use callsheet::catalog::builtin::book;
use callsheet::provider::http::HttpProvider;
use callsheet::provider::http::protocol::Origin;
use callsheet::provider::manifest::{Manifest, builtin_text};
use callsheet::provider::{PictureSource, Polled, Provider, ResultRef, Shot, Slate, Submitted};
use callsheet::types::{
    Action, AttemptNo, Billed, BlobRef, Digest, Failure, FailureClass, IdempotencyKey, JobKey, Paid, PixelSize, Ratio, Secret, Settings, TaskId,
};
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use crate::loopback::kie::{Kie, code};
use crate::loopback::openai::OpenAi;
use crate::loopback::{Api, KEY, Loopback, LoopbackScript, Misdeed, Reply};

/// No shot here has an input.
struct NoPictures;

impl PictureSource for NoPictures {
    fn open(&self, _: BlobRef) -> BoxFuture<'_, Result<Vec<u8>, Failure>> {
        Box::pin(async { Err(Failure::new(FailureClass::Local, "none", "no picture goes along")) })
    }
}

fn shot(provider: &str) -> Shot {
    shot_of(provider, "gpt-image-2")
}

/// A picture of a cup by this model.
pub fn shot_of(provider: &str, model: &str) -> Shot {
    let settings = Settings { aspect: Some(Ratio::new(1, 1)), resolution: Some("1K".into()), ..Settings::default() };
    let quality = (provider == "openai").then(|| "medium".into());
    let settings = Settings { quality, ..settings };
    Shot {
        key: JobKey(Digest::of(b"a shot of the test")),
        attempt: AttemptNo(1),
        idempotency_key: IdempotencyKey::new("once"),
        paid: Arc::new(Paid { provider: provider.into(), model: model.into(), action: Action::Generate, settings }),
        prompt: "a cup".into(),
        inputs: Vec::new(),
        output: PixelSize::new(1024, 1024),
        slate: Slate { campaign: String::new(), step: String::new(), axes: Vec::new(), take: None, subject: String::new() },
        pictures: Arc::new(NoPictures),
    }
}

/// Speaks to `url` as the built-in manifest says, but does not wait for long.
pub fn speaker(provider: &str, url: &str) -> HttpProvider {
    let text = builtin_text(provider).expect("a built-in manifest");
    let text = text.replace("timeout: 100s", "timeout: 400ms").replace("timeout: 30s", "timeout: 400ms").replace("timeout: 9m", "timeout: 400ms");
    let manifest = Manifest::parse(&text).expect("a manifest");
    let version = if provider == "openai" { "/v1" } else { "" };
    let own: Origin = format!("{url}{version}").parse().expect("an address");
    HttpProvider::new(&manifest, book(provider).expect("a built-in book"), Secret::new(KEY.to_owned()), Some(own)).expect("it can be spoken to")
}

pub fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts").block_on(work)
}

fn submitted(provider: &str, url: &str) -> Result<Submitted, Failure> {
    wait(async {
        match speaker(provider, url).submit(&shot(provider)).await? {
            Submitted::Arriving { mut bytes, verdict } => {
                let mut picture = Vec::new();
                while let Some(piece) = bytes.next().await {
                    picture.extend(piece?);
                }
                let charged = verdict.await.expect("it is told before the end")?;
                Ok(Submitted::Picture { bytes: Box::pin(futures_util::stream::once(async move { Ok(picture) })), charged })
            }
            other => Ok(other),
        }
    })
}

fn failed(answer: Result<Submitted, Failure>) -> Failure {
    match answer {
        Err(failure) => failure,
        Ok(Submitted::Task(task)) => panic!("accepted as {task}"),
        Ok(Submitted::Picture { .. } | Submitted::Arriving { .. }) => panic!("accepted with a picture"),
    }
}

fn polled(url: &str) -> Result<Polled, Failure> {
    wait(async { speaker("kie", url).poll(&shot("kie"), &TaskId::new("0")).await })
}

/// Fetches a picture and returns how many bytes came.
fn fetched(url: &str, address: &str) -> Result<usize, Failure> {
    wait(async {
        let mut stream = speaker("kie", url).fetch(&shot("kie"), &TaskId::new("0"), &ResultRef(address.to_owned())).await?;
        let mut taken = 0;
        while let Some(chunk) = stream.next().await {
            taken += chunk?.len();
        }
        Ok(taken)
    })
}

fn answering(api: impl Api, path: &str, reply: Reply) -> Loopback {
    Loopback::start(LoopbackScript::of(api).always(path, Misdeed::Answer(reply)))
}

#[test]
fn a_connection_that_never_was_is_no_doubt() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port is free");
    for provider in ["kie", "openai"] {
        let failure = failed(submitted(provider, &format!("http://{free}")));
        assert_eq!((failure.class, failure.billed), (FailureClass::Transient, Billed::No), "{failure:?}");
    }
}

#[test]
fn a_request_that_may_have_been_read_is_in_doubt() {
    // The last two break off in the middle of a picture that comes in the answer.
    let broken = [Misdeed::Truncate(30), Misdeed::Truncate(4000), Misdeed::Reset(4000)];
    for misdeed in [Misdeed::Hang, Misdeed::DropBefore, Misdeed::DropAfter, Misdeed::Garble].into_iter().chain(broken) {
        let is_late = matches!(misdeed, Misdeed::Truncate(4000) | Misdeed::Reset(4000));
        for (provider, server) in [("kie", LoopbackScript::of(Kie::default())), ("openai", LoopbackScript::of(OpenAi::default()))] {
            if is_late && provider == "kie" {
                continue;
            }
            let server = Loopback::start(server.always("/", misdeed.clone()));
            let begun = Instant::now();
            let failure = failed(submitted(provider, &server.url));
            assert_eq!((failure.class, failure.billed), (FailureClass::Ambiguous, Billed::Maybe), "{provider} {misdeed:?}: {failure:?}");
            assert!(begun.elapsed() < Duration::from_secs(20));
            assert_eq!(server.requests().len(), 1, "{provider} {misdeed:?}: sent once");
        }
    }
}

#[test]
fn a_paid_request_is_not_carried_elsewhere_by_a_redirect() {
    let canary = Loopback::start(LoopbackScript::of(Kie::default()));
    for status in [301, 302, 307, 308] {
        let reply = Reply::status(status).header("location", &format!("{}/api/v1/jobs/createTask", canary.url));
        let server = answering(Kie::default(), "createTask", reply);
        assert_eq!(failed(submitted("kie", &server.url)).class, FailureClass::Ambiguous, "{status}");
    }
    assert_eq!(canary.requests().len(), 0, "the key and the prompt stay here");
}

/// Answers that no provider should give.
pub fn nonsense() -> Vec<Reply> {
    let json = |body: Value| Reply::json(200, &body);
    let raw = |body: Vec<u8>| Reply::bytes("application/json", body);
    let deep = [b"[".repeat(200_000), b"]".repeat(200_000)].concat();
    vec![
        json(json!(null)),
        json(json!(7)),
        json(json!([])),
        json(json!({})),
        json(json!({ "code": 200 })),
        json(json!({ "code": 200, "data": null })),
        json(json!({ "code": 200, "data": [] })),
        json(json!({ "code": 200, "data": { "taskId": null } })),
        json(json!({ "code": 200, "data": { "taskId": "" } })),
        json(json!({ "code": 200, "data": { "taskId": { "a": 1 } } })),
        json(json!({ "code": 200, "data": { "taskId": "a\nb" } })),
        json(json!({ "code": 200, "data": { "taskId": "x".repeat(100_000) } })),
        json(json!({ "data": [{ "b64_json": 7 }] })),
        json(json!({ "data": [{ "b64_json": "%%%" }] })),
        json(json!({ "data": [] })),
        raw(Vec::new()),
        raw(b"\xff\xfe{".to_vec()),
        raw(b"{\"code\":200,\"data\":{\"taskId\":NaN}}".to_vec()),
        raw(b"<html><body>502 Bad Gateway</body></html>".to_vec()),
        raw(deep),
    ]
}

#[test]
fn nonsense_after_a_paid_request_is_in_doubt_and_never_a_panic() {
    for reply in nonsense() {
        let body = String::from_utf8_lossy(&reply.body).chars().take(60).collect::<String>();
        for provider in ["kie", "openai"] {
            let server = match provider {
                "kie" => answering(Kie::default(), "createTask", reply.clone()),
                _ => answering(OpenAi::default(), "/generations", reply.clone()),
            };
            let failure = failed(submitted(provider, &server.url));
            assert_eq!((failure.class, failure.billed), (FailureClass::Ambiguous, Billed::Maybe), "{provider} {body}: {failure:?}");
        }
    }
}

#[test]
fn nonsense_about_a_task_loses_nothing() {
    for reply in nonsense() {
        let body = String::from_utf8_lossy(&reply.body).chars().take(60).collect::<String>();
        let server = answering(Kie::default(), "recordInfo", reply);
        match polled(&server.url) {
            Ok(Polled::Running) => {}
            Err(failure) => assert_eq!(failure.class, FailureClass::Transient, "{body}: {failure:?}"),
            Ok(other) => panic!("{body}: {other:?}"),
        }
    }
    let data = |data: Value| answering(Kie::default(), "recordInfo", Reply::json(200, &json!({ "code": 200, "data": data })));
    for results in [json!(""), json!("{"), json!("[]"), json!("{\"resultUrls\":[]}"), json!("{\"resultUrls\":7}"), json!(7), json!(null)] {
        let server = data(json!({ "state": "success", "resultJson": results, "creditsConsumed": "six" }));
        assert_eq!(polled(&server.url), Ok(Polled::Ready { results: Vec::new(), charged: None }), "{results}");
    }
    for (consumed, charged) in [
        (json!(6.0), Some(6_000_000)),
        (json!(0.8), Some(800_000)),
        (json!("3.5"), Some(3_500_000)),
        (json!(-6), None),
        (json!(1e300), None),
        // What is finer than a millionth is rounded up, and never to nothing.
        (json!(0.000_000_1), Some(1)),
    ] {
        let server = data(json!({ "state": "success", "resultJson": "{\"resultUrls\":[\"u\"]}", "creditsConsumed": consumed }));
        let Ok(Polled::Ready { results, charged: found }) = polled(&server.url) else { panic!("{consumed}") };
        assert_eq!((results.len(), found.map(|micros| micros.get())), (1, charged), "{consumed}");
    }
}

#[test]
fn an_endless_answer_is_not_read_to_its_end() {
    let server = answering(Kie::default(), "/", Reply::bytes("application/json", vec![b' '; 3 << 20]));
    let failure = failed(submitted("kie", &server.url));
    assert_eq!((failure.class, failure.message.contains("larger than 1 MB")), (FailureClass::Ambiguous, true), "{failure:?}");
    assert_eq!(polled(&server.url).expect_err("too large").class, FailureClass::Transient);
}

#[test]
fn pictures_are_fetched_only_from_where_it_is_safe() {
    let server = Loopback::start(LoopbackScript::of(Kie::default()));
    let canary = Loopback::start(LoopbackScript::of(Kie::default()));
    let port = canary.url.rsplit(':').next().unwrap_or_default().to_owned();
    let addresses = [
        format!("{}/result/0.png", canary.url),
        format!("https://127.0.0.1:{port}/result/0.png"),
        format!("https://localhost:{port}/result/0.png"),
        format!("https://[::1]:{port}/x"),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "file:///etc/passwd".to_owned(),
        "data:image/png;base64,AAAA".to_owned(),
        "ftp://example.com/x".to_owned(),
        "not an address".to_owned(),
        String::new(),
        format!("https://example.com/{}", "x".repeat(10_000)),
    ];
    for address in addresses {
        let failure = fetched(&server.url, &address).expect_err("nothing is fetched");
        assert!(matches!(failure.class, FailureClass::BadResult | FailureClass::Transient), "{address}: {failure:?}");
    }
    assert_eq!(canary.requests().len(), 0, "the canary was asked");
}

#[test]
fn redirects_of_a_picture_end_after_three() {
    let round = answering(Kie::default(), "/round", Reply::redirect("/round"));
    let failure = fetched(&round.url, &format!("{}/round", round.url)).expect_err("a loop");
    assert!(failure.message.contains("more than 3 redirects"), "{failure:?}");
    assert_eq!(round.asked("/round"), 4);

    let out = answering(Kie::default(), "/out", Reply::redirect("file:///etc/passwd"));
    assert!(fetched(&out.url, &format!("{}/out", out.url)).expect_err("a file").message.contains("only https is followed"));

    let hop = Loopback::start(
        LoopbackScript::of(Kie::default())
            .always("/hop", Misdeed::Answer(Reply::redirect("/there.png")))
            .always("/there", Misdeed::Answer(Reply::bytes("image/png", vec![7; 5000]))),
    );
    assert_eq!(fetched(&hop.url, &format!("{}/hop", hop.url)), Ok(5000));
    assert!(hop.requests().iter().all(|request| request.header("authorization").is_none()), "the key goes to the API alone");
}

#[test]
fn the_balance_is_asked_for_and_read_as_it_is_written() {
    let server = Loopback::start(LoopbackScript::of(Kie::default()));
    let balance = wait(async { speaker("kie", &server.url).balance().await }).expect("it answers");
    assert_eq!(balance.map(|amount| amount.to_string()).as_deref(), Some("5916.25 credits"));
    let broke = answering(Kie::default(), "credit", code(401, "no"));
    assert_eq!(wait(async { speaker("kie", &broke.url).balance().await }).expect_err("a bad key").class, FailureClass::Account);
    let openai = Loopback::start(LoopbackScript::of(OpenAi::default()));
    assert_eq!(wait(async { speaker("openai", &openai.url).balance().await }), Ok(None), "it has no such call");
    assert_eq!(openai.requests().len(), 0);
}

#[test]
fn a_slow_answer_is_waited_for_as_long_as_the_manifest_says() {
    let slow = |millis| Loopback::start(LoopbackScript::of(Kie::default()).always("createTask", Misdeed::Delay(Duration::from_millis(millis))));
    let (patient, late) = (slow(100), slow(2000));
    assert!(matches!(submitted("kie", &patient.url), Ok(Submitted::Task(_))));
    let failure = failed(submitted("kie", &late.url));
    assert_eq!((failure.class, failure.code.as_str()), (FailureClass::Ambiguous, "timeout"));
}

#[test]
fn many_submits_at_once_are_as_many_requests() {
    let server = Loopback::start(LoopbackScript::of(Kie::default()));
    let speaker = speaker("kie", &server.url);
    let shots: Vec<Shot> = (0..20).map(|_| shot("kie")).collect();
    let accepted =
        wait(stream::iter(&shots).map(|shot| speaker.submit(shot)).buffer_unordered(20).filter(|answer| std::future::ready(answer.is_ok())).count());
    assert_eq!((accepted, server.asked("createTask")), (20, 20));
}
