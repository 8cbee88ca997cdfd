//! What a plan costs from its first shot to its last, whatever history has done of it already.
//!
//! In: plan, quotes, what is selected. Out: [`Whole`]. Never: caps, the ledger: a policy is about the campaign, not about the day.

use std::collections::HashSet;

use super::quote::{JobQuote, Quotes};
use super::sum::Sum;
use crate::plan::{Plan, Selection, most_tries};
use crate::types::{JobKey, Micros, MoneyError};

/// Millionths in a factor of 1.
const FACTOR_ONE: i64 = 1_000_000;

/// The three figures of a whole plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Whole {
    /// Every paid picture at one try.
    pub floor: Sum,
    /// The floor times the iteration factor.
    pub expected: Sum,
    /// Every paid picture at all its tries and rerolls, at the highest price of the book.
    pub ceiling: Sum,
}

impl Whole {
    /// Adds up the selected part of a plan; `factor` is the iteration factor in millionths, `attempts` the tries a shot may use.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] if a sum does not fit.
    pub fn of(plan: &Plan, quotes: &Quotes, selection: &Selection, factor: Option<Micros>, attempts: u32) -> Result<Self, MoneyError> {
        let mut whole = Self::default();
        let mut paid: HashSet<JobKey> = HashSet::new();
        let has_twins = !plan.twins.is_empty();
        for ix in plan.indices().filter(|ix| selection.includes(*ix)) {
            let Some(quote) = quotes.of(ix) else { continue };
            if has_twins && !paid.insert(plan.job(ix).key) {
                continue;
            }
            match quote {
                JobQuote::Priced(quote) => {
                    whole.floor = whole.floor.plus(quote.amount.micros, 1, quote.certainty)?;
                    whole.ceiling = whole.ceiling.plus(quote.highest, most_tries(plan.step_of(ix).rerolls + 1, attempts), quote.certainty)?;
                }
                JobQuote::Unpriced(_) => {
                    whole.floor = whole.floor.and_unknown();
                    whole.ceiling = whole.ceiling.and_unknown();
                }
            }
        }
        let factor = factor.map_or(FACTOR_ONE, Micros::get);
        whole.expected = Sum { micros: whole.floor.micros.mul_ratio_ceil(factor, FACTOR_ONE)?, ..whole.floor };
        Ok(whole)
    }
}
