//! Everything that a provider or a network can do wrong with a paid request, a question, or a download: each alone, and mixed by seed.
//!
//! In: a kind of fault, or a seed. Out: [`Findings`] after the fault has ended and all doubts are settled by the provider's books.
//! Never: a fault that is only simulated; each goes over a real connection to the real program.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::dice::Dice;
use super::shop::{Findings, Shape, Shop, Tree};
use crate::loopback::kie::{Fate, Kie, code};
use crate::loopback::openai::{OpenAi, error};
use crate::loopback::{Api, LoopbackScript, Misdeed, Reply};

/// A way to go wrong.
#[derive(Clone)]
pub struct Kind {
    pub name: &'static str,
    pub shape: Shape,
    wrong: Wrong,
    /// Pictures that the provider spoils itself: it charged, and nobody can have them.
    spoiled: usize,
}

/// Where it goes wrong.
#[derive(Clone)]
enum Wrong {
    /// In an answer to requests with this in their path, at these of them.
    Answer(&'static str, std::ops::RangeInclusive<usize>, Misdeed),
    /// In what becomes of tasks.
    Fates(Vec<Fate>),
    /// In what a task costs, and whether that is told.
    Price(i64, bool),
    /// In how long a fresh task is not seen.
    Unseen(u32),
}

/// Two pictures, one made from each; a fault meets some of the four requests.
pub fn campaign(shape: Shape) -> String {
    let (aspect, quality) = match shape {
        Shape::Task => ("4:5", ""),
        Shape::Picture => ("1:1", ", quality: medium"),
    };
    format!(
        r#"
callsheet: 1
campaign: faults
provider: fast.yaml
defaults: {{ model: gpt-image-2, aspect: "{aspect}", resolution: 1K{quality} }}
axes:
  cup: {{ red: {{ title: "red cup" }}, blue: {{ title: "blue cup" }} }}
steps:
  draft: {{ generate: {{ prompt: "{{{{ cup.title }}}} alone", over: [cup] }} }}
  evening: {{ edit: {{ image: draft, prompt: "{{{{ cup.title }}}} in evening light" }} }}
run: {{ attempts: 4, concurrency: 4 }}
"#
    )
}

fn body(reply: &mut Reply, change: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_slice(&reply.body).unwrap_or(Value::Null);
    change(&mut value);
    reply.body = value.to_string().into_bytes();
}

/// Changes the list of a task's results, which is a text within the answer.
fn results(reply: &mut Reply, change: fn(&mut Vec<Value>)) {
    body(reply, |value| {
        let text = value["data"]["resultJson"].as_str().unwrap_or_default();
        let Ok(mut list) = serde_json::from_str::<Value>(text) else { return };
        if let Some(urls) = list["resultUrls"].as_array_mut() {
            change(urls);
        }
        value["data"]["resultJson"] = json!(list.to_string());
    });
}

/// A name, and a change of an answer.
type Change = (&'static str, fn(&mut Reply));

/// Changes of an answer that leave its meaning, or take it away.
fn changes() -> Vec<Change> {
    vec![
        ("unknown fields", |reply| {
            body(reply, |value| {
                value["surprise"] = json!({ "a": [1, null, { "b": "c" }] });
                value["data2"] = json!([]);
            });
        }),
        ("missing fields", |reply| {
            body(reply, |value| {
                value.as_object_mut().map(|map| map.remove("data"));
            });
        }),
        ("wrong types", |reply| body(reply, |value| value["data"] = json!(7))),
        ("numbers as texts", |reply| {
            body(reply, |value| {
                for pointer in
                    ["/code", "/data/creditsConsumed", "/data/successFlag", "/usage/output_tokens", "/usage/input_tokens_details/text_tokens"]
                {
                    if let Some(found) = value.pointer_mut(pointer) {
                        *found = json!(found.to_string());
                    }
                }
            });
        }),
        ("deep nesting", |reply| reply.body = [b"[".repeat(100_000), b"]".repeat(100_000)].concat()),
        ("huge body", |reply| reply.body = vec![b' '; 40 << 20]),
        ("invalid UTF-8", |reply| reply.body = b"\xff\xfe{\"code\":200}".to_vec()),
        ("NaN", |reply| reply.body = b"{\"code\":NaN,\"data\":{\"taskId\":NaN}}".to_vec()),
        ("duplicate keys", |reply| {
            let text = String::from_utf8_lossy(&reply.body).replacen('{', "{\"code\":200,\"created\":1,", 1);
            reply.body = text.into_bytes();
        }),
        ("an empty body", |reply| reply.body.clear()),
        ("HTML with status 200", |reply| reply.body = b"<html>502 Bad Gateway</html>".to_vec()),
        ("another content type", |reply| reply.headers = vec![("content-type".to_owned(), "text/plain".to_owned())]),
    ]
}

/// Returns every kind.
pub fn kinds() -> Vec<Kind> {
    let mut all = Vec::new();
    for shape in Shape::BOTH {
        let mut add = |name, path, nth, misdeed, spoiled| {
            all.push(Kind { name, shape, wrong: Wrong::Answer(path, nth, misdeed), spoiled });
        };
        let submit = shape.submit();
        for (name, misdeed) in [
            ("answer to a submit: lost", Misdeed::DropAfter),
            ("request lost before it was read", Misdeed::DropBefore),
            ("answer to a submit: garbled", Misdeed::Garble),
            ("answer to a submit: hangs", Misdeed::Hang),
            ("answer to a submit: breaks off", Misdeed::Truncate(25)),
            ("answer to a submit: reset", Misdeed::Reset(25)),
            ("answer to a submit: drips", Misdeed::Drip(8, Duration::from_millis(20))),
            ("answer to a submit: late", Misdeed::Delay(Duration::from_millis(300))),
        ] {
            add(name, submit, 2..=2, misdeed.clone(), 0);
            if let Misdeed::DropAfter | Misdeed::Garble = misdeed {
                let all = if let Misdeed::Garble = misdeed { "answers to all submits: garbled" } else { "answers to all submits: lost" };
                add(all, submit, 1..=usize::MAX, misdeed, 0);
            }
        }
        for (name, change) in changes() {
            // An answer that counts tokens and holds no picture has been charged.
            let empty = shape == Shape::Picture && ["missing fields", "wrong types"].contains(&name);
            add(name, submit, 2..=2, Misdeed::Rewrite(change), usize::from(empty));
        }
        let soon = |wait: &str| {
            let reply = match shape {
                Shape::Task => code(429, "too fast"),
                Shape::Picture => error(429, "rate", Some("rate_limit_exceeded"), "too fast"),
            };
            Misdeed::Answer(reply.header("retry-after", wait))
        };
        add("429, Retry-After 0", submit, 1..=2, soon("0"), 0);
        add("429, Retry-After -1", submit, 1..=1, soon("-1"), 0);
        add("429, Retry-After a date that is past", submit, 1..=1, soon("Wed, 21 Oct 2015 07:28:00 GMT"), 0);
        add("429, Retry-After a text", submit, 1..=1, soon("soon"), 0);
        add("503 for some time", submit, 1..=3, Misdeed::Answer(Reply::status(503)), 0);
        add("500 for some time", submit, 1..=3, Misdeed::Answer(Reply::status(500)), 0);
        if shape == Shape::Picture {
            add("picture in the answer: not Base64", submit, 2..=2, Misdeed::Rewrite(not_base64), 1);
            add("picture in the answer: HTML", submit, 2..=2, Misdeed::Rewrite(html_within), 1);
            add("picture in the answer: cut", submit, 2..=2, Misdeed::Rewrite(cut_within), 1);
            add("two pictures in the answer", submit, 2..=2, Misdeed::Rewrite(two_within), 0);
        }
    }
    all.extend(of_tasks());
    all
}

fn not_base64(reply: &mut Reply) {
    body(reply, |value| value["data"][0]["b64_json"] = json!("%%%"));
}

fn html_within(reply: &mut Reply) {
    body(reply, |value| value["data"][0]["b64_json"] = json!("PGh0bWw+bm88L2h0bWw+"));
}

fn cut_within(reply: &mut Reply) {
    body(reply, |value| {
        let text = value["data"][0]["b64_json"].as_str().unwrap_or_default();
        value["data"][0]["b64_json"] = json!(text[..text.len() / 8 * 4]);
    });
}

fn two_within(reply: &mut Reply) {
    body(reply, |value| {
        let again = value["data"][0].clone();
        if let Some(list) = value["data"].as_array_mut() {
            list.push(again);
        }
    });
}

/// What only the shape with tasks can do wrong.
fn of_tasks() -> Vec<Kind> {
    let mut all = Vec::new();
    let mut add = |name, wrong| all.push(Kind { name, shape: Shape::Task, wrong, spoiled: 0 });
    let answer = |path, nth, misdeed| Wrong::Answer(path, nth, misdeed);
    for (name, misdeed) in [
        ("download: breaks off", Misdeed::Truncate(100)),
        ("download: reset", Misdeed::Reset(100)),
        ("download: not answered", Misdeed::DropBefore),
        ("download: hangs", Misdeed::Hang),
        ("download: drips", Misdeed::Drip(16, Duration::from_millis(20))),
        ("download: empty", Misdeed::Answer(Reply::bytes("image/png", Vec::new()))),
        ("download: HTML as PNG", Misdeed::Answer(Reply::bytes("image/png", b"<html>no</html>".to_vec()))),
        ("download: corrupt", Misdeed::Rewrite(flipped)),
        ("download: wrong content type", Misdeed::Rewrite(as_text)),
        ("download: 404 for the first seconds", Misdeed::Answer(Reply::status(404))),
        ("download: 503", Misdeed::Answer(Reply::status(503))),
        ("download: expired address", Misdeed::Answer(Reply::status(403))),
    ] {
        add(name, answer("/result/", 1..=2, misdeed));
    }
    add("downloads: all reset until it is mended", answer("/result/", 1..=usize::MAX, Misdeed::Reset(100)));
    add("downloads: all 503 until it is mended", answer("/result/", 1..=usize::MAX, Misdeed::Answer(Reply::status(503))));
    for (name, change) in changes() {
        add(polled(name), answer("recordInfo", 1..=3, Misdeed::Rewrite(change)));
    }
    add("question: hangs", answer("recordInfo", 1..=1, Misdeed::Hang));
    add("question: not answered", answer("recordInfo", 1..=3, Misdeed::DropBefore));
    add("question: 5xx for some time", answer("recordInfo", 1..=6, Misdeed::Answer(Reply::status(502))));
    add("questions: all lost until it is mended", answer("recordInfo", 1..=usize::MAX, Misdeed::DropBefore));
    add("success without an address", answer("recordInfo", 3..=8, Misdeed::Rewrite(|reply| results(reply, Vec::clear))));
    add(
        "success with an address twice",
        answer("recordInfo", 1..=usize::MAX, Misdeed::Rewrite(|reply| results(reply, |urls| urls.extend(urls.clone())))),
    );
    add(
        "success with 10 addresses",
        answer(
            "recordInfo",
            1..=usize::MAX,
            Misdeed::Rewrite(|reply| {
                results(reply, |urls| {
                    *urls = urls.iter().cycle().take(urls.len() * 10).cloned().collect();
                })
            }),
        ),
    );
    add("upload: not answered", answer("file-stream-upload", 1..=1, Misdeed::DropBefore));
    add("upload: garbled", answer("file-stream-upload", 1..=1, Misdeed::Garble));
    add("a fresh task is not seen", Wrong::Unseen(5));
    add("a task fails, all is given back", Wrong::Fates(vec![Fate::Fail("500", "no", true), Fate::Success, Fate::Fail("501", "no", true)]));
    add(
        "a task fails, part is given back",
        Wrong::Fates(vec![Fate::FailPart("500", "no", 2_500_000), Fate::Success, Fate::FailPart("500", "no", 1)]),
    );
    add("a task fails, nothing is given back", Wrong::Fates(vec![Fate::Fail("500", "no", false), Fate::Fail("500", "no", false)]));
    add("a task never ends", Wrong::Fates(vec![Fate::Never]));
    add("no task ever ends", Wrong::Fates(vec![Fate::Never, Fate::Never, Fate::Never, Fate::Never]));
    add("a charge above the quote", Wrong::Price(9_000_000, true));
    add("a charge below the quote", Wrong::Price(3_250_001, true));
    add("a charge of nothing", Wrong::Price(0, true));
    add("charges that are not told", Wrong::Price(6_000_000, false));
    all
}

fn flipped(reply: &mut Reply) {
    let middle = reply.body.len() / 2;
    if let Some(byte) = reply.body.get_mut(middle) {
        *byte ^= 0x55;
    }
}

fn as_text(reply: &mut Reply) {
    reply.headers = vec![("content-type".to_owned(), "text/html".to_owned())];
}

fn polled(name: &'static str) -> &'static str {
    match name {
        "unknown fields" => "question: unknown fields",
        "missing fields" => "question: missing fields",
        "wrong types" => "question: wrong types",
        "numbers as texts" => "question: numbers as texts",
        "deep nesting" => "question: deep nesting",
        "huge body" => "question: huge body",
        "invalid UTF-8" => "question: invalid UTF-8",
        "NaN" => "question: NaN",
        "duplicate keys" => "question: duplicate keys",
        "an empty body" => "question: an empty body",
        "HTML with status 200" => "question: HTML with status 200",
        _ => "question: another content type",
    }
}

impl Kind {
    /// Has it happen to a campaign, and compares.
    pub fn try_it(&self, wanted: &Tree) -> Findings {
        self.try_telling(wanted, &[])
    }

    /// As [`Kind::try_it`], with runs that are told something besides.
    pub fn try_telling(&self, wanted: &Tree, also: &'static [&'static str]) -> Findings {
        let mut found = shop(self.shape, std::slice::from_ref(self)).telling(also).settle(wanted, self.spoiled);
        for trouble in &mut found.trouble {
            *trouble = format!("{}, {} shape: {trouble}", self.name, self.shape.word());
        }
        found
    }
}

fn shop(shape: Shape, kinds: &[Kind]) -> Shop {
    let mut kie = Kie::default();
    for kind in kinds {
        match &kind.wrong {
            Wrong::Fates(fates) => kie.fates.clone_from(fates),
            Wrong::Price(price, tells) => (kie.price, kie.tells_charges) = (Some(*price), *tells),
            Wrong::Unseen(times) => kie.unseen = *times,
            Wrong::Answer(..) => {}
        }
    }
    let script = match shape {
        Shape::Task => script(kie, kinds),
        Shape::Picture => script(OpenAi::default(), kinds),
    };
    Shop::open(shape, "faults", &campaign(shape), script)
}

fn script(api: impl Api, kinds: &[Kind]) -> LoopbackScript {
    kinds.iter().fold(LoopbackScript::of(api).steady(), |script, kind| match &kind.wrong {
        Wrong::Answer(path, nth, misdeed) => script.faults(path, nth.clone(), misdeed.clone()),
        Wrong::Fates(_) | Wrong::Price(..) | Wrong::Unseen(_) => script,
    })
}

/// Returns what a run without any fault leaves.
pub fn undisturbed(shape: Shape) -> Tree {
    let shop = shop(shape, &[]);
    let said = shop.say(&shop.words());
    assert_eq!(said.code, 0, "{}", said.err);
    shop.tree()
}

/// Has several kinds happen at once; a number decides which.
pub fn mixed(seed: u64, wanted: &[Tree; 2]) -> Findings {
    let mut dice = Dice::new(seed);
    let shape = Shape::BOTH[dice.below(2)];
    let all: Vec<Kind> = kinds().into_iter().filter(|kind| kind.shape == shape).collect();
    let chosen: Vec<Kind> = (0..2 + dice.below(3)).map(|_| shifted(all[dice.below(all.len())].clone(), &mut dice)).collect();
    let spoiled = chosen.iter().map(|kind| kind.spoiled).sum();
    let mut found = shop(shape, &chosen).settle(&wanted[usize::from(shape == Shape::Picture)], spoiled);
    let names: Vec<&str> = chosen.iter().map(|kind| kind.name).collect();
    for trouble in &mut found.trouble {
        *trouble = format!("mix {seed}, {} shape, {}: {trouble}", shape.word(), names.join(" + "));
    }
    found
}

/// Lets a fault come a little later.
fn shifted(mut kind: Kind, dice: &mut Dice) -> Kind {
    if let Wrong::Answer(_, nth, _) = &mut kind.wrong
        && *nth.end() < usize::MAX
    {
        let later = dice.below(3);
        *nth = nth.start() + later..=nth.end() + later;
    }
    kind
}

/// Tries many at once and returns what was found, in their order.
pub fn at_once<T: Sync>(all: &[T], one: impl Fn(&T) -> Findings + Sync) -> Vec<Findings> {
    let next = AtomicUsize::new(0);
    let found = Mutex::new(vec![Findings::default(); all.len()]);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = all.get(index) else { return };
                    let findings = one(item);
                    found.lock().unwrap_or_else(PoisonError::into_inner)[index] = findings;
                }
            });
        }
    });
    found.into_inner().unwrap_or_else(PoisonError::into_inner)
}
