//! What is measured, and against what.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::campaign::{CONCURRENCY, FILE, Matrix};
use crate::child::{Cost, measure};
use crate::compare::Priced;
use crate::ninja;
use crate::table::{Row, Wanted, cpu, median};

/// Exit code of a campaign with mistakes: more shots than it allows is one.
const MISTAKES: i32 = 3;

const MIB: f64 = (1u64 << 20) as f64;

/// A group of measurements that share what they prepare.
pub struct Case {
    /// What it is chosen by.
    pub name: &'static str,
    /// Measures.
    pub measure: fn(&Setup) -> Vec<Row>,
}

/// All of them, the quick ones first.
pub const ALL: [Case; 16] = [
    Case { name: "start", measure: start },
    Case { name: "refuse", measure: refuse },
    Case { name: "init", measure: init },
    Case { name: "plan", measure: plan },
    Case { name: "diff", measure: diff },
    Case { name: "estimate", measure: crate::estimates::estimate },
    Case { name: "pictures", measure: crate::pictures::pictures },
    Case { name: "thumbnails", measure: crate::pictures::thumbnails },
    Case { name: "million", measure: million },
    Case { name: "rehearse idle", measure: rehearse_then_idle },
    Case { name: "memory", measure: memory },
    Case { name: "gallery", measure: crate::gallery::gallery },
    Case { name: "overhead", measure: crate::execution::overhead },
    Case { name: "memory of results", measure: crate::execution::results },
    Case { name: "schedule", measure: crate::schedule::schedule },
    Case { name: "rate", measure: crate::execution::rate },
];

/// What is measured, and how much of it.
#[derive(Debug)]
pub struct Setup {
    callsheet: String,
    quick: bool,
    /// Holds all folders and is removed at the very end: for a minute after files were removed, ext4 makes new ones at half its pace.
    root: TempDir,
    folders: Cell<usize>,
}

impl Setup {
    /// Measures the binary `callsheet`; `quick` is a first look.
    pub fn new(callsheet: &str, quick: bool) -> Self {
        // On the disk of the build: the usual temporary folder may be in memory, where a ledger costs nothing.
        let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder can be made");
        Self { callsheet: callsheet.to_owned(), quick, root, folders: Cell::new(0) }
    }

    /// Returns the binary that is measured.
    pub fn callsheet(&self) -> &str {
        &self.callsheet
    }

    /// Returns whether it is a first look, whose figures decide nothing.
    pub fn is_quick(&self) -> bool {
        self.quick
    }

    /// Makes another folder.
    pub fn folder(&self) -> PathBuf {
        self.folders.set(self.folders.get() + 1);
        let folder = self.root.path().join(self.folders.get().to_string());
        std::fs::create_dir(&folder).expect("a folder can be made");
        folder
    }

    /// Returns how many rounds are measured.
    pub fn rounds(&self, full: usize) -> usize {
        if self.quick { full.div_ceil(3) } else { full }
    }

    /// Returns how many rows a campaign has.
    pub fn rows(&self, full: usize) -> usize {
        if self.quick { full.div_ceil(10) } else { full }
    }

    /// Runs the binary in a folder.
    pub fn run(&self, folder: &Path, args: &[&str]) -> Cost {
        measure(folder, 0, &self.callsheet, args)
    }
}

/// From the start of the process to its end. Wall time, because it is a person who waits.
fn start(setup: &Setup) -> Vec<Row> {
    let place = setup.folder();
    Matrix { rows: 1, rungs: 1 }.write(&place, 100);
    let single = ["plan", FILE, "--only", "hero[sku=sku-1,angle=front]"];
    let figures = [("`--version`", &["--version"] as &[&str]), ("`plan` of one job", &single)];
    let row = |(what, args): (&str, &[&str])| {
        let costs: Vec<Cost> = (0..setup.rounds(31)).map(|_| setup.run(&place, args)).collect();
        [
            Row::alone(format!("{what}, wall"), millis(&costs, |cost| cost.wall), " ms", Wanted::AtMost(15.0, Some(5.0))),
            Row::alone(format!("{what}, CPU"), millis(&costs, |cost| cost.cpu), " ms", Wanted::AtMost(15.0, Some(5.0))),
        ]
    };
    figures.into_iter().flat_map(row).collect()
}

/// A campaign that is far too large says so before anything of it is built.
fn refuse(setup: &Setup) -> Vec<Row> {
    let place = setup.folder();
    let matrix = Matrix { rows: 1_000, rungs: 5_000 };
    matrix.write(&place, 100_000);
    let costs: Vec<Cost> = (0..setup.rounds(9)).map(|_| measure(&place, MISTAKES, &setup.callsheet, &["check", FILE])).collect();
    let what = format!("{} jobs refused, wall", thousands(matrix.jobs()));
    vec![Row::alone(what, millis(&costs, |cost| cost.wall), " ms", Wanted::AtMost(100.0, None))]
}

/// A first campaign from a shop's export, planned twice on the way: once for its cap, once to be shown.
fn init(setup: &Setup) -> Vec<Row> {
    let place = setup.folder();
    let rows = setup.rows(10_000);
    let product =
        |row: usize| format!("product-{row},Product {row},<p>A <b>fine</b> thing &amp; number {row}</p>,,9.9,https://x.example/{row}.jpg\n");
    let more = |row: usize| if row.is_multiple_of(3) { format!("product-{row},,,,8.9,\n") } else { String::new() };
    let table: String = (0..rows * 3 / 4).map(|row| product(row) + &more(row)).collect();
    let export = format!("Handle,Title,Body (HTML),Variant SKU,Variant Price,Image Src\n{table}");
    std::fs::write(place.join("export.csv"), export).expect("a table can be written");
    let round = |round: usize| setup.run(&place, &["init", &format!("round-{round}.yaml"), "--from", "export.csv"]);
    let costs: Vec<Cost> = (0..setup.rounds(9)).map(round).collect();
    vec![Row::alone(format!("`init --from` {} rows, wall", thousands(rows)), millis(&costs, |cost| cost.wall), " ms", Wanted::AtMost(1000.0, None))]
}

/// The campaign of the largest size that needs no leave, against `ninja -n` on the same graph.
///
/// `ninja -n` is the nearest thing to a plan: it reads, orders, looks at what is there (nothing), and prints all that is to do.
fn plan(setup: &Setup) -> Vec<Row> {
    let place = setup.folder();
    let matrix = Matrix { rows: setup.rows(1_000), rungs: 49 };
    matrix.write(&place, 100_000);
    let jobs = thousands(matrix.jobs());
    let peer = ninja::is_there();
    if peer {
        ninja::write(matrix, &place);
    }
    let mut rounds = Vec::new();
    for _ in 0..setup.rounds(7) {
        let check = setup.run(&place, &["check", FILE]);
        let plan = setup.run(&place, &["plan", FILE]);
        let ninja = peer.then(|| measure(&place, 0, ninja::PROGRAM, &["-n"]));
        rounds.push((check, plan, ninja));
    }
    let peak = median(rounds.iter().map(|(check, plan, _)| check.then(*plan).peak as f64)) / MIB;
    let mut rows = vec![Row::alone(format!("`check` + `plan`, {jobs} jobs, peak memory"), peak, " MiB", Wanted::AtMost(300.0, None))];
    let pairs = |own: fn(&(Cost, Cost, Option<Cost>)) -> Cost| -> Vec<(Cost, Cost)> {
        rounds.iter().filter_map(|round| Some((own(round), round.2?))).collect()
    };
    rows.extend([
        against(format!("`check`, {jobs} jobs : ninja -n"), &pairs(|(check, ..)| *check), Wanted::AtMost(0.5, Some(0.1))),
        against(format!("`plan`, {jobs} jobs : ninja -n"), &pairs(|(_, plan, _)| *plan), Wanted::AtMost(0.5, Some(0.1))),
        against(format!("`check` and `plan`, {jobs} jobs : ninja -n"), &pairs(|(check, plan, _)| check.then(*plan)), Wanted::AtMost(0.5, None)),
    ]);
    rows
}

/// Two plans of the largest size that needs no leave: nothing differs, one rung does, every prompt does, half the rows are others.
fn diff(setup: &Setup) -> Vec<Row> {
    let matrix = Matrix { rows: setup.rows(1_000), rungs: 49 };
    let edited = |file: &str, from: &str, to: &str| {
        let place = setup.folder();
        matrix.write(&place, 100_000);
        let path = place.join(file);
        let text = std::fs::read_to_string(&path).expect("it was just written");
        assert!(text.contains(from), "`{from}` stands in {file}");
        std::fs::write(&path, text.replace(from, to)).expect("it can be written");
        Priced::of(&place)
    };
    let base = edited(FILE, "speed", "speed");
    let cases = [
        ("nothing differs", edited(FILE, "speed", "speed")),
        ("one rung differs", edited(FILE, "slab of stone number 7\"", "slab of dark stone number 7\"")),
        ("every prompt differs", edited(FILE, "identical shape", "exactly the same shape")),
        ("half the products are others", edited("rows.csv", "sku-1", "sku-x1")),
    ];
    let row = |(what, current): (&str, Priced)| {
        let rounds: Vec<(usize, f64)> = (0..setup.rounds(9)).map(|_| current.against(&base)).collect();
        let differ = thousands(rounds.first().map_or(0, |round| round.0));
        let what = format!("diff of two {}-job plans, {what} ({differ})", thousands(matrix.jobs()));
        Row::alone(what, median(rounds.into_iter().map(|round| round.1)), " ms", Wanted::AtMost(500.0, Some(100.0)))
    };
    cases.into_iter().map(row).collect()
}

/// Ten times the jobs, ten times the work, and a bit for what the processor's caches no longer hold: nothing is quadratic.
fn million(setup: &Setup) -> Vec<Row> {
    let (small, large) = (setup.folder(), setup.folder());
    let (few, many) = (Matrix { rows: setup.rows(1_000), rungs: 49 }, Matrix { rows: setup.rows(10_000), rungs: 49 });
    few.write(&small, few.jobs());
    many.write(&large, many.jobs());
    let pairs: Vec<(Cost, Cost)> = (0..setup.rounds(3)).map(|_| (setup.run(&large, &["plan", FILE]), setup.run(&small, &["plan", FILE]))).collect();
    let growth = median(pairs.iter().map(|(many, few)| many.cpu.as_secs_f64() / few.cpu.as_secs_f64()));
    let (of_many, of_few): (Vec<Cost>, Vec<Cost>) = pairs.into_iter().unzip();
    let seconds = |costs: &[Cost]| cpu(millis(costs, |cost| cost.cpu) / 1e3);
    let what = format!("`plan`, {} jobs : {}", thousands(many.jobs()), thousands(few.jobs()));
    let each = median(of_many.iter().map(|cost| cost.peak as f64)) / many.jobs() as f64;
    vec![
        Row::against(what, seconds(&of_many), seconds(&of_few), growth, Wanted::AtMost(14.0, Some(11.0))),
        Row::alone(format!("`plan`, {} jobs, memory of each", thousands(many.jobs())), each, " B", Wanted::AtMost(1_229.0, Some(500.0))),
    ]
}

/// Draws a campaign's pictures at once, ledger and store on the disk, and then runs it again, when nothing is left to do.
///
/// The peer of the second is ninja with as many outputs that are up to date: both compare what is wanted with what they wrote
/// down, and look at every file.
fn rehearse_then_idle(setup: &Setup) -> Vec<Row> {
    let matrix = Matrix { rows: setup.rows(1_000), rungs: 4 };
    let jobs = matrix.jobs();
    let run = ["run", FILE, "--rehearse", "--sim", "size=64x64", "--quiet"];
    let places: Vec<PathBuf> = (0..setup.rounds(3)).map(|_| setup.folder()).collect();
    let mut first = Vec::new();
    for place in &places {
        matrix.write(place, 100_000);
        first.push(setup.run(place, &run));
    }
    let a_second = median(first.iter().map(|cost| jobs as f64 / cost.wall.as_secs_f64()));
    let each = median(first.iter().map(|cost| cost.cpu.as_secs_f64())) * 1e3 / jobs as f64;
    let mut rows = vec![
        Row::alone(format!("rehearsing {} jobs of 64x64, jobs a second", thousands(jobs)), a_second, "", Wanted::AtLeast(2_000.0)),
        Row::alone("the same, processor time of each job", each, " ms", Wanted::Nothing),
    ];
    let what = format!("nothing to do, {} jobs : ninja", thousands(jobs));
    let Some(place) = places.first().filter(|_| ninja::is_there()) else {
        rows.push(Row::skipped(what, "ninja is not installed"));
        return rows;
    };
    let peer = setup.folder();
    ninja::write(matrix, &peer);
    measure(&peer, 0, ninja::PROGRAM, &[] as &[&str]);
    let pairs: Vec<(Cost, Cost)> =
        (0..setup.rounds(15)).map(|_| (setup.run(place, &run), measure(&peer, 0, ninja::PROGRAM, &[] as &[&str]))).collect();
    rows.push(against(what, &pairs, Wanted::AtMost(2.0, Some(0.7))));
    rows
}

/// Pictures pass through; they do not pile up.
fn memory(setup: &Setup) -> Vec<Row> {
    let rehearsed = |rows: usize, rungs: usize, side: u32| {
        let place = setup.folder();
        let matrix = Matrix { rows, rungs };
        matrix.write(&place, 100_000);
        let sim = format!("size={side}x{side}");
        (matrix.jobs(), setup.run(&place, &["run", FILE, "--rehearse", "--quiet", "--sim", &sim]).peak as f64)
    };
    // One picture of the larger runs takes 256 KiB decoded: should they pile up, 4,500 more of them are a gigabyte.
    let (few, of_few) = rehearsed(setup.rows(50), 4, 256);
    let (many, of_many) = rehearsed(setup.rows(500), 4, 256);
    let grown = (of_many - of_few) / (many - few) as f64 / 1024.0;
    // What a job may keep is its place in the plan and in the run; a picture of 256x256 is some 20 KiB even as a file.
    let growth = Row::alone(
        format!("peak of {} jobs over that of {}, for each job", thousands(many), thousands(few)),
        grown,
        " KiB",
        Wanted::AtMost(4.0, None),
    );
    let side = 2048;
    let (jobs, peak) = rehearsed(setup.rows(10).max(4), 4, side);
    let decoded = f64::from(side * side * 4);
    let allowed = 100.0 + CONCURRENCY as f64 * decoded / MIB;
    let what = format!("peak, {jobs} jobs of {side}x{side}, {CONCURRENCY} at once");
    vec![growth, Row::alone(what, peak / MIB, " MiB", Wanted::AtMost(allowed, None))]
}

fn against(what: String, pairs: &[(Cost, Cost)], wanted: Wanted) -> Row {
    if pairs.is_empty() {
        return Row::skipped(what, "ninja is not installed");
    }
    let ratio = median(pairs.iter().map(|(ours, peer)| ours.cpu.as_secs_f64() / peer.cpu.as_secs_f64()));
    let seconds = |side: fn(&(Cost, Cost)) -> Cost| cpu(median(pairs.iter().map(|pair| side(pair).cpu.as_secs_f64())));
    Row::against(what, seconds(|pair| pair.0), seconds(|pair| pair.1), ratio, wanted)
}

fn millis(costs: &[Cost], time: fn(&Cost) -> std::time::Duration) -> f64 {
    median(costs.iter().map(|cost| time(cost).as_secs_f64())) * 1e3
}

/// Returns a number with its thousands apart.
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).expect("digits are ASCII")).collect();
    groups.join(",")
}
