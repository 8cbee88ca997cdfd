//! A crash at every write of the ledger, before it and after it; then another run.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Notify;

use super::stage::{Act, Stage, Step, chains, failure};
use crate::engine::{JobOutcome, Ports};
use crate::ledger::{
    AttemptRow, Grant, History, JobState, Judgement, Ledger, LedgerError, MemoryLedger, PlanRecord, Recipe, Record, Scope, ScopeTotals, SubmitIntent,
};
use crate::store::memory::MemoryStore;
use crate::types::{Digest, FailureClass, JobId, JobKey, RunId};

/// Where the process dies, seen from one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Before,
    After,
}

/// A ledger that never answers its write number `at`, and tells that the process is dead now.
struct Dying {
    ledger: Arc<MemoryLedger>,
    at: usize,
    moment: Moment,
    writes: AtomicUsize,
    dead: Notify,
    /// Whether it takes no addresses any more.
    is_full: bool,
}

impl Dying {
    async fn write<T>(&self, write: impl Future<Output = Result<T, LedgerError>>) -> Result<T, LedgerError> {
        let number = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        if number < self.at {
            return write.await;
        }
        if number == self.at && self.moment == Moment::After {
            let _ = write.await;
        }
        self.dead.notify_one();
        std::future::pending().await
    }
}

impl Ledger for Dying {
    fn begin_submit(&self, intent: SubmitIntent) -> BoxFuture<'_, Result<Grant, LedgerError>> {
        self.write(self.ledger.begin_submit(intent)).boxed()
    }

    fn append(&self, run: RunId, key: JobKey, records: Vec<Record>, recipe: Option<Recipe>) -> BoxFuture<'_, Result<JobState, LedgerError>> {
        self.write(self.ledger.append(run, key, records, recipe)).boxed()
    }

    fn load(&self, key: JobKey) -> Result<JobState, LedgerError> {
        self.ledger.load(key)
    }

    fn judgements(&self, key: JobKey) -> Result<Vec<Judgement>, LedgerError> {
        self.ledger.judgements(key)
    }

    fn history(&self, campaign: &str, keys: &[JobKey]) -> Result<History, LedgerError> {
        self.ledger.history(campaign, keys)
    }

    fn remember(&self, campaign: &str, addresses: Vec<(JobId, JobKey)>) -> BoxFuture<'_, Result<(), LedgerError>> {
        if self.is_full {
            return async { Err(LedgerError::Storage("database or disk is full".to_owned())) }.boxed();
        }
        self.ledger.remember(campaign, addresses)
    }

    fn recipe(&self, key: JobKey) -> Result<Option<Recipe>, LedgerError> {
        self.ledger.recipe(key)
    }

    fn attempts(&self, campaign: &str, keys: &[JobKey]) -> Result<Vec<AttemptRow>, LedgerError> {
        self.ledger.attempts(campaign, keys)
    }

    fn totals(&self, scope: &Scope) -> Result<Vec<ScopeTotals>, LedgerError> {
        self.ledger.totals(scope)
    }

    fn last_seq(&self) -> Result<u64, LedgerError> {
        self.ledger.last_seq()
    }

    fn begin_plan(&self, plan: Digest, campaign: &str, run: RunId) -> BoxFuture<'_, Result<PlanRecord, LedgerError>> {
        self.ledger.begin_plan(plan, campaign, run)
    }

    fn end_plan(&self, plan: Digest, run: RunId) -> BoxFuture<'_, Result<Option<PlanRecord>, LedgerError>> {
        self.ledger.end_plan(plan, run)
    }

    fn plan(&self, plan: Digest) -> Result<Option<PlanRecord>, LedgerError> {
        self.ledger.plan(plan)
    }
}

fn stage() -> Stage {
    let steps = [Step("hero", true, None), Step("surface", true, Some("hero")), Step("deliver", false, Some("surface"))];
    let stage = Stage::new(chains(4, &steps));
    // Retries stand in the way too, so that their records are crash points.
    stage.provider.will("hero[row=1]", [Act::Refuse(failure(FailureClass::Transient, "reset"))]);
    stage.provider.will("hero[row=2]", [Act::FailLater(failure(FailureClass::Failed, "501"))]);
    stage.provider.will("surface[row=3]", [Act::CutOff(1)]);
    stage
}

/// Runs until write number `at`; returns whether the process died there.
async fn run_and_die(stage: &Stage, at: usize, moment: Moment) -> bool {
    let (writes, dead) = (AtomicUsize::new(0), Notify::new());
    let dying = Arc::new(Dying { ledger: Arc::clone(&stage.ledger), at, moment, writes, dead, is_full: false });
    let ports = Ports { ledger: Arc::clone(&dying) as Arc<dyn Ledger>, ..stage.ports() };
    tokio::select! {
        biased;
        () = dying.dead.notified() => true,
        outcome = stage.try_run(ports, |request| request.rules.attempts = 2) => {
            outcome.unwrap();
            false
        }
    }
}

/// Returns the jobs whose answer the crash cut off: the only ones that may end in doubt.
fn unanswered(stage: &Stage) -> BTreeSet<JobKey> {
    let submitting = |key: &JobKey| matches!(stage.ledger.load(*key), Ok(JobState::Submitting { .. }));
    stage.plan.jobs.iter().map(|job| job.key).filter(submitting).collect()
}

async fn resumes_from(at: usize, moment: Moment) -> bool {
    let stage = stage();
    if !run_and_die(&stage, at, moment).await {
        return false;
    }
    let cut_off = unanswered(&stage);
    let outcome = stage.run(|request| request.rules.attempts = 2).await;

    let doubted: BTreeSet<JobKey> =
        stage.plan.indices().filter(|ix| matches!(outcome.jobs[ix.index()], JobOutcome::InDoubt { .. })).map(|ix| stage.plan.job(ix).key).collect();
    assert_eq!(doubted, cut_off, "{moment:?} write {at}: in doubt is exactly what was cut off");
    let pictures = outcome.jobs.iter().filter(|outcome| outcome.artifact().is_some()).count();
    assert_eq!(pictures + outcome.stats.skipped + doubted.len(), 12, "{moment:?} write {at}");

    // The provider's own books: nothing was sent again that it had accepted, unless the first try ended without a picture.
    for (subject, times) in &stage.provider.books.lock().unwrap().accepted {
        let allowed = if subject == "hero[row=2]" { 2 } else { 1 };
        assert!(*times <= allowed, "{moment:?} write {at}: {subject} was bought {times} times");
    }
    let bought = stage.plan.jobs[..8].iter().filter(|job| matches!(stage.ledger.load(job.key), Ok(JobState::Done { .. }))).count();
    let expected = (bought as i64 * 10, 0, doubted.len() as i64 * 12);
    assert_eq!(stage.money(), expected, "{moment:?} write {at}");
    true
}

#[tokio::test(start_paused = true)]
async fn a_crash_before_or_after_any_write_costs_nothing_twice() {
    let whole = stage();
    whole.run(|request| request.rules.attempts = 2).await;
    assert_eq!(whole.money(), (80, 0, 0));

    for moment in [Moment::Before, Moment::After] {
        let mut points = 0;
        while resumes_from(points + 1, moment).await {
            points += 1;
        }
        // 8 shots of three records, two of them with a second try, and 4 local ones.
        assert_eq!(points, 8 * 3 + 2 * 2 + 1 + 4, "{moment:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_is_full_of_addresses_lets_the_requests_under_way_come_to_their_answers() {
    let stage = Stage::new(chains(600, &[Step("hero", true, None)]));
    stage.provider.will("hero[row=7]", [Act::Hang]);
    let (writes, dead) = (AtomicUsize::new(0), Notify::new());
    let full = Dying { ledger: Arc::clone(&stage.ledger), at: usize::MAX, moment: Moment::Before, writes, dead, is_full: true };
    let ports = Ports { ledger: Arc::new(full), ..stage.ports() };
    // Addresses are kept in batches: one request is under way still when the first batch is not taken.
    let error = stage.try_run(ports, |request| request.concurrency = 600).await.expect_err("the disk is full");
    assert_eq!(error.to_string(), "the ledger cannot be used: database or disk is full");
    assert_eq!(unanswered(&stage).len(), 0, "what became of it stands in the ledger");
    assert_eq!(stage.money().2, 12);
}

#[tokio::test(start_paused = true)]
async fn three_crashes_in_a_row_cost_nothing_twice() {
    for at in 2..12 {
        let stage = stage();
        for _ in 0..3 {
            run_and_die(&stage, at, Moment::Before).await;
        }
        stage.run(|request| request.rules.attempts = 2).await;
        for (subject, times) in &stage.provider.books.lock().unwrap().accepted {
            let allowed = if subject == "hero[row=2]" { 2 } else { 1 };
            assert!(*times <= allowed, "{subject} was bought {times} times after crashes at {at}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_is_not_repeated_without_the_picture_that_it_took() {
    let mut stage = Stage::new(chains(1, &[Step("hero", true, None), Step("surface", true, Some("hero"))]));
    // The process dies with the second intent written; then somebody deletes the first picture.
    assert!(run_and_die(&stage, 4, Moment::After).await);
    stage.store = MemoryStore::new();
    let again = async |stage: &Stage| stage.run(|request| request.terms.idempotent = true).await;
    again(&stage).await;
    assert_eq!(stage.submits(), ["hero[row=0] 1", "hero[row=0] 2"], "the edit waits for the picture that it edits");
    again(&stage).await;
    assert_eq!(stage.submits().last().map(String::as_str), Some("surface[row=0] 1"), "under the key that it had");
}
