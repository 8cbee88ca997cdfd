//! A folder with a campaign, the real program at work in it, and a provider on this machine to buy from.
//!
//! In: a campaign, a provider's script. Out: what the program said, and, once all is settled, [`Findings`]: what is wrong by comparison with
//! the provider's own books and with an undisturbed run.
//! Never: a figure of ours taken for the provider's.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use callsheet::ledger::{Durability, Ledger as _, Scope, SqliteLedger};
use callsheet::provider::manifest::builtin_text;
use callsheet::types::{Micros, SystemClock};
use tempfile::TempDir;

use crate::loopback::{Accepted, KEY, Loopback, LoopbackScript};

/// The program as it was built.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_callsheet");

/// The two shapes of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Submit and poll, as KIE has it: the answer is a task.
    Task,
    /// Synchronous, as OpenAI has it: the answer is the picture.
    Picture,
}

impl Shape {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Task, Self::Picture];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Picture => "picture",
        }
    }

    pub fn provider(self) -> &'static str {
        match self {
            Self::Task => "kie",
            Self::Picture => "openai",
        }
    }

    /// What a paid request has in its path.
    pub fn submit(self) -> &'static str {
        match self {
            Self::Task => "createTask",
            Self::Picture => "/images/",
        }
    }
}

/// Wide enough that no rate holds up a run.
const WIDE: &str = "windows: [{ count: 100000, span: 10s }]";

/// Returns the built-in manifest with limits, curve and timeouts that do not keep anybody waiting.
fn fast(shape: Shape) -> String {
    let text = builtin_text(shape.provider()).expect("a built-in manifest");
    let windows = text.lines().find(|line| line.trim_start().starts_with("windows:")).expect("the manifest has limits").trim().to_owned();
    let mut text = text.replacen(&windows, WIDE, 1);
    if let (Some(before), Some(after)) = (text.find("poll:\n  start:"), text.find("  deadline:")) {
        let end = text[after..].find('\n').map_or(text.len(), |line| after + line);
        text.replace_range(before..end, "poll:\n  start: 5ms\n  steps: [{ from: 0s, every: 15ms }]\n  deadline: 4s");
    }
    for timeout in ["timeout: 100s", "timeout: 30s", "timeout: 2m", "timeout: 9m"] {
        text = text.replace(timeout, "timeout: 1s");
    }
    text
}

/// What a run said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
    pub took: Duration,
}

/// A row of `costs.csv`, by column.
pub type Row = BTreeMap<String, String>;

/// Pictures by path, and prompts by job, of a run that nothing disturbed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    pub pictures: BTreeMap<String, String>,
    pub prompts: BTreeMap<String, String>,
}

/// What the provider charged for tries that were settled by word, by job: their answers were the pictures.
type ByWord = BTreeMap<String, Vec<i64>>;

/// What is wrong, and what was gone through; sums of many tries.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// Paid requests for a picture that was paid already, without a doubt that was named.
    pub duplicates: usize,
    /// Requests sent again while their outcome was in doubt.
    pub resent: usize,
    /// Paid pictures that no file holds, without a doubt that was named.
    pub lost: usize,
    /// Files that are not what an undisturbed run leaves.
    pub wrong: usize,
    /// Tries after which our ledger was not the provider's.
    pub differences: usize,
    /// Doubts that were not named, and ends that cannot be.
    pub unnamed: usize,
    /// Doubts, named and settled by the provider's books.
    pub in_doubt: usize,
    /// Doubts whose task the provider knew: fetched for nothing.
    pub found: usize,
    /// Answers that were the picture and are lost with it, named in doubt before.
    pub lost_in_window: usize,
    /// Runs of the program.
    pub runs: usize,
    /// What went wrong, in words.
    pub trouble: Vec<String>,
}

impl Findings {
    /// Adds another's.
    pub fn add(&mut self, other: Self) {
        self.duplicates += other.duplicates;
        self.resent += other.resent;
        self.lost += other.lost;
        self.wrong += other.wrong;
        self.differences += other.differences;
        self.unnamed += other.unnamed;
        self.in_doubt += other.in_doubt;
        self.found += other.found;
        self.lost_in_window += other.lost_in_window;
        self.runs += other.runs;
        self.trouble.extend(other.trouble);
    }

    /// Returns how much is wrong.
    pub fn bad(&self) -> usize {
        self.duplicates + self.resent + self.lost + self.wrong + self.differences + self.unnamed
    }
}

/// The folder, and the provider.
pub struct Shop {
    folder: TempDir,
    pub server: Loopback,
    shape: Shape,
    name: &'static str,
    /// What each run is told besides.
    also: &'static [&'static str],
}

impl Shop {
    /// Opens a shop for a campaign of this name; `{provider}` in its text stands for the manifest.
    pub fn open(shape: Shape, name: &'static str, campaign: &str, script: LoopbackScript) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let file = folder.path().join("campaigns");
        fs::create_dir_all(&file).expect("a folder can be made");
        fs::write(file.join("fast.yaml"), fast(shape)).expect("a file can be written");
        fs::write(file.join("c.yaml"), campaign).expect("a file can be written");
        let logo = image::RgbImage::from_fn(48, 48, |x, y| image::Rgb([x as u8 * 5, y as u8 * 5, 90]));
        logo.save(file.join("logo.png")).expect("a small picture can be written");
        Self { folder, server: Loopback::start(script), shape, name, also: &[] }
    }

    /// Tells each run something besides.
    pub fn telling(self, also: &'static [&'static str]) -> Self {
        Self { also, ..self }
    }

    /// Lets a run ask after its tasks for a minute.
    pub fn asks_for_long(&self) {
        let path = self.path().join("campaigns/fast.yaml");
        let text = fs::read_to_string(&path).expect("the manifest is there").replace("deadline: 4s", "deadline: 1m");
        fs::write(path, text).expect("a file can be written");
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the words of a run for money.
    pub fn words(&self) -> Vec<String> {
        // As its own clients have it, OpenAI's address ends with the version.
        let version = if self.shape == Shape::Picture { "/v1" } else { "" };
        let base = format!("{}={}{version}", self.shape.provider(), self.server.url);
        ["run", "campaigns/c.yaml", "--yes", "-q", "--base-url", &base].iter().chain(self.also).map(|word| (*word).to_owned()).collect()
    }

    /// Sets folder and environment.
    pub fn set_up(&self, command: &mut Command) {
        command.current_dir(self.path()).env_clear().env("KIE_API_KEY", KEY).env("OPENAI_API_KEY", KEY);
    }

    pub fn command(&self, words: &[String]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(words).stdin(Stdio::null());
        self.set_up(&mut command);
        command
    }

    pub fn say(&self, words: &[String]) -> Said {
        let begun = Instant::now();
        let output = self.command(words).output().expect("the program starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr), took: begun.elapsed() }
    }

    fn reconcile(&self, words: &[&str]) -> Said {
        let words: Vec<String> = ["reconcile", "campaigns/c.yaml"].iter().chain(words).map(|word| (*word).to_owned()).collect();
        self.say(&words)
    }

    /// Returns the rows of `costs.csv`; none when there is no such file.
    pub fn rows(&self) -> Vec<Row> {
        let path = self.path().join(format!("out/{}/costs.csv", self.name));
        let Ok(mut reader) = csv::Reader::from_path(path) else { return Vec::new() };
        reader.deserialize().filter_map(Result::ok).collect()
    }

    /// Returns what stands in the output tree.
    pub fn tree(&self) -> Tree {
        let root = self.path().join("out").join(self.name);
        let mut pictures = BTreeMap::new();
        walk(&root, "", &mut pictures);
        let manifest = fs::read(root.join("manifest.json")).ok().and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok());
        let files = manifest.as_ref().and_then(|manifest| manifest["files"].as_array()).cloned().unwrap_or_default();
        let text = |file: &serde_json::Value, field: &str| file[field].as_str().unwrap_or_default().to_owned();
        let prompts = files.iter().filter(|file| !file["model"].is_null()).map(|file| (text(file, "job"), text(file, "prompt"))).collect();
        Tree { pictures, prompts }
    }

    /// Runs until all is done, settles doubts by the provider's books on the way, and compares.
    ///
    /// `spoiled` is how many pictures the provider itself sent as something that is no picture.
    pub fn settle(&self, wanted: &Tree, spoiled: usize) -> Findings {
        let mut found = Findings::default();
        let mut word_charged = BTreeMap::new();
        let mut done = false;
        for round in 0..8 {
            if round == 3 {
                self.server.mend();
            }
            let said = self.say(&self.words());
            found.runs += 1;
            match said.code {
                0 => done = true,
                7 => self.end_doubts(wanted, &mut found, &mut word_charged),
                5 | 8 => self.server.mend(),
                code => found.trouble.push(format!("exit {code}: {}", said.err.trim_end())),
            }
            if done {
                break;
            }
        }
        if !done {
            found.unnamed += 1;
            found.trouble.push("it never came to its end".to_owned());
        }
        self.compare(wanted, spoiled, &word_charged, &mut found);
        found
    }

    /// Lets each doubt be named, and settles it by the truth.
    fn end_doubts(&self, wanted: &Tree, found: &mut Findings, word_charged: &mut ByWord) {
        let listed = self.reconcile(&[]).out;
        // The word that follows is the truth only if the provider has read all that was ever sent to it.
        self.server.read_all();
        let (rows, accepted) = (self.rows(), self.server.books().accepted);
        let doubts: BTreeSet<&str> = rows.iter().filter(|row| row["status"] == "in-doubt").map(|row| row["job"].as_str()).collect();
        for (job, prompt) in &wanted.prompts {
            let unknown = self.unknown(job, prompt, &rows, &accepted);
            found.resent += unknown.len().saturating_sub(1);
            if !doubts.contains(job.as_str()) {
                if !unknown.is_empty() {
                    found.unnamed += 1;
                    found.trouble.push(format!("{job} was charged and nobody knows"));
                }
                continue;
            }
            found.in_doubt += 1;
            if !listed.contains(job.as_str()) {
                found.unnamed += 1;
                found.trouble.push(format!("{job} is in doubt and not named: {listed}"));
            }
            let said = match unknown.first() {
                None => self.reconcile(&[job, "--not-charged"]),
                Some(taken) if taken.task.is_empty() => {
                    found.lost_in_window += 1;
                    word_charged.entry(job.clone()).or_default().push(taken.charged);
                    self.reconcile(&[job, "--charged"])
                }
                Some(taken) => {
                    found.found += 1;
                    self.reconcile(&[job, "--task", &taken.task])
                }
            };
            if ![0, 7].contains(&said.code) {
                found.trouble.push(format!("reconcile {job}: exit {}: {}", said.code, said.err));
            }
        }
    }

    /// Returns what the provider accepted for a job and no row of ours knows.
    fn unknown(&self, job: &str, prompt: &str, rows: &[Row], accepted: &[Accepted]) -> Vec<Accepted> {
        let ours = || rows.iter().filter(|row| row["job"] == job);
        let taken = accepted.iter().filter(|taken| taken.prompt == prompt);
        match self.shape {
            Shape::Task => taken.filter(|taken| ours().all(|row| row["task_id"] != taken.task)).cloned().collect(),
            Shape::Picture => {
                let known = ours().filter(|row| !["", "0"].contains(&row["charged"].as_str())).count();
                taken.skip(known).cloned().collect()
            }
        }
    }

    /// Compares money and files with the provider's books and with an undisturbed run.
    fn compare(&self, wanted: &Tree, spoiled: usize, word_charged: &ByWord, found: &mut Findings) {
        self.server.read_all();
        let books = self.server.books();
        for violation in &books.violations {
            found.unnamed += 1;
            found.trouble.push(format!("a request was wrong: {violation}"));
        }
        let mut extra = 0;
        let tree = self.tree();
        for (job, prompt) in &wanted.prompts {
            let successes = books.accepted.iter().filter(|taken| taken.prompt == *prompt && taken.succeeds).count();
            let named = word_charged.get(job).map_or(0, Vec::len);
            extra += successes.saturating_sub(1 + named);
            if successes > 0 && !tree.prompts.contains_key(job) {
                found.lost += 1;
                found.trouble.push(format!("{job} is paid and no file holds it"));
            }
        }
        if extra > spoiled {
            found.duplicates += extra - spoiled;
            found.trouble.push(format!("{} paid twice", extra - spoiled));
        }
        for (path, digest) in &wanted.pictures {
            if tree.pictures.get(path) != Some(digest) {
                found.wrong += 1;
                found.trouble.push(format!("{path} is not what it should be"));
            }
        }
        for path in tree.pictures.keys().filter(|path| !wanted.pictures.contains_key(*path)) {
            found.wrong += 1;
            found.trouble.push(format!("{path} should not be there"));
        }
        self.compare_money(word_charged, found);
    }

    fn compare_money(&self, word_charged: &ByWord, found: &mut Findings) {
        let ledger =
            SqliteLedger::open(&self.path().join(".callsheet/ledger.db"), Arc::new(SystemClock), Durability::Normal).expect("the ledger opens");
        let totals = ledger.totals(&Scope(format!("campaign:{}", self.name))).expect("the ledger can be read");
        let (spent, open) = totals.first().map_or((0, 0), |totals| (totals.spent.get(), totals.reserved.get() + totals.in_doubt.get()));
        // What was settled by word stands at the price that was held; the provider's own figure was lost with its answer.
        let rows = self.rows();
        let micros = |row: &Row| row["charged"].parse::<Micros>().map_or(0, Micros::get);
        let by_word: i64 = rows.iter().filter(|row| row["status"] == "failed" && row["error_code"].starts_with("ambiguous/")).map(micros).sum();
        let (ours, theirs) = (spent - by_word, self.server.charges() - word_charged.values().flatten().sum::<i64>());
        let listed: i64 = rows.iter().map(micros).sum();
        if ours != theirs || open != 0 || listed != spent {
            found.differences += 1;
            found.trouble.push(format!("our ledger has {ours} spent and {open} open, costs.csv {listed}, the provider {theirs}"));
        }
    }
}

/// Collects digests of the pictures below a folder; half-written files have another ending.
fn walk(folder: &Path, name: &str, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = format!("{name}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            walk(&entry.path(), &format!("{path}/"), found);
        } else if path.ends_with(".png") || path.ends_with(".jpg") {
            let bytes = fs::read(entry.path()).unwrap_or_default();
            found.insert(path, blake3::hash(&bytes).to_hex().to_string());
        }
    }
}
