//! The caps that a plan stands under, and what is committed under each.
//!
//! In: budget, what the ledger counts. Out: [`CapLine`]s. Never: a currency weighed by a rate that nobody states.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::campaign::Budget;
use crate::plan::Plan;
use crate::types::{Amount, Micros};

/// What the ledger already counts under each cap: spent, reserved and in doubt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Committed {
    /// Under the campaign's cap.
    pub campaign: Micros,
    /// Under the profile's cap.
    pub profile: Micros,
    /// Under the caps of steps, by name.
    pub steps: BTreeMap<Arc<str>, Micros>,
    /// What stands under a cap in another currency and cannot be weighed: in none of the sums above.
    pub unweighed: Vec<(CapOf, Unweighed)>,
}

/// Money of another currency that no stated rate compares with the plan's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unweighed {
    /// What is committed.
    pub amount: Amount,
    /// The book that would have to state a rate to USD.
    pub book: Arc<str>,
}

/// What a cap guards.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CapOf {
    /// The whole campaign, over all its runs.
    Campaign,
    /// The profile, over all its runs.
    Profile,
    /// One step, over all runs.
    Step(Arc<str>),
    /// What one provider is paid, over all runs, in the currency of its own book.
    Provider(Arc<str>),
}

/// A cap and what is already committed under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapLine {
    /// What it guards.
    pub of: CapOf,
    /// The most that may ever be committed.
    pub limit: Micros,
    /// What already is.
    pub committed: Micros,
    /// What already is in currencies that cannot be weighed against the limit.
    pub unweighed: Vec<Unweighed>,
}

impl CapLine {
    /// Returns what may still be committed; never below 0.
    pub fn room(&self) -> Micros {
        self.limit.checked_sub(self.committed).unwrap_or(Micros::ZERO).max(Micros::ZERO)
    }
}

/// Returns the caps of a budget: of the campaign, of the profile, of the steps that the plan has.
pub(super) fn caps(plan: &Plan, budget: &Budget, committed: &Committed) -> Vec<CapLine> {
    let line = |of: CapOf, limit, sum| {
        let unweighed = committed.unweighed.iter().filter(|(under, _)| *under == of).map(|(_, unweighed)| unweighed.clone()).collect();
        CapLine { of, limit, committed: sum, unweighed }
    };
    let campaign = budget.cap.map(|limit| line(CapOf::Campaign, limit, committed.campaign));
    let profile = budget.profile_cap.map(|limit| line(CapOf::Profile, limit, committed.profile));
    let steps = budget
        .steps
        .iter()
        .filter(|(name, _)| plan.steps.iter().any(|step| step.name == *name))
        .map(|(name, limit)| line(CapOf::Step(Arc::clone(name)), *limit, committed.steps.get(name).copied().unwrap_or(Micros::ZERO)));
    campaign.into_iter().chain(profile).chain(steps).collect()
}
