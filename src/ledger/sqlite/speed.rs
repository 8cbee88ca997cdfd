//! What the ledger must manage on a quiet disk: `cargo test --release --lib ledger::sqlite::speed -- --ignored --nocapture --test-threads 1`.

use std::time::{Duration, Instant};

use super::*;
use crate::ledger::contract::stage::{accepted, cap, done, intent, key, run};
use crate::types::SystemClock;

const JOBS: u32 = 10_000;
const IN_FLIGHT: u32 = 64;

fn open(path: &Path) -> Arc<SqliteLedger> {
    Arc::new(SqliteLedger::open(path, Arc::new(SystemClock), Durability::Full).expect("a new ledger opens"))
}

/// Buys every job in three commands, as a run does: intent, acceptance, picture.
async fn buy_all(ledger: &Arc<SqliteLedger>) -> Duration {
    let started = Instant::now();
    let tasks = (0..IN_FLIGHT).map(|task| {
        let ledger = ledger.clone();
        tokio::spawn(async move {
            for n in (task..JOBS).step_by(IN_FLIGHT as usize) {
                let job = format!("surface[sku=sku-{n},angle=front,surface=oak]");
                let mut ask = intent(&job, 1);
                ask.caps = vec![cap("campaign:spring", Some(1_000_000)), cap("campaign:spring/step:hero", None)];
                ask.limits.places = Some(IN_FLIGHT);
                assert!(matches!(ledger.begin_submit(ask).await, Ok(Grant::Granted { .. })));
                ledger.append(run("r1"), key(&job), vec![accepted(1, "task-0123456789abcdef")], None).await.expect("legal");
                ledger.append(run("r1"), key(&job), vec![done(1, 4)], None).await.expect("legal");
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("no task fails");
    }
    started.elapsed()
}

fn best_of<T>(times: u32, mut work: impl FnMut() -> T) -> Duration {
    let timed = (0..times).map(|_| {
        let started = Instant::now();
        std::hint::black_box(work());
        started.elapsed()
    });
    timed.min().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures; wants --release and a quiet machine"]
async fn ten_thousand_jobs_are_bought_in_a_second_and_known_again_in_fifteen_milliseconds() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let ledger = open(&folder.path().join("ledger.db"));
    let bought = buy_all(&ledger).await;
    let keys: Vec<JobKey> = (0..JOBS).map(|n| key(&format!("surface[sku=sku-{n},angle=front,surface=oak]"))).collect();
    let whole = best_of(5, || ledger.history("spring", &keys).expect("history can be read").jobs.len());
    let few = best_of(5, || ledger.history("autumn", &keys[..100]).expect("history can be read").jobs.len());
    let attempts = best_of(5, || ledger.attempts("spring", &keys).expect("attempts can be read").len());
    eprintln!("{JOBS} cycles in {bought:.0?}, history {whole:.1?}, of 100 keys {few:.1?}, attempts {attempts:.1?}");
    assert!(bought < Duration::from_secs(1) && whole < Duration::from_millis(15), "{bought:?}, {whole:?}");
}

#[test]
#[ignore = "measures; wants --release and a quiet machine"]
fn an_empty_ledger_knows_nothing_at_once() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let ledger = open(&folder.path().join("ledger.db"));
    let keys: Vec<JobKey> = (0..100_000).map(|n: u32| key(&n.to_string())).collect();
    let took = best_of(5, || ledger.history("spring", &keys).expect("history can be read").jobs.len());
    eprintln!("100,000 keys of an empty ledger {took:.1?}");
    assert!(took < Duration::from_millis(1), "{took:?}");
}
