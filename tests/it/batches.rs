//! `run --batch`: shots go together for half the price, over runs that may end in between; our books are the server's.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::buying::{Shop, lasting};
use crate::desk::{Desk, Said, said};
use crate::loopback::batches::{Odd, Together};
use crate::loopback::{KEY, Loopback, LoopbackScript};

/// Two heroes, and an edit of each.
pub const LEVELS: &str = r#"
callsheet: 1
campaign: levels
provider: together.yaml
defaults: { model: gpt-image-2, aspect: "1:1", resolution: 1K, quality: medium }
axes:
  cup: { red: { title: "red cup" }, blue: { title: 'a "blue" cup' } }
steps:
  draft: { generate: { prompt: "{{ cup.title }} on a table", over: [cup] } }
  evening: { edit: { image: draft, images: [draft], prompt: "{{ cup.title }} in evening light" } }
budget: { cap: "USD 2" }
run: { attempts: 1 }
"#;

/// Three shots, of which one may be late and one refused.
pub const THREE: &str = r#"
callsheet: 1
campaign: three
provider: together.yaml
defaults: { model: gpt-image-2, aspect: "1:1", resolution: 1K, quality: medium }
axes:
  cup: { one: { title: "a cup" }, two: { title: "a late cup" }, three: { title: "a third cup" } }
steps:
  draft: { generate: { prompt: "{{ cup.title }}", over: [cup] } }
budget: { cap: "USD 2" }
run: { attempts: 1 }
"#;

/// Half of what a medium picture of the loopback server costs, for a prompt of so many letters, in millionths.
fn half(prompt: &str) -> i64 {
    let tokens = i64::try_from(prompt.len() / 4 + 6).expect("a short prompt");
    (tokens * 5 + 1756 * 30 + 1) / 2
}

/// The built-in manifest in a hurry.
pub fn hurried() -> String {
    let text = lasting("openai");
    assert!(text.contains("    window: 24h\n"));
    text.replace("    window: 24h\n", "    window: 24h\n    gather: 800ms\n    every: 40ms\n    unseen: 0s\n")
}

pub fn shop(campaign: &str, script: LoopbackScript) -> Shop {
    let shop = Shop { desk: Desk::new(), server: Loopback::start(script), provider: "openai" };
    shop.desk.write("campaigns/together.yaml", hurried());
    shop.desk.write("campaigns/c.yaml", campaign);
    shop
}

pub fn together(change: impl FnOnce(&mut Together)) -> LoopbackScript {
    let mut api = Together::default();
    change(&mut api);
    LoopbackScript::of(api)
}

pub fn reconcile(shop: &Shop, words: &[&str]) -> Said {
    let base = format!("openai={}/v1", shop.server.url);
    let mut command = shop.desk.command(&[&["reconcile", "campaigns/c.yaml"], words].concat());
    if words.contains(&"--lookup") {
        command.args(["--base-url", &base]);
    }
    command.env("OPENAI_API_KEY", KEY);
    said(command)
}

/// Requests that ask for a batch.
pub fn created(shop: &Shop) -> usize {
    shop.server.requests().iter().filter(|request| request.method == "POST" && request.path == "/v1/batches").count()
}

#[test]
fn a_chain_goes_level_by_level_each_in_its_own_batch_for_half_the_price() {
    let shop = shop(LEVELS, together(|_| {}));
    let told = shop.run(&["--batch", "--wait", "60s"], 0);
    shop.agrees("levels");
    assert_eq!((created(&shop), shop.server.asked("/images/")), (2, 0), "{}", told.all());
    let rows = shop.rows("levels");
    let drafts: BTreeSet<_> = rows.iter().filter(|row| row["step"] == "draft").map(|row| (row["task_id"].as_str(), row["charged"].clone())).collect();
    let expected = |prompt: &str| callsheet::types::Micros::new(half(prompt)).to_string();
    // Which of them was begun first is nobody's business.
    let expected = BTreeSet::from([("batch_1", expected("red cup on a table")), ("batch_1", expected("a \"blue\" cup on a table"))]);
    assert_eq!(drafts, expected);
    assert!(rows.iter().all(|row| row["status"] == "done" && !row["quoted"].is_empty()), "{rows:?}");

    let again = shop.run(&["--batch"], 0);
    assert!(again.err.contains("nothing to do: 4 shots done"), "{}", again.err);
    assert_eq!(created(&shop), 2);
}

#[test]
fn a_run_may_end_and_later_ones_fetch_and_go_on() {
    let shop = shop(LEVELS, together(|api| api.polls = 3));
    let first = shop.run(&["--batch"], 11);
    assert!(first.err.contains("batch_1: in progress") && first.err.contains("callsheet run campaigns/c.yaml"), "{}", first.err);
    assert_eq!((created(&shop), shop.server.charges()), (1, 0));
    for _ in 0..3 {
        shop.run(&["--batch"], 11);
    }
    assert_eq!(created(&shop), 2, "the drafts have come, the edits have gone");
    let mut runs = 0;
    while shop.say(&["--batch"]).code == 11 {
        runs += 1;
        assert!(runs < 9, "it ends");
    }
    shop.agrees("levels");
    assert_eq!((created(&shop), shop.server.asked("/images/")), (2, 0));
}

#[test]
fn a_plain_run_fetches_what_is_in_a_batch_for_nothing_and_buys_the_rest_at_once() {
    let shop = shop(LEVELS, together(|api| api.polls = 1));
    shop.run(&["--batch", "--only", "draft[cup=red]"], 11);
    let charged = shop.run(&["--wait", "60s"], 0);
    shop.agrees("levels");
    assert_eq!((created(&shop), shop.server.asked("/generations"), shop.server.asked("/edits")), (1, 1, 2), "{}", charged.all());
}

#[test]
fn what_a_batch_did_not_come_to_is_free_and_open_again() {
    for ends in ["expired", "cancelled"] {
        let shop = shop(THREE, together(|api| api.ends = ends));
        let told = shop.run(&["--batch", "--wait", "60s"], 5);
        assert!(told.err.contains(&format!("batch_{ends}")), "{}", told.err);
        shop.agrees("three");
        assert_eq!(shop.server.charges(), half("a cup") + half("a third cup"));
        shop.server.mend();
        shop.run(&["--batch", "--wait", "60s"], 0);
        shop.agrees("three");
        assert_eq!(shop.server.charges(), half("a cup") + half("a third cup") + half("a late cup"), "{ends}");
        assert_eq!(created(&shop), 2);
    }
}

#[test]
fn a_refusal_in_the_file_of_errors_is_final_and_its_price_is_open() {
    let shop = shop(THREE, together(|api| api.refused = "late"));
    let told = shop.run(&["--batch", "--wait", "60s"], 5);
    assert!(told.err.contains("moderation_blocked"), "{}", told.err);
    let row = shop.rows("three").into_iter().find(|row| row["status"] == "failed").expect("one is refused");
    assert_eq!(row["error_code"], "refused/moderation_blocked");
    // Nobody says whether a refusal costs something: the quote stays counted until it is settled.
    let quoted: callsheet::types::Micros = row["quoted"].parse().expect("an amount");
    shop.agrees_but_for("three", quoted.get());
}

#[test]
fn answers_are_matched_by_name_whatever_else_stands_in_the_file() {
    for odd in [Odd::Twice, Odd::Strangers] {
        let shop = shop(THREE, together(|api| api.odd = odd));
        shop.run(&["--batch", "--wait", "60s"], 0);
        shop.agrees("three");
        assert_eq!(shop.rows("three").len(), 3, "{odd:?}");
    }
}

#[test]
fn an_answer_that_cannot_be_read_stays_counted_and_is_named() {
    let shop = shop(THREE, together(|api| api.odd = Odd::Torn));
    let told = shop.run(&["--batch", "--wait", "60s"], 5);
    let row = shop.rows("three").into_iter().find(|row| row["status"] == "failed").expect("one is torn");
    assert_eq!(row["error_code"], "failed/no-line", "{}", told.err);
    assert!(shop.committed("three") >= shop.server.charges(), "what may have been charged is counted");
}

#[test]
fn a_batch_that_is_not_taken_costs_nothing_and_names_the_line() {
    let shop = shop(THREE, together(|api| api.ends = "failed"));
    let told = shop.run(&["--batch", "--wait", "60s"], 5);
    assert!(told.err.contains("invalid_json_line"), "{}", told.err);
    let mut codes: Vec<String> = shop.rows("three").iter().map(|row| row["error_code"].clone()).collect();
    codes.sort();
    assert_eq!(codes, ["invalid/invalid_json_line", "transient/invalid_json_line", "transient/invalid_json_line"]);
    assert_eq!((shop.committed("three"), shop.server.charges()), (0, 0));
    shop.server.mend();
    shop.run(&["--batch", "--wait", "60s"], 0);
    shop.agrees("three");
}

#[test]
fn a_file_of_requests_that_is_full_is_sent_and_the_rest_goes_in_another() {
    let shop = shop(THREE, together(|_| {}));
    shop.desk.write("campaigns/together.yaml", hurried().replace("    lines: 50000\n", "    lines: 2\n"));
    shop.run(&["--batch", "--wait", "60s"], 0);
    shop.agrees("three");
    assert_eq!(created(&shop), 2);
}

#[test]
fn a_cap_reserves_the_price_of_the_batch() {
    let shop = shop(THREE, together(|_| {}));
    let direct = shop.say(&["--cap", "USD 0.09"]);
    assert_eq!((direct.code, shop.server.requests().len()), (4, 0), "three single ones do not fit: {}", direct.err);
    shop.run(&["--batch", "--wait", "60s", "--cap", "USD 0.09"], 0);
    shop.agrees("three");
}

#[test]
fn plan_estimate_and_a_saved_plan_know_the_price_of_a_batch() {
    let shop = shop(THREE, together(|_| {}));
    let floor = |words: &[&str]| {
        let told = shop.desk.say(&[&["plan", "campaigns/c.yaml", "--format", "json"], words].concat());
        assert_eq!(told.code, 0, "{}", told.all());
        let plan: serde_json::Value = serde_json::from_str(&told.out).expect("it is JSON");
        plan["totals"]["floor"]["amount"].as_str().or(plan["totals"]["floor"].as_str()).expect("a floor").parse::<f64>().expect("a number")
    };
    let (direct, batch) = (floor(&[]), floor(&["--batch"]));
    assert!((direct / 2.0 - batch).abs() < 0.000_003, "{direct} {batch}");

    let estimate = |words: &[&str]| {
        shop.desk.say(&[&["estimate", "--finals", "10", "--model", "gpt-image-2", "--prices", "openai", "--format", "json"], words].concat()).out
    };
    assert!(estimate(&["--batch"]).contains("\"0.26") && estimate(&[]).contains("\"0.53"), "{}", estimate(&["--batch"]));

    let saved = shop.desk.say(&["plan", "campaigns/c.yaml", "--batch", "--out", "plan.json"]);
    assert_eq!(saved.code, 0, "{}", saved.all());
    let base = format!("openai={}/v1", shop.server.url);
    let mut command = shop.desk.command(&["run", "plan.json", "--yes", "--base-url", &base, "--wait", "60s"]);
    command.env("OPENAI_API_KEY", KEY);
    let run = said(command);
    assert_eq!(run.code, 0, "{}", run.all());
    shop.agrees("three");
    assert_eq!(created(&shop), 1, "it was saved with `--batch`");

    let single = shop.desk.say(&["plan", "campaigns/c.yaml", "--out", "single.json"]);
    assert_eq!(single.code, 0, "{}", single.all());
    let contradicted = shop.desk.say(&["run", "single.json", "--yes", "--batch"]);
    assert_eq!(contradicted.code, 2, "{}", contradicted.all());
}

#[test]
fn what_batches_do_not_take_is_said_before_anything_is_sent() {
    let shop = shop(THREE, together(|_| {}));
    let cases = [
        (THREE.replace("model: gpt-image-2", "model: gpt-image-1.5"), "`gpt-image-1.5` of step `draft` goes in none"),
        (
            THREE
                .replace("provider: together.yaml", "provider: kie")
                .replace(", quality: medium", "")
                .replace("USD 2", "200")
                .replace("\"200\"", "200"),
            "takes no batches",
        ),
        (LEVELS.replace("aspect: \"1:1\"", "aspect: \"16:9\""), "step `evening` makes 1536x864"),
    ];
    for (campaign, why) in cases {
        shop.desk.write("campaigns/c.yaml", &campaign);
        for command in ["plan", "run"] {
            let told = shop.desk.say(&[command, "campaigns/c.yaml", "--batch"]);
            assert!(told.code == 2 && told.err.contains(why), "{command}: {}", told.all());
        }
    }
    assert_eq!(shop.server.requests().len(), 0);
}

#[test]
fn a_rehearsal_plays_the_prices_of_batches_and_sends_nothing() {
    let shop = shop(THREE, together(|_| {}));
    let told = shop.desk.rehearse(&["campaigns/c.yaml", "--batch"], 0);
    assert!(told.err.contains("$0.07") && told.err.contains("3 of 3"), "{}", told.err);
    assert_eq!(shop.server.requests().len(), 0);
}

#[test]
fn the_rate_of_an_account_is_stated_in_the_campaign() {
    let campaign = format!("{THREE}providers: {{ openai: {{ windows: [{{ count: 2, span: 2s }}] }} }}\n");
    let shop = shop(&campaign, together(|_| {}));
    shop.run(&[], 0);
    let mut at: Vec<_> = shop.server.requests().iter().filter(|request| request.path.ends_with("/generations")).map(|request| request.at).collect();
    at.sort();
    assert_eq!(at.len(), 3);
    assert!(at[2] - at[0] >= Duration::from_millis(1_990), "the third waits for the window: {:?}", at[2] - at[0]);
    shop.desk.write("campaigns/c.yaml", campaign.replace("{ openai:", "{ opneai:"));
    let told = shop.desk.say(&["check", "campaigns/c.yaml"]);
    assert!(told.code == 3 && told.all().contains("did you mean `openai`?"), "{}", told.all());
}
