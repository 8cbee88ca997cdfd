//! Who makes the pictures: one provider for everything, another by a flag, several in one campaign, each with its own account.

use std::collections::BTreeMap;

use callsheet::ledger::{Durability, Ledger as _, Scope, SqliteLedger};
use callsheet::types::SystemClock;

use crate::buying::fast;
use crate::desk::{Desk, Row, Said, counted_by, said, sum};
use crate::loopback::kie::{Kie, code};
use crate::loopback::openai::{OpenAi, error};
use crate::loopback::{KEY, Loopback, LoopbackScript, Misdeed};

/// Drafts in credits, finals in dollars.
const BOTH: &str = r#"
callsheet: 1
campaign: both
provider: fast-kie.yaml
defaults: { model: gpt-image-2, aspect: "4:5", resolution: 1K }
providers: { openai: { windows: [{ count: 100, span: 1s }], places: 2 } }
axes: { cup: { red: { title: "red cup" }, blue: { title: "blue cup" }, green: { title: "green cup" } } }
steps:
  draft: { generate: { prompt: "{{ cup.title }} on a table", over: [cup] } }
  final: { edit: { image: draft, provider: openai, quality: medium, prompt: "{{ cup.title }} in evening light" } }
budget: { cap: "USD 5" }
run: { attempts: 1 }
"#;

/// A desk between two providers.
struct Market {
    desk: Desk,
    kie: Loopback,
    openai: Loopback,
}

impl Market {
    fn new(campaign: &str, kie: LoopbackScript, openai: LoopbackScript) -> Self {
        let market = Self { desk: Desk::new(), kie: Loopback::start(kie), openai: Loopback::start(openai) };
        market.desk.write("campaigns/fast-kie.yaml", fast("kie"));
        market.desk.write("campaigns/c.yaml", campaign);
        market
    }

    fn sound(campaign: &str) -> Self {
        Self::new(campaign, LoopbackScript::of(Kie::default()), LoopbackScript::of(OpenAi::default()))
    }

    fn run(&self, words: &[&str], code: i32) -> Said {
        let (kie, openai) = (format!("kie={}", self.kie.url), format!("openai={}/v1", self.openai.url));
        let all = [&["run", "campaigns/c.yaml", "--yes", "--base-url", &kie, "--base-url", &openai], words].concat();
        let mut command = self.desk.command(&all);
        command.env("KIE_API_KEY", KEY).env("OPENAI_API_KEY", KEY);
        let said = said(command);
        assert_eq!(said.code, code, "{}\n{:#?}\n{:#?}", said.all(), self.kie.books(), self.openai.books());
        said
    }

    fn rows(&self) -> Vec<Row> {
        let bytes = self.desk.read("out/both/costs.csv");
        csv::Reader::from_reader(bytes.as_slice()).deserialize().map(|row| row.expect("a row has a cell for each column")).collect()
    }

    /// Each currency of our ledger is what its own provider wrote down, to the millionth.
    fn agrees(&self) {
        assert_eq!((self.kie.books().violations, self.openai.books().violations), (Vec::new(), Vec::new()), "requests are as the documents say");
        let ledger = SqliteLedger::open(&self.desk.path().join(".callsheet/ledger.db"), std::sync::Arc::new(SystemClock), Durability::Normal);
        let totals = ledger.expect("the ledger opens").totals(&Scope("campaign:both".to_owned())).expect("the ledger can be read");
        let spent: BTreeMap<String, i64> = totals.iter().map(|totals| (totals.currency.to_string(), totals.spent.get())).collect();
        let of = |currency: &str| spent.get(currency).copied().unwrap_or(0);
        assert_eq!((of("credits:kie"), of("USD")), (self.kie.charges(), self.openai.charges()), "{spent:?}");
        assert!(totals.iter().all(|totals| totals.reserved.get() == 0), "{totals:?}");
        for (provider, charged) in [("kie", self.kie.charges()), ("openai", self.openai.charges())] {
            let rows: Vec<Row> = self.rows().into_iter().filter(|row| row["provider"] == provider).collect();
            assert_eq!(i64::try_from(sum(&rows, "charged")).expect("a sum"), charged, "costs.csv of {provider}");
        }
    }
}

#[test]
fn one_campaign_pays_two_providers_each_in_its_own_currency() {
    let market = Market::sound(BOTH);
    let run = market.run(&[], 0);
    market.agrees();
    assert_eq!(counted_by(&market.rows(), "provider"), BTreeMap::from([("kie".to_owned(), 3), ("openai".to_owned(), 3)]));
    assert_eq!(counted_by(&market.rows(), "currency"), BTreeMap::from([("USD".to_owned(), 3), ("credits:kie".to_owned(), 3)]));
    assert!(market.rows().iter().all(|row| !row["usd"].is_empty()), "both books state a rate");
    assert!(run.err.contains("openai") && run.err.contains("18"), "the plan tells each provider: {}", run.err);
    let again = market.run(&[], 0);
    assert!(again.err.contains("nothing to do"), "{}", again.all());
}

#[test]
fn what_one_provider_made_goes_to_the_other_as_a_file_and_nothing_else_does() {
    let market = Market::sound(BOTH);
    market.run(&[], 0);
    let kie_host = market.kie.url.trim_start_matches("http://").to_owned();
    for request in market.openai.requests() {
        let text = String::from_utf8_lossy(&request.body).into_owned();
        assert!(!text.contains(&kie_host) && !text.contains("/result/"), "an address of one provider went to the other");
    }
    assert_eq!(market.openai.asked("/images/edits"), 3);
    assert_eq!(market.kie.asked("upload"), 0, "nobody uploads to a provider that does not need it");
    let drawn: Vec<String> = market.kie.books().pictures.into_values().flatten().collect();
    let sent: Vec<String> = market
        .openai
        .requests()
        .iter()
        .flat_map(|request| request.form().unwrap_or_default())
        .filter(|part| part.file_name.is_some())
        .map(|part| blake3::hash(&part.bytes).to_hex().to_string())
        .collect();
    assert_eq!(sent.len(), 3);
    assert!(sent.iter().all(|digest| drawn.contains(digest)), "the very bytes that the first one made");
}

#[test]
fn each_provider_gets_its_own_key_and_no_other() {
    let market = Market::sound(BOTH);
    let (kie, openai) = (format!("kie={}", market.kie.url), format!("openai={}/v1", market.openai.url));
    let mut command = market.desk.command(&["run", "campaigns/c.yaml", "--yes", "--base-url", &kie, "--base-url", &openai]);
    command.env("KIE_API_KEY", KEY).env("OPENAI_API_KEY", "key-of-openai");
    assert_eq!(said(command).code, 8, "the second one does not know its key");
    let keys = |server: &Loopback| {
        server.requests().iter().filter_map(|request| request.header("authorization").map(str::to_owned)).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(keys(&market.kie), [format!("Bearer {KEY}")].into());
    assert_eq!(keys(&market.openai), ["Bearer key-of-openai".to_owned()].into());
}

#[test]
fn an_account_that_is_refused_stops_only_its_own_shots_and_the_run_says_so() {
    let refusing = LoopbackScript::of(OpenAi::default())
        .always("/images/", Misdeed::Answer(error(401, "invalid_request_error", Some("invalid_api_key"), "no such key")));
    let market = Market::new(BOTH, LoopbackScript::of(Kie::default()), refusing);
    let run = market.run(&["--json"], 8);
    market.agrees();
    assert_eq!(market.kie.charges(), 18_000_000, "the drafts are all bought");
    assert!(run.err.contains("the account at openai was refused"), "{}", run.err);
    assert!(run.err.contains("openai: no such key"), "{}", run.err);
    assert!(run.out.lines().any(|line| line.contains("account-refused") && line.contains("\"provider\":\"openai\"")), "{}", run.out);
    market.openai.mend();
    market.run(&[], 0);
    market.agrees();
}

#[test]
fn an_account_that_is_refused_at_the_start_of_a_chain_leaves_nothing_to_do_and_closes_the_run() {
    let refusing = LoopbackScript::of(Kie::default()).always("createTask", Misdeed::Answer(code(402, "no credits")));
    let market = Market::new(BOTH, refusing, LoopbackScript::of(OpenAi::default()));
    let run = market.run(&[], 8);
    assert!(run.err.contains("kie: no credits"), "{}", run.err);
    assert_eq!((market.kie.charges(), market.openai.charges(), market.openai.requests().len()), (0, 0, 0));
}

#[test]
fn missing_keys_are_told_all_at_once_and_only_of_those_who_have_something_to_do() {
    let market = Market::sound(BOTH);
    let none = market.desk.say(&["run", "campaigns/c.yaml", "--yes"]);
    assert_eq!(none.code, 8, "{}", none.all());
    assert!(none.err.contains("KIE_API_KEY is not set") && none.err.contains("OPENAI_API_KEY is not set"), "{}", none.err);
    let mut command =
        market.desk.command(&["run", "campaigns/c.yaml", "--yes", "--until", "draft", "--base-url", &format!("kie={}", market.kie.url)]);
    command.env("KIE_API_KEY", KEY);
    let drafts = said(command);
    assert_eq!(drafts.code, 0, "{}", drafts.all());
}

#[test]
fn a_flag_switches_the_whole_campaign_and_a_saved_plan_keeps_it() {
    let market = Market::sound(&BOTH.replace("attempts: 1", "attempts: 2"));
    let plan = market.desk.plan(&["campaigns/c.yaml", "--provider", "openai"]);
    assert_eq!((plan["provider"].as_str(), plan["book"]["name"].as_str()), (Some("openai"), Some("openai")));
    assert_eq!(plan["by-provider"], serde_json::json!([]), "one provider is told by the totals");
    let checked = market.desk.say(&["check", "campaigns/c.yaml", "--provider", "openai"]);
    assert_eq!(checked.code, 0, "{}", checked.all());
    let saved = market.desk.say(&["plan", "campaigns/c.yaml", "--provider", "openai", "--out", "plan.json"]);
    assert_eq!(saved.code, 0, "{}", saved.all());
    let mut command = market.desk.command(&["run", "plan.json", "--yes", "--base-url", &format!("openai={}/v1", market.openai.url)]);
    command.env("OPENAI_API_KEY", KEY);
    let run = said(command);
    assert_eq!(run.code, 0, "{}", run.all());
    market.agrees();
    assert_eq!(market.kie.requests().len(), 0, "everything is made by the other");
}

#[test]
fn a_saved_plan_of_two_providers_runs_as_it_was_saved_and_not_when_an_account_has_changed() {
    let market = Market::sound(&BOTH.replace("attempts: 1", "attempts: 2"));
    let saved = market.desk.say(&["plan", "campaigns/c.yaml", "--out", "plan.json"]);
    assert_eq!(saved.code, 0, "{}", saved.all());
    let plan: serde_json::Value = serde_json::from_slice(&market.desk.read("plan.json")).expect("it is JSON");
    let kinds: Vec<&str> = plan["inputs"].as_array().into_iter().flatten().filter_map(|input| input["kind"].as_str()).collect();
    assert_eq!(
        (kinds.iter().filter(|kind| **kind == "provider").count(), kinds.iter().filter(|kind| **kind == "prices").count()),
        (2, 2),
        "{kinds:?}"
    );
    market.desk.edit_file("campaigns/c.yaml", "places: 2", "places: 1");
    assert_eq!(market.desk.say(&["run", "plan.json", "--yes"]).code, 4, "the campaign has moved");
    market.desk.edit_file("campaigns/c.yaml", "places: 1", "places: 2");
    let (kie, openai) = (format!("kie={}", market.kie.url), format!("openai={}/v1", market.openai.url));
    let mut command = market.desk.command(&["run", "plan.json", "--yes", "--base-url", &kie, "--base-url", &openai]);
    command.env("KIE_API_KEY", KEY).env("OPENAI_API_KEY", KEY);
    let run = said(command);
    assert_eq!(run.code, 0, "{}", run.all());
    market.agrees();
}

#[test]
fn caps_hold_for_each_provider_in_its_own_currency() {
    let capped = BOTH.replace("places: 2 }", "places: 2, cap: \"USD 0.1\" }, kie: { cap: 18 }");
    let market = Market::sound(&capped);
    let over = market.run(&[], 4);
    assert!(over.err.contains("the cap at openai of $0.1"), "{}", over.err);
    assert_eq!((market.kie.asked("createTask"), market.openai.requests().len()), (0, 0), "nothing was sent");
    let capped = BOTH.replace("places: 2 }", "places: 2 }, kie: { cap: 12 }");
    let market = Market::sound(&capped);
    let over = market.run(&[], 4);
    assert!(over.err.contains("the cap at kie of 12 credits"), "{}", over.err);
    let fits = BOTH.replace("places: 2 }", "places: 2, cap: \"USD 1\" }, kie: { cap: 18 }");
    let market = Market::sound(&fits);
    market.run(&[], 0);
    market.agrees();
}

#[test]
fn each_provider_keeps_its_own_windows_and_places() {
    let slow = BOTH.replace("windows: [{ count: 100, span: 1s }], places: 2", "windows: [{ count: 1, span: 2s }]");
    let market = Market::sound(&slow);
    let run = market.run(&[], 0);
    let at = |server: &Loopback, path: &str| {
        server.requests().iter().filter(|request| request.path.contains(path)).map(|request| request.at).collect::<Vec<_>>()
    };
    let (drafts, finals) = (at(&market.kie, "createTask"), at(&market.openai, "/images/edits"));
    assert_eq!((drafts.len(), finals.len()), (3, 3), "{}", run.all());
    assert!(finals.windows(2).all(|pair| pair[1] - pair[0] >= std::time::Duration::from_millis(1900)), "{finals:?}");
    assert!(drafts[2] - drafts[0] < std::time::Duration::from_secs(2), "the other one is not held up: {drafts:?}");
}

#[test]
fn a_balance_that_is_too_small_at_one_provider_stops_the_run_before_anything_is_sent() {
    let poor = LoopbackScript::of(Kie { credit: Some(12_000_000), ..Kie::default() });
    let market = Market::new(BOTH, poor, LoopbackScript::of(OpenAi::default()));
    let run = market.run(&[], 4);
    assert!(run.err.contains("the account at kie holds 12 credits, the floor there is 18 credits"), "{}", run.err);
    assert_eq!((market.kie.charges(), market.openai.requests().len()), (0, 0));
}

#[test]
fn a_baseline_or_a_profile_may_name_a_provider_too() {
    let desk = Desk::new();
    let campaign = r#"
callsheet: 1
campaign: layers
provider: kie
defaults: { model: gpt-image-2, aspect: "4:5", resolution: 1K }
baselines:
  own: { prompt: { subject: "a cup" }, provider: openai, quality: low }
steps:
  one: { generate: { baseline: own } }
  two: { generate: { baseline: own, provider: kie } }
  three: { generate: { prompt: "a plate" } }
profiles: { cheap: { defaults: { provider: openai } } }
"#;
    desk.write("campaigns/c.yaml", campaign);
    let by = |words: &[&str]| -> Vec<(String, u64)> {
        let plan = desk.plan(&[&["campaigns/c.yaml"], words].concat());
        let lines = plan["by-provider"].as_array().expect("lines").clone();
        lines.iter().map(|line| (line["provider"].as_str().expect("a name").to_owned(), line["jobs"].as_u64().expect("a count"))).collect()
    };
    let checked = desk.say(&["check", "campaigns/c.yaml"]);
    assert_eq!(checked.code, 0, "{}", checked.all());
    assert_eq!(by(&[]), [("openai".to_owned(), 1), ("kie".to_owned(), 2)]);
    assert_eq!(by(&["--profile", "cheap"]), [("openai".to_owned(), 2), ("kie".to_owned(), 1)]);
}

#[test]
fn books_without_a_common_currency_and_accounts_of_nobody_are_told_where_they_stand() {
    let desk = Desk::new();
    let told = |from: &str, to: &str| {
        desk.write("campaigns/c.yaml", BOTH.replace("fast-kie.yaml", "kie").replace(from, to));
        let said = desk.say(&["check", "campaigns/c.yaml"]);
        assert_eq!(said.code, 3, "{}", said.all());
        said.out
    };
    insta::assert_snapshot!("no_common_currency", told("provider: kie\n", "provider: kie\nprices: gptimage2-flat\n"));
    insta::assert_snapshot!("unknown_account", told("providers: { openai:", "providers: { opnai:"));
    insta::assert_snapshot!("bad_account", told("places: 2", "places: 2, base-url: nowhere"));
    insta::assert_snapshot!("unknown_step_provider", told("provider: openai,", "provider: opnai,"));
    insta::assert_snapshot!("cap_in_credits", told("cap: \"USD 5\"", "cap: 500"));
    insta::assert_snapshot!("step_provider_lacks_model", told("defaults: { model: gpt-image-2,", "defaults: { model: z-image,"));
}

#[test]
fn the_worksheet_takes_a_provider_with_its_own_book() {
    let desk = Desk::with_all_campaigns();
    let own = desk.say(&["estimate", "--finals", "10", "--model", "brush", "--provider", "campaigns/own-provider/studio.yaml", "--format", "json"]);
    assert_eq!(own.code, 0, "{}", own.all());
    assert!(own.out.contains("\"studio\"") && own.out.contains("\"20\""), "{}", own.out);
    let kie = desk.say(&["estimate", "--finals", "10", "--model", "gpt-image-2", "--provider", "kie"]);
    assert!(kie.code == 0 && kie.out.contains("60 credits"), "{}", kie.all());
}

#[test]
fn a_campaign_over_two_providers_rehearses_with_the_terms_of_each() {
    let desk = Desk::with_all_campaigns();
    desk.rehearse(&["campaigns/two-providers.yaml"], 0);
    let rows = desk.costs("two-providers");
    assert_eq!(counted_by(&rows, "provider"), BTreeMap::from([("kie".to_owned(), 6), ("openai".to_owned(), 6)]));
    assert_eq!(counted_by(&rows, "currency"), BTreeMap::from([("USD".to_owned(), 6), ("credits:kie".to_owned(), 6)]));
    let plan = desk.say(&["plan", "campaigns/two-providers.yaml"]);
    insta::assert_snapshot!("two_providers_plan", plan.out);
    let status = desk.say(&["status", "campaigns/two-providers.yaml", "--rehearse"]);
    assert_eq!(status.code, 0, "{}", status.all());
}
