//! Providers one by one: the real program against a server that was written from the provider's documents, each documented outcome with its class
//! and its charge.

mod bfl;
mod fal;
mod imagineart;
mod kie;
mod qolaba;
mod replicate;

use std::fmt::Write as _;

use callsheet::provider::manifest::builtin_text;

use crate::buying::Shop;
use crate::desk::Desk;
use crate::loopback::{Loopback, LoopbackScript};

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
