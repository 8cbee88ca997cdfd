//! A campaign after a run, for tests: one hero done at its second try, the other refused; one surface in doubt, the rest done or waiting.

use super::{Ahead, ReportWriter, RunReport, RunView};
use crate::campaign::Budget;
use crate::ledger::{AttemptCard, AttemptRow, AttemptStatus, History, JobState};
use crate::plan::{JobIx, Plan, Selection};
use crate::pricing::{Committed, Gate, Quotes, Whole, estimate, gate, quotes, sample};
use crate::types::{Amount, AttemptNo, Currency, Failure, FailureClass, Micros, Operation, RunId, TaskId, Timestamp};

pub(crate) struct Ran {
    pub plan: Plan,
    pub history: History,
    pub attempts: Vec<AttemptRow>,
    pub quotes: Quotes,
}

/// Half a minute after which everything in the sample is done.
const LATENCY: i64 = 31_250;

pub(crate) fn run_id() -> RunId {
    RunId::new("20261122T094500Z-7f3a")
}

pub(crate) fn ran() -> Ran {
    let plan = sample::plan(2);
    let quotes = quotes(&plan, &sample::catalog("kie"));
    let mut history = History::default();
    let mut attempts = Vec::new();
    let failed = Failure::new(FailureClass::Failed, "501", "generation failed");
    let refused = Failure::new(FailureClass::Refused, "moderation", "not allowed: \u{1b}[31mred");
    let no_answer = Failure::new(FailureClass::Ambiguous, "timeout", "no answer");
    // The teapot: its hero at the second try, two surfaces done and delivered, the third in doubt.
    attempts.push(attempt(&plan, JobIx(0), 1, AttemptStatus::Failed));
    for ix in [0, 2, 3, 8, 9] {
        sample::done(&mut history, &plan, JobIx(ix));
    }
    sample::knows(&mut history, &plan, JobIx(0), JobState::Done { attempt: Some(AttemptNo(2)), artifact: sample::artifact(&plan, JobIx(0)) });
    attempts.push(attempt(&plan, JobIx(0), 2, AttemptStatus::Done));
    attempts.push(attempt(&plan, JobIx(2), 1, AttemptStatus::Done));
    // The second surface was bought by an earlier run.
    attempts.push(AttemptRow { run: RunId::new("20261101T080000Z-0001"), ..attempt(&plan, JobIx(3), 1, AttemptStatus::Done) });
    attempts.push(attempt(&plan, JobIx(4), 1, AttemptStatus::InDoubt));
    let reserved = Amount::new(Currency::credits("kie"), Micros::units(6));
    sample::knows(&mut history, &plan, JobIx(4), JobState::InDoubt { attempt: AttemptNo(1), reserved, failure: no_answer });
    // The mug: refused, and everything waits for it.
    attempts.push(attempt(&plan, JobIx(1), 1, AttemptStatus::Failed));
    sample::knows(&mut history, &plan, JobIx(1), JobState::Failed { attempt: AttemptNo(1), failure: refused });
    attempts[0].error_code = Some(format!("{}/{}", failed.class.as_str(), failed.code));
    attempts[5].error_code = Some("refused/moderation".to_owned());
    Ran { plan, history, attempts, quotes }
}

pub(crate) fn attempt(plan: &Plan, ix: JobIx, attempt: u32, status: AttemptStatus) -> AttemptRow {
    let job = plan.job(ix);
    let Operation::Paid(paid) = &job.operation else { panic!("only paid jobs have attempts") };
    let price = Micros::units(6);
    let is_known = !matches!(status, AttemptStatus::InDoubt | AttemptStatus::Running | AttemptStatus::Submitting);
    let started = 1_795_340_700_000 + i64::from(ix.0) * 1000;
    AttemptRow {
        run: run_id(),
        key: job.key,
        card: AttemptCard {
            campaign: plan.campaign.to_string(),
            job: plan.id(ix),
            step: plan.step_of(ix).name.to_string(),
            axes: plan.axes_of(ix).into_iter().map(|(axis, key)| (axis.to_string(), key.to_string())).collect(),
            take: None,
            provider: paid.provider.to_string(),
            model: paid.model.to_string(),
            operation: paid.action.as_str().to_owned(),
            aspect: paid.settings.aspect.map(|ratio| ratio.to_string()),
            resolution: paid.settings.resolution.as_deref().map(str::to_owned),
            quality: None,
            unpriced: false,
            batch: false,
        },
        attempt: AttemptNo(attempt),
        status,
        error_code: None,
        quoted: Amount::new(Currency::credits("kie"), price),
        charged: is_known.then_some(if status == AttemptStatus::Done { price } else { Micros::ZERO }),
        refunded: if status == AttemptStatus::Failed { price } else { Micros::ZERO },
        started_at: Timestamp::from_millis(started),
        finished_at: is_known.then(|| Timestamp::from_millis(started + LATENCY)),
        task: is_known.then(|| TaskId::new(format!("task-{}-{attempt}", ix.0))),
        artifact: (status == AttemptStatus::Done).then(|| sample::artifact(plan, ix)),
    }
}

/// Returns the text that a writer writes.
pub(crate) fn text_of(writer: &dyn ReportWriter, report: &RunReport<'_>) -> String {
    let mut bytes = Vec::new();
    writer.write(report, &mut bytes).expect("plain values, and memory takes all");
    String::from_utf8(bytes).expect("reports are text")
}

/// Tells what is ahead of a campaign after that run, under this budget.
pub(crate) fn ahead<T>(ran: &Ran, budget: &Budget, tell: impl FnOnce(&Ahead<'_>) -> T) -> T {
    let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, None).expect("small sums");
    let work = sample::all_work(&ran.plan, &ran.history);
    let estimate = estimate(&ran.plan, &work, &ran.quotes, budget, 2, &Committed::default()).expect("small sums");
    let verdict = gate(&estimate, Gate { balance: None, allow_unpriced: false, warn_at: None });
    let everything = Selection::new(&ran.plan, &[], &[]).expect("nothing is asked for");
    let whole = Whole::of(&ran.plan, &ran.quotes, &everything, None, 2).expect("small sums");
    let view = RunView {
        report: &report,
        estimate: &estimate,
        local_failures: &[],
        stopped: None,
        out: "out/spring-drop",
        campaign_file: "spring.yaml",
        settle: "callsheet reconcile spring.yaml",
        batches: &[],
        review: "callsheet review spring.yaml",
    };
    tell(&Ahead { view, whole, verdict: &verdict })
}
