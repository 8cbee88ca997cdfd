//! SIGKILL at every step of a campaign, and at random moments of larger ones.
//!
//! In: a provider's shape, how many points, seeds. Out: [`Kills`].
//! Never: a mock of ours between the program and the kill: the process is the shipped one, its steps are its system calls.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::dice::Dice;
use super::shop::{Findings, PROGRAM, Shape, Shop, Tree};
use super::trace::{self, Ended, Place};
use crate::loopback::kie::{Fate, Kie, code};
use crate::loopback::openai::{OpenAi, error};
use crate::loopback::{LoopbackScript, Misdeed};

/// What many kills came to.
#[derive(Debug, Default, Clone)]
pub struct Kills {
    /// Steps of an undisturbed run.
    pub steps: BTreeMap<Place, usize>,
    /// Times the process was killed.
    pub killed: usize,
    /// Times that it had come to its end before.
    pub missed: usize,
    /// Kills that left a shot in doubt.
    pub doubtful: usize,
    /// Most kills in a row of one campaign.
    pub in_a_row: usize,
    /// Campaigns.
    pub campaigns: usize,
    pub found: Findings,
}

impl Kills {
    fn add(&mut self, other: Self) {
        self.killed += other.killed;
        self.missed += other.missed;
        self.doubtful += other.doubtful;
        self.in_a_row = self.in_a_row.max(other.in_a_row);
        self.campaigns += other.campaigns;
        self.found.add(other.found);
    }
}

/// Twenty jobs: a picture, two edits in a chain, a file of ours that is uploaded, a small version of each, a contact sheet.
fn small(shape: Shape) -> String {
    let (aspect, quality) = match shape {
        Shape::Task => ("4:5", ""),
        Shape::Picture => ("1:1", ", quality: medium"),
    };
    format!(
        r#"
callsheet: 1
campaign: crash
provider: fast.yaml
defaults: {{ model: gpt-image-2, aspect: "{aspect}", resolution: 1K{quality} }}
axes:
  cup: {{ red: {{ title: "red cup" }}, blue: {{ title: "blue cup" }}, green: {{ title: "green cup" }}, white: {{ title: "white cup" }} }}
steps:
  logo: {{ load: {{ file: logo.png }} }}
  badge: {{ edit: {{ image: logo, prompt: "the logo in brass" }} }}
  table: {{ generate: {{ prompt: "an empty table" }} }}
  draft: {{ generate: {{ prompt: "{{{{ cup.title }}}} alone", over: [cup] }} }}
  evening: {{ edit: {{ image: draft, images: [badge], prompt: "{{{{ cup.title }}}} in evening light" }} }}
  night: {{ edit: {{ image: evening, prompt: "{{{{ cup.title }}}} at night" }} }}
  small: {{ transform: {{ image: night, ops: [ {{ resize: {{ width: 24 }} }} ] }} }}
  overview: {{ sheet: {{ image: small, across: [cup], cell: 32x32 }} }}
run: {{ attempts: 3, concurrency: 4 }}
"#
    )
}

/// Three shots a row, two of them paid.
fn large(shape: Shape, rows: usize) -> String {
    let (aspect, quality) = match shape {
        Shape::Task => ("4:5", ""),
        Shape::Picture => ("1:1", ", quality: medium"),
    };
    let cups: Vec<String> = (0..rows).map(|row| format!("c{row:03}: {{ title: \"cup {row}\" }}")).collect();
    format!(
        r#"
callsheet: 1
campaign: crash
provider: fast.yaml
defaults: {{ model: gpt-image-2, aspect: "{aspect}", resolution: 1K{quality} }}
axes:
  cup: {{ {} }}
steps:
  draft: {{ generate: {{ prompt: "{{{{ cup.title }}}} alone", over: [cup] }} }}
  evening: {{ edit: {{ image: draft, prompt: "{{{{ cup.title }}}} in evening light" }} }}
  small: {{ transform: {{ image: evening, ops: [ {{ resize: {{ width: 24 }} }} ] }} }}
run: {{ attempts: 3, concurrency: 16 }}
"#,
        cups.join(", ")
    )
}

/// A provider whose faults a number decides: a task that fails, a request that comes too soon, a picture that breaks off.
fn provider(shape: Shape, seed: u64, shots: usize) -> LoopbackScript {
    let mut dice = Dice::new(seed);
    let mut at = |most: usize| 1 + dice.below(most);
    let (failed, throttled, cut) = (at(shots) - 1, at(shots), at(shots));
    match shape {
        Shape::Task => {
            let mut fates = vec![Fate::Success; shots];
            fates[failed] = Fate::Fail("500", "no luck", at(2) == 1);
            let soon = code(429, "too fast").header("retry-after-ms", "20");
            LoopbackScript::of(Kie { fates, ..Kie::default() })
                .fault("createTask", throttled, Misdeed::Answer(soon))
                .fault("/result/", cut, Misdeed::Truncate(100))
                .steady()
        }
        Shape::Picture => {
            let soon = error(429, "rate", Some("rate_limit_exceeded"), "too fast").header("retry-after-ms", "20");
            LoopbackScript::of(OpenAi::default()).fault("/images/", throttled, Misdeed::Answer(soon)).steady()
        }
    }
}

/// Paid shots of the small campaign.
const PAID: usize = 14;

fn small_shop(shape: Shape, seed: u64) -> Shop {
    Shop::open(shape, "crash", &small(shape), provider(shape, seed, PAID))
}

/// Returns the tree of a run that nobody disturbs; what the provider does wrong on the way must not be seen in it.
fn undisturbed(shop: &Shop, found: &mut Findings) -> Tree {
    let said = shop.say(&shop.words());
    let tree = shop.tree();
    if said.code != 0 || tree.prompts.is_empty() {
        found.unnamed += 1;
        found.trouble.push(format!("undisturbed: exit {}: {}", said.code, said.err));
    }
    tree
}

/// Far from any number of steps, and prime: what is left out when time is up lies all over the run.
const LEAP: usize = 7919;

/// Kills the small campaign at every `stride`th step, in a fresh folder each time, until all have had their turn or time is up.
///
/// # Errors
/// The system does not allow tracing.
pub fn at_every_step(shape: Shape, seed: u64, stride: usize, until: Option<Instant>) -> std::io::Result<Kills> {
    let mut sum = Kills::default();
    let shop = small_shop(shape, seed);
    let wanted = undisturbed(&shop, &mut sum.found);
    let shop = small_shop(shape, seed);
    let whole = trace::run(PROGRAM, &shop.words(), |command| shop.set_up(command), None)?;
    sum.steps = trace::by_place(&whole.steps);
    if shop.tree() != wanted {
        sum.found.wrong += 1;
        sum.found.trouble.push("two undisturbed runs leave different trees".to_owned());
    }
    // Where threads race a run may take a few steps more than another.
    let last = whole.steps.len() + whole.steps.len() / 20;
    let points = last.div_ceil(stride);
    let next = AtomicUsize::new(0);
    let all = Mutex::new(sum);
    thread::scope(|scope| {
        for _ in 0..workers() {
            scope.spawn(|| {
                loop {
                    let turn = next.fetch_add(1, Ordering::Relaxed);
                    let step = 1 + turn * LEAP % points * stride;
                    if turn >= points || until.is_some_and(|until| Instant::now() > until) {
                        return;
                    }
                    let kills = at_step(shape, seed, step, &wanted);
                    all.lock().unwrap_or_else(PoisonError::into_inner).add(kills);
                }
            });
        }
    });
    Ok(all.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn at_step(shape: Shape, seed: u64, step: usize, wanted: &Tree) -> Kills {
    let mut kills = Kills { campaigns: 1, in_a_row: 1, ..Kills::default() };
    let shop = small_shop(shape, seed);
    let traced = match trace::run(PROGRAM, &shop.words(), |command| shop.set_up(command), Some(step)) {
        Ok(traced) => traced,
        Err(error) => {
            kills.found.trouble.push(format!("step {step}: {error}"));
            kills.found.unnamed += 1;
            return kills;
        }
    };
    match traced.ended {
        Ended::Killed => kills.killed += 1,
        Ended::Exit(_) => kills.missed += 1,
    }
    kills.found = shop.settle(wanted, 0);
    kills.doubtful = usize::from(kills.found.in_doubt > 0);
    let place = traced.steps.last().map_or("", |step| step.what.as_str());
    for trouble in &mut kills.found.trouble {
        *trouble = format!("{} shape, step {step} ({place}): {trouble}", shape.word());
    }
    kills
}

/// Kills larger campaigns at moments that seeds decide, up to five times in a row each, until `kills` have struck.
pub fn at_random(from: u64, wanted_kills: usize, rows: usize, until: Option<Instant>) -> Kills {
    let mut sum = Kills::default();
    let undisturbed_runs: Vec<(Tree, Duration)> = Shape::BOTH
        .iter()
        .map(|shape| {
            let shop = Shop::open(*shape, "crash", &large(*shape, rows), provider(*shape, from, rows * 2));
            let begun = Instant::now();
            (undisturbed(&shop, &mut sum.found), begun.elapsed())
        })
        .collect();
    let next = AtomicUsize::new(0);
    let all = Mutex::new(sum);
    thread::scope(|scope| {
        for _ in 0..workers() {
            scope.spawn(|| {
                loop {
                    let struck = all.lock().unwrap_or_else(PoisonError::into_inner).killed;
                    if struck >= wanted_kills || until.is_some_and(|until| Instant::now() > until) {
                        return;
                    }
                    let seed = from + next.fetch_add(1, Ordering::Relaxed) as u64;
                    let shape = Shape::BOTH[(seed % 2) as usize];
                    let (wanted, span) = &undisturbed_runs[(seed % 2) as usize];
                    let kills = several(shape, seed, rows, wanted, *span);
                    all.lock().unwrap_or_else(PoisonError::into_inner).add(kills);
                }
            });
        }
    });
    all.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn several(shape: Shape, seed: u64, rows: usize, wanted: &Tree, span: Duration) -> Kills {
    let mut kills = Kills { campaigns: 1, ..Kills::default() };
    let mut dice = Dice::new(seed);
    let shop = Shop::open(shape, "crash", &large(shape, rows), provider(shape, seed, rows * 2));
    for _ in 0..1 + dice.below(5) {
        let mut child =
            shop.command(&shop.words()).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().expect("it starts");
        thread::sleep(span.mul_f64(dice.below(1000) as f64 / 1000.0));
        let _ = child.kill();
        match child.wait().expect("it ends").code() {
            None => kills.killed += 1,
            Some(_) => kills.missed += 1,
        }
    }
    kills.in_a_row = kills.killed;
    kills.found = shop.settle(wanted, 0);
    kills.doubtful = usize::from(kills.found.in_doubt > 0);
    for trouble in &mut kills.found.trouble {
        *trouble = format!("{} shape, seed {seed}: {trouble}", shape.word());
    }
    kills
}

/// Campaigns at once: most of the time of each goes by in waiting.
fn workers() -> usize {
    thread::available_parallelism().map_or(2, |cores| cores.get() * 12)
}
