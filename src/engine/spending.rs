//! Asks where the money stands and what it is to be spent on first.
//!
//! In: the run's caps, the ledger's totals, what is decided so far. Out: the jobs to buy first, if the caps do not pay for all.
//! Never: a hold on money: that is the ledger's, and a choice that was wrong only costs a refusal there.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::EngineError;
use super::desk::Desk;
use super::funding::{Funding, Guarded, Need, Pot};
use super::outcome::JobOutcome;
use crate::ledger::{Cap, JobState};
use crate::plan::{JobIx, Work};
use crate::types::{Amount, Currency, Micros, Operation};

/// When to choose anew: counting through a large plan is not done for every shot.
#[derive(Debug)]
pub(super) struct Spending {
    /// Something went otherwise than the last choice took for granted.
    surprised: bool,
    /// Money has moved since the last choice.
    moved: bool,
}

impl Default for Spending {
    /// Nothing is chosen yet.
    fn default() -> Self {
        Self { surprised: true, moved: true }
    }
}

impl Spending {
    /// Notes that a try ended as it was counted on.
    pub(super) fn moved(&mut self) {
        self.moved = true;
    }

    /// Notes that a try ended otherwise: no picture, or another price.
    pub(super) fn surprise(&mut self) {
        (self.surprised, self.moved) = (true, true);
    }

    /// Notes that a choice is made.
    pub(super) fn counted(&mut self) {
        (self.surprised, self.moved) = (false, false);
    }

    /// Returns whether the next job should wait for a new choice.
    pub(super) fn is_due(&self) -> bool {
        self.surprised
    }

    /// Returns whether a new choice may be another one.
    pub(super) fn has_moved(&self) -> bool {
        self.moved
    }
}

/// Returns the paid jobs to buy first, by place; `None` when no cap is short.
///
/// # Errors
/// A ledger that cannot be read.
pub(super) fn chosen(
    desk: &Desk,
    outcomes: &[Option<JobOutcome>],
    begun: &[bool],
    follows: &BTreeMap<JobIx, JobIx>,
) -> Result<Option<Vec<bool>>, EngineError> {
    let pots = pots(desk)?;
    if pots.is_empty() {
        return Ok(None);
    }
    let plan = &desk.request.plan;
    let mut needs = Vec::with_capacity(plan.jobs.len());
    for ix in plan.indices() {
        needs.push(match (&outcomes[ix.index()], &plan.job(ix).operation) {
            (Some(outcome), _) if outcome.artifact().is_some() => Need::Nothing,
            (Some(_), _) => Need::Never,
            (None, Operation::Local(_)) => Need::Inputs,
            (None, _) if follows.contains_key(&ix) => Need::Inputs,
            (None, Operation::Paid(_)) if begun[ix.index()] && holds_money(desk, ix)? => Need::Nothing,
            (None, Operation::Paid(_)) => Need::Price { quoted: desk.quoted(ix).unwrap_or(Micros::ZERO), reserved: desk.reserved(ix) },
        });
    }
    let maker = |ix: JobIx| follows.get(&ix).copied().unwrap_or(ix);
    Ok(Funding { plan, needs: &needs, maker: &maker, pots: &pots }.choose())
}

/// Returns whether the caps pay for all that is left, however often it may be tried: then no chain can be left half made for money.
///
/// # Errors
/// A ledger that cannot be read.
pub(super) fn is_ample(desk: &Desk) -> Result<bool, EngineError> {
    let pots = pots(desk)?;
    let plan = &desk.request.plan;
    let attempts = desk.request.rules.attempts.max(1);
    // A further picture that a check asks for is paid like a further try.
    let tries = |ix: JobIx| i128::from(attempts) + i128::from(plan.step_of(ix).rerolls);
    let needed = |pot: &Pot| {
        let under = |ix: &JobIx| pot.guarded.holds(plan, *ix);
        let to_do = plan.indices().filter(|ix| desk.request.work.work(*ix).is_to_do()).filter(under);
        to_do.map(|ix| i128::from(desk.reserved(ix).get()) * tries(ix)).sum::<i128>()
    };
    Ok(pots.iter().all(|pot| needed(pot) <= i128::from(pot.room.get())))
}

/// Returns whether the job's try is under way, or its picture is just being looked at: its money is among what is committed.
fn holds_money(desk: &Desk, ix: JobIx) -> Result<bool, EngineError> {
    let state = desk.ports.ledger.load(desk.request.plan.job(ix).key)?;
    let is_looked_at = matches!(state, JobState::Done { .. }) && desk.request.work.work(ix) != Work::Lost;
    Ok(is_looked_at || matches!(state, JobState::Submitting { .. } | JobState::Running { .. }))
}

/// Returns what is left under every cap that has a limit, in the currency of the prices.
fn pots(desk: &Desk) -> Result<Vec<Pot>, EngineError> {
    let request = &desk.request;
    let common = request.further.counted_in.as_ref().map(|(currency, _)| currency);
    let quoted = || request.prices.iter().flatten().next().map(|price| &price.quoted.currency);
    let Some(currency) = common.or_else(quoted) else { return Ok(Vec::new()) };
    let of_steps = (0_u32..).zip(&request.step_caps).filter_map(|(step, cap)| Some((Guarded::Step(step), cap.as_ref()?)));
    let of_providers = request.further.caps.iter().map(|(name, cap)| (Guarded::Provider(Arc::clone(name)), cap));
    let caps = request.caps.iter().map(|cap| (Guarded::All, cap)).chain(of_steps).chain(of_providers);
    let mut pots = Vec::new();
    for (guarded, cap) in caps {
        if let (Some(limit), Some(room)) = (&cap.limit, room(desk, cap)?) {
            // A currency that cannot be weighed is refused by the ledger, with the reason.
            let left = Amount::new(limit.currency.clone(), room);
            pots.extend(cap.rates.convert(&left, currency).map(|room| Pot { guarded, room }));
        }
    }
    Ok(pots)
}

/// Returns what is left under a cap, in its own currency; below zero when it is passed, `None` when it has no limit or cannot be weighed.
fn room(desk: &Desk, cap: &Cap) -> Result<Option<Micros>, EngineError> {
    let Some(Amount { currency, micros }) = &cap.limit else { return Ok(None) };
    let committed = committed(desk, cap, currency)?;
    Ok(committed.map(|committed| Micros::new(micros.get().saturating_sub(committed.get()))))
}

fn committed(desk: &Desk, cap: &Cap, currency: &Currency) -> Result<Option<Micros>, EngineError> {
    Ok(cap.committed(&desk.ports.ledger.totals(&cap.scope)?, currency).ok())
}
