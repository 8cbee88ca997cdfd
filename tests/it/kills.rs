//! The program is killed, interrupted and doubled; what was paid is never paid again.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use callsheet::imaging::{Limits, verify};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::desk::{Desk, SPRING, counted_by};

/// Two products, up to the surfaces: 16 paid shots.
const DRAFT: [&str; 4] = [SPRING, "--profile", "draft", "-q"];

/// Shots of it.
const SHOTS: usize = 16;

/// Slow enough that a kill falls between any two steps.
const SLOW: &str = "size=64x64,latency=30ms";

/// A rehearsal under way, whose events are read one by one.
struct Running {
    child: Child,
    events: BufReader<ChildStdout>,
}

impl Running {
    fn start(desk: &Desk, words: &[&str], sim: &str) -> Self {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("callsheet"));
        command.current_dir(desk.path()).env_clear().arg("run").args(DRAFT).args(["--rehearse", "--json", "--sim", sim]).args(words);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program starts");
        let events = BufReader::new(child.stdout.take().expect("its stdout is a pipe"));
        Self { child, events }
    }

    /// Returns the next event, or nothing after the last.
    fn next(&mut self) -> Option<serde_json::Value> {
        let mut line = String::new();
        let read = self.events.read_line(&mut line).expect("events can be read");
        (read > 0).then(|| serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")))
    }

    /// Reads on until so many events of this name have come.
    fn until(&mut self, name: &str, count: usize) {
        let mut seen = 0;
        while seen < count {
            let event = self.next().unwrap_or_else(|| panic!("it ended after {seen} of {count} `{name}`"));
            seen += usize::from(event["event"] == name);
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a process id is small");
        kill(Pid::from_raw(pid), signal).expect("the program is still there");
    }

    /// Waits for the end; returns the exit code, `None` if it was killed.
    fn end(mut self) -> Option<i32> {
        // Nobody reads any more what it tells; it must not mind.
        drop(self.events);
        self.child.wait().expect("the program ends").code()
    }
}

/// When the program is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// So long after its start.
    After(Duration),
    /// When it has told so many events, and a little later.
    Event(usize, Duration),
}

#[test]
fn killed_at_any_moment_it_goes_on_where_it_stood_and_pays_nothing_twice() {
    let clean = Desk::new();
    let begun = Instant::now();
    let mut running = Running::start(&clean, &[], SLOW);
    let events = std::iter::from_fn(|| running.next()).count();
    assert_eq!(running.end(), Some(0));
    let (span, pictures) = (begun.elapsed(), clean.pictures("spring-drop"));

    let starting = (1..=6).map(|part| Moment::After(span * part / 16));
    let under_way = (0..22_u8).map(|part| Moment::Event(events * usize::from(part) / 22, Duration::from_millis(u64::from(part % 4))));
    let writing_the_tree = (0..8_u64).map(|part| Moment::Event(events, Duration::from_millis(part * 2)));
    let mut killed = 0;
    for moment in starting.chain(under_way).chain(writing_the_tree) {
        let desk = Desk::new();
        // What is in doubt counts as spent: room to buy it again.
        desk.edit("budget: { cap: 260 }", "budget: { cap: 2000 }");
        let mut running = Running::start(&desk, &[], SLOW);
        match moment {
            Moment::After(span) => std::thread::sleep(span),
            Moment::Event(count, later) => {
                for _ in 0..count {
                    running.next();
                }
                std::thread::sleep(later);
            }
        }
        // It may have ended just before: then there is nobody to kill, and the next run finds nothing to do.
        let _ = running.child.kill();
        killed += usize::from(running.end().is_none());
        everything_under_its_name_is_whole(&desk, moment);
        age_temporary_files(&desk);
        let in_doubt = finish(&desk, moment);
        // Another try is another picture.
        assert!(in_doubt > 0 || desk.pictures("spring-drop") == pictures, "{moment:?}: other pictures");
    }
    assert!(killed >= 25, "only {killed} kills struck");
}

/// Runs again until all is there, looks at what was paid, and returns how many tries were in doubt.
fn finish(desk: &Desk, moment: Moment) -> usize {
    let words = [&["run"], &DRAFT[..], &["--rehearse", "--sim", "size=64x64"]].concat();
    let next = desk.say(&words);
    let in_doubt = counted_by(&desk.costs("spring-drop"), "status").remove("in-doubt").unwrap_or(0);
    match next.code {
        0 => assert_eq!(in_doubt, 0, "{moment:?}: {}", next.err),
        7 => {
            assert!(in_doubt > 0 && next.err.contains("in doubt"), "{moment:?}: {}", next.err);
            let resent = desk.say(&[&words[..], &["--on-doubt", "resend"]].concat());
            assert_eq!(resent.code, 0, "{moment:?}: {}", resent.err);
        }
        other => panic!("{moment:?}: exit {other}: {}", next.err),
    }
    everything_under_its_name_is_whole(desk, moment);
    assert_eq!(desk.files(".callsheet/rehearsal/blobs/tmp"), [""; 0], "{moment:?}: half-written pictures stay in the store");

    let rows = desk.costs("spring-drop");
    let mut done: BTreeMap<&str, usize> = BTreeMap::new();
    for row in &rows {
        match row["status"].as_str() {
            "done" => *done.entry(&row["job"]).or_default() += 1,
            status => assert!(in_doubt > 0 && row["task_id"].is_empty(), "{moment:?}: {} is {status} with task {}", row["job"], row["task_id"]),
        }
    }
    assert_eq!((done.len(), rows.len()), (SHOTS, SHOTS + in_doubt), "{moment:?}");
    assert!(done.values().all(|count| *count == 1), "{moment:?}: {done:?}");
    assert!(desk.records() >= SHOTS * 3, "{moment:?}: intent, acceptance and picture of each shot");
    in_doubt
}

fn is_temporary(file: &str) -> bool {
    file.contains("/blobs/tmp/") || file.ends_with(".part")
}

/// Makes temporary files old: the next run must not take a dead writer for one that is about to begin.
fn age_temporary_files(desk: &Desk) {
    for file in desk.files(".").iter().filter(|file| is_temporary(file)) {
        let long_ago = SystemTime::now() - Duration::from_secs(600);
        File::options().write(true).open(desk.path().join(file)).and_then(|file| file.set_modified(long_ago)).expect("the file is ours");
    }
}

fn everything_under_its_name_is_whole(desk: &Desk, moment: Moment) {
    for file in desk.files(".").iter().filter(|file| !is_temporary(file)) {
        let is_blob = file.contains("/blobs/");
        if file.ends_with(".png") || is_blob {
            let bytes = desk.read(file);
            verify(&bytes, &Limits::default()).unwrap_or_else(|error| panic!("{moment:?}: {file}: {error}"));
            if is_blob {
                let name: String = file.rsplit('/').take(2).collect::<Vec<_>>().into_iter().rev().collect();
                assert_eq!(name, blake3::hash(&bytes).to_hex().as_str(), "{moment:?}: {file}");
            }
        }
        if file.ends_with("manifest.json") {
            desk.manifest("spring-drop");
        }
    }
}

#[test]
fn the_first_interrupt_finishes_what_is_paid_and_starts_nothing() {
    let desk = Desk::new();
    let mut running = Running::start(&desk, &["--concurrency", "2"], "size=64x64,latency=800ms");
    running.until("job-started", 2);
    running.signal(Signal::SIGINT);
    let mut started = 0;
    let mut done = 0;
    while let Some(event) = running.next() {
        started += usize::from(event["event"] == "job-started");
        done += usize::from(event["event"] == "job-done");
    }
    assert_eq!((running.end(), started, done), (Some(130), 0, 2));
    let rows = desk.costs("spring-drop");
    assert_eq!(counted_by(&rows, "status"), [("done".to_owned(), 2)].into());

    desk.rehearse(&DRAFT, 0);
    let after = desk.costs("spring-drop");
    assert_eq!(counted_by(&after, "status"), [("done".to_owned(), SHOTS)].into());
    assert!(rows.iter().all(|row| after.iter().any(|other| other["task_id"] == row["task_id"])), "what was bought stays bought");
}

#[test]
fn the_second_interrupt_leaves_at_once_and_what_is_paid_is_fetched_later() {
    let desk = Desk::new();
    let mut running = Running::start(&desk, &[], "size=64x64,latency=5s");
    running.until("job-started", 4);
    // An answer is under way when the shot starts; it is on disk a moment later.
    let accepted = |desk: &Desk| counted_by_record(desk, "accepted");
    let patience = Instant::now() + Duration::from_secs(5);
    while accepted(&desk) < 4 && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(20));
    }
    running.signal(Signal::SIGINT);
    std::thread::sleep(Duration::from_millis(150));
    let asked = Instant::now();
    running.signal(Signal::SIGINT);
    assert_eq!(running.end(), Some(130));
    assert!(asked.elapsed() < Duration::from_secs(3), "it took {:?}", asked.elapsed());
    assert_eq!((accepted(&desk), counted_by_record(&desk, "intent")), (4, 4));

    desk.rehearse(&DRAFT, 0);
    assert_eq!((accepted(&desk), counted_by_record(&desk, "intent")), (SHOTS, SHOTS), "nothing was asked for twice");
    assert_eq!(counted_by(&desk.costs("spring-drop"), "status"), [("done".to_owned(), SHOTS)].into());
}

/// Counts the ledger's records of one kind.
fn counted_by_record(desk: &Desk, kind: &str) -> usize {
    use callsheet::ledger::Record;
    let entries = desk.ledger().entries(0).expect("every record can be read");
    let is = |record: &Record| match record {
        Record::Intent { .. } => kind == "intent",
        Record::Accepted { .. } => kind == "accepted",
        _ => false,
    };
    entries.iter().filter(|entry| is(&entry.record)).count()
}

#[test]
fn a_second_run_is_turned_away_at_once_by_the_name_of_the_first() {
    let desk = Desk::new();
    let mut running = Running::start(&desk, &[], "size=64x64,latency=5s");
    running.until("job-started", 1);
    let begun = Instant::now();
    let second = desk.say(&[&["run"], &DRAFT[..], &["--rehearse", "--sim", "size=64x64"]].concat());
    assert!(begun.elapsed() < Duration::from_secs(4), "it took {:?}", begun.elapsed());
    assert_eq!(second.code, 9, "{}", second.err);
    let holder = format!("process {}", running.child.id());
    assert!(second.err.contains("run spring-drop") && second.err.contains(&holder), "{}", second.err);
    running.signal(Signal::SIGKILL);
    assert_eq!(running.end(), None);
    assert_ne!(desk.say(&[&["run"], &DRAFT[..], &["--rehearse", "--sim", "size=64x64"]].concat()).code, 9, "a dead holder holds nothing");
}
