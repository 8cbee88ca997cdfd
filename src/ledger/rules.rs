//! What a command may do, decided before anything is written.
//!
//! In: a command and a [`View`] of the ledger inside one transaction. Out: the answer, and the [`Changes`] to write.
//! Never: a write. So a command that is refused has harmed nobody, whatever stands behind the view.

use std::time::Duration;

use super::fold::{Balance, Try, countable};
use super::record::{Record, Scope, ScopeTotals, Terms};
use super::state::JobState;
use super::{AccountLimits, AttemptStatus, Cap, Grant, LedgerError, RateWindow, Recipe, SubmitIntent};
use crate::types::{AttemptNo, Currency, Failure, JobId, JobKey, Micros, RunId, Timestamp};

/// How long an open try still takes a place, 15 minutes after its last record.
///
/// There are tasks that nobody asks after any more: of a run that was killed, of a prompt that was changed, and those that this
/// run has asked after long enough. Their places must not be lost for good. Too early costs a refusal for rate, which is free;
/// never would stop the account.
pub(super) const PLACE_HELD: Duration = Duration::from_secs(15 * 60);

/// What the rules read, inside the transaction that writes what they decide.
pub(super) trait View {
    /// Returns where a job stands.
    fn job(&mut self, key: &JobKey) -> Result<JobState, LedgerError>;

    /// Returns the last paid try of a job.
    fn last_try(&mut self, key: &JobKey) -> Result<Option<Try>, LedgerError>;

    /// Returns the money under a scope, one entry a currency; empty when it was never used.
    fn scope(&mut self, scope: &Scope) -> Result<Vec<ScopeTotals>, LedgerError>;

    /// Returns how many places of the account are taken: by open tries whose last record is at most [`PLACE_HELD`] away from `now`.
    ///
    /// In both directions: a try that a clock ten years ahead wrote down must not hold its place for ten years.
    fn places_taken(&mut self, account: &str, now: Timestamp) -> Result<u32, LedgerError>;

    /// Returns when the window next has a slot; not after `now` if it has one.
    fn window_free_at(&mut self, account: &str, window: &RateWindow, now: Timestamp) -> Result<Timestamp, LedgerError>;
}

/// What one accepted command writes about one job.
#[derive(Debug)]
pub(super) struct Changes {
    /// The ledger's moment.
    pub(super) at: Timestamp,
    /// Who writes.
    pub(super) run: RunId,
    /// The job.
    pub(super) key: JobKey,
    /// The facts, in order; the first may be an intent.
    pub(super) records: Vec<Record>,
    /// With an intent: its terms, and the campaign that remembers the address.
    pub(super) opening: Option<Opening>,
    /// The job after the records.
    pub(super) state: JobState,
    /// The try after the records.
    pub(super) paid_try: Option<(AttemptNo, Try)>,
    /// The scopes whose money moved, in the currency of the try, as they are now.
    pub(super) totals: Vec<(Scope, ScopeTotals)>,
    /// Kept unless the job has one, or still has no record that it could explain.
    pub(super) recipe: Option<Recipe>,
}

/// What comes with an intent only.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) terms: Terms,
    pub(super) campaign: String,
    pub(super) job: JobId,
}

/// Decides on an intent: state, caps, places, windows, in this order.
///
/// Caps come before waiting: a job that can never be paid for should not wait for its turn first.
pub(super) fn begin_submit(view: &mut impl View, now: Timestamp, intent: SubmitIntent) -> Result<(Grant, Option<Changes>), LedgerError> {
    let SubmitIntent { run, key, card, attempt, idempotency_key, quoted, reserved, patience, limits, caps, recipe } = intent;
    countable("the quote", attempt, quoted.micros)?;
    countable("the reservation", attempt, reserved.micros)?;
    if quoted.currency != reserved.currency {
        return Err(LedgerError::Currency { of: card.job.to_string(), counted: reserved.currency, asked: quoted.currency });
    }

    let deadline = now.after(patience);
    let (campaign, job) = (card.campaign.clone(), card.job.clone());
    let record = Record::Intent { card, attempt, idempotency_key, quoted, reserved: reserved.clone(), deadline };
    let before = view.job(&key)?;
    let Ok(state) = before.next(&record, now) else { return Ok((Grant::Taken(before), None)) };

    let terms = Terms { account: limits.account.clone(), scopes: scopes_once(&caps) };
    if let Some(over) = over_cap(view, &caps, &reserved)? {
        return Ok((over, None));
    }
    if let Some(later) = no_room(view, &limits, now)? {
        return Ok((later, None));
    }

    let paid_try = open_try(run.clone(), terms.clone(), reserved, deadline, now);
    let totals = move_money(view, attempt, &paid_try, Balance::default())?;
    let changes = Changes {
        at: now,
        run,
        key,
        records: vec![record],
        opening: Some(Opening { terms, campaign, job }),
        state,
        paid_try: Some((attempt, paid_try)),
        totals,
        recipe: Some(recipe),
    };
    Ok((Grant::Granted { at: now, deadline }, Some(changes)))
}

/// Decides on a batch of records about one job: all of them or none.
pub(super) fn append(
    view: &mut impl View,
    now: Timestamp,
    run: RunId,
    key: JobKey,
    records: Vec<Record>,
    recipe: Option<Recipe>,
) -> Result<(JobState, Changes), LedgerError> {
    let mut state = view.job(&key)?;
    let attempt = state.last_attempt();
    let mut paid_try = if attempt == AttemptNo(0) { None } else { view.last_try(&key)? };
    let before = paid_try.as_ref().map(Try::balance).unwrap_or_default();

    let mut news = Vec::with_capacity(records.len());
    for record in records {
        if matches!(record, Record::Intent { .. }) {
            return Err(state.refuses(&record).into());
        }
        if known(&state, paid_try.as_ref(), &record) {
            continue;
        }
        state = state.next(&record, now)?;
        if let (Some(attempt), Some(paid_try)) = (record.attempt(), paid_try.as_mut()) {
            paid_try.take(attempt, &record, now)?;
        }
        news.push(record);
    }

    let paid_try = if news.is_empty() { None } else { paid_try };
    let totals = match &paid_try {
        Some(paid_try) if paid_try.balance() != before => move_money(view, attempt, paid_try, before)?,
        _ => Vec::new(),
    };
    let paid_try = paid_try.map(|paid_try| (attempt, paid_try));
    let changes = Changes { at: now, run, key, records: news, opening: None, state: state.clone(), paid_try, totals, recipe };
    Ok((state, changes))
}

/// Returns whether the ledger already holds exactly what `record` says.
fn known(state: &JobState, paid_try: Option<&Try>, record: &Record) -> bool {
    if let (JobState::Done { attempt: None, artifact }, Record::Made { artifact: made, .. }) = (state, record) {
        return artifact == made;
    }
    let Some(paid_try) = paid_try.filter(|_| record.attempt() == Some(state.last_attempt())) else { return false };
    match (state, record) {
        // Doubt about an accepted try ends with the same answer again, so that one is news.
        (JobState::Running { .. } | JobState::Done { .. } | JobState::Failed { .. }, Record::Accepted { task, .. }) => {
            paid_try.task.as_ref() == Some(task)
        }
        (JobState::Done { artifact: held, .. }, Record::Done { artifact, charged, .. }) => {
            held == artifact && paid_try.charged == Some(charged.micros) && paid_try.reserved.currency == charged.currency
        }
        (JobState::Failed { failure: held, .. }, Record::Failed { failure, charged, refunded, .. }) => {
            held == failure && paid_try.charged == Some(*charged) && paid_try.refunded == *refunded
        }
        (JobState::Failed { .. }, Record::Settled { charged, refunded, .. }) => paid_try.charged == Some(*charged) && paid_try.refunded == *refunded,
        (JobState::InDoubt { failure: held, .. }, Record::InDoubt { failure, .. }) => held == failure,
        _ => false,
    }
}

/// Returns the first cap that the reservation would pass.
fn over_cap(view: &mut impl View, caps: &[Cap], reserved: &crate::types::Amount) -> Result<Option<Grant>, LedgerError> {
    for cap in caps {
        let Some(limit) = &cap.limit else { continue };
        let committed = cap.committed(&view.scope(&cap.scope)?, &limit.currency)?;
        let asked = cap.weighed(reserved, &limit.currency)?;
        if i128::from(committed.get()) + i128::from(asked.get()) > i128::from(limit.micros.get()) {
            return Ok(Some(Grant::OverCap { scope: cap.scope.clone(), limit: limit.micros, committed }));
        }
    }
    Ok(None)
}

/// Returns why the account has no room now, if so.
fn no_room(view: &mut impl View, limits: &AccountLimits, now: Timestamp) -> Result<Option<Grant>, LedgerError> {
    if let Some(places) = limits.places
        && view.places_taken(&limits.account, now)? >= places
    {
        return Ok(Some(Grant::Full));
    }
    let mut until = now;
    for window in &limits.windows {
        until = until.max(view.window_free_at(&limits.account, window, now)?);
    }
    Ok((until > now).then_some(Grant::Wait { until }))
}

/// Returns when a window next has a slot: exactly, from the busy slots in it.
///
/// `answered` are the moments from which busy slots run out, earliest first; `waited_for` counts slots whose answer is
/// still out: not one of those can be free before `now` plus the span.
pub(super) fn free_at(answered: &[Timestamp], waited_for: usize, window: &RateWindow, now: Timestamp) -> Timestamp {
    let count = window.count as usize;
    let busy = answered.len() + waited_for;
    if busy < count {
        return now;
    }
    // This many slots have to run out before one is left for us.
    let last = answered.get(busy - count).copied().unwrap_or(now);
    last.after(window.span)
}

/// Returns the try that an intent opens.
pub(super) fn open_try(run: RunId, terms: Terms, reserved: crate::types::Amount, deadline: Timestamp, at: Timestamp) -> Try {
    Try {
        run,
        account: terms.account,
        scopes: terms.scopes,
        reserved,
        status: AttemptStatus::Submitting,
        // The request has ended by its deadline whatever became of it, so an intent that nobody follows up frees its slot.
        answered_at: deadline,
        touched_at: at,
        finished_at: None,
        charged: None,
        refunded: Micros::ZERO,
        error_code: None,
        task: None,
        artifact: None,
    }
}

fn scopes_once(caps: &[Cap]) -> Vec<Scope> {
    let mut scopes: Vec<Scope> = Vec::with_capacity(caps.len());
    for cap in caps {
        if !scopes.contains(&cap.scope) {
            scopes.push(cap.scope.clone());
        }
    }
    scopes
}

/// Returns the scopes of a try as they are once its balance has moved from `before`.
fn move_money(view: &mut impl View, attempt: AttemptNo, paid_try: &Try, before: Balance) -> Result<Vec<(Scope, ScopeTotals)>, LedgerError> {
    let after = paid_try.balance();
    paid_try
        .scopes
        .iter()
        .map(|scope| {
            let totals = view.scope(scope)?;
            Ok((scope.clone(), moved(&totals, &paid_try.reserved.currency, attempt, before, after)?))
        })
        .collect()
}

/// Returns the totals of a scope in one currency, once one try's balance in it has moved from `before` to `after`.
///
/// # Errors
/// [`LedgerError::Amount`] when a sum does not fit.
pub(super) fn moved(
    of_scope: &[ScopeTotals],
    currency: &Currency,
    attempt: AttemptNo,
    before: Balance,
    after: Balance,
) -> Result<ScopeTotals, LedgerError> {
    let found = of_scope.iter().find(|totals| totals.currency == *currency).cloned();
    let totals = found.unwrap_or_else(|| ScopeTotals::nothing(currency.clone()));
    let shift = |what, sum: Micros, out: Micros, into: Micros| {
        let shifted = sum.checked_sub(out).and_then(|rest| rest.checked_add(into));
        shifted.map_err(|_| LedgerError::Amount { what, attempt, micros: into })
    };
    Ok(ScopeTotals {
        spent: shift("the charge", totals.spent, before.spent, after.spent)?,
        reserved: shift("the reservation", totals.reserved, before.reserved, after.reserved)?,
        in_doubt: shift("the doubt", totals.in_doubt, before.in_doubt, after.in_doubt)?,
        currency: totals.currency,
    })
}

/// Puts the totals of one currency in their place among those of a scope.
pub(super) fn put(of_scope: &mut Vec<ScopeTotals>, totals: ScopeTotals) {
    match of_scope.binary_search_by(|other| other.currency.cmp(&totals.currency)) {
        Ok(place) => of_scope[place] = totals,
        Err(place) => of_scope.insert(place, totals),
    }
}

/// Returns class and code of a failure as reports show it: `refused/moderation_blocked`.
pub(super) fn error_code(failure: &Failure) -> String {
    format!("{}/{}", failure.class.as_str(), failure.code)
}
