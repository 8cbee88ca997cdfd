//! Random campaigns of up to 500 shots at once, run by the real engine on both ledgers: whatever the provider answers, charges and keeps to
//! itself, whichever book is in use, wherever the process dies, no cap is passed by more than what was charged above what was held.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use proptest::prelude::*;
use tokio::sync::Notify;

use super::stage::{Act, CAMPAIGN, PausedClock, Stage, Step, chains, failure};
use crate::engine::{JobPrice, OnDoubt, Ports};
use crate::ledger::{
    AttemptRow, Cap, Durability, Grant, History, JobState, Judgement, Ledger, LedgerError, MemoryLedger, PlanRecord, Recipe, Record, Scope,
    ScopeTotals, SqliteLedger, SubmitIntent,
};
use crate::provider::manifest::Known;
use crate::types::{
    Amount, AttemptNo, Billed, Check, Clock, Currency, Digest, Failure, FailureClass, JobId, JobKey, ManualClock, Micros, Operation, Rates, RunId,
    TaskId,
};

const CHAIN: [Step; 2] = [Step("hero", true, None), Step("surface", true, Some("hero"))];

/// One campaign with everything that happens to it.
#[derive(Debug, Clone)]
struct Case {
    rows: usize,
    /// Of campaign, profile, heroes and surfaces, in credits.
    limits: [Option<i64>; 4],
    /// What the provider does with a shot's submits, and what it says that a picture cost, by row and step.
    acts: Vec<(Vec<u8>, i64)>,
    /// What the pictures must be like, and how often one that is not may be bought anew.
    sharpness: Option<u32>,
    rerolls: u32,
    runs: Vec<Run>,
}

#[derive(Debug, Clone)]
struct Run {
    dollars: bool,
    /// The write at which the process dies.
    dies_at: Option<usize>,
    resend: bool,
    attempts: u32,
    concurrency: usize,
    refunds: u8,
    /// What is heard later of tries in doubt.
    late: Vec<u8>,
}

fn cases(most_rows: usize) -> impl Strategy<Value = Case> {
    (1..=most_rows).prop_flat_map(|rows| {
        let most = rows as i64 * 30;
        let limit = move || proptest::option::weighted(0.7, 1..=most);
        let acts = prop::collection::vec((prop::collection::vec(0..12_u8, 0..3), 5..20_i64), rows * 2);
        let run = (
            any::<bool>(),
            proptest::option::weighted(0.6, 1..rows * 5 + 2),
            any::<bool>(),
            1..4_u32,
            prop_oneof![Just(500_usize), 1..40_usize],
            0..3_u8,
            prop::collection::vec(0..6_u8, 0..20),
        )
            .prop_map(|(dollars, dies_at, resend, attempts, concurrency, refunds, late)| Run {
                dollars,
                dies_at,
                resend,
                attempts,
                concurrency,
                refunds,
                late,
            });
        let checks = (proptest::option::weighted(0.5, 1..200_000_u32), 0..3_u32);
        ([limit(), limit(), limit(), limit()], acts, checks, prop::collection::vec(run, 1..4))
            .prop_map(move |(limits, acts, (sharpness, rerolls), runs)| Case { rows, limits, acts, sharpness, rerolls, runs })
    })
}

fn act(what: u8) -> Option<Act> {
    let failed = |billed| Failure { billed, ..failure(FailureClass::Failed, "501") };
    Some(match what {
        0 => Act::Refuse(failure(FailureClass::Transient, "reset")),
        1 => Act::Refuse(failure(FailureClass::Refused, "moderation")),
        2 => Act::Refuse(failure(FailureClass::Ambiguous, "broken pipe")),
        3 => Act::FailLater(failed(Billed::Maybe)),
        4 => Act::FailLater(failed(Billed::No)),
        5 => Act::FailLater(failed(Billed::Yes(Micros::units(14)))),
        6 => Act::CutOff(9),
        7 => Act::Hang,
        8 => Act::Answer,
        9 => Act::AnswerCut,
        _ => return None,
    })
}

fn credits() -> Currency {
    Currency::credits("kie")
}

fn caps(case: &Case) -> [Cap; 4] {
    // A credit is worth a dollar, so that prices are alike in both books.
    let rates = Rates::of([(credits(), Micros::units(1))]);
    let names = ["", "/profile:draft", "/step:hero", "/step:surface"];
    std::array::from_fn(|place| {
        let limit = case.limits[place].map(|units| Amount::new(credits(), Micros::units(units)));
        Cap { rates: rates.clone(), ..Cap::new(Scope(format!("{CAMPAIGN}{}", names[place])), limit) }
    })
}

/// What is known over all runs of a case.
#[derive(Default)]
struct Seen {
    /// What was charged above what was held, by scope; known before it is written.
    excess: Mutex<HashMap<Scope, i64>>,
    /// The scopes of each job.
    scopes: Mutex<HashMap<JobKey, Vec<Scope>>>,
    /// The first cap that did not hold.
    broken: Mutex<Option<String>>,
    looks: AtomicU32,
}

/// A ledger whose caps are looked at after every write, and which dies when it is told to.
struct Watched {
    ledger: Arc<dyn Ledger>,
    clock: Arc<ManualClock>,
    paused: Arc<PausedClock>,
    caps: [Cap; 4],
    seen: Arc<Seen>,
    writes: AtomicUsize,
    dies_at: Option<usize>,
    dead: Notify,
}

impl Watched {
    fn new(case: &Case, stage: &Stage, ledger: Arc<dyn Ledger>, clock: &Arc<ManualClock>, seen: &Arc<Seen>, dies_at: Option<usize>) -> Self {
        let (clock, paused, seen) = (Arc::clone(clock), Arc::clone(&stage.clock), Arc::clone(seen));
        Self { ledger, clock, paused, caps: caps(case), seen, writes: AtomicUsize::new(0), dies_at, dead: Notify::new() }
    }

    async fn write<T>(&self, write: impl Future<Output = Result<T, LedgerError>>) -> Result<T, LedgerError> {
        let number = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        let is_last = self.dies_at.is_some_and(|at| number >= at);
        // Every second death comes after the write, so that the answer is lost and not the record.
        if !is_last || number.is_multiple_of(2) {
            self.clock.advance(self.paused.now().since(self.clock.now()));
            let answer = write.await;
            self.look();
            if !is_last {
                return answer;
            }
        }
        self.dead.notify_one();
        std::future::pending().await
    }

    fn look(&self) {
        self.seen.looks.fetch_add(1, Ordering::Relaxed);
        for cap in &self.caps {
            let Some(limit) = &cap.limit else { continue };
            let totals = self.ledger.totals(&cap.scope).unwrap();
            let committed = cap.committed(&totals, &limit.currency).unwrap().get();
            let excess = self.seen.excess.lock().unwrap().get(&cap.scope).copied().unwrap_or(0);
            if committed > limit.micros.get() + excess {
                self.seen.broken.lock().unwrap().get_or_insert(format!("{}: {totals:?}, limit {limit}, excess {excess}", cap.scope.0));
            }
        }
    }

    fn note_excess(&self, key: JobKey, record: &Record) {
        let held = match self.ledger.load(key).unwrap() {
            JobState::Submitting { reserved, .. } | JobState::Running { reserved, .. } | JobState::InDoubt { reserved, .. } => reserved.micros.get(),
            _ => return,
        };
        let charged = match record {
            Record::Done { charged, .. } => charged.micros.get(),
            Record::Failed { charged, .. } | Record::Settled { charged, .. } => charged.get(),
            _ => return,
        };
        for scope in self.seen.scopes.lock().unwrap().get(&key).into_iter().flatten().filter(|_| charged > held) {
            *self.seen.excess.lock().unwrap().entry(scope.clone()).or_default() += charged - held;
        }
    }
}

impl Ledger for Watched {
    fn begin_submit(&self, intent: SubmitIntent) -> BoxFuture<'_, Result<Grant, LedgerError>> {
        self.seen.scopes.lock().unwrap().insert(intent.key, intent.caps.iter().map(|cap| cap.scope.clone()).collect());
        self.write(self.ledger.begin_submit(intent)).boxed()
    }

    fn append(&self, run: RunId, key: JobKey, records: Vec<Record>, recipe: Option<Recipe>) -> BoxFuture<'_, Result<JobState, LedgerError>> {
        records.iter().for_each(|record| self.note_excess(key, record));
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

/// Where the ledger lives from one run to the next.
enum House {
    Memory(Arc<MemoryLedger>),
    Disk(tempfile::TempDir, usize),
}

impl House {
    fn path(folder: &tempfile::TempDir, opened: usize) -> PathBuf {
        folder.path().join(format!("ledger-{opened}.db"))
    }

    fn open(&self, clock: &Arc<ManualClock>) -> Arc<dyn Ledger> {
        match self {
            Self::Memory(ledger) => Arc::clone(ledger) as Arc<dyn Ledger>,
            Self::Disk(folder, opened) => {
                Arc::new(SqliteLedger::open(&Self::path(folder, *opened), Arc::clone(clock) as Arc<dyn Clock>, Durability::Normal).unwrap())
            }
        }
    }

    /// Moves on with the files as a dead process leaves them.
    fn crash(&mut self) {
        if let Self::Disk(folder, opened) = self {
            let (from, to) = (Self::path(folder, *opened), Self::path(folder, *opened + 1));
            std::fs::copy(&from, &to).unwrap();
            if from.with_extension("db-wal").exists() {
                std::fs::copy(from.with_extension("db-wal"), to.with_extension("db-wal")).unwrap();
            }
            *opened += 1;
        }
    }
}

/// Plays a case; returns how often the caps were looked at.
async fn play(case: &Case, on_disk: bool) -> Result<u32, String> {
    let clock = Arc::new(ManualClock::new(PausedClock::new().now()));
    let mut plan = chains(case.rows, &CHAIN);
    for step in &mut plan.steps {
        step.checks = case.sharpness.map(Check::Sharpness).into_iter().collect();
        step.rerolls = case.rerolls;
    }
    let mut stage = Stage::new(plan);
    let mut house = match on_disk {
        true => House::Disk(tempfile::tempdir().unwrap(), 0),
        false => House::Memory(Arc::new(MemoryLedger::new(Arc::clone(&clock) as Arc<dyn Clock>))),
    };
    for (place, (acts, figure)) in case.acts.iter().enumerate() {
        let subject = format!("{}[row={}]", ["hero", "surface"][place % 2], place / 2);
        stage.provider.will(&subject, acts.iter().filter_map(|what| act(*what)));
        stage.provider.figures.lock().unwrap().insert(subject, *figure);
    }
    let seen = Arc::new(Seen::default());
    for run in &case.runs {
        let watched = Arc::new(Watched::new(case, &stage, house.open(&clock), &clock, &seen, run.dies_at));
        stage.known = Some(Arc::clone(&watched) as Arc<dyn Ledger>);
        let ports = Ports { ledger: Arc::clone(&watched) as Arc<dyn Ledger>, ..stage.ports() };
        let whole = stage.try_run(ports, |request| {
            let [campaign, profile, hero, surface] = caps(case);
            (request.caps, request.step_caps) = (vec![campaign, profile], vec![Some(hero), Some(surface)]);
            (request.concurrency, request.rules.attempts, request.rules.alone) = (run.concurrency, run.attempts, true);
            request.rules.on_doubt = if run.resend { OnDoubt::Resend } else { OnDoubt::Hold };
            request.terms.charge.refund_on_failure = [Known::Yes, Known::No, Known::Unknown][usize::from(run.refunds)];
            let currency = if run.dollars { Currency::Usd } else { credits() };
            for (job, price) in stage.plan.jobs.iter().zip(&mut request.prices) {
                let amount = |units| Amount::new(currency.clone(), Micros::units(units));
                *price = matches!(job.operation, Operation::Paid(_)).then(|| JobPrice { quoted: amount(10), reserved: amount(12), unpriced: false });
            }
        });
        let outcome = tokio::select! {
            biased;
            () = watched.dead.notified() => None,
            outcome = whole => Some(outcome.map_err(|error| error.to_string())?),
        };
        if outcome.is_none() {
            house.crash();
        }
        let after = Watched::new(case, &stage, house.open(&clock), &clock, &seen, None);
        hear_late(&stage, &after, &run.late).await?;
        if let Some(broken) = seen.broken.lock().unwrap().take() {
            return Err(broken);
        }
        let money = after.totals(&Scope(CAMPAIGN.to_owned())).map_err(|error| error.to_string())?;
        if outcome.is_some() && money.iter().any(|totals| totals.reserved > Micros::ZERO) {
            return Err(format!("a run that has ended holds nothing: {money:?}"));
        }
    }
    Ok(seen.looks.load(Ordering::Relaxed))
}

/// Lets the first tries in doubt be answered after all, or settled by hand.
async fn hear_late(stage: &Stage, ledger: &Watched, late: &[u8]) -> Result<(), String> {
    let doubtful = |key: &JobKey| match ledger.load(*key) {
        Ok(JobState::InDoubt { attempt, reserved, .. }) => Some((attempt, reserved)),
        _ => None,
    };
    let jobs = stage.plan.jobs.iter().filter_map(|job| Some((job.key, doubtful(&job.key)?)));
    for ((key, (attempt, reserved)), what) in jobs.zip(late) {
        let failed = |charged: i64| {
            let failure = Failure::new(FailureClass::Failed, "late", "");
            Record::Failed { attempt, failure, charged: Micros::units(charged), refunded: Micros::ZERO }
        };
        let settled = |charged: Micros| Record::Settled { attempt, charged, refunded: Micros::ZERO, evidence: "the balance".to_owned() };
        let record = match what {
            0 => Record::Accepted { attempt: AttemptNo(attempt.0), task: TaskId::new("late") },
            1 => failed(0),
            2 => failed(15),
            3 => settled(Micros::ZERO),
            4 => settled(reserved.micros),
            _ => settled(Micros::units(20)),
        };
        let is_accepted = matches!(record, Record::Accepted { .. });
        ledger.append(RunId::new("late"), key, vec![record], None).await.map_err(|error| error.to_string())?;
        if is_accepted {
            // The scripted provider knows no such task: it ends as a failure.
            ledger.append(RunId::new("late"), key, vec![failed(9)], None).await.map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

fn plays(most_rows: usize, cases_played: u32, on_disk: bool) {
    let (played, looks) = (AtomicU32::new(0), AtomicU32::new(0));
    let config = ProptestConfig { cases: cases_played, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(case in cases(most_rows))| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let looked = runtime.block_on(play(&case, on_disk));
        prop_assert!(looked.is_ok(), "{:?}", looked);
        played.fetch_add(1, Ordering::Relaxed);
        looks.fetch_add(looked.unwrap_or(0), Ordering::Relaxed);
    });
    println!("{} campaigns, {} looks at their caps", played.load(Ordering::Relaxed), looks.load(Ordering::Relaxed));
}

#[test]
fn no_cap_is_passed_by_any_schedule_in_memory() {
    plays(250, 24, false);
}

#[test]
fn no_cap_is_passed_by_any_schedule_on_disk() {
    plays(250, 5, true);
}
