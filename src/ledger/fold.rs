//! Folds records into what they add up to: job states, paid tries, money under each scope.
//!
//! In: [`Entry`]s in ledger order. Out: [`Folded`].
//! Never: I/O, a clock. Every implementation keeps the same sums, and the contract suite compares them with this fold.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::history::{AttemptRow, AttemptStatus, Judgement};
use super::record::{Artifact, AttemptCard, Entry, Record, Scope, ScopeTotals};
use super::rules::{self, PLACE_HELD, View};
use super::state::JobState;
use super::{LedgerError, RateWindow};
use crate::types::{Amount, AttemptNo, Billed, JobKey, Micros, RunId, TaskId, Timestamp};

/// One paid try as far as money, places and windows are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Try {
    /// The run that wrote the intent.
    pub run: RunId,
    /// Whose places and windows it takes.
    pub account: String,
    /// What its money is counted under.
    pub scopes: Vec<Scope>,
    /// What is held while it is open or in doubt.
    pub reserved: Amount,
    /// Where it stands.
    pub status: AttemptStatus,
    /// From this moment its rate slot runs out: the first answer, and the deadline until there is one.
    pub answered_at: Timestamp,
    /// Its last record.
    pub touched_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// What was charged for good; `None` while nobody knows.
    pub charged: Option<Micros>,
    /// What was held and given back.
    pub refunded: Micros,
    /// Class and code of the failure.
    pub error_code: Option<String>,
    /// The provider's name for it.
    pub task: Option<TaskId>,
    /// The picture.
    pub artifact: Option<Artifact>,
}

/// What one try adds to each of its scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Balance {
    pub(super) spent: Micros,
    pub(super) reserved: Micros,
    pub(super) in_doubt: Micros,
}

impl Try {
    /// Returns what the try adds to each of its scopes as it stands.
    pub(super) fn balance(&self) -> Balance {
        let held = self.reserved.micros;
        match self.status {
            AttemptStatus::Submitting | AttemptStatus::Running => Balance { reserved: held, ..Balance::default() },
            AttemptStatus::InDoubt => Balance { in_doubt: held, ..Balance::default() },
            AttemptStatus::Done | AttemptStatus::Failed => Balance { spent: self.charged.unwrap_or(Micros::ZERO), ..Balance::default() },
        }
    }

    /// Takes a later record about the try, which the transition table has let through.
    ///
    /// # Errors
    /// [`LedgerError::Currency`] and [`LedgerError::Amount`] for a charge that cannot be counted.
    pub(super) fn take(&mut self, attempt: AttemptNo, record: &Record, at: Timestamp) -> Result<(), LedgerError> {
        if self.status == AttemptStatus::Submitting {
            self.answered_at = at;
        }
        self.touched_at = at;
        match record {
            Record::Accepted { task, .. } => {
                self.status = AttemptStatus::Running;
                self.task = Some(task.clone());
                self.error_code = None;
            }
            Record::Done { artifact, charged, .. } => {
                if charged.currency != self.reserved.currency {
                    return Err(self.currency_error(charged));
                }
                self.ends(AttemptStatus::Done, at, countable("the charge", attempt, charged.micros)?, Micros::ZERO);
                self.artifact = Some(*artifact);
                self.error_code = None;
            }
            Record::Failed { failure, charged, refunded, .. } => {
                self.ends(AttemptStatus::Failed, at, countable("the charge", attempt, *charged)?, countable("the refund", attempt, *refunded)?);
                self.error_code = Some(rules::error_code(failure));
                // Nothing was quoted and nobody says that it was free: what it cost is unknown, and not nothing.
                if *charged == Micros::ZERO && failure.billed != Billed::No {
                    self.charged = None;
                }
            }
            Record::Settled { charged, refunded, .. } => {
                // A failure that is only priced later ended when it failed.
                let ended = self.finished_at.unwrap_or(at);
                self.ends(AttemptStatus::Failed, ended, countable("the charge", attempt, *charged)?, countable("the refund", attempt, *refunded)?);
            }
            Record::InDoubt { failure, .. } => {
                self.status = AttemptStatus::InDoubt;
                self.error_code = Some(rules::error_code(failure));
            }
            Record::Intent { .. } | Record::Made { .. } | Record::Judged { .. } => {}
        }
        Ok(())
    }

    fn ends(&mut self, status: AttemptStatus, at: Timestamp, charged: Micros, refunded: Micros) {
        self.status = status;
        self.finished_at = Some(at);
        self.charged = Some(charged);
        self.refunded = refunded;
    }

    fn currency_error(&self, charged: &Amount) -> LedgerError {
        LedgerError::Currency {
            of: self.scopes.first().map_or_else(|| "attempt".to_owned(), |scope| scope.0.clone()),
            counted: self.reserved.currency.clone(),
            asked: charged.currency.clone(),
        }
    }
}

/// Returns `micros` if it can be counted as money spent or held.
pub(super) fn countable(what: &'static str, attempt: AttemptNo, micros: Micros) -> Result<Micros, LedgerError> {
    if micros < Micros::ZERO { Err(LedgerError::Amount { what, attempt, micros }) } else { Ok(micros) }
}

/// The part of a paid try that its intent fixes and only reports read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Opening {
    key: JobKey,
    attempt: AttemptNo,
    card: AttemptCard,
    quoted: Amount,
    started_at: Timestamp,
}

/// Open tries and rate slots of one account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct AccountUse {
    open: BTreeSet<u64>,
    slots: BTreeSet<(Timestamp, u64)>,
}

/// Everything that records add up to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Folded {
    jobs: HashMap<JobKey, JobState>,
    tries: BTreeMap<u64, (Opening, Try)>,
    by_job: HashMap<(JobKey, AttemptNo), u64>,
    totals: BTreeMap<Scope, Vec<ScopeTotals>>,
    accounts: HashMap<String, AccountUse>,
    judged: HashMap<JobKey, Vec<Judgement>>,
    last_seq: u64,
}

/// Returns what a record says of a picture; `None` for records that say nothing of the kind.
pub(super) fn judgement(record: &Record) -> Option<Judgement> {
    let Record::Judged { of, artifact, accepted, findings, .. } = record else { return None };
    Some(Judgement { of: *of, artifact: *artifact, accepted: *accepted, findings: findings.clone() })
}

/// Folds a whole ledger, or any prefix of one.
///
/// # Errors
/// The first entry that its job's state forbids, or whose money cannot be counted.
pub fn fold<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Result<Folded, LedgerError> {
    let mut folded = Folded::default();
    for entry in entries {
        folded.take(entry)?;
    }
    Ok(folded)
}

impl Folded {
    /// Takes the next entry; on an error nothing is taken.
    ///
    /// # Errors
    /// [`LedgerError::Illegal`], [`LedgerError::Currency`], [`LedgerError::Amount`].
    pub fn take(&mut self, entry: &Entry) -> Result<(), LedgerError> {
        let state = self.state(&entry.key).next(&entry.record, entry.at)?;
        match (&entry.record, entry.record.attempt()) {
            (Record::Intent { .. }, _) => self.open(entry)?,
            (record, Some(attempt)) => self.follow(entry, attempt, record)?,
            (_, None) => {}
        }
        if let Some(judgement) = judgement(&entry.record) {
            let of_job = self.judged.entry(entry.key).or_default();
            match of_job.binary_search_by_key(&judgement.of, |known| known.of) {
                Ok(place) => of_job[place] = judgement,
                Err(place) => of_job.insert(place, judgement),
            }
        }
        self.jobs.insert(entry.key, state);
        self.last_seq = entry.seq;
        Ok(())
    }

    fn open(&mut self, entry: &Entry) -> Result<(), LedgerError> {
        let Some((opening, paid_try)) = opened(entry) else {
            return Err(LedgerError::Corrupt { seq: entry.seq, reason: "an intent without its terms".to_owned() });
        };
        let after = paid_try.balance();
        self.move_money(&paid_try, opening.attempt, Balance::default(), after)?;
        let account = self.accounts.entry(paid_try.account.clone()).or_default();
        account.open.insert(entry.seq);
        account.slots.insert((paid_try.answered_at, entry.seq));
        self.by_job.insert((opening.key, opening.attempt), entry.seq);
        self.tries.insert(entry.seq, (opening, paid_try));
        Ok(())
    }

    fn follow(&mut self, entry: &Entry, attempt: AttemptNo, record: &Record) -> Result<(), LedgerError> {
        let unknown = || LedgerError::Corrupt { seq: entry.seq, reason: "a record of a try without an intent".to_owned() };
        let intent = *self.by_job.get(&(entry.key, attempt)).ok_or_else(unknown)?;
        let (_, before) = self.tries.get(&intent).ok_or_else(unknown)?;
        let (before, mut after) = (before.clone(), before.clone());
        after.take(attempt, record, entry.at)?;
        self.move_money(&after, attempt, before.balance(), after.balance())?;
        let account = self.accounts.entry(after.account.clone()).or_default();
        account.slots.remove(&(before.answered_at, intent));
        account.slots.insert((after.answered_at, intent));
        match after.status {
            AttemptStatus::Submitting | AttemptStatus::Running => account.open.insert(intent),
            AttemptStatus::Done | AttemptStatus::Failed | AttemptStatus::InDoubt => account.open.remove(&intent),
        };
        if let Some((_, paid_try)) = self.tries.get_mut(&intent) {
            *paid_try = after;
        }
        Ok(())
    }

    fn move_money(&mut self, paid_try: &Try, attempt: AttemptNo, before: Balance, after: Balance) -> Result<(), LedgerError> {
        let moved: Vec<(Scope, ScopeTotals)> = paid_try
            .scopes
            .iter()
            .map(|scope| {
                let of_scope = self.totals.get(scope).map_or(&[][..], Vec::as_slice);
                let totals = rules::moved(of_scope, &paid_try.reserved.currency, attempt, before, after)?;
                Ok((scope.clone(), totals))
            })
            .collect::<Result<_, LedgerError>>()?;
        for (scope, totals) in moved {
            rules::put(self.totals.entry(scope).or_default(), totals);
        }
        Ok(())
    }

    /// Returns where a job stands.
    pub fn state(&self, key: &JobKey) -> &JobState {
        static UNTRIED: JobState = JobState::Untried;
        self.jobs.get(key).unwrap_or(&UNTRIED)
    }

    /// Returns every known job.
    pub fn jobs(&self) -> &HashMap<JobKey, JobState> {
        &self.jobs
    }

    /// Returns the pictures of a job that were looked at, in the order of their tries.
    pub fn judged(&self, key: &JobKey) -> &[Judgement] {
        self.judged.get(key).map_or(&[], Vec::as_slice)
    }

    /// Returns the money under every scope that was ever used, one entry a currency in their order.
    pub fn totals(&self) -> &BTreeMap<Scope, Vec<ScopeTotals>> {
        &self.totals
    }

    /// Returns the number of the last entry taken, 0 before the first.
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Returns the paid tries that `wanted` lets through by campaign and key, in ledger order.
    pub fn attempts(&self, wanted: impl Fn(&str, &JobKey) -> bool) -> Vec<AttemptRow> {
        let wanted = |opening: &Opening| wanted(&opening.card.campaign, &opening.key);
        self.tries.values().filter(|(opening, _)| wanted(opening)).map(|(opening, paid_try)| row(opening, paid_try)).collect()
    }
}

fn row(opening: &Opening, paid_try: &Try) -> AttemptRow {
    AttemptRow {
        run: paid_try.run.clone(),
        key: opening.key,
        card: opening.card.clone(),
        attempt: opening.attempt,
        status: paid_try.status,
        error_code: paid_try.error_code.clone(),
        quoted: opening.quoted.clone(),
        charged: paid_try.charged,
        refunded: paid_try.refunded,
        started_at: opening.started_at,
        finished_at: paid_try.finished_at,
        task: paid_try.task.clone(),
        artifact: paid_try.artifact,
    }
}

/// Returns the try that an intent opens; `None` for any other entry.
fn opened(entry: &Entry) -> Option<(Opening, Try)> {
    let Record::Intent { card, attempt, quoted, reserved, deadline, .. } = &entry.record else { return None };
    let terms = entry.terms.as_ref()?;
    let opening = Opening { key: entry.key, attempt: *attempt, card: card.clone(), quoted: quoted.clone(), started_at: entry.at };
    let paid_try = rules::open_try(entry.run.clone(), terms.clone(), reserved.clone(), *deadline, entry.at);
    Some((opening, paid_try))
}

/// The rules read a fold as they read a database.
impl View for Folded {
    fn job(&mut self, key: &JobKey) -> Result<JobState, LedgerError> {
        Ok(self.state(key).clone())
    }

    fn last_try(&mut self, key: &JobKey) -> Result<Option<Try>, LedgerError> {
        let last = (*key, self.state(key).last_attempt());
        let found = self.by_job.get(&last).and_then(|seq| self.tries.get(seq));
        Ok(found.map(|(_, paid_try)| paid_try.clone()))
    }

    fn scope(&mut self, scope: &Scope) -> Result<Vec<ScopeTotals>, LedgerError> {
        Ok(self.totals.get(scope).cloned().unwrap_or_default())
    }

    fn places_taken(&mut self, account: &str, now: Timestamp) -> Result<u32, LedgerError> {
        let Some(account) = self.accounts.get(account) else { return Ok(0) };
        let counts = |seq: &&u64| {
            let Some((_, paid_try)) = self.tries.get(seq) else { return false };
            now.since(paid_try.touched_at) < PLACE_HELD && paid_try.touched_at.since(now) < PLACE_HELD
        };
        Ok(u32::try_from(account.open.iter().filter(counts).count()).unwrap_or(u32::MAX))
    }

    fn window_free_at(&mut self, account: &str, window: &RateWindow, now: Timestamp) -> Result<Timestamp, LedgerError> {
        let Some(account) = self.accounts.get(account) else { return Ok(now) };
        let first = (before(now, window.span).after(Duration::from_millis(1)), 0);
        let submitting = |seq: &u64| self.tries.get(seq).is_some_and(|(_, paid_try)| paid_try.status == AttemptStatus::Submitting);
        // In order of time, so answered slots (and those past their deadline) come before those still waited for.
        let (mut answered, mut waited_for) = (Vec::new(), 0);
        for (at, seq) in account.slots.range(first..) {
            match *at > now && submitting(seq) {
                true => waited_for += 1,
                false if *at <= now.after(window.span) => answered.push(*at),
                false => {}
            }
        }
        Ok(rules::free_at(&answered, waited_for, window, now))
    }
}

/// Returns the moment `span` before `now`.
pub(super) fn before(now: Timestamp, span: Duration) -> Timestamp {
    let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(now.millis().saturating_sub(millis))
}
