//! Random schedules against a second bookkeeping: caps of campaign, profile and steps in two currencies hold at every single command,
//! through failures, refunds, late answers, charges above what was held, crashes and reopened files.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;

use super::stage::{Recorded, StageClock, accepted, doubt, failure, intent, judged, key, picture, run, sums_equal_the_fold};
use crate::ledger::*;
use crate::types::{Failure, FailureClass, Rates};

/// Credits of the book `test` are worth half a dollar, where that is stated.
const DOLLARS_A_CREDIT: Micros = Micros::new(500_000);

/// One campaign: which caps, and whether its two currencies can be compared.
#[derive(Debug, Clone)]
struct Campaign {
    /// Of campaign, profile, and two steps: in dollars or credits, and how many.
    limits: [Option<(bool, i64)>; 4],
    rate: bool,
    /// Whether the second half of the schedule runs on the book in dollars.
    second_book: bool,
    schedule: Vec<Move>,
}

/// Something that happens; what it means depends on where the shot stands.
#[derive(Debug, Clone, Copy)]
struct Move {
    job: u16,
    what: u8,
    amount: i64,
}

fn campaigns(most: u16) -> impl Strategy<Value = Campaign> {
    let limit = || proptest::option::weighted(0.7, (any::<bool>(), 1_i64..400));
    let limits = [limit(), limit(), limit(), limit()];
    (1..=most, limits, any::<bool>(), any::<bool>()).prop_flat_map(|(jobs, limits, rate, second_book)| {
        let one = (0..jobs, 0..32_u8, 0..12_i64).prop_map(|(job, what, amount)| Move { job, what, amount });
        let schedule = prop::collection::vec(one, 1..usize::from(jobs) * 3 + 2);
        schedule.prop_map(move |schedule| Campaign { limits, rate, second_book, schedule })
    })
}

/// Money of one scope in one currency, in whole units: spent, reserved, in doubt.
type Sums = BTreeMap<(Scope, Currency), [i64; 3]>;

/// The second bookkeeping.
#[derive(Default)]
struct Books {
    sums: Sums,
    /// What charges have passed their reservations by, scope by scope.
    excess: Sums,
}

const HELD: usize = 1;
const DOUBTED: usize = 2;

impl Books {
    fn shift(&mut self, scopes: &[Scope], currency: &Currency, part: usize, by: i64) {
        for scope in scopes {
            self.sums.entry((scope.clone(), currency.clone())).or_default()[part] += by;
        }
    }

    fn settle(&mut self, scopes: &[Scope], reserved: &Amount, from: usize, charged: i64) {
        let held = units(reserved.micros);
        self.shift(scopes, &reserved.currency, from, -held);
        self.shift(scopes, &reserved.currency, 0, charged);
        for scope in scopes.iter().filter(|_| charged > held) {
            self.excess.entry((scope.clone(), reserved.currency.clone())).or_default()[0] += charged - held;
        }
    }

    /// Returns a sum of everything in half dollars, so that both currencies are whole; `None` if they cannot be compared.
    fn weighed(sums: &Sums, scope: &Scope, of_cap: &Currency, rate: bool) -> Option<i64> {
        let of_scope = sums.iter().filter(|((of, _), _)| of == scope);
        of_scope.map(|((_, currency), parts)| halves(currency, parts.iter().sum(), of_cap, rate)).sum()
    }
}

fn units(micros: Micros) -> i64 {
    micros.get() / 1_000_000
}

/// Returns an amount in half dollars; `None` if it is not of the cap's currency and no rate is stated.
fn halves(currency: &Currency, units: i64, of_cap: &Currency, rate: bool) -> Option<i64> {
    let comparable = currency == of_cap || rate || units == 0;
    comparable.then_some(if *currency == Currency::Usd { units * 2 } else { units })
}

fn currency(is_dollars: bool) -> Currency {
    if is_dollars { Currency::Usd } else { Currency::credits("test") }
}

fn caps_of(campaign: &Campaign, job: u16) -> Vec<Cap> {
    let rates = if campaign.rate { Rates::of([(currency(false), DOLLARS_A_CREDIT)]) } else { Rates::default() };
    let cap = |place: usize, name: &str| {
        let limit = campaign.limits[place].map(|(dollars, units)| Amount::new(currency(dollars), Micros::units(units)));
        Cap { rates: rates.clone(), ..Cap::new(Scope(name.to_owned()), limit) }
    };
    let step = if job.is_multiple_of(2) { cap(2, "campaign:spring/step:hero") } else { cap(3, "campaign:spring/step:surface") };
    let profile = (!job.is_multiple_of(3)).then(|| cap(1, "campaign:spring/profile:draft"));
    [cap(0, "campaign:spring")].into_iter().chain(profile).chain([step]).collect()
}

/// A ledger under test that can be lost and found again.
enum House {
    Memory,
    Disk { folder: tempfile::TempDir, opened: usize },
}

impl House {
    fn file(folder: &tempfile::TempDir, opened: usize) -> PathBuf {
        folder.path().join(format!("ledger-{opened}.db"))
    }

    fn open(&self) -> Box<dyn Recorded> {
        match self {
            Self::Memory => Box::new(MemoryLedger::new(StageClock::new())),
            Self::Disk { folder, opened } => {
                Box::new(SqliteLedger::open(&Self::file(folder, *opened), StageClock::new(), Durability::Normal).expect("it opens"))
            }
        }
    }

    /// Takes what a dead process would leave: the files as they lie there, nothing closed, nothing brought to an end.
    fn crash(&mut self, ledger: Box<dyn Recorded>) -> Box<dyn Recorded> {
        if let Self::Disk { folder, opened } = self {
            let (from, to) = (Self::file(folder, *opened), Self::file(folder, *opened + 1));
            std::fs::copy(&from, &to).expect("the database can be copied");
            if from.with_extension("db-wal").exists() {
                std::fs::copy(from.with_extension("db-wal"), to.with_extension("db-wal")).expect("the log can be copied");
            }
            *opened += 1;
            return self.open();
        }
        ledger
    }
}

/// Plays a schedule and checks everything after each command.
async fn play(mut house: House, campaign: &Campaign) -> Result<(), TestCaseError> {
    let mut ledger = house.open();
    let mut books = Books::default();
    for (at, step) in campaign.schedule.iter().enumerate() {
        if step.what == 31 {
            ledger = house.crash(ledger);
        } else {
            let dollars = campaign.second_book && at > campaign.schedule.len() / 2;
            one(&*ledger, campaign, &mut books, *step, dollars).await?;
        }
        agree(&*ledger, campaign, &books)?;
    }
    let entries = ledger.entries();
    sums_equal_the_fold(&*ledger, &entries);
    Ok(())
}

async fn one(ledger: &dyn Recorded, campaign: &Campaign, books: &mut Books, step: Move, dollars: bool) -> Result<(), TestCaseError> {
    let job = format!("job-{}", step.job);
    let caps = caps_of(campaign, step.job);
    let scopes: Vec<Scope> = caps.iter().map(|cap| cap.scope.clone()).collect();
    let state = ledger.load(key(&job)).expect("a state can be read");
    let attempt = state.last_attempt().0;
    let (reserved, from) = match &state {
        JobState::Submitting { reserved, .. } | JobState::Running { reserved, .. } => (reserved.clone(), HELD),
        JobState::InDoubt { reserved, .. } => (reserved.clone(), DOUBTED),
        // A look at a picture moves no money; one that is turned down is bought anew like one that was lost.
        JobState::Done { .. } if step.what % 4 == 1 => {
            let turned_down = ledger.append(run("r1"), key(&job), vec![judged(attempt, false)], None).await;
            prop_assert!(matches!(turned_down, Ok(JobState::Rejected { .. })), "{turned_down:?}");
            return Ok(());
        }
        JobState::Rejected { .. } if step.what % 8 == 1 => {
            let taken = ledger.append(run("r1"), key(&job), vec![judged(attempt, true)], None).await;
            prop_assert!(matches!(taken, Ok(JobState::Done { .. })), "{taken:?}");
            return Ok(());
        }
        JobState::Done { .. } if !step.what.is_multiple_of(4) => return Ok(()),
        JobState::Untried | JobState::Failed { .. } | JobState::Rejected { .. } | JobState::Done { .. } => {
            return submit(ledger, campaign, books, &job, attempt + 1, caps, Amount::new(currency(dollars), Micros::units(step.amount))).await;
        }
    };
    let charged = step.amount;
    let back = Micros::new((reserved.micros.get() - Micros::units(charged).get()).max(0));
    let attempt_no = AttemptNo(attempt);
    let record = match step.what {
        0..6 => accepted(attempt, &job),
        6..14 => {
            let charged = Amount::new(reserved.currency.clone(), Micros::units(charged));
            Record::Done { attempt: attempt_no, artifact: picture(attempt), charged, settled: true }
        }
        14..20 => {
            let failure = Failure { billed: crate::types::Billed::Yes(Micros::units(charged)), ..failure(FailureClass::Failed, "500") };
            Record::Failed { attempt: attempt_no, failure, charged: Micros::units(charged), refunded: back }
        }
        20..26 => doubt(attempt),
        _ => Record::Settled { attempt: attempt_no, charged: Micros::units(charged), refunded: back, evidence: "the balance".into() },
    };
    let taken = ledger.append(run("r1"), key(&job), vec![record.clone()], None).await;
    if taken.is_err() {
        prop_assert!(state.next(&record, Timestamp::from_millis(0)).is_err(), "{taken:?}");
        return Ok(());
    }
    let held = units(reserved.micros);
    match record {
        Record::Accepted { .. } if from == DOUBTED => {
            books.shift(&scopes, &reserved.currency, DOUBTED, -held);
            books.shift(&scopes, &reserved.currency, HELD, held);
        }
        Record::InDoubt { .. } if from == HELD => {
            books.shift(&scopes, &reserved.currency, HELD, -held);
            books.shift(&scopes, &reserved.currency, DOUBTED, held);
        }
        Record::Done { .. } | Record::Failed { .. } | Record::Settled { .. } => books.settle(&scopes, &reserved, from, charged),
        _ => {}
    }
    Ok(())
}

/// Asks for a try and compares the answer with what the caps allow by the second bookkeeping.
async fn submit(
    ledger: &dyn Recorded,
    campaign: &Campaign,
    books: &mut Books,
    job: &str,
    attempt: u32,
    caps: Vec<Cap>,
    price: Amount,
) -> Result<(), TestCaseError> {
    let expected = caps.iter().find_map(|cap| {
        let limit = cap.limit.as_ref()?;
        let most = halves(&limit.currency, units(limit.micros), &limit.currency, true)?;
        let committed = Books::weighed(&books.sums, &cap.scope, &limit.currency, campaign.rate);
        let asked = halves(&price.currency, units(price.micros), &limit.currency, campaign.rate);
        match (committed, asked) {
            (Some(committed), Some(asked)) => (committed + asked > most).then(|| format!("over the cap of {}", cap.scope.0)),
            _ => Some(format!("no rate for {}", cap.scope.0)),
        }
    });
    let scopes: Vec<Scope> = caps.iter().map(|cap| cap.scope.clone()).collect();
    let ask = SubmitIntent { quoted: price.clone(), reserved: price.clone(), caps, ..intent(job, attempt) };
    let answered = match ledger.begin_submit(ask).await {
        Ok(Grant::Granted { .. }) => None,
        Ok(Grant::OverCap { scope, .. }) => Some(format!("over the cap of {}", scope.0)),
        Err(LedgerError::NoRate { scope, .. }) => Some(format!("no rate for {scope}")),
        other => Some(format!("{other:?}")),
    };
    prop_assert_eq!(&answered, &expected);
    if answered.is_none() {
        books.shift(&scopes, &price.currency, HELD, units(price.micros));
    }
    Ok(())
}

/// Compares the ledger's totals with the second bookkeeping, and both with the caps.
fn agree(ledger: &dyn Recorded, campaign: &Campaign, books: &Books) -> Result<(), TestCaseError> {
    for cap in (0..6).flat_map(|job| caps_of(campaign, job)) {
        let told = ledger.totals(&cap.scope).expect("totals can be read");
        let told: Vec<(Currency, [i64; 3])> =
            told.into_iter().map(|sum| (sum.currency, [units(sum.spent), units(sum.reserved), units(sum.in_doubt)])).collect();
        let ours = books.sums.iter().filter(|((scope, _), _)| *scope == cap.scope);
        let ours: Vec<(Currency, [i64; 3])> = ours.map(|((_, currency), parts)| (currency.clone(), *parts)).collect();
        prop_assert_eq!(&told, &ours, "{:?}", cap.scope);
        let Some(limit) = &cap.limit else { continue };
        let most = halves(&limit.currency, units(limit.micros), &limit.currency, true).unwrap_or(0);
        if let (Some(committed), Some(excess)) = (
            Books::weighed(&books.sums, &cap.scope, &limit.currency, campaign.rate),
            Books::weighed(&books.excess, &cap.scope, &limit.currency, campaign.rate),
        ) {
            prop_assert!(
                committed <= most + excess,
                "{:?}: {committed} half dollars of {most}, {excess} of them charged above what was held",
                cap.scope
            );
        }
    }
    Ok(())
}

fn cases(house: impl Fn() -> House, most_jobs: u16, cases: u32) {
    let (played, commands) = (AtomicU32::new(0), AtomicU32::new(0));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be built");
    proptest!(ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }, |(campaign in campaigns(most_jobs))| {
        played.fetch_add(1, Ordering::Relaxed);
        commands.fetch_add(u32::try_from(campaign.schedule.len()).unwrap_or(0), Ordering::Relaxed);
        runtime.block_on(play(house(), &campaign))?;
    });
    println!("{} campaigns, {} commands", played.load(Ordering::Relaxed), commands.load(Ordering::Relaxed));
}

#[test]
fn caps_hold_at_every_command_of_random_schedules_in_memory() {
    cases(|| House::Memory, 500, 64);
}

#[test]
fn caps_hold_at_every_command_of_random_schedules_on_disk_through_crashes() {
    let house = || House::Disk { folder: tempfile::tempdir().expect("a temporary folder can be made"), opened: 0 };
    cases(house, 500, 6);
}
