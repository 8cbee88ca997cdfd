//! Doubt and its end by evidence: the provider's own word about a key or a task, and the balance before and after.
//!
//! After every settlement our ledger's sums are the server's own, though it never told us what became of the lost answers.

use std::time::Duration;

use callsheet::ledger::{Durability, Record, SqliteLedger};
use callsheet::types::SystemClock;

use crate::buying::{CHAIN, ONE, Shop, fast};
use crate::desk::{Said, said};
use crate::loopback::kie::{Kie, code};
use crate::loopback::{KEY, LoopbackScript, Misdeed};

const CREATE: &str = "createTask";

/// A provider that charges a key once.
fn honouring() -> String {
    fast("kie")
        .replace("idempotency: false", "idempotency: true")
        .replace("  unit: credits:kie\n", "  unit: credits:kie\n  idempotency-header: Idempotency-Key\n")
}

/// The same, whose requests are at their end within a second.
fn brisk(manifest: &str) -> String {
    assert!(manifest.contains("timeout: 100s"), "how long a submit may take stands there");
    manifest.replace("timeout: 100s", "timeout: 1s")
}

/// Waits until what was sent can no longer be on its way.
fn a_while(times: u32) {
    std::thread::sleep(Duration::from_millis(1_050) * times);
}

/// A provider that finds requests by their key.
fn finding() -> String {
    let lookup = r#"  unit: credits:kie
  idempotency-header: Idempotency-Key
  lookup:
    request: { method: get, path: /lookup, query: { key: "{{ idempotency-key }}" } }
    task: [/data/taskId]
    nothing: { at: /code, is: [404] }
"#;
    brisk(&fast("kie")).replace("task-lookup: false", "task-lookup: true").replace("  unit: credits:kie\n", lookup)
}

/// The same, where a request is seen as soon as it is there.
fn finding_at_once() -> String {
    finding().replace("  deadline: 3s\n", "  deadline: 3s\n  unseen: 1ms\n")
}

/// A provider whose fresh tasks are seen soon.
fn impatient() -> String {
    fast("kie").replace("  deadline: 3s\n", "  deadline: 3s\n  unseen: 200ms\n")
}

fn shop(campaign: &str, manifest: &str, api: Kie, faults: &[(usize, Misdeed)]) -> Shop {
    let script = faults.iter().fold(LoopbackScript::of(api), |script, (nth, misdeed)| script.fault(CREATE, *nth, misdeed.clone()));
    let shop = Shop::kie(campaign, script);
    shop.desk.write("campaigns/fast-kie.yaml", manifest);
    shop
}

fn reconcile(shop: &Shop, words: &[&str]) -> Said {
    let base = format!("kie={}", shop.server.url);
    let mut command = shop.desk.command(&[&["reconcile", "campaigns/c.yaml"], words].concat());
    if words.iter().any(|word| word.starts_with("--lookup") || word.starts_with("--by")) {
        command.args(["--base-url", &base]);
    }
    command.env("KIE_API_KEY", KEY);
    let said = said(command);
    assert!(!said.all().contains("canary"), "the key was said: {}", said.all());
    said
}

fn evidences(shop: &Shop) -> Vec<String> {
    let path = shop.desk.path().join(".callsheet/ledger.db");
    let ledger = SqliteLedger::open(&path, std::sync::Arc::new(SystemClock), Durability::Normal).expect("the ledger opens");
    let entries = ledger.entries(0).expect("every record can be read");
    let evidence = |record: &Record| match record {
        Record::Settled { evidence, .. } => Some(evidence.clone()),
        _ => None,
    };
    entries.iter().filter_map(|entry| evidence(&entry.record)).collect()
}

#[test]
fn where_keys_are_honoured_the_next_run_settles_doubt_by_asking_again() {
    let api = Kie { honours_keys: true, ..Kie::default() };
    let faults: Vec<(usize, Misdeed)> = (1..=4).map(|nth| (nth, Misdeed::DropAfter)).collect();
    let shop = shop(ONE, &honouring(), api, &faults);
    let told = shop.run(&[], 7);
    assert!(told.err.contains("callsheet reconcile campaigns/c.yaml"), "{}", told.err);
    let asked = shop.server.asked(CREATE);
    let listed = reconcile(&shop, &[]);
    println!("{}", listed.out);
    assert_eq!(listed.code, 7);
    assert!(listed.out.contains("the next run repeats each under its own key"), "{}", listed.out);
    shop.server.mend();
    shop.run(&[], 0);
    shop.agrees("one");
    assert_eq!((shop.server.charges(), shop.server.asked(CREATE)), (6_000_000, asked + 1), "charged once, whatever was sent");
}

#[test]
fn a_look_up_finds_the_task_of_a_lost_answer_and_gives_back_what_never_arrived() {
    let shop = shop(CHAIN, &finding_at_once(), Kie::default(), &[(1, Misdeed::DropAfter), (2, Misdeed::DropBefore)]);
    shop.run(&[], 7);
    assert!(reconcile(&shop, &[]).out.contains("callsheet reconcile campaigns/c.yaml --lookup"));
    let early = reconcile(&shop, &["--lookup"]);
    assert_eq!(early.code, 7, "{}", early.all());
    assert!(early.out.contains("accepted as task 0000"), "{}", early.out);
    assert!(
        early.out.contains("stays in doubt: the provider knows of no such request yet; it may still be on its way, ask again in "),
        "{}",
        early.out
    );
    assert_eq!(evidences(&shop), [""; 0]);
    // A key is honoured: it may have been repeated.
    a_while(5);
    let found = reconcile(&shop, &["--lookup"]);
    assert_eq!(found.code, 0, "{}", found.all());
    assert!(found.out.contains("knows of no such request"), "{}", found.out);
    assert!(matches!(evidences(&shop).as_slice(), [one] if one.starts_with("not charged: asked by its key at 20")), "{:?}", evidences(&shop));
    shop.run(&[], 0);
    shop.agrees("chain");
    assert_eq!((shop.server.charges(), shop.server.asked(CREATE)), (24_000_000, 5), "four pictures, and one request that never arrived");
}

#[test]
fn balances_tell_how_many_of_the_lost_requests_were_charged() {
    let lost = |nth| (nth, Misdeed::DropAfter);
    let never = |nth| (nth, Misdeed::DropBefore);
    for (faults, proof, charges) in [
        (vec![lost(1), lost(2)], "all of the doubts were charged", 36),
        (vec![never(1), never(2)], "none of the doubts was charged", 24),
        (vec![lost(1), never(2)], "1 of 2 charged; which ones cannot be known", 30),
    ] {
        let shop = shop(CHAIN, &brisk(&fast("kie")), Kie { credit: Some(100_000_000), ..Kie::default() }, &faults);
        shop.run(&[], 7);
        let is_all = proof.starts_with("all");
        let early = reconcile(&shop, &["--by-balance"]);
        assert_eq!(early.code, if is_all { 0 } else { 7 }, "what is charged is charged: {}", early.all());
        if !is_all {
            assert!(early.out.contains(proof) && early.out.contains("too early") && evidences(&shop).is_empty(), "{}", early.out);
            a_while(1);
        }
        let said = if is_all { early } else { reconcile(&shop, &["--by-balance"]) };
        assert_eq!(said.code, 0, "{}", said.all());
        println!("{}", said.out);
        assert!(said.out.contains(proof) && said.out.contains("only if nobody else spends"), "{}", said.out);
        assert!(
            evidences(&shop).iter().all(|evidence| evidence.contains("by balance: ") && evidence.contains("100 credits at 20")),
            "{:?}",
            evidences(&shop)
        );
        shop.run(&[], 0);
        shop.agrees("chain");
        assert_eq!(shop.server.charges(), charges * 1_000_000, "{proof}");
    }
}

#[test]
fn balances_that_fit_nothing_settle_nothing() {
    // The server charges a half more than the book says: two lost ones are no number of prices.
    let api = Kie { credit: Some(100_000_000), price: Some(9_500_000), ..Kie::default() };
    let shop = shop(CHAIN, &fast("kie"), api, &[(1, Misdeed::DropAfter), (2, Misdeed::DropAfter)]);
    shop.run(&[], 7);
    let said = reconcile(&shop, &["--by-balance"]);
    assert_eq!(said.code, 7, "{}", said.all());
    assert!(said.out.contains("left      19 credits unexplained") && said.out.contains("so nothing is settled"), "{}", said.out);
    assert_eq!(evidences(&shop), [""; 0]);
}

#[test]
fn a_task_that_the_provider_forgot_is_in_doubt_by_name_and_found_again_for_nothing() {
    let forgets = LoopbackScript::of(Kie::default()).always("recordInfo", Misdeed::Answer(code(422, "recordInfo is null")));
    let shop = Shop::kie(ONE, forgets);
    shop.desk.write("campaigns/fast-kie.yaml", impatient());
    let told = shop.run(&[], 7);
    let task = "00000000000000000000000000000000";
    assert!(told.err.contains(task) && told.err.contains("callsheet reconcile campaigns/c.yaml"), "{}", told.err);
    assert!(reconcile(&shop, &[]).out.contains(task));
    let still = reconcile(&shop, &["--lookup"]);
    assert!(still.code == 7 && still.out.contains("still knows nothing of the task"), "{}", still.all());
    shop.server.mend();
    assert_eq!(reconcile(&shop, &["--lookup"]).code, 0);
    shop.run(&[], 0);
    shop.agrees("one");
    assert_eq!((shop.server.asked(CREATE), shop.server.charges()), (1, 6_000_000));
}

#[test]
fn without_any_way_to_evidence_nothing_is_asked_and_nothing_settled() {
    let shop = shop(ONE, &fast("kie"), Kie::default(), &[(1, Misdeed::DropAfter)]);
    shop.run(&[], 7);
    let requests = shop.server.requests().len();
    let said = reconcile(&shop, &["--lookup"]);
    assert!(said.code == 2 && said.err.contains("no way to look up a request"), "{}", said.all());
    assert_eq!(shop.server.requests().len(), requests);
    for words in [&["--lookup", "--by-balance"][..], &["--lookup", "--charged"], &["--by-balance", "--rehearse"]] {
        assert_eq!(reconcile(&shop, words).code, 2, "{words:?}");
    }
}

#[test]
fn a_plan_and_a_status_name_doubts_and_how_to_settle_them() {
    let shop = shop(ONE, &fast("kie"), Kie::default(), &[(1, Misdeed::DropAfter)]);
    shop.run(&[], 7);
    for command in ["plan", "status"] {
        let said = shop.desk.say(&[command, "campaigns/c.yaml"]);
        assert!(said.all().contains("in doubt") && said.all().contains("draft") && said.all().contains("callsheet reconcile"), "{}", said.all());
    }
}

#[test]
fn a_program_reads_each_doubt_with_commands_that_settle_it() {
    let shop = shop(CHAIN, &finding_at_once(), Kie::default(), &[(1, Misdeed::DropAfter), (2, Misdeed::DropBefore)]);
    shop.run(&[], 7);
    let status = || -> serde_json::Value {
        let said = shop.desk.say(&["status", "campaigns/c.yaml", "--json"]);
        assert_eq!(said.code, 0, "{}", said.all());
        serde_json::from_str(&said.out).expect("stdout is JSON")
    };
    let told = status();
    let doubts = told["in-doubt"].as_array().expect("a list");
    assert_eq!((doubts.len(), &told["shots"]["in-doubt"], &told["spending"][0]["in-doubt"]), (2, &2.into(), &"12".into()), "{told:#}");
    for doubt in doubts {
        assert_eq!((&doubt["held"], &doubt["currency"], &doubt["task"]), (&"6".into(), &"credits:kie".into(), &serde_json::Value::Null));
        let settle = doubt["settle"].as_array().expect("a list");
        assert!(settle[0]["command"].as_str().is_some_and(|command| command.ends_with(" --lookup")), "the surest first: {doubt:#}");
        let word = settle.iter().find(|way| way["when"] == "the provider has no such request").expect("a word of the user's");
        // What is told can be typed as it stands.
        let command = word["command"].as_str().expect("a command").strip_prefix("callsheet ").expect("the program's name");
        let words: Vec<&str> = command.split(' ').map(|word| word.trim_matches('\'')).collect();
        let settled = shop.desk.say(&words);
        assert!([0, 7].contains(&settled.code), "{command}: {}", settled.all());
    }
    let after = status();
    assert_eq!((&after["in-doubt"], &after["spending"][0]["in-doubt"]), (&serde_json::json!([]), &"0".into()));
}

#[test]
fn a_failure_that_nobody_told_the_price_of_is_listed_and_settled_once() {
    let shop = shop(ONE, &fast("kie"), Kie::default(), &[(1, Misdeed::Answer(code(501, "no luck")))]);
    shop.run(&[], 5);
    shop.agrees_but_for("one", 6_000_000);

    let listed = reconcile(&shop, &[]);
    assert_eq!(listed.code, 0, "nothing is in doubt: {}", listed.all());
    for known in ["nothing is in doubt", "1 shot failed, and nobody has said at what price", "attempt 1", "6 credits", "SHOT --not-charged"] {
        assert!(listed.out.contains(known), "{known}: {}", listed.out);
    }
    let of_task = reconcile(&shop, &["draft", "--task", "t-1"]);
    assert_eq!(of_task.code, 2);
    assert!(of_task.err.contains("has failed: only its price is open"), "{}", of_task.err);

    assert_eq!(reconcile(&shop, &["draft", "--not-charged", "--because", "the account shows no charge"]).code, 0);
    assert_eq!(evidences(&shop), ["not charged, by the user's word: the account shows no charge"]);
    assert_eq!(reconcile(&shop, &["draft", "--charged"]).code, 2, "its price is known now");
    assert!(!reconcile(&shop, &[]).out.contains("nobody has said"));
    shop.run(&[], 0);
    shop.agrees("one");
}
