//! How many jobs a second a rehearsal makes: its ledger is flushed to the disk at each commit, its pictures, which can be drawn
//! again for nothing, are left to the system's cache. Run it alone, optimised:
//! `cargo test --release --lib engine::tests::speed -- --ignored --nocapture`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::stage::{NoFiles, Step, chains, credits, terms};
use crate::engine::{Cancel, JobPrice, Ports, RunRequest, RunRules, run};
use crate::ledger::{Cap, Durability, History, Scope, SqliteLedger};
use crate::plan::{Selection, worklist};
use crate::provider::sim::{SimOptions, Simulator};
use crate::store::fs::{Durability as PictureDurability, FsStore};
use crate::types::{Micros, PixelSize, RunId, SystemClock};

const CHAINS: usize = 5_000;

#[ignore = "measures; needs an optimised build and a machine to itself"]
#[tokio::test(flavor = "multi_thread")]
async fn a_rehearsal_makes_two_thousand_jobs_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(SystemClock);
    let mut plan = chains(CHAINS, &[Step("hero", true, None), Step("surface", true, Some("hero"))]);
    for job in &mut plan.jobs {
        job.size = PixelSize::new(64, 64);
    }
    let work = worklist(&plan, &History::default(), &Selection::all(), &|_| false);
    let price = Some(JobPrice { quoted: credits(10), reserved: credits(12) });
    let request = RunRequest {
        run: RunId::new("run"),
        workspace: "workspace".into(),
        prices: vec![price; plan.jobs.len()],
        plan: Arc::new(plan),
        work,
        terms: terms().rehearsed(Duration::ZERO, true),
        caps: vec![Cap { scope: Scope("campaign:spring".to_owned()), limit: Some(Micros::units(1_000_000)) }],
        step_caps: Vec::new(),
        concurrency: 64,
        stop_after_failures: None,
        rules: RunRules::default(),
    };
    let ports = Ports {
        ledger: Arc::new(SqliteLedger::open(&folder.path().join("ledger.db"), clock.clone(), Durability::Full).unwrap()),
        store: Arc::new(FsStore::open(&folder.path().join("blobs")).unwrap().with_durability(PictureDurability::Cached)),
        provider: Arc::new(Simulator::new(SimOptions::default(), clock.clone())),
        originals: Arc::new(NoFiles),
        clock,
    };
    let cancel = tokio::sync::watch::Sender::new(Cancel::No);
    let started = Instant::now();
    let outcome = run(request, ports, cancel.subscribe(), &mut |_| {}).await.unwrap();
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(outcome.stats.done, 2 * CHAINS);
    println!("{} jobs in {seconds:.2} s: {:.0} jobs a second", 2 * CHAINS, 2.0 * CHAINS as f64 / seconds);
}
