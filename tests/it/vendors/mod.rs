//! Providers whose answer is the picture or its address: each bought from by the real program, at a server written from its documents.

mod gemini;
mod ideogram;
mod nonsense;
mod recraft;
mod stability;
mod xai;

use callsheet::provider::manifest::builtin;

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
