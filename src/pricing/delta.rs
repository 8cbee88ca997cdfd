//! What two plans cost, step by step, and what lies between them.
//!
//! In: two sides of a comparison and their [`Diff`]. Out: a [`Delta`].
//! Never: history. Both sides are what the whole plan costs at one try for each picture; shots that make one picture are paid once.
//! Amounts of two currencies are never subtracted.

use std::collections::HashSet;

use super::sum::Sum;
use crate::catalog::Certainty;
use crate::plan::{Diff, Side, SidePrice};
use crate::types::{Currency, JobId, JobKey, Micros, MoneyError};

/// Most jobs without a price that are named.
const MOST_NAMED: usize = 5;

/// What a side's prices are counted in, and what that is in dollars.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountedIn {
    /// The currency.
    pub currency: Currency,
    /// What one credit costs in USD, if the book states it.
    pub usd_per_credit: Option<Micros>,
}

impl CountedIn {
    /// Returns an amount in USD, rounded up to the millionth; `None` for credits without a rate.
    fn usd(&self, sum: Sum) -> Option<Sum> {
        match self.currency {
            Currency::Usd => Some(sum),
            Currency::Credits(_) => {
                let micros = sum.micros.mul_ratio_ceil(self.usd_per_credit?.get(), 1_000_000).ok()?;
                Some(Sum { micros, ..sum })
            }
        }
    }
}

/// A sum on both sides, each in the side's own currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BeforeAfter {
    /// At the base.
    pub before: Sum,
    /// Now.
    pub after: Sum,
}

impl BeforeAfter {
    /// Returns what the sum has grown by, below zero when it has shrunk; only as sure as both sides are.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] if it does not fit.
    pub fn delta(&self) -> Result<Sum, MoneyError> {
        let certainty = self.before.certainty.max(self.after.certainty);
        Ok(Sum { micros: self.after.micros.checked_sub(self.before.micros)?, certainty })
    }
}

/// Jobs without a price.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unpriced {
    /// How many.
    pub count: usize,
    /// The first few.
    pub first: Vec<JobId>,
}

/// What two plans cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delta {
    /// What the base is counted in.
    pub base: CountedIn,
    /// What the current plan is counted in.
    pub current: CountedIn,
    /// One for each step of the diff, in its order.
    pub steps: Vec<BeforeAfter>,
    /// All of them.
    pub total: BeforeAfter,
    /// Jobs of the base without a price.
    pub unpriced_before: Unpriced,
    /// Jobs of the current plan without a price.
    pub unpriced_after: Unpriced,
}

impl Delta {
    /// Prices both sides of a diff.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] if a sum does not fit.
    pub fn of(diff: &Diff, (before, base): (&dyn Side, CountedIn), (after, current): (&dyn Side, CountedIn)) -> Result<Self, MoneyError> {
        let mut sums = vec![BeforeAfter::default(); diff.steps.len()];
        let unpriced_before = each_sum(diff, before, |step, sum| sums[step].before = sum)?;
        let unpriced_after = each_sum(diff, after, |step, sum| sums[step].after = sum)?;
        let mut total = BeforeAfter::default();
        for step in &sums {
            total.before = total.before.and(step.before)?;
            total.after = total.after.and(step.after)?;
        }
        Ok(Self { base, current, steps: sums, total, unpriced_before, unpriced_after })
    }

    /// Returns whether both sides are counted in one currency, so that there is a difference at all.
    pub fn has_one_currency(&self) -> bool {
        self.base.currency == self.current.currency
    }

    /// Returns what the total has grown by; `None` for two currencies.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] if it does not fit.
    pub fn grown(&self) -> Result<Option<Sum>, MoneyError> {
        self.has_one_currency().then(|| self.total.delta()).transpose()
    }

    /// Returns both totals in USD; `None` unless both books count in it or state a rate.
    pub fn usd(&self) -> Option<BeforeAfter> {
        Some(BeforeAfter { before: self.base.usd(self.total.before)?, after: self.current.usd(self.total.after)? })
    }

    /// Returns whether everything costs what it cost.
    pub fn is_nothing(&self) -> bool {
        self.has_one_currency() && self.steps.iter().all(|step| step.before == step.after)
    }
}

/// Tells the sum of each step of a side.
fn each_sum(diff: &Diff, side: &dyn Side, mut tell: impl FnMut(usize, Sum)) -> Result<Unpriced, MoneyError> {
    let mut sums = vec![Sum::default(); diff.steps.len()];
    let mut unpriced = Unpriced::default();
    let mut paid: HashSet<JobKey> = HashSet::with_capacity(side.len());
    let mut step = 0;
    for place in 0..side.len() {
        let price = side.price(place);
        if price == SidePrice::Free || !paid.insert(side.key(place)) {
            continue;
        }
        let name = side.step(place);
        if diff.steps.get(step).is_none_or(|known| known.name != name) {
            step = diff.steps.iter().position(|known| known.name == name).unwrap_or(0);
        }
        let Some(sum) = sums.get_mut(step) else { continue };
        *sum = match price {
            SidePrice::Priced(micros, certainty) => sum.plus(micros, 1, certainty)?,
            SidePrice::Unpriced => {
                unpriced.count += 1;
                if unpriced.first.len() < MOST_NAMED {
                    unpriced.first.push(side.id(place));
                }
                Sum { certainty: Certainty::Unknown, ..*sum }
            }
            SidePrice::Free => *sum,
        };
    }
    for (step, sum) in sums.into_iter().enumerate() {
        tell(step, sum);
    }
    Ok(unpriced)
}

#[cfg(test)]
mod tests;
