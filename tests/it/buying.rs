//! Real runs of the real program against a provider on this machine: what is bought, what it costs, and what is said when it goes wrong.
//!
//! After every run our ledger's sums are the server's own, to the millionth, and every file is the picture of its own request.

use std::collections::BTreeMap;
use std::time::Duration;

use callsheet::ledger::{Durability, Ledger as _, Scope, SqliteLedger};
use callsheet::provider::manifest::builtin_text;
use callsheet::types::SystemClock;

use crate::desk::{Desk, Row, Said, said, sum};
use crate::loopback::kie::{Fate, Kie, code};
use crate::loopback::{Api, KEY, Loopback, LoopbackScript, Misdeed, Reply};

/// A desk, and a provider to buy from.
pub struct Shop {
    pub desk: Desk,
    pub server: Loopback,
    provider: &'static str,
}

/// One picture, and one that is made from it.
const CHAIN: &str = r#"
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
const ONE: &str = r#"
callsheet: 1
campaign: one
provider: fast-kie.yaml
defaults: { model: gpt-image-2, aspect: "4:5", resolution: 1K }
steps:
  draft: { generate: { prompt: "a red cup" } }
budget: { cap: 200 }
"#;

/// Returns the built-in manifest with a curve that does not keep a test waiting.
fn fast(name: &str) -> String {
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
        let base = format!("{}={}", self.provider, self.server.url);
        let mut command = self.desk.command(&[&["run", "campaigns/c.yaml", "--yes", "--base-url", &base], words].concat());
        command.env("KIE_API_KEY", KEY).env("OPENAI_API_KEY", KEY);
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

    /// Our sums are the server's; nothing was wrong with a request; every file is the picture of its own prompt.
    pub fn agrees(&self, campaign: &str) {
        let books = self.server.books();
        assert_eq!(books.violations, [""; 0], "requests are as the documents say");
        let ledger = SqliteLedger::open(&self.desk.path().join(".callsheet/ledger.db"), std::sync::Arc::new(SystemClock), Durability::Normal);
        let totals = ledger.expect("the ledger opens").totals(&Scope(format!("campaign:{campaign}"))).expect("the ledger can be read");
        let totals = totals.expect("it has seen the campaign");
        assert_eq!((totals.spent.get(), totals.reserved.get()), (self.server.charges(), 0), "our ledger and the server's");
        assert_eq!(i64::try_from(sum(&self.rows(campaign), "charged")).expect("a sum"), self.server.charges(), "costs.csv");
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
