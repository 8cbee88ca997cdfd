//! Money between two roundings: a fraction of millionths, so that only the end is rounded.
//!
//! In: whole numbers. Out: [`Exact`], and [`Micros`] once everything is added up. Never: a float, a second rounding.

use std::fmt;

use super::price::Rounding;
use crate::types::Micros;

/// Millionths in one unit.
const UNIT: i128 = 1_000_000;

/// Most digits after the point that are written out.
const MOST_DIGITS: usize = 18;

/// A number of millionths as a fraction in lowest terms.
///
/// # Examples
/// ```
/// use callsheet::catalog::{Exact, Rounding};
/// use callsheet::types::Micros;
/// let half = Exact::of(Micros::new(52_885)).times(1, 2).expect("a small number");
/// assert_eq!(half.to_string(), "0.0264425");
/// assert_eq!(half.round(Rounding::Exact), Some(Micros::new(26_443)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exact {
    numerator: i128,
    /// Always positive.
    denominator: i128,
}

impl Exact {
    /// Nothing.
    pub const ZERO: Self = Self { numerator: 0, denominator: 1 };

    /// Returns a whole number of millionths.
    pub fn of(price: Micros) -> Self {
        Self { numerator: i128::from(price.get()), denominator: 1 }
    }

    /// Returns the product of `factors` over `denominator`, in millionths; `None` if it does not fit or the denominator is not positive.
    pub fn product(factors: &[i128], denominator: i128) -> Option<Self> {
        let numerator = factors.iter().try_fold(1_i128, |product, factor| product.checked_mul(*factor))?;
        (denominator > 0).then(|| Self { numerator, denominator }.in_lowest_terms())
    }

    /// Adds; `None` if the sum does not fit.
    pub fn plus(self, other: Self) -> Option<Self> {
        let left = self.numerator.checked_mul(other.denominator)?;
        let right = other.numerator.checked_mul(self.denominator)?;
        Self::product(&[left.checked_add(right)?], self.denominator.checked_mul(other.denominator)?)
    }

    /// Multiplies by `numerator / denominator`; `None` if the product does not fit or the denominator is not positive.
    pub fn times(self, numerator: i128, denominator: i128) -> Option<Self> {
        Self::product(&[self.numerator, numerator], self.denominator.checked_mul(denominator)?)
    }

    /// Rounds once: to millionths, or to whole units; `None` if the amount does not fit.
    pub fn round(self, rounding: Rounding) -> Option<Micros> {
        let whole = self.denominator.checked_mul(UNIT)?;
        let micros = match rounding {
            Rounding::Exact => div_ceil(self.numerator, self.denominator)?,
            Rounding::Floor => self.numerator.div_euclid(whole).checked_mul(UNIT)?,
            Rounding::Nearest => self.numerator.checked_mul(2)?.checked_add(whole)?.div_euclid(whole.checked_mul(2)?).checked_mul(UNIT)?,
            Rounding::Ceil => div_ceil(self.numerator, whole)?.checked_mul(UNIT)?,
        };
        i64::try_from(micros).ok().map(Micros::new)
    }

    fn in_lowest_terms(self) -> Self {
        let divisor = greatest_common_divisor(self.numerator.unsigned_abs(), self.denominator.unsigned_abs());
        match i128::try_from(divisor) {
            Ok(divisor) if divisor > 1 => Self { numerator: self.numerator / divisor, denominator: self.denominator / divisor },
            _ => self,
        }
    }
}

impl fmt::Display for Exact {
    /// Prints units as a decimal number, `0.0264425`; what does not end within 18 digits ends in `…`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(whole) = self.denominator.checked_mul(UNIT).map(i128::unsigned_abs) else {
            return write!(f, "{}/{} millionths", self.numerator, self.denominator);
        };
        let (units, mut rest) = (self.numerator.unsigned_abs() / whole, self.numerator.unsigned_abs() % whole);
        let mut digits = String::new();
        while rest > 0 && digits.len() < MOST_DIGITS {
            let Some(ten) = rest.checked_mul(10) else { break };
            digits.push_str(&(ten / whole).to_string());
            rest = ten % whole;
        }
        let sign = if self.numerator < 0 { "-" } else { "" };
        let point = if digits.is_empty() { "" } else { "." };
        let more = if rest > 0 { "…" } else { "" };
        write!(f, "{sign}{units}{point}{digits}{more}")
    }
}

fn div_ceil(numerator: i128, denominator: i128) -> Option<i128> {
    let up = i128::from(numerator.rem_euclid(denominator) != 0);
    numerator.div_euclid(denominator).checked_add(up)
}

fn greatest_common_divisor(mut left: u128, mut right: u128) -> u128 {
    while right > 0 {
        (left, right) = (right, left % right);
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn exact(numerator: i128, denominator: i128) -> Exact {
        Exact::product(&[numerator], denominator).expect("a small number")
    }

    #[test]
    fn a_fraction_prints_what_it_is() {
        for (numerator, denominator, text) in
            [(52_885, 2, "0.0264425"), (3_000_000, 1, "3"), (-1, 4, "-0.00000025"), (1, 3, "0.000000333333333333…"), (0, 7, "0")]
        {
            assert_eq!(exact(numerator, denominator).to_string(), text);
        }
    }

    #[test]
    fn each_rounding_goes_its_way() {
        let half = exact(1_500_000, 1);
        let all = [Rounding::Exact, Rounding::Floor, Rounding::Nearest, Rounding::Ceil];
        assert_eq!(all.map(|way| half.round(way).map(|micros| micros.to_string())), ["1.5", "1", "2", "2"].map(|text| Some(text.to_owned())));
        assert_eq!(exact(1, 3).round(Rounding::Exact), Some(Micros::new(1)), "what is finer than a millionth is rounded up");
        assert_eq!(exact(-1, 3).round(Rounding::Exact), Some(Micros::ZERO));
        assert_eq!(Exact::product(&[1], 0), None);
        assert_eq!(Exact::product(&[i128::MAX, 2], 1), None);
    }

    proptest! {
        #[test]
        fn adding_and_taking_a_share_lose_nothing(left in 0_i64..1_000_000_000, right in 0_i64..1_000_000_000, parts in 1_i128..1000) {
            let (left, right) = (Exact::of(Micros::new(left)), Exact::of(Micros::new(right)));
            let together = left.plus(right).and_then(|sum| sum.times(1, parts)).expect("small numbers");
            let apart = left.times(1, parts).and_then(|left| left.plus(right.times(1, parts)?)).expect("small numbers");
            prop_assert_eq!(together, apart);
            prop_assert_eq!(together.times(parts, 1), left.plus(right));
        }

        #[test]
        fn no_rounding_up_is_below_the_truth(numerator in 0_i64.., denominator in 1_i64..) {
            let exact = exact(i128::from(numerator), i128::from(denominator));
            for way in [Rounding::Exact, Rounding::Ceil] {
                if let Some(rounded) = exact.round(way) {
                    prop_assert!(i128::from(rounded.get()) * i128::from(denominator) >= i128::from(numerator));
                }
            }
        }
    }
}
