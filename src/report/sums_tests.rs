//! Whatever happens in a campaign, every view adds up to what the ledger counts.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use proptest::prelude::*;

use super::costs_csv::CostsCsv;
use super::costs_summary::CostsSummary;
use super::{RunReport, sample};
use crate::ledger::{AccountLimits, AttemptCard, Cap, Grant, History, Ledger, MemoryLedger, Record, Scope, SubmitIntent};
use crate::plan::{JobIx, Plan};
use crate::pricing::sample as plans;
use crate::types::{Amount, AttemptNo, Currency, Failure, FailureClass, IdempotencyKey, ManualClock, Micros, RunId, TaskId, Timestamp};

/// How a try ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Done { charged: i64 },
    Failed { charged: i64, is_accepted: bool },
    InDoubt,
    Settled { charged: i64 },
    Running,
}

/// One try of one of the sample's eight paid shots.
#[derive(Debug, Clone, Copy)]
struct Try {
    job: u32,
    run: u8,
    is_ours: bool,
    quoted: i64,
    end: End,
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        4 => (0_i64..20_000_000).prop_map(|charged| End::Done { charged }),
        3 => (0_i64..9_000_000, any::<bool>()).prop_map(|(charged, is_accepted)| End::Failed { charged: if is_accepted { charged } else { 0 }, is_accepted }),
        1 => Just(End::InDoubt),
        1 => (0_i64..9_000_000).prop_map(|charged| End::Settled { charged }),
        1 => Just(End::Running),
    ]
}

fn tries() -> impl Strategy<Value = Vec<Try>> {
    let one = (0_u32..8, 0_u8..3, prop::bool::weighted(0.8), 0_i64..12_000_000, end());
    prop::collection::vec(one.prop_map(|(job, run, is_ours, quoted, end)| Try { job, run, is_ours, quoted, end }), 0..24)
}

fn campaign(is_ours: bool) -> &'static str {
    if is_ours { "spring-drop" } else { "summer" }
}

/// Writes the tries that the ledger lets through, and returns it.
fn written(plan: &Plan, tries: &[Try]) -> MemoryLedger {
    let ledger = MemoryLedger::new(Arc::new(ManualClock::new(Timestamp::from_millis(1_795_340_700_000))));
    let currency = Currency::credits("kie");
    let amount = |micros: i64| Amount::new(currency.clone(), Micros::new(micros));
    for one in tries {
        let (ix, key) = (JobIx(one.job), plan.job(JobIx(one.job)).key);
        let attempt = AttemptNo(ledger.load(key).expect("memory holds").last_attempt().0 + 1);
        let run = RunId::new(format!("run-{}", one.run));
        let sample = sample::attempt(plan, ix, 1, crate::ledger::AttemptStatus::Done).card;
        let reserved = amount(one.quoted.max(9_000_000));
        let intent = SubmitIntent {
            run: run.clone(),
            key,
            card: AttemptCard { campaign: campaign(one.is_ours).to_owned(), ..sample },
            attempt,
            idempotency_key: IdempotencyKey::new(format!("{key}-{attempt}")),
            quoted: amount(one.quoted),
            reserved: reserved.clone(),
            patience: Duration::from_secs(60),
            limits: AccountLimits { account: "kie:KEY".to_owned(), windows: Vec::new(), places: None },
            caps: vec![Cap::new(scope(campaign(one.is_ours)), None)],
            recipe: Vec::new(),
        };
        let granted = ledger.begin_submit(intent).now_or_never().expect("memory answers at once").expect("memory holds");
        if !matches!(granted, Grant::Granted { .. }) {
            continue;
        }
        let accepted = Record::Accepted { attempt, task: TaskId::new(format!("task-{}-{attempt}", one.job)) };
        let rest = |charged: i64| reserved.micros.checked_sub(Micros::new(charged)).expect("small").max(Micros::ZERO);
        let failure = || Failure::new(FailureClass::Failed, "501", "no");
        let ends = |charged: i64| Record::Failed { attempt, failure: failure(), charged: Micros::new(charged), refunded: rest(charged) };
        let doubt = || Record::InDoubt { attempt, failure: Failure::new(FailureClass::Ambiguous, "timeout", "no answer") };
        let records = match one.end {
            End::Done { charged } => {
                vec![accepted, Record::Done { attempt, artifact: plans::artifact(plan, ix), charged: amount(charged), settled: true }]
            }
            End::Failed { charged, is_accepted: true } => vec![accepted, ends(charged)],
            End::Failed { charged, is_accepted: false } => vec![ends(charged)],
            End::InDoubt => vec![doubt()],
            End::Settled { charged } => {
                vec![doubt(), Record::Settled { attempt, charged: Micros::new(charged), refunded: rest(charged), evidence: "a statement".to_owned() }]
            }
            End::Running => vec![accepted],
        };
        ledger.append(run, key, records, None).now_or_never().expect("memory answers at once").expect("each try ends as the table allows");
    }
    ledger
}

fn scope(campaign: &str) -> Scope {
    Scope(format!("campaign:{campaign}"))
}

type Row = BTreeMap<String, String>;

fn read(text: &str) -> Vec<Row> {
    csv::Reader::from_reader(text.as_bytes()).deserialize().collect::<Result<_, _>>().expect("whole rows")
}

fn sum<'a>(rows: impl Iterator<Item = &'a Row>, column: &str) -> i64 {
    rows.map(|row| if row[column].is_empty() { 0 } else { row[column].parse::<Micros>().expect("a decimal").get() }).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn rows_sums_and_the_ledger_agree(tries in tries(), last in 0_u8..3) {
        let ran = sample::ran();
        let ledger = written(&ran.plan, &tries);
        let keys: Vec<_> = ran.plan.jobs.iter().map(|job| job.key).collect();
        let history: History = ledger.history("spring-drop", &keys).expect("memory holds");
        let attempts = ledger.attempts("spring-drop", &keys).expect("memory holds");
        let last_run = RunId::new(format!("run-{last}"));
        let report = RunReport::new(&ran.plan, &history, &attempts, &ran.quotes, Some(last_run)).expect("small sums");

        let rows = read(&sample::text_of(&CostsCsv, &report));
        let ours: Vec<&Row> = rows.iter().filter(|row| row["reused"] == "false").collect();
        let spent = &report.spending[0];
        for (column, total) in [("quoted", spent.quoted), ("charged", spent.charged), ("refunded", spent.refunded), ("released", spent.released)] {
            prop_assert_eq!(sum(ours.iter().copied(), column), total.get(), "{}", column);
        }

        // Rows are the ledger's own account of this campaign.
        let totals = ledger.totals(&scope("spring-drop")).expect("memory holds");
        let (ledger_spent, reserved, in_doubt) = totals.first().map_or((Micros::ZERO, Micros::ZERO, Micros::ZERO), |totals| (totals.spent, totals.reserved, totals.in_doubt));
        prop_assert_eq!((spent.charged, spent.reserved, spent.in_doubt), (ledger_spent, reserved, in_doubt));

        // Every kind of sum that splits the tries without rest adds up to all of them.
        let sums = read(&sample::text_of(&CostsSummary, &report));
        for column in ["attempts", "pictures", "quoted", "charged", "refunded", "in_doubt", "reserved", "released", "paid", "in_use", "above_quote", "below_quote"] {
            let of = |by: &str| sum(sums.iter().filter(|row| row["by"] == by), column);
            for by in ["step", "baseline", "model", "run"] {
                prop_assert_eq!(of(by), of("total"), "{} by {}", column, by);
            }
        }
        let given_back: i64 = report.rows.iter().filter(|row| row.is_ours).map(|row| row.attempt.refunded.get()).sum();
        prop_assert_eq!(spent.refunded.get() + spent.released.get(), given_back, "each once, in one of the two");

        // What was charged is what was quoted for the paid tries, and what it was off by.
        let paid: i64 = attempts.iter().filter(|row| *row.card.campaign == *ran.plan.campaign && super::spending::difference(row) != Ok(None)).map(|row| row.quoted.micros.get()).sum();
        prop_assert_eq!(spent.charged.get(), paid + spent.above.micros.get() - spent.below.micros.get());

        // No picture is both paid by the campaign and saved by it.
        let never_paid = report.reused.never_paid().expect("small sums").pictures;
        let stand: HashSet<_> = report.rows.iter().filter(|row| row.in_use).map(|row| row.attempt.key).collect();
        prop_assert_eq!(spent.in_use + never_paid, stand.len());
        let this_run = report.last_spending[0].in_use;
        prop_assert_eq!(this_run + report.reused.total().expect("small sums").pictures, stand.len());
        prop_assert_eq!(report.reused.earlier.pictures + this_run, spent.in_use);
    }
}
