//! Real runs of the real program against a provider on this machine: what is bought, what it costs, and what is said when it goes wrong.
//!
//! After every run our ledger's sums are the server's own, to the millionth, and every file is the picture of its own request.

use std::collections::BTreeMap;
use std::time::Duration;

use callsheet::ledger::{Durability, Ledger as _, Scope, SqliteLedger};
use callsheet::provider::manifest::{builtin, builtin_text};
use callsheet::types::SystemClock;

use crate::desk::{Desk, Row, Said, said, sum};
use crate::loopback::kie::{Fate, Kie, code};
use crate::loopback::openai::{OpenAi, error};
use crate::loopback::{KEY, Loopback, LoopbackScript, Misdeed, Reply};

/// A desk, and a provider to buy from.
pub struct Shop {
    pub desk: Desk,
    pub server: Loopback,
    pub provider: &'static str,
}

/// One picture, and one that is made from it.
pub const CHAIN: &str = r#"
callsheet: 1
campaign: chain
provider: fast-kie.yaml
defaults: { model: gpt-image-2, aspect: "4:5", resolution: 1K }
axes:
  cup: { red: { title: "red cup" }, blue: { title: 'a "blue" cup' } }
steps:
  draft: { generate: { prompt: "{{ cup.title }} on a table, {\"json\": true}", over: [cup] } }
  evening: { edit: { image: draft, images: [draft], prompt: "{{ cup.title }} in evening light" } }
budget: { cap: 200 }
"#;

/// One picture.
pub const ONE: &str = r#"
callsheet: 1
campaign: one
provider: fast-kie.yaml
defaults: { model: gpt-image-2, aspect: "4:5", resolution: 1K }
steps:
  draft: { generate: { prompt: "a red cup" } }
budget: { cap: 200 }
run: { attempts: 1 }
"#;

/// Returns the built-in manifest with a curve that does not keep a test waiting.
pub fn fast(name: &str) -> String {
    let text = builtin_text(name).expect("a built-in manifest");
    let (before, after) = text.split_once("poll:\n  start: 3s\n").expect("the curve stands in the manifest");
    let (_, after) = after.split_once("  deadline: 15m\n").expect("the curve ends with its deadline");
    format!("{before}poll:\n  start: 10ms\n  steps: [{{ from: 0s, every: 20ms }}]\n  deadline: 3s\n{after}")
}

impl Shop {
    pub fn kie(campaign: &str, script: LoopbackScript) -> Self {
        let shop = Self { desk: Desk::new(), server: Loopback::start(script), provider: "kie" };
        shop.desk.write("campaigns/fast-kie.yaml", fast("kie"));
        shop.desk.write("campaigns/c.yaml", campaign);
        shop
    }

    /// Runs the campaign for money and expects this exit code.
    pub fn run(&self, words: &[&str], code: i32) -> Said {
        let said = self.say(words);
        assert_eq!(said.code, code, "{}\n{:#?}", said.all(), self.server.books());
        said
    }

    pub fn say(&self, words: &[&str]) -> Said {
        // As their own clients have it, some addresses end with the version.
        let version = match self.provider {
            "openai" => "/v1",
            "imagineart" => "/v2",
            _ => "",
        };
        let base = format!("{}={}{version}", self.provider, self.server.url);
        let mut command = self.desk.command(&[&["run", "campaigns/c.yaml", "--yes", "--base-url", &base], words].concat());
        let key_env = builtin(self.provider).expect("a built-in provider").key_env;
        command.env(key_env, KEY);
        let said = said(command);
        self.no_key_anywhere(&said);
        said
    }

    /// The key stands in no file and in no word that was said.
    fn no_key_anywhere(&self, said: &Said) {
        assert!(!said.all().contains("canary"), "the key was said: {}", said.all());
        for file in self.desk.files(".") {
            let bytes = self.desk.read(&file);
            assert!(!bytes.windows(9).any(|window| window == b"sk-canary"), "the key stands in {file}");
        }
    }

    pub fn rows(&self, campaign: &str) -> Vec<Row> {
        let bytes = self.desk.read(&format!("out/{campaign}/costs.csv"));
        csv::Reader::from_reader(bytes.as_slice()).deserialize().map(|row| row.expect("a row has a cell for each column")).collect()
    }

    /// Returns what is spent, reserved and in doubt in our ledger, in millionths.
    pub fn committed(&self, campaign: &str) -> i64 {
        let ledger = SqliteLedger::open(&self.desk.path().join(".callsheet/ledger.db"), std::sync::Arc::new(SystemClock), Durability::Normal);
        let totals = ledger.expect("the ledger opens").totals(&Scope(format!("campaign:{campaign}"))).expect("the ledger can be read");
        totals.iter().map(|totals| totals.spent.get() + totals.reserved.get() + totals.in_doubt.get()).sum()
    }

    /// Our sums are the server's; nothing was wrong with a request; every file is the picture of its own prompt.
    pub fn agrees(&self, campaign: &str) {
        self.agrees_but_for(campaign, 0);
    }

    /// The same, where this much of what we count is held against a failure of which nobody says whether it was charged.
    pub fn agrees_but_for(&self, campaign: &str, open: i64) {
        let books = self.server.books();
        assert_eq!(books.violations, [""; 0], "requests are as the documents say");
        let ledger = SqliteLedger::open(&self.desk.path().join(".callsheet/ledger.db"), std::sync::Arc::new(SystemClock), Durability::Normal);
        let totals = ledger.expect("the ledger opens").totals(&Scope(format!("campaign:{campaign}"))).expect("the ledger can be read");
        let totals = totals.first().expect("it has seen the campaign").clone();
        assert_eq!((totals.spent.get() - open, totals.reserved.get()), (self.server.charges(), 0), "our ledger and the server's");
        assert_eq!(i64::try_from(sum(&self.rows(campaign), "charged")).expect("a sum") - open, self.server.charges(), "costs.csv");
        self.every_file_is_its_own(campaign, &books.pictures);
    }

    fn every_file_is_its_own(&self, campaign: &str, drawn: &BTreeMap<String, Vec<String>>) {
        let manifest: serde_json::Value = serde_json::from_slice(&self.desk.read(&format!("out/{campaign}/manifest.json"))).expect("it is JSON");
        let files = manifest["files"].as_array().expect("the manifest has files");
        for file in files.iter().filter(|file| !file["model"].is_null()) {
            let (path, prompt) = (file["path"].as_str().expect("a path"), file["prompt"].as_str().unwrap_or_default());
            let digest = blake3::hash(&self.desk.read(&format!("out/{campaign}/{path}"))).to_hex().to_string();
            let of_prompt = drawn.get(prompt).unwrap_or_else(|| panic!("nobody drew `{prompt}`: {drawn:#?}"));
            assert!(of_prompt.contains(&digest), "{path} is not the picture of `{prompt}`");
        }
    }
}

fn kie() -> LoopbackScript {
    LoopbackScript::of(Kie::default())
}

#[test]
fn a_chain_is_bought_to_the_end_and_a_second_time_for_nothing() {
    let shop = Shop::kie(CHAIN, kie());
    let told = shop.run(&[], 0);
    shop.agrees("chain");
    assert_eq!((shop.server.charges(), shop.server.asked("createTask")), (24_000_000, 4), "{}", told.all());
    assert_eq!(shop.server.asked("file-stream-upload"), 2, "a picture that goes along twice is handed over once");
    let edit = shop.server.requests().into_iter().find(|request| request.json()["model"] == "gpt-image-2-image-to-image");
    let edit = edit.expect("an edit was asked for").json();
    assert_eq!(edit["input"]["input_urls"].as_array().map(Vec::len), Some(2), "the picture and its reference");
    let rows = shop.rows("chain");
    assert!(rows.iter().all(|row| row["status"] == "done" && row["charged"] == "6" && row["currency"] == "credits:kie"), "{rows:?}");

    let again = shop.run(&[], 0);
    assert!(again.err.contains("nothing to do: 4 shots done"), "{}", again.err);
    assert_eq!(shop.server.asked("createTask"), 4);
}

/// Mask, enlargement, cut-out, a model that names sizes by quality.
const KINDS: &str = r#"
callsheet: 1
campaign: kinds
provider: fast-kie.yaml
defaults: { model: nano-banana-2, aspect: "16:9", resolution: 1K, format: jpeg }
steps:
  hole: { load: { file: mask.png } }
  draft: { generate: { prompt: "a cup" } }
  mended: { edit: { image: draft, mask: hole, prompt: "the handle is mended", model: ideogram-v3, seed: 7 } }
  warm: { edit: { image: mended, prompt: "in evening light", model: seedream-4.5, aspect: "3:2", resolution: 2K } }
  large: { upscale: { image: warm, scale: 2, model: topaz-upscale } }
  cut: { remove-background: { image: large, model: recraft-remove-background } }
"#;

#[test]
fn every_kind_of_request_is_sent_as_the_documents_say() {
    let shop = Shop::kie(KINDS, kie());
    let mask = image::RgbaImage::from_fn(48, 48, |x, _| image::Rgba(if x < 24 { [0; 4] } else { [255; 4] }));
    mask.save(shop.desk.path().join("campaigns/mask.png")).expect("a small picture can be written");
    shop.run(&[], 0);
    shop.agrees("kinds");
    let asked: Vec<serde_json::Value> =
        shop.server.requests().iter().filter(|request| request.path.ends_with("createTask")).map(|request| request.json()).collect();
    let input = |model: &str| {
        let request = asked.iter().find(|request| request["model"] == model).unwrap_or_else(|| panic!("{model} was not asked: {asked:#?}"));
        let mut input = request["input"].clone();
        for value in input.as_object_mut().into_iter().flat_map(|map| map.values_mut()) {
            let is_address = |value: &serde_json::Value| value.as_str().is_some_and(|text| text.starts_with("http://"));
            if is_address(value) || value.as_array().is_some_and(|items| items.iter().all(is_address)) {
                *value = if value.is_array() { serde_json::json!(["..."]) } else { serde_json::json!("...") };
            }
        }
        input
    };
    let said: Vec<String> = ["nano-banana-2", "ideogram/v3-edit", "seedream/4.5-edit", "topaz/image-upscale", "recraft/remove-background"]
        .iter()
        .map(|model| format!("{model} {}", input(model)))
        .collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
    nano-banana-2 {"aspect_ratio":"16:9","output_format":"jpg","prompt":"a cup","resolution":"1K"}
    ideogram/v3-edit {"image_url":"...","mask_url":"...","prompt":"the handle is mended","rendering_speed":"BALANCED","seed":7}
    seedream/4.5-edit {"aspect_ratio":"3:2","image_urls":["..."],"prompt":"in evening light","quality":"basic"}
    topaz/image-upscale {"image_url":"...","upscale_factor":"2"}
    recraft/remove-background {"image":"..."}
    "#);
}

/// Buys one picture from a provider whose first answer to a submit is this, and returns the row of the first try.
fn first_answered(reply: Reply, exit: i32, submits: usize, open: i64) -> Row {
    let shop = Shop::kie(ONE, kie().fault("createTask", 1, Misdeed::Answer(reply)));
    shop.run(&[], exit);
    shop.agrees_but_for("one", open);
    assert_eq!(shop.server.asked("createTask"), submits);
    shop.rows("one").into_iter().next().expect("there was a try")
}

#[test]
fn http_200_is_not_success() {
    let told: Vec<String> =
        [(401, 8, 1), (402, 8, 1), (433, 8, 1), (404, 5, 1), (422, 5, 1), (505, 5, 1), (400, 5, 1), (500, 7, 1), (501, 5, 1), (777, 7, 1)]
            .into_iter()
            .map(|(number, exit, submits)| {
                // "Generation failed": nobody says whether that is charged, so it counts until somebody does.
                let open = if number == 501 { 6_000_000 } else { 0 };
                let row = first_answered(code(number, "no\u{1b}[31m luck"), exit, submits, open);
                format!("{number}: exit {exit}, {} {} charged {:?}", row["status"], row["error_code"], row["charged"])
            })
            .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    401: exit 8, failed account/401 charged "0"
    402: exit 8, failed account/402 charged "0"
    433: exit 8, failed account/433 charged "0"
    404: exit 5, failed invalid/404 charged "0"
    422: exit 5, failed invalid/422 charged "0"
    505: exit 5, failed invalid/505 charged "0"
    400: exit 5, failed refused/400 charged "0"
    500: exit 7, in-doubt ambiguous/500 charged ""
    501: exit 5, failed failed/501 charged "6"
    777: exit 7, in-doubt ambiguous/777 charged ""
    "#);
}

#[test]
fn who_is_told_to_wait_waits_as_long_as_told_and_pays_once() {
    let date = jiff::fmt::rfc2822::to_string(&(jiff::Timestamp::now() + Duration::from_secs(3)).to_zoned(jiff::tz::TimeZone::UTC));
    let date = date.expect("a moment of today").replace("+0000", "GMT");
    for (reply, wait) in [
        // A date tells whole seconds; the first of these is the run's own start.
        (code(429, "too fast").header("retry-after", &date), 900),
        (code(429, "too fast").header("retry-after", "1"), 1000),
        (Reply::status(429).header("retry-after-ms", "600"), 600),
        (code(455, "maintenance").header("retry-after", "1"), 1000),
    ] {
        let shop = Shop::kie(ONE, kie().fault("createTask", 1, Misdeed::Answer(reply)));
        shop.run(&[], 0);
        shop.agrees("one");
        let at: Vec<std::time::Instant> =
            shop.server.requests().iter().filter(|request| request.path.ends_with("createTask")).map(|request| request.at).collect();
        assert_eq!(at.len(), 2);
        assert!(at[1] - at[0] >= Duration::from_millis(wait), "asked again after {:?}", at[1] - at[0]);
    }
}

#[test]
fn a_lost_answer_is_held_in_doubt_and_never_sent_again() {
    for misdeed in [Misdeed::DropAfter, Misdeed::DropBefore, Misdeed::Garble, Misdeed::Truncate(20)] {
        let shop = Shop::kie(ONE, kie().fault("createTask", 1, misdeed.clone()));
        shop.run(&[], 7);
        assert_eq!(shop.run(&[], 7).err.matches("in doubt").count(), 1, "{misdeed:?}");
        assert_eq!(shop.server.asked("createTask"), 1, "{misdeed:?}");
        let row = &shop.rows("one")[0];
        assert_eq!((row["status"].as_str(), row["quoted"].as_str()), ("in-doubt", "6"), "{misdeed:?}");
    }
}

#[test]
fn a_task_that_fails_costs_what_the_provider_says() {
    for (given_back, charged) in [(true, "0"), (false, "6")] {
        let api = Kie { fates: vec![Fate::Fail("500", "the model is \u{7}tired", given_back)], ..Kie::default() };
        let shop = Shop::kie(ONE, LoopbackScript::of(api));
        let told = shop.run(&[], 5);
        assert!(told.err.contains("tired") && !told.err.contains('\u{7}'), "{}", told.err);
        shop.agrees("one");
        let row = &shop.rows("one")[0];
        assert_eq!((row["status"].as_str(), row["error_code"].as_str(), row["charged"].as_str()), ("failed", "failed/500", charged));
    }
}

#[test]
fn a_task_that_moderation_ends_is_not_bought_again() {
    let api = Kie { fates: vec![Fate::Fail("430", "Your prompt violates our content policy", true)], ..Kie::default() };
    let shop = Shop::kie(&ONE.replace("attempts: 1", "attempts: 3"), LoopbackScript::of(api));
    shop.run(&[], 5);
    shop.agrees("one");
    assert_eq!((shop.server.asked("createTask"), shop.rows("one")[0]["error_code"].as_str()), (1, "refused/430"));
}

#[test]
fn the_providers_own_figure_settles_a_try() {
    let shop = Shop::kie(ONE, LoopbackScript::of(Kie { price: Some(3_250_000), ..Kie::default() }));
    shop.run(&[], 0);
    shop.agrees("one");
    let row = &shop.rows("one")[0];
    assert_eq!((row["quoted"].as_str(), row["charged"].as_str(), row["refunded"].as_str()), ("6", "3.25", "0"));
}

#[test]
fn a_fresh_task_may_not_be_seen_for_a_moment() {
    let shop = Shop::kie(ONE, LoopbackScript::of(Kie { unseen: 3, running: 4, ..Kie::default() }));
    shop.run(&[], 0);
    shop.agrees("one");
    assert_eq!(shop.server.asked("recordInfo"), 8);
}

#[test]
fn an_address_that_has_expired_is_refreshed_once_and_the_picture_is_not_bought_again() {
    let shop = Shop::kie(ONE, kie().always("/result/", Misdeed::Answer(Reply::status(403))));
    shop.run(&[], 0);
    shop.agrees("one");
    assert_eq!((shop.server.asked("createTask"), shop.server.asked("download-url"), shop.server.asked("/fresh/")), (1, 1, 1));
}

#[test]
fn a_picture_that_does_not_arrive_whole_is_fetched_again_for_nothing() {
    for misdeed in [
        Misdeed::Truncate(100),
        Misdeed::DropBefore,
        Misdeed::Garble,
        Misdeed::Answer(Reply::bytes("image/png", b"<html>no</html>".to_vec())),
        Misdeed::Answer(Reply::bytes("image/png", Vec::new())),
        Misdeed::Answer(Reply::status(503)),
    ] {
        let shop = Shop::kie(ONE, kie().fault("/result/", 1, misdeed));
        shop.run(&[], 0);
        shop.agrees("one");
        assert_eq!((shop.server.asked("createTask"), shop.server.asked("/result/")), (1, 2));
    }
}

#[test]
fn a_picture_that_breaks_off_at_any_sixteenth_is_fetched_again_and_one_that_only_drips_is_not() {
    let whole = Shop::kie(ONE, kie());
    whole.run(&[], 0);
    let length = whole.desk.read("out/one/draft.png").len();
    for sixteenth in 0..16 {
        let shop = Shop::kie(ONE, kie().fault("/result/", 1, Misdeed::Truncate(length * sixteenth / 16)));
        shop.run(&[], 0);
        shop.agrees("one");
        assert_eq!((shop.server.asked("createTask"), shop.server.asked("/result/")), (1, 2), "{sixteenth}");
    }
    let shop = Shop::kie(ONE, kie().fault("/result/", 1, Misdeed::Drip(16, Duration::from_millis(60))));
    shop.run(&[], 0);
    shop.agrees("one");
    assert_eq!((shop.server.asked("createTask"), shop.server.asked("/result/")), (1, 1), "slow is not broken");
}

#[test]
fn a_task_that_is_not_done_in_time_is_taken_up_by_the_next_run() {
    let shop = Shop::kie(ONE, kie().always("recordInfo", Misdeed::Answer(code(500, "busy"))));
    shop.run(&[], 5);
    shop.server.mend();
    shop.run(&[], 0);
    shop.agrees("one");
    assert_eq!(shop.server.asked("createTask"), 1);
}

#[test]
fn a_task_that_never_ends_keeps_its_name_and_is_not_bought_again() {
    let shop = Shop::kie(ONE, LoopbackScript::of(Kie { fates: vec![Fate::Never], ..Kie::default() }));
    shop.run(&["-q"], 5);
    shop.run(&["-q"], 5);
    assert_eq!(shop.server.asked("createTask"), 1);
}

#[test]
fn a_source_picture_that_cannot_be_handed_over_costs_nothing_and_is_tried_again() {
    let shop = Shop::kie(CHAIN, kie().fault("file-stream-upload", 1, Misdeed::DropBefore).fault("file-stream-upload", 2, Misdeed::Garble));
    shop.run(&[], 0);
    shop.agrees("chain");
    assert_eq!((shop.server.asked("createTask"), shop.server.charges()), (4, 24_000_000));
}

#[test]
fn a_redirect_of_a_picture_leads_nowhere_private() {
    let canary = Loopback::start(kie());
    let shop = Shop::kie(ONE, kie().always("/result/", Misdeed::Answer(Reply::redirect(&format!("{}/result/0.png", canary.url)))));
    let told = shop.run(&[], 5);
    assert!(told.err.contains("only https is followed"), "{}", told.err);
    assert_eq!(canary.requests().len(), 0, "the other place was asked");
}

// --- OpenAI -----------------------------------------------------------------------------------------------------------------------

/// A picture, an edit with a reference, an edit with a mask.
const DOLLARS: &str = r#"
callsheet: 1
campaign: dollars
provider: openai
defaults: { model: gpt-image-2, aspect: "1:1", resolution: 1K, quality: medium }
steps:
  hole: { load: { file: mask.png } }
  draft: { generate: { prompt: "a red cup" } }
  second: { generate: { prompt: "a blue cup", format: jpeg, background: opaque } }
  both: { edit: { image: draft, images: [second], prompt: "both cups on one table" } }
  mended: { edit: { image: both, mask: hole, prompt: "the left handle is mended" } }
budget: { cap: "USD 5" }
"#;

const ONE_DOLLAR: &str = r#"
callsheet: 1
campaign: one
provider: openai
defaults: { model: gpt-image-2, aspect: "1:1", resolution: 1K, quality: medium }
steps: { draft: { generate: { prompt: "a red cup" } } }
"#;

/// Returns the built-in manifest with models that nobody shuts down: a test must not end with one of them.
pub fn lasting(name: &str) -> String {
    let text = builtin_text(name).expect("a built-in manifest");
    text.lines().filter(|line| !line.trim_start().starts_with("shutdown:")).fold(String::new(), |text, line| text + line + "\n")
}

pub fn openai(campaign: &str, script: LoopbackScript) -> Shop {
    let shop = Shop { desk: Desk::new(), server: Loopback::start(script), provider: "openai" };
    shop.desk.write("campaigns/c.yaml", campaign);
    let mask = image::RgbaImage::from_fn(48, 48, |x, _| image::Rgba(if x < 24 { [0; 4] } else { [255; 4] }));
    mask.save(shop.desk.path().join("campaigns/mask.png")).expect("a small picture can be written");
    shop
}

#[test]
fn counted_tokens_become_dollars_to_the_millionth() {
    let shop = openai(DOLLARS, LoopbackScript::of(OpenAi::default()));
    shop.run(&[], 0);
    shop.agrees("dollars");
    let forms: Vec<Vec<String>> = shop
        .server
        .requests()
        .iter()
        .filter_map(|request| request.form())
        .map(|parts| {
            parts
                .iter()
                .map(|part| if part.file_name.is_some() { format!("{} (file)", part.name) } else { format!("{}={}", part.name, part.text()) })
                .collect()
        })
        .collect();
    insta::assert_snapshot!(forms.iter().map(|form| form.join(", ")).collect::<Vec<_>>().join("\n"), @"
    model=gpt-image-2, prompt=both cups on one table, n=1, size=1024x1024, quality=medium, image[] (file), image[] (file)
    model=gpt-image-2, prompt=the left handle is mended, n=1, size=1024x1024, quality=medium, image[] (file), mask (file)
    ");
}

#[test]
fn errors_of_openai_end_as_they_should() {
    let cases = [
        ("rate limit", error(429, "input-images", Some("rate_limit_exceeded"), "Rate limit reached").header("retry-after-ms", "50"), 0, 2),
        ("no money", error(429, "insufficient_quota", Some("insufficient_quota"), "You exceeded your current quota"), 8, 1),
        ("bad key", error(401, "invalid_request_error", Some("invalid_api_key"), &format!("Incorrect API key provided: {KEY}")), 8, 1),
        ("not verified", error(403, "invalid_request_error", None, "Your organization must be verified"), 8, 1),
        ("moderation", error(400, "image_generation_user_error", Some("moderation_blocked"), "rejected by the safety system"), 5, 1),
        ("bad field", error(400, "invalid_request_error", Some("unknown_parameter"), "Unknown parameter"), 5, 1),
        ("server", error(500, "server_error", None, "The server had an error"), 7, 1),
        ("overloaded", error(503, "server_error", None, "Overloaded"), 7, 1),
    ];
    let mut told = Vec::new();
    for (name, reply, exit, submits) in cases {
        let shop = openai(ONE_DOLLAR, LoopbackScript::of(OpenAi::default()).fault("/generations", 1, Misdeed::Answer(reply)));
        shop.run(&[], exit);
        // Nobody says whether a refused picture is charged, so it counts at the quote until somebody does.
        shop.agrees_but_for("one", if name == "moderation" { 52_725 } else { 0 });
        assert_eq!(shop.server.asked("/generations"), submits, "{name}");
        let row = &shop.rows("one")[0];
        told.push(format!("{name}: exit {exit}, {} {}", row["status"], row["error_code"]));
    }
    insta::assert_snapshot!(told.join("\n"), @"
    rate limit: exit 0, failed throttled/rate_limit_exceeded
    no money: exit 8, failed account/insufficient_quota
    bad key: exit 8, failed account/invalid_api_key
    not verified: exit 8, failed account/invalid_request_error
    moderation: exit 5, failed refused/moderation_blocked
    bad field: exit 5, failed invalid/unknown_parameter
    server: exit 7, in-doubt ambiguous/server_error
    overloaded: exit 7, in-doubt ambiguous/server_error
    ");
}

#[test]
fn an_answer_that_held_a_picture_and_was_lost_is_in_doubt() {
    for misdeed in [Misdeed::DropAfter, Misdeed::Truncate(300), Misdeed::Garble] {
        let shop = openai(ONE_DOLLAR, LoopbackScript::of(OpenAi::default()).fault("/generations", 1, misdeed.clone()));
        shop.run(&[], 7);
        shop.run(&[], 7);
        assert_eq!(shop.server.asked("/generations"), 1, "{misdeed:?}");
    }
}

#[test]
fn without_counted_tokens_the_quote_is_charged() {
    let shop = openai(ONE_DOLLAR, LoopbackScript::of(OpenAi { hides_usage: true }));
    shop.run(&[], 0);
    let row = &shop.rows("one")[0];
    assert_eq!((row["charged"].clone(), row["currency"].as_str()), (row["quoted"].clone(), "USD"));
}
