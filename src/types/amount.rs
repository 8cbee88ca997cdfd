//! Money: whole millionths of a currency, never a float.
//!
//! Credits of two price books are different currencies. They are never added; a book may state a rate to USD.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What an amount is counted in.
///
/// Written `USD` or `credits:<book>`, for example `credits:gptimage2-flat`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Currency {
    /// United States dollars.
    Usd,
    /// Credits of one named price book.
    Credits(Arc<str>),
}

impl Currency {
    /// Returns the credits currency of the book called `book`.
    pub fn credits(book: &str) -> Self {
        Self::Credits(Arc::from(book))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usd => f.write_str("USD"),
            Self::Credits(book) => write!(f, "credits:{book}"),
        }
    }
}

impl std::str::FromStr for Currency {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("credits:") {
            Some(book) if !book.is_empty() => Ok(Self::credits(book)),
            _ if text == "USD" => Ok(Self::Usd),
            _ => Err(MoneyError::Currency(text.to_owned())),
        }
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Why a text is not money, or a sum cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The text is not a decimal number.
    #[error("`{0}` is not a decimal number such as `12` or `73.5`")]
    NotDecimal(String),
    /// More than six digits after the point: finer than a millionth.
    #[error("`{0}` has more than 6 decimals; amounts are kept in millionths")]
    TooFine(String),
    /// Does not fit 64 bits of millionths (about 9.2 trillion units).
    #[error("the amount is too large (over 9.2 trillion units)")]
    Overflow,
    /// Two currencies met in one sum.
    #[error("`{0}` and `{1}` are different currencies and are never added")]
    Mixed(Currency, Currency),
    /// Not `USD` and not `credits:<book>`.
    #[error("`{0}` is not a currency; write `USD` or `credits:<book>`")]
    Currency(String),
}

/// A number of millionths; checked arithmetic only.
///
/// # Examples
/// ```
/// use callsheet::types::Micros;
/// assert_eq!("73.5".parse::<Micros>()?.get(), 73_500_000);
/// assert_eq!(Micros::new(42_240).to_string(), "0.04224");
/// # Ok::<(), callsheet::types::MoneyError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Micros(i64);

/// Millionths in one unit.
const SCALE: i64 = 1_000_000;

impl Micros {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The most that can be counted.
    pub const MAX: Self = Self(i64::MAX);

    /// Returns `micros` millionths.
    pub const fn new(micros: i64) -> Self {
        Self(micros)
    }

    /// Returns `units` whole units, saturating at the largest amount.
    pub const fn units(units: i64) -> Self {
        Self(units.saturating_mul(SCALE))
    }

    /// Returns the number of millionths.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Adds, or says that the sum does not fit.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.0.checked_add(other.0).map(Self).ok_or(MoneyError::Overflow)
    }

    /// Subtracts, or says that the difference does not fit.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.0.checked_sub(other.0).map(Self).ok_or(MoneyError::Overflow)
    }

    /// Multiplies by a whole count.
    pub fn checked_mul(self, count: u64) -> Result<Self, MoneyError> {
        let count = i64::try_from(count).map_err(|_| MoneyError::Overflow)?;
        self.0.checked_mul(count).map(Self).ok_or(MoneyError::Overflow)
    }

    /// Returns `self * numerator / denominator`, rounded up to the next millionth.
    ///
    /// Exact in `i128` until the single final division. Used for factors: `12 x 1.8` is `12_000_000 * 1_800_000 / 1_000_000`.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] if the result does not fit, or if `denominator` is not positive.
    pub fn mul_ratio_ceil(self, numerator: i64, denominator: i64) -> Result<Self, MoneyError> {
        if denominator <= 0 {
            return Err(MoneyError::Overflow);
        }
        let product = i128::from(self.0) * i128::from(numerator);
        let denominator = i128::from(denominator);
        let quotient = product.div_euclid(denominator);
        let rounded = if product.rem_euclid(denominator) == 0 { quotient } else { quotient + 1 };
        i64::try_from(rounded).map(Self).map_err(|_| MoneyError::Overflow)
    }
}

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let whole = self.0.unsigned_abs() / SCALE.unsigned_abs();
        let rest = self.0.unsigned_abs() % SCALE.unsigned_abs();
        if rest == 0 {
            return write!(f, "{sign}{whole}");
        }
        let digits = format!("{rest:06}");
        write!(f, "{sign}{whole}.{}", digits.trim_end_matches('0'))
    }
}

impl std::str::FromStr for Micros {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let not_decimal = || MoneyError::NotDecimal(text.to_owned());
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let dangling_point = digits.contains('.') && fraction.is_empty();
        if whole.is_empty() || dangling_point || !all_digits(whole) || !all_digits(fraction) {
            return Err(not_decimal());
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > 6 {
            return Err(MoneyError::TooFine(text.to_owned()));
        }
        let whole: i64 = whole.parse().map_err(|_| MoneyError::Overflow)?;
        let fraction: i64 = format!("{fraction:0<6}").parse().map_err(|_| not_decimal())?;
        let micros = whole.checked_mul(SCALE).and_then(|micros| micros.checked_add(fraction)).ok_or(MoneyError::Overflow)?;
        Ok(Self(if negative { -micros } else { micros }))
    }
}

impl Serialize for Micros {
    /// Serialises as decimal text, so that no reader turns it into a float.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Micros {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DecimalVisitor)
    }
}

/// Reads a YAML or JSON number through its shortest decimal text, never as a float amount.
struct DecimalVisitor;

impl serde::de::Visitor<'_> for DecimalVisitor {
    type Value = Micros;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an amount such as 12 or 73.5")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Micros, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Micros, E> {
        number.to_string().parse().map_err(E::custom)
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Micros, E> {
        number.to_string().parse().map_err(E::custom)
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Micros, E> {
        // `Display` of an f64 is its shortest decimal text that reads back equal: `73.5` stays `73.5`.
        number.to_string().parse().map_err(E::custom)
    }
}

/// An amount of one currency.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Amount {
    /// What it is counted in.
    pub currency: Currency,
    /// How much, in millionths.
    pub micros: Micros,
}

impl Amount {
    /// Returns `micros` of `currency`.
    pub fn new(currency: Currency, micros: Micros) -> Self {
        Self { currency, micros }
    }

    /// Adds an amount of the same currency.
    ///
    /// # Errors
    /// [`MoneyError::Mixed`] for two currencies, [`MoneyError::Overflow`] if the sum does not fit.
    pub fn checked_add(&self, other: &Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::Mixed(self.currency.clone(), other.currency.clone()));
        }
        Ok(Self { currency: self.currency.clone(), micros: self.micros.checked_add(other.micros)? })
    }
}

impl fmt::Display for Amount {
    /// Prints `$0.0422` or `48 credits`, as a person reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.currency {
            Currency::Usd if self.micros.get() < 0 => write!(f, "-${}", Micros::new(self.micros.get().saturating_neg())),
            Currency::Usd => write!(f, "${}", self.micros),
            Currency::Credits(_) if self.micros == Micros::units(1) => write!(f, "1 credit"),
            Currency::Credits(_) => write!(f, "{} credits", self.micros),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimal_text_is_read_exactly() {
        for (text, micros) in [("12", 12_000_000), ("73.5", 73_500_000), ("0.052885", 52_885), ("-3.25", -3_250_000), ("41.4720000", 41_472_000)] {
            assert_eq!(text.parse::<Micros>(), Ok(Micros::new(micros)), "{text}");
        }
    }

    #[test]
    fn text_that_is_not_plain_decimal_is_refused() {
        for text in ["", ".", "1.", ".5", "1e3", "1_000", "+1", "NaN", "0x10", " 1", "1,5"] {
            assert_eq!(text.parse::<Micros>(), Err(MoneyError::NotDecimal(text.to_owned())), "{text}");
        }
        assert!(matches!("0.0000001".parse::<Micros>(), Err(MoneyError::TooFine(_))));
        assert!(matches!("99999999999999999999".parse::<Micros>(), Err(MoneyError::Overflow)));
    }

    #[test]
    fn a_yaml_float_keeps_its_shortest_text() {
        let read: Micros = serde_yaml::from_str("73.5").expect("a plain number is an amount");
        assert_eq!(read, Micros::new(73_500_000));
        assert!(serde_yaml::from_str::<Micros>("0.1234567").is_err());
        assert!(serde_yaml::from_str::<Micros>(".inf").is_err());
    }

    #[test]
    fn credits_of_two_books_are_never_added() {
        let ours = Amount::new(Currency::credits("a"), Micros::units(1));
        let theirs = Amount::new(Currency::credits("b"), Micros::units(1));
        assert!(matches!(ours.checked_add(&theirs), Err(MoneyError::Mixed(..))));
    }

    #[test]
    fn factors_round_up_once() {
        assert_eq!(Micros::units(288).mul_ratio_ceil(1_800_000, 1_000_000), Ok(Micros::new(518_400_000)));
        assert_eq!(Micros::new(1).mul_ratio_ceil(1, 3), Ok(Micros::new(1)));
        assert_eq!(Micros::MAX.mul_ratio_ceil(2, 1), Err(MoneyError::Overflow));
    }

    proptest! {
        #[test]
        fn text_and_micros_round_trip(micros in any::<i64>().prop_filter("negating the minimum overflows", |m| *m != i64::MIN)) {
            let amount = Micros::new(micros);
            prop_assert_eq!(amount.to_string().parse::<Micros>(), Ok(amount));
        }
    }
}
