//! Providers one by one: the real program against a server that was written from the provider's documents, each documented outcome with its class
//! and its charge.

mod bfl;
mod fal;
mod gemini;
mod ideogram;
mod imagineart;
mod kie;
mod nonsense;
mod qolaba;
mod recraft;
mod replicate;
mod stability;
mod xai;

use std::fmt::Write as _;

use callsheet::provider::manifest::{builtin, builtin_text};

use crate::buying::Shop;
use crate::desk::{Desk, Row, Said, said};
use crate::loopback::{KEY, Loopback, LoopbackScript, Misdeed, Reply};

/// A desk with one campaign, and a provider to buy it from.
pub struct Counter {
    pub shop: Shop,
    /// What stands between the origin and the paths, where the provider's address has a version.
    base: &'static str,
}

impl Counter {
    pub fn new(provider: &'static str, base: &'static str, campaign: &str, script: LoopbackScript) -> Self {
        let shop = Shop { desk: Desk::new(), server: Loopback::start(script), provider };
        shop.desk.write("campaigns/c.yaml", campaign);
        let mask = image::RgbaImage::from_fn(48, 48, |x, _| image::Rgba(if x < 24 { [0; 4] } else { [255; 4] }));
        mask.save(shop.desk.path().join("campaigns/mask.png")).expect("a small picture can be written");
        Self { shop, base }
    }

    /// Runs the campaign for money and expects this exit code.
    pub fn run(&self, code: i32) -> Said {
        self.run_with(&[], code)
    }

    pub fn run_with(&self, words: &[&str], code: i32) -> Said {
        let base = format!("{}={}{}", self.shop.provider, self.shop.server.url, self.base);
        let mut command = self.shop.desk.command(&[&["run", "campaigns/c.yaml", "--yes", "--base-url", &base], words].concat());
        command.env(builtin(self.shop.provider).expect("a built-in provider").key_env, KEY);
        let said = said(command);
        assert_eq!(said.code, code, "{}\n{:#?}", said.all(), self.shop.server.books());
        assert!(!said.all().contains("canary"), "the key was said: {}", said.all());
        said
    }

    pub fn row(&self, campaign: &str) -> Row {
        self.shop.rows(campaign).into_iter().next().expect("there was a try")
    }
}

/// Buys one picture from a provider whose first answer to a path is each of these, and tells how each ended.
pub fn first_answered(
    make: impl Fn(LoopbackScript) -> Counter,
    api: impl Fn() -> LoopbackScript,
    path: &str,
    cases: Vec<(&str, Reply, i32)>,
) -> String {
    let mut told = Vec::new();
    for (name, reply, exit) in cases {
        let counter = make(api().fault(path, 1, Misdeed::Answer(reply)));
        let said = counter.run(exit);
        let books = counter.shop.server.books();
        assert_eq!(books.violations, [""; 0], "{name}");
        let row = counter.row("one");
        // What is said in the end is the provider's own sentence, where it has one.
        let asked = counter.shop.server.asked(path);
        told.push(format!("{name}: exit {exit}, {} {} charged {:?}, asked {asked} times", row["status"], row["error_code"], row["charged"]));
        assert!(!said.err.contains('\u{7}'), "{name}: {}", said.err);
    }
    told.join("\n")
}

/// Opens a shop at a built-in provider whose tasks are asked after without a wait; campaigns name `fast.yaml`.
fn shop(provider: &'static str, campaign: &str, script: LoopbackScript) -> Shop {
    let shop = Shop { desk: Desk::new(), server: Loopback::start(script), provider };
    shop.desk.write("campaigns/fast.yaml", fast(provider));
    shop.desk.write("campaigns/c.yaml", campaign);
    shop
}

/// Returns the built-in manifest with a curve that does not keep a test waiting.
fn fast(provider: &str) -> String {
    let text = builtin_text(provider).expect("a built-in manifest");
    let Some((before, after)) = text.split_once("\npoll:\n") else { return text.to_owned() };
    let (_, after) = after.split_once("  deadline: 15m\n").expect("the curve ends with its deadline");
    format!("{before}\npoll:\n  start: 10ms\n  steps: [{{ from: 0s, every: 20ms }}]\n  deadline: 3s\n  unseen: 2s\n{after}")
}

/// An outcome: its name, the server that brings it about, the exit code, and what we count of a charge that nobody has confirmed.
struct Case {
    name: &'static str,
    script: LoopbackScript,
    exit: i32,
    open: i64,
}

/// Buys one picture for each outcome and tells how its tries ended, one line each; our sums are the server's but for what is open.
fn told(provider: &'static str, campaign: &str, submit: &str, cases: Vec<Case>) -> String {
    let mut text = String::new();
    for Case { name, script, exit, open } in cases {
        let shop = shop(provider, campaign, script);
        let said = shop.run(&[], exit);
        if exit == 7 {
            assert_eq!(shop.server.books().violations, [""; 0], "{name}");
        } else {
            shop.agrees_but_for("one", open);
        }
        let tries: Vec<String> = shop
            .rows("one")
            .iter()
            .map(|row| format!("{} {} quoted {} charged {:?}", row["status"], row["error_code"], row["quoted"], row["charged"]))
            .collect();
        let _ = writeln!(text, "{name}: exit {}, {} submits: {}", said.code, shop.server.asked(submit), tries.join(" | "));
    }
    text
}

/// The same at a provider without prices: no sum of ours says anything, so only classes and requests are told.
fn unpriced(provider: &'static str, campaign: &str, submit: &str, cases: Vec<Case>) -> String {
    let mut text = String::new();
    for Case { name, script, exit, .. } in cases {
        let shop = shop(provider, campaign, script);
        let said = shop.run(&["--allow-unpriced"], exit);
        assert_eq!(shop.server.books().violations, [""; 0], "{name}");
        let tries: Vec<String> = shop
            .rows("one")
            .iter()
            .map(|row| format!("{} {} quoted {:?} charged {:?}", row["status"], row["error_code"], row["quoted"], row["charged"]))
            .collect();
        let _ = writeln!(text, "{name}: exit {}, {} submits: {}", said.code, shop.server.asked(submit), tries.join(" | "));
    }
    text
}
