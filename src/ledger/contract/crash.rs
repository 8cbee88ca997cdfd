//! Ends that a ledger on disk must survive: restart, a second handle, a copy in mid-write, a killed process.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::stage::{StageClock, accepted, cap, done, doubt, intent, key, run, sums_equal_the_fold};
use crate::ledger::*;
use crate::types::SystemClock;

fn open(path: &Path) -> SqliteLedger {
    SqliteLedger::open(path, StageClock::new(), Durability::Full).expect("the ledger opens")
}

/// Checks that the ledger is whole: its records are legal and its sums are theirs.
fn whole(ledger: &SqliteLedger) -> Vec<Entry> {
    let entries = ledger.entries(0).expect("every record can be read");
    sums_equal_the_fold(ledger, &entries);
    entries
}

#[tokio::test]
async fn a_restart_finds_everything_as_it_was() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("deeper/ledger.db");
    let ledger = open(&path);
    for job in ["a", "b", "c"] {
        ledger.begin_submit(intent(job, 1)).await.expect("granted");
    }
    ledger.append(run("r1"), key("a"), vec![accepted(1, "t"), done(1, 4)], None).await.expect("legal");
    ledger.append(run("r1"), key("b"), vec![doubt(1)], None).await.expect("legal");
    let before = (whole(&ledger), ledger.attempts("spring", &[]).expect("attempts can be read"));
    drop(ledger);
    assert!(!folder.path().join("deeper/ledger.db-wal").exists(), "a closed ledger is one file, safe to copy");

    let ledger = open(&path);
    assert_eq!((whole(&ledger), ledger.attempts("spring", &[]).expect("attempts can be read")), before);
    assert_eq!(ledger.history("spring", &[key("a")]).expect("history can be read").addresses.len(), 3);
    assert_eq!(ledger.recipe(key("c")).expect("recipes can be read"), Some(intent("c", 1).recipe));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_handles_on_one_file_take_turns_and_share_the_cap() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("ledger.db");
    let handles = [Arc::new(open(&path)), Arc::new(open(&path))];
    let asks = (0..120_usize).map(|n| {
        let ledger = handles[n % 2].clone();
        tokio::spawn(async move {
            let job = format!("job-{}", n / 2);
            let mut ask = intent(&job, 1);
            ask.caps = vec![cap("campaign:spring", Some(100))];
            let grant = ledger.begin_submit(ask).await.expect("the other handle only makes us wait");
            let granted = matches!(grant, Grant::Granted { .. });
            if granted {
                ledger.append(run("r1"), key(&job), vec![accepted(1, "t"), done(1, 4)], None).await.expect("legal");
            }
            granted
        })
    });
    let mut granted = 0;
    for ask in asks.collect::<Vec<_>>() {
        granted += u32::from(ask.await.expect("no task fails"));
    }
    assert_eq!(granted, 25, "100 credits buy 25 pictures of 4, and no job twice");
    assert_eq!(whole(&handles[0]), whole(&handles[1]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_taken_in_mid_write_opens_whole() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("ledger.db");
    let ledger = Arc::new(open(&path));
    let writers: Vec<_> = (0..16)
        .map(|task| {
            let ledger = ledger.clone();
            tokio::spawn(async move {
                for round in 0..12 {
                    let job = format!("{task}-{round}");
                    ledger.begin_submit(intent(&job, 1)).await.expect("granted");
                    ledger.append(run("r1"), key(&job), vec![accepted(1, "t"), done(1, 4)], None).await.expect("legal");
                }
            })
        })
        .collect();

    let mut seen = Vec::new();
    for copy in 0.. {
        let finished = writers.iter().all(tokio::task::JoinHandle::is_finished);
        let known = ledger.last_seq().expect("the ledger can be read");
        let target = folder.path().join(format!("copy-{copy}.db"));
        // The database before its log: so the log is never older than what it completes.
        std::fs::copy(&path, &target).expect("the database can be copied");
        std::fs::copy(path.with_extension("db-wal"), target.with_extension("db-wal")).expect("the log can be copied");
        let copied = whole(&open(&target)).len() as u64;
        assert!(copied >= known, "{known} records were announced, the copy has {copied}");
        seen.push(copied);
        if finished {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(seen.last(), Some(&(16 * 12 * 3)));
}

const CHILD_PATH: &str = "CALLSHEET_TEST_LEDGER_OF_CHILD";

/// Not a case of its own: what [`a_killed_process_loses_nothing_it_announced`] starts and kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "runs as a child process and never ends by itself"]
async fn child_that_writes_until_it_is_killed() {
    let path = std::env::var_os(CHILD_PATH).expect("the parent says where the ledger is");
    let ledger = Arc::new(SqliteLedger::open(Path::new(&path), Arc::new(SystemClock), Durability::Full).expect("the ledger opens"));
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let ledger = ledger.clone();
            tokio::spawn(async move {
                for round in 0.. {
                    let job = format!("{}-{task}-{round}", std::process::id());
                    ledger.begin_submit(intent(&job, 1)).await.expect("granted");
                    println!("intent {job}");
                    ledger.append(run("r1"), key(&job), vec![accepted(1, "t"), done(1, 4)], None).await.expect("legal");
                    println!("done {job}");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("the parent kills first");
    }
}

#[test]
fn a_killed_process_loses_nothing_it_announced() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("ledger.db");
    for lines in [1_usize, 40, 150] {
        let mut child = Command::new(std::env::current_exe().expect("the test knows its own program"))
            .args(["--exact", "--ignored", "--nocapture", "ledger::contract::crash::child_that_writes_until_it_is_killed"])
            .env(CHILD_PATH, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the child starts");
        let output = BufReader::new(child.stdout.take().expect("its output is piped"));
        let mut announced = Vec::new();
        let mut killed = false;
        for line in output.lines() {
            let line = line.expect("the child writes text");
            if let Some((word, job)) = line.split_once(' ').filter(|(word, _)| ["intent", "done"].contains(word)) {
                announced.push((word.to_owned(), job.to_owned()));
            }
            if announced.len() >= lines && !killed {
                child.kill().expect("the child can be killed");
                killed = true;
            }
        }
        child.wait().expect("the child has ended");
        assert!(killed, "the child ended by itself after {announced:?}");

        let ledger = open(&path);
        whole(&ledger);
        for (word, job) in announced {
            let state = ledger.load(key(&job)).expect("a state can be read");
            let kept = matches!(state, JobState::Done { .. }) || (word == "intent" && matches!(state, JobState::Submitting { .. }));
            assert!(kept, "`{word} {job}` was announced, but the job is {}", state.name());
        }
    }
}
