//! Sums of money that remember how sure they are.

use serde::Serialize;

use crate::catalog::Certainty;
use crate::types::{Micros, MoneyError};

/// A sum in one currency. Its certainty is that of its least certain part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Sum {
    /// The part that is known.
    pub micros: Micros,
    /// `Exact`: this is it. `LowerBound`: at least this. `Unknown`: this, and something that has no price.
    pub certainty: Certainty,
}

impl Sum {
    /// Returns a sum of one known amount.
    pub fn exact(micros: Micros) -> Self {
        Self { micros, certainty: Certainty::Exact }
    }

    /// Returns the sum with `micros` added `times` times.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] if it does not fit.
    pub fn plus(self, micros: Micros, times: u64, certainty: Certainty) -> Result<Self, MoneyError> {
        Ok(Self { micros: self.micros.checked_add(micros.checked_mul(times)?)?, certainty: self.certainty.max(certainty) })
    }

    /// Returns the two sums together.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] if it does not fit.
    pub fn and(self, other: Self) -> Result<Self, MoneyError> {
        self.plus(other.micros, 1, other.certainty)
    }

    /// Returns the sum with a part that has no price.
    #[must_use]
    pub fn and_unknown(self) -> Self {
        Self { certainty: Certainty::Unknown, ..self }
    }

    /// Returns whether the sum is all there is to pay.
    pub fn is_exact(self) -> bool {
        self.certainty == Certainty::Exact
    }
}
