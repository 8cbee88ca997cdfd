//! Rehearsals that go wrong on purpose: exit codes, what is said, and what it would have cost.

use std::collections::BTreeSet;

use callsheet::ledger::{Ledger as _, Scope};

use crate::desk::{Desk, Row, SPRING, Said, counted_by, sum};

/// Two products, up to the surfaces: 4 heroes and 12 surfaces.
const DRAFT: [&str; 3] = [SPRING, "--profile", "draft"];

const SHOTS: usize = 16;

/// Rehearses the draft with a simulator that does this.
fn with(desk: &Desk, sim: &str, words: &[&str]) -> Said {
    let sim = format!("size=64x64,{sim}");
    desk.say(&[&["run"], &DRAFT[..], &["--rehearse", "--sim", &sim], words].concat())
}

/// Returns the desk's rows after checking that their sums are what `status` tells.
fn rows(desk: &Desk) -> Vec<Row> {
    let rows = desk.costs("spring-drop");
    let status = desk.say(&[&["status"], &DRAFT[..], &["--rehearse"]].concat());
    assert_eq!(status.code, 0, "{}", status.all());
    let unwrapped = status.out.replace("\n           ", " ");
    let line = unwrapped.lines().find(|line| line.starts_with("so far")).unwrap_or_else(|| panic!("{}", status.out));
    let told = format!("so far     {} credits charged for {} tries in ", sum(&rows, "charged") / 1_000_000, rows.len());
    assert!(line.starts_with(&told), "`{line}` is not `{told}`");
    let given_back = |word: &str| {
        let part = line.split("; ").find_map(|part| part.strip_suffix(word)?.strip_suffix(" credits "));
        part.map_or(0, |credits| credits.parse::<u64>().expect("whole credits"))
    };
    for word in ["refunded", "released"] {
        assert_eq!(given_back(word), sum(&rows, word) / 1_000_000, "{word}: {line}");
    }

    let totals = desk.ledger().totals(&Scope("campaign:spring-drop".to_owned()));
    let totals = totals.expect("the ledger can be read").pop().expect("it has seen the campaign");
    let doubts: Vec<Row> = rows.iter().filter(|row| row["status"] == "in-doubt").cloned().collect();
    let own = [totals.spent, totals.in_doubt, totals.reserved].map(|micros| u64::try_from(micros.get()).expect("no sum is negative"));
    assert_eq!(own, [sum(&rows, "charged"), sum(&doubts, "quoted"), 0], "the ledger's own sums");
    rows
}

/// Returns the lines of the summary that name a failure.
fn failures(said: &Said) -> Vec<String> {
    let summary = said.err.split("\nmade ").nth(1).unwrap_or_else(|| panic!("no summary: {}", said.err));
    let mut found: Vec<String> = Vec::new();
    for line in summary.lines() {
        if let Some(rest) = line.strip_prefix("failed") {
            found.push(rest.trim().to_owned());
        } else if let (true, Some(last)) = (line.starts_with("           "), found.last_mut()) {
            last.push(' ');
            last.push_str(line.trim());
        }
    }
    found
}

#[test]
fn failures_are_tried_again_named_once_and_counted_with_what_waits_for_them() {
    let desk = Desk::new();
    let said = with(&desk, "fail=0.3,refund=yes,seed=3", &[]);
    assert_eq!(said.code, 5, "{}", said.all());
    let rows = rows(&desk);
    let failed: Vec<&Row> = rows.iter().filter(|row| row["status"] == "failed").collect();
    assert!(!failed.is_empty() && failed.iter().all(|row| row["error_code"] == "failed/generation_failed"));
    assert!(failed.iter().all(|row| row["charged"] == "0" || row["charged"].is_empty()), "a failure that is given back costs nothing");
    let done: BTreeSet<&str> = rows.iter().filter(|row| row["status"] == "done").map(|row| row["job"].as_str()).collect();
    let given_up: BTreeSet<&str> = failed.iter().map(|row| row["job"].as_str()).filter(|job| !done.contains(job)).collect();
    assert!(!given_up.is_empty(), "this seed fails a shot for good");
    let named = failures(&said);
    assert_eq!(named.len(), given_up.len(), "{named:?}");
    for job in &given_up {
        let line = named.iter().find(|line| line.starts_with(job)).unwrap_or_else(|| panic!("{job} is not named: {named:?}"));
        let waiting = if job.starts_with("hero") { "wait for it" } else { "" };
        assert!(line.contains("after 2 tries") && line.contains(waiting), "{line}");
    }
    // The next run tries them again, and only them.
    assert_eq!(with(&desk, "seed=3", &["-q"]).code, 0);
    assert_eq!(counted_by(&desk.costs("spring-drop"), "status")["done"], SHOTS);
}

#[test]
fn what_nobody_gives_back_stays_counted() {
    let (kept, given) = (Desk::new(), Desk::new());
    assert_eq!(with(&kept, "fail=0.3,refund=no,seed=3", &["-q"]).code, 5);
    assert_eq!(with(&given, "fail=0.3,refund=yes,seed=3", &["-q"]).code, 5);
    let (kept, given) = (rows(&kept), rows(&given));
    let failed = |rows: &[Row]| rows.iter().filter(|row| row["status"] == "failed").cloned().collect::<Vec<_>>();
    assert_eq!((sum(&failed(&given), "charged"), sum(&failed(&given), "refunded")), (0, sum(&failed(&given), "quoted")));
    assert_eq!((sum(&failed(&kept), "charged"), sum(&failed(&kept), "refunded")), (sum(&failed(&kept), "quoted"), 0));
}

#[test]
fn a_refused_prompt_is_final_and_tried_once() {
    let desk = Desk::new();
    let said = with(&desk, "refuse=0.2,seed=4", &[]);
    assert_eq!(said.code, 5, "{}", said.all());
    let rows = rows(&desk);
    let refused: Vec<&Row> = rows.iter().filter(|row| row["error_code"] == "refused/moderation_blocked").collect();
    assert!(!refused.is_empty() && refused.iter().all(|row| row["attempt"] == "1"));
    assert_eq!(counted_by(&rows, "job").values().max(), Some(&1), "no second try");
    let told = format!("failed     {} shots (", refused.len());
    assert!(said.err.contains(&told), "what failed alike is told once, with its number: {}", said.err);
}

#[test]
fn patience_is_no_failure() {
    let desk = Desk::new();
    let said = with(&desk, "throttle=0.15,seed=2", &["-q"]);
    assert_eq!(said.code, 0, "{}", said.all());
    let rows = rows(&desk);
    assert!(rows.iter().any(|row| row["error_code"] == "throttled/429"), "this seed throttles somebody");
    assert_eq!(counted_by(&rows, "status")["done"], SHOTS);
    assert_eq!(sum(&rows, "charged"), 12 * 1_000_000 * SHOTS as u64, "waiting costs nothing");
}

#[test]
fn a_lost_answer_is_in_doubt_counted_as_spent_and_resent_only_when_told() {
    let desk = Desk::new();
    let said = with(&desk, "lose=0.3,seed=5", &[]);
    assert_eq!(said.code, 7, "{}", said.all());
    let first = rows(&desk);
    let doubts: Vec<&Row> = first.iter().filter(|row| row["status"] == "in-doubt").collect();
    assert!(!doubts.is_empty());
    for row in &doubts {
        assert!(said.err.contains(&row["job"]), "{} is not named: {}", row["job"], said.err);
    }
    let held = with(&desk, "seed=5", &["-q"]);
    assert_eq!((held.code, desk.costs("spring-drop").len()), (7, first.len()), "held: {}", held.err);
    let resent = with(&desk, "seed=5", &["-q", "--on-doubt", "resend"]);
    assert_eq!(resent.code, 0, "{}", resent.err);
    assert_eq!(counted_by(&desk.costs("spring-drop"), "status")["done"], SHOTS);
}

#[test]
fn doubts_are_resent_and_priced_when_nothing_else_is_left() {
    let desk = Desk::new();
    assert_eq!(with(&desk, "lose=1", &["-q", "--until", "hero"]).code, 7);
    let resent = with(&desk, "seed=1", &["--until", "hero", "--on-doubt", "resend"]);
    assert_eq!(resent.code, 0, "{}", resent.all());
    assert!(resent.err.contains("floor      48 credits"), "what is bought again is in the plan: {}", resent.err);
    assert_eq!(counted_by(&rows(&desk), "status")["done"], 4);
}

#[test]
fn a_picture_that_arrives_cut_off_is_fetched_again_for_nothing() {
    let (desk, clean) = (Desk::new(), Desk::new());
    assert_eq!(with(&desk, "corrupt=0.4,seed=6", &["-q"]).code, 0);
    assert_eq!(with(&clean, "seed=6", &["-q"]).code, 0);
    assert_eq!(counted_by(&rows(&desk), "status"), [("done".to_owned(), SHOTS)].into());
    assert_eq!(desk.pictures("spring-drop"), clean.pictures("spring-drop"));
}

#[test]
fn after_enough_failures_no_new_shot_is_started() {
    let desk = Desk::new();
    desk.edit("run: { concurrency: 16, stop-after-failures: 10% }", "run: { concurrency: 1, stop-after-failures: 2, attempts: 1 }");
    let said = with(&desk, "fail=1", &["--until", "hero"]);
    assert_eq!(said.code, 5, "{}", said.all());
    assert_eq!(rows(&desk).len(), 2, "two failures of four heroes, then no more");
    let fast = Desk::new();
    assert_eq!(with(&fast, "fail=1", &["-q", "--fail-fast", "--concurrency", "1"]).code, 5);
    assert_eq!(counted_by(&rows(&fast), "job").len(), 1);
}

#[test]
fn a_cap_reached_under_way_keeps_what_is_paid_and_a_higher_one_ends_as_if_it_had_never_been() {
    let (capped, free) = (Desk::new(), Desk::new());
    for desk in [&capped, &free] {
        desk.edit("budget: { cap: 260 }", "budget: { cap: 2000 }");
        desk.edit("stop-after-failures: 10%", "attempts: 8");
        desk.edit("cap: 2000  ", "cap: 192  ");
    }
    // The floor just fits; failures that are charged all the same use up what was meant for others.
    let said = with(&capped, "fail=0.3,refund=no,seed=4", &[]);
    assert_eq!(said.code, 4, "{}", said.all());
    let before = rows(&capped);
    assert!(sum(&before, "charged") <= 192_000_000);
    let bought: Vec<&Row> = before.iter().filter(|row| row["status"] == "done").collect();
    assert!(!bought.is_empty() && bought.len() < SHOTS);
    for row in &bought {
        capped.picture("spring-drop", &row["output_path"]);
    }
    assert_eq!(with(&capped, "fail=0.3,refund=no,seed=4", &["-q", "--cap", "600"]).code, 0);
    assert_eq!(with(&free, "fail=0.3,refund=no,seed=4", &["-q", "--cap", "600"]).code, 0);
    assert_eq!(capped.pictures("spring-drop"), free.pictures("spring-drop"));
    assert_eq!(sum(&rows(&capped), "charged"), sum(&rows(&free), "charged"), "the stop cost nothing");
    let after = capped.costs("spring-drop");
    for row in &bought {
        assert!(after.iter().any(|other| other["task_id"] == row["task_id"] && other["blake3"] == row["blake3"]), "{} was kept", row["job"]);
    }
    assert_eq!(counted_by(&after, "status")["done"], SHOTS, "each shot was bought once");
}
