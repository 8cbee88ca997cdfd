//! What a credit is worth, where its book says so: the only way from one currency to another.
//!
//! In: rates as books state them. Out: amounts in another currency, rounded up.
//! Never: a rate that nobody states. Without one two currencies cannot be compared, and the answer is `None`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Amount, Currency, Micros};

/// Millionths of a dollar in one.
const ONE: i64 = 1_000_000;

/// USD for one credit, by the currency of each book that states it. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rates(Arc<BTreeMap<Currency, Micros>>);

impl Rates {
    /// Takes what books state: their currency and USD for one credit. Rates of zero or less say nothing and are left out.
    pub fn of(stated: impl IntoIterator<Item = (Currency, Micros)>) -> Self {
        Self(Arc::new(stated.into_iter().filter(|(currency, rate)| *currency != Currency::Usd && *rate > Micros::ZERO).collect()))
    }

    /// Returns what an amount is in `to`, rounded up to the millionth; `None` when a rate that this takes is not stated.
    ///
    /// Rounded up, so that what is spent never looks smaller in the currency of a cap than it is.
    pub fn convert(&self, amount: &Amount, to: &Currency) -> Option<Micros> {
        if amount.currency == *to {
            return Some(amount.micros);
        }
        let (from, to) = (i128::from(self.rate(&amount.currency)?), i128::from(self.rate(to)?));
        let product = i128::from(amount.micros.get()).checked_mul(from)?;
        let up = product.div_euclid(to) + i128::from(product.rem_euclid(to) != 0);
        i64::try_from(up).ok().map(Micros::new)
    }

    /// Returns millionths of a dollar for one unit.
    fn rate(&self, currency: &Currency) -> Option<i64> {
        match currency {
            Currency::Usd => Some(ONE),
            Currency::Credits(_) => self.0.get(currency).map(|rate| rate.get()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(currency: &Currency, text: &str) -> Amount {
        Amount::new(currency.clone(), text.parse().expect("an amount"))
    }

    fn text(micros: Option<Micros>) -> String {
        micros.map_or("no rate".to_owned(), |micros| micros.to_string())
    }

    #[test]
    fn only_a_stated_rate_leads_from_one_currency_to_another_and_it_rounds_up() {
        let [ours, theirs, silent] = ["a", "b", "c"].map(Currency::credits);
        let rates = Rates::of([(ours.clone(), Micros::new(5_000)), (theirs.clone(), Micros::new(3_000)), (silent.clone(), Micros::ZERO)]);
        let told = [
            rates.convert(&amount(&ours, "12"), &Currency::Usd),
            rates.convert(&amount(&Currency::Usd, "0.06"), &ours),
            rates.convert(&amount(&ours, "1"), &theirs),
            rates.convert(&amount(&silent, "1"), &Currency::Usd),
            rates.convert(&amount(&ours, "1"), &silent),
            rates.convert(&amount(&silent, "1"), &silent),
            Rates::default().convert(&amount(&ours, "1"), &theirs),
        ];
        assert_eq!(told.map(text), ["0.06", "12", "1.666667", "no rate", "no rate", "1", "no rate"]);
    }

    #[test]
    fn what_does_not_fit_is_not_made_small() {
        let (dear, cheap) = (Currency::credits("a"), Currency::credits("b"));
        let rates = Rates::of([(dear.clone(), Micros::MAX), (cheap.clone(), Micros::new(1))]);
        assert_eq!(rates.convert(&Amount::new(dear, Micros::MAX), &cheap), None);
    }
}
