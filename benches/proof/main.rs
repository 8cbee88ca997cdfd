//! What is proved about buying exactly once, in figures.
//!
//! ```text
//! cargo bench --bench proof                           everything, some minutes
//! cargo bench --bench proof -- simulation model       only these sections: simulation, model, files, fuzz, kills, faults, locks
//! cargo bench --bench proof -- simulation --seconds 600 --from 1000000   other seeds, for longer
//! cargo bench --bench proof -- kills --seconds 120    a sample of the kills: so long for each of its three parts
//! cargo bench --bench proof -- fuzz --reader answer --seconds 3600 --from 1000000   only the readers with this word in their name
//! cargo bench --bench proof -- --seed 42              plays one simulated history and prints all that happens in it
//! ```
//!
//! `simulation` plays random histories of the real machine and the real ledger rules, `model` visits every state of the submit
//! protocol within small bounds, `files` lets every operation of the real store and the real ledger fail once, `fuzz` gives every reader
//! of what others wrote inputs that are almost right. Simulation, model and files are also given engines with a mistake built in,
//! which they must find. `kills`, `faults` and `locks` run the program itself, as a process of its own, against a provider on this
//! machine that keeps books of its own: killed at every step of a campaign and at random, met by everything that a provider or a
//! network does wrong, started twice at once. Prints one table, and the seed of every history that broke a rule. Ends with code 1
//! when something that is wanted was missed.

mod files;
mod fuzz;
#[allow(dead_code, reason = "tests use all of it")]
#[path = "../../tests/it/loopback/mod.rs"]
mod loopback;
mod model;
mod process;
#[allow(dead_code, reason = "tests use all of it")]
mod real;
mod simulation;
mod table;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use table::{Row, Verdict, thousands};

/// One section of the table.
struct Section {
    name: &'static str,
    tries: fn(&Words, &mut dyn FnMut(Row)),
}

/// Gives each reader of what others wrote its share of the seconds.
fn fuzzed(words: &Words, tell: &mut dyn FnMut(Row)) {
    let targets: Vec<fuzz::Target> = fuzz::targets().into_iter().filter(|target| target.name().contains(&words.reader)).collect();
    let share = Duration::from_secs(words.seconds.unwrap_or(60)) / u32::try_from(targets.len()).unwrap_or(u32::MAX).max(1);
    let (mut executions, mut panics) = (0, 0);
    for target in &targets {
        let ends = Instant::now() + share;
        let tried = fuzz::fuzz(target, words.from, |_| Instant::now() < ends);
        executions += tried.executions;
        panics += tried.panics.len();
        tell(Row::none(format!("fuzz: {}, panics", target.name()), tried.executions as usize, tried.panics.len()));
        let slowest = format!("{:.1} ms", tried.slowest.as_secs_f64() * 1e3);
        let what = format!("fuzz: {}, slowest input (seed {})", target.name(), tried.slowest_seed);
        tell(Row::told(what, format!("{} right", thousands(tried.taken)), slowest));
    }
    tell(Row::none(format!("fuzz: panics, {} readers in all", targets.len()), executions as usize, panics));
}
const SECTIONS: [Section; 7] = [
    Section { name: "simulation", tries: simulated },
    Section { name: "model", tries: explored },
    Section { name: "files", tries: failed },
    Section { name: "fuzz", tries: fuzzed },
    Section { name: "kills", tries: |words, tell| process::kills(words.from, words.seconds, tell) },
    Section { name: "faults", tries: |words, tell| process::faults(words.from, tell) },
    Section { name: "locks", tries: |_, tell| process::locks(tell) },
];

/// Seeds within which a built-in mistake must be found.
const SOON: u64 = 2_000;

/// What the command line says.
struct Words {
    sections: Vec<String>,
    /// How long the simulation, or each part of the kills, may go on.
    seconds: Option<u64>,
    from: u64,
    seed: Option<u64>,
    /// Which readers are given inputs; empty for all.
    reader: String,
}

impl Words {
    fn read(args: &[String]) -> Result<Self, String> {
        let mut words = Self { sections: Vec::new(), seconds: None, from: 0, seed: None, reader: String::new() };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if arg == "--reader" {
                words.reader = args.next().ok_or("`--reader` wants a name")?.clone();
                continue;
            }
            let mut number = || args.next().and_then(|text| text.parse().ok()).ok_or(format!("`{arg}` wants a number"));
            match arg.as_str() {
                "--seconds" => words.seconds = Some(number()?),
                "--from" => words.from = number()?,
                "--seed" => words.seed = Some(number()?),
                // Cargo adds it.
                "--bench" => {}
                name if SECTIONS.iter().any(|section| section.name == name) => words.sections.push(name.to_owned()),
                other => return Err(format!("there is no `{other}`; sections are simulation, model, files, fuzz, kills, faults, locks")),
            }
        }
        match fuzz::targets().iter().any(|target| target.name().contains(&words.reader)) {
            true => Ok(words),
            false => Err(format!("there is no reader `{}`", words.reader)),
        }
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [first, folder, shape] = args.as_slice()
        && first == files::CHILD
    {
        return if files::child(folder.as_ref(), shape) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let words = match Words::read(&args) {
        Ok(words) => words,
        Err(mistake) => {
            eprintln!("{mistake}");
            return ExitCode::from(2);
        }
    };
    if let Some(seed) = words.seed {
        return replay(seed);
    }
    table::head();
    let mut missed = 0;
    for section in SECTIONS.iter().filter(|section| words.sections.is_empty() || words.sections.iter().any(|name| name == section.name)) {
        (section.tries)(&words, &mut |row| {
            row.print();
            missed += usize::from(row.verdict() == Verdict::Missed);
        });
    }
    if missed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn replay(seed: u64) -> ExitCode {
    let played = simulation::play(seed, None, true);
    played.log.iter().for_each(|line| println!("{line}"));
    println!("{:?}", played.figures);
    match played.broken {
        None => ExitCode::SUCCESS,
        Some(broken) => {
            println!("broken: {}", broken.0);
            ExitCode::FAILURE
        }
    }
}

fn simulated(words: &Words, tell: &mut dyn FnMut(Row)) {
    let (started, before) = (Instant::now(), processor().unwrap_or_default());
    let (mut seeds, mut broken, mut sum) = (0, 0, simulation::Figures::default());
    while started.elapsed() < Duration::from_secs(words.seconds.unwrap_or(60)) {
        let seed = words.from + seeds;
        let played = simulation::play(seed, None, false);
        if let Some(rule) = played.broken {
            broken += 1;
            println!("seed {seed}: {}\n  again: cargo bench --bench proof -- --seed {seed}", rule.0);
        }
        sum.add(played.figures);
        seeds += 1;
    }
    // Processor time: other work on the machine takes none of it.
    let spent = processor().map_or(started.elapsed(), |now| now.saturating_sub(before)).as_secs_f64();
    let histories = format!("{} histories", thousands(seeds));
    let years = sum.seconds as f64 / (365.25 * 86_400.0);
    for row in [
        Row::none("simulation: histories that broke a rule", seeds as usize, broken),
        Row::at_least("simulation: histories a second of processor time", histories.clone(), 500, (seeds as f64 / spent) as u64),
        Row::told("simulation: events a second of processor time", histories.clone(), thousands((sum.events as f64 / spent) as u64)),
        Row::told("simulation: runs", histories.clone(), thousands(sum.runs)),
        Row::told("simulation: deaths of the process", histories.clone(), thousands(sum.crashes)),
        Row::told("simulation: shots", histories.clone(), thousands(sum.shots)),
        Row::told("simulation: paid requests", histories.clone(), thousands(sum.submits)),
        Row::told("simulation: pictures turned down", histories.clone(), thousands(sum.turned_down)),
        Row::told("simulation: rerolls", histories.clone(), thousands(sum.rerolls)),
        Row::told("simulation: events, with the rules checked after each", histories.clone(), thousands(sum.events)),
        Row::told("simulation: simulated years", histories, format!("{years:.1}")),
    ] {
        tell(row);
    }
    let mut slowest = 0;
    let found = simulation::Mutation::ALL.into_iter().filter(|mutation| {
        let seeds = simulation::seeds_until_found(*mutation, SOON);
        slowest = slowest.max(seeds.unwrap_or(SOON));
        seeds.is_some()
    });
    let (found, all) = (found.count() as u64, simulation::Mutation::ALL.len() as u64);
    tell(Row::at_least("simulation: built-in mistakes found", format!("<= {SOON} seeds"), all, found));
    tell(Row::told("simulation: seeds that the best hidden one took", format!("{all} mistakes"), thousands(slowest)));
}

/// Returns the processor time of this process so far.
#[cfg(unix)]
fn processor() -> Option<Duration> {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF).ok()?;
    let span = |time: nix::sys::time::TimeVal| Duration::from_micros(time.tv_sec().unsigned_abs() * 1_000_000 + time.tv_usec().unsigned_abs());
    Some(span(usage.user_time()) + span(usage.system_time()))
}

#[cfg(not(unix))]
fn processor() -> Option<Duration> {
    None
}

fn explored(_: &Words, tell: &mut dyn FnMut(Row)) {
    let bounds = model::Bounds { shots: 3, crashes: 2, losses: 2, failures: 1, verdicts: 1 };
    let (mut states, mut steps, mut depth, mut bad) = (0, 0, 0, 0);
    let variants = model::variants();
    for variant in &variants {
        match model::explore(bounds, *variant, None) {
            Ok(explored) => {
                states += explored.states;
                steps += explored.steps;
                depth = depth.max(explored.depth);
            }
            Err(found) => {
                bad += 1;
                println!("{variant:?}: {}\n  {}", found.what, found.way.join("\n  "));
            }
        }
    }
    let scope = format!("{} variants", variants.len());
    let found = model::Mutation::ALL.into_iter().filter(|mutation| model::is_found(*mutation)).count();
    for row in [
        Row::none("model: bad states, 3 shots x 2 deaths x 2 losses", states, bad),
        Row::told("model: steps between them", scope.clone(), thousands(steps as u64)),
        Row::told("model: steps to the farthest state", scope, thousands(depth as u64)),
        Row::at_least("model: built-in mistakes found", "one variant each".to_owned(), model::Mutation::ALL.len() as u64, found as u64),
    ] {
        tell(row);
    }
}

fn failed(_: &Words, tell: &mut dyn FnMut(Row)) {
    let mut sum = files::Tried::default();
    let mut told = |what: String, tried: files::Tried| {
        tell(Row::none(what, tried.failures, tried.broken_files + tried.paid_twice + tried.unfinished + tried.unknown));
        sum.add(tried);
    };
    for (shape, answer) in [(files::Shape::Task, "task"), (files::Shape::Picture, "picture")] {
        for (name, number) in files::REFUSALS {
            told(format!("files: each store operation, {name}, answer is a {answer}"), files::store(shape, number));
        }
        for (after, word) in [(false, "before"), (true, "after")] {
            told(format!("files: each ledger command, {word} it is durable, {answer}"), files::ledger(shape, after));
        }
        if cfg!(unix) {
            told(format!("files: SQLite's own writes, by `ulimit -f`, {answer}"), files::limits(shape, 8));
        }
    }
    if !cfg!(unix) {
        tell(Row::skipped("files: SQLite's own writes", "needs a Unix shell"));
    }
    let failures = format!("{} failures", thousands(sum.failures as u64));
    tell(Row::none("files: half-written files under a final name", sum.failures, sum.broken_files));
    tell(Row::none("files: paid twice", sum.failures, sum.paid_twice));
    tell(Row::none("files: paid requests that the ledger does not know", sum.failures, sum.unknown));
    tell(Row::none("files: runs left unfinished without a doubt", sum.failures, sum.unfinished));
    tell(Row::told("files: shots left in doubt, by name", failures.clone(), thousands(sum.in_doubt as u64)));
    tell(Row::told("files: pictures lost that came with the answer, counted", failures, thousands(sum.lost_with_answer as u64)));
}
