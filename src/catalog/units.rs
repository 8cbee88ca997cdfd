//! What units cost that a provider counted by itself.
//!
//! In: a number of units. Out: money.
//! Never: a unit that the book does not price by.

use super::book::PriceBook;
use super::exact::Exact;
use super::price::{Pixels, PriceKind, Rounding};
use crate::types::{Action, Amount, Micros};

/// Millionths in one unit.
const UNIT: i128 = 1_000_000;

impl PriceBook {
    /// Returns what `units` that a provider says it has billed cost; `None` unless the book prices the model by one unit and by that alone:
    /// the megapixel of the result.
    ///
    /// What is finer than a millionth is rounded up, once.
    pub fn charge_units(&self, model: &str, action: Action, units: Micros) -> Option<Amount> {
        let entry = self.entry(model, action).ok()?;
        let PriceKind::PerMegapixel(price) = &entry.kind else { return None };
        let is_plain = price.of == Pixels::Output && price.additional.is_none() && price.input.is_none() && entry.per_reference.is_none();
        if !is_plain {
            return None;
        }
        let micros = Exact::of(price.first).times(i128::from(units.get()), UNIT)?.round(Rounding::Exact)?;
        Some(Amount::new(self.currency.clone(), micros))
    }
}

#[cfg(test)]
mod tests {
    use crate::catalog::builtin::book;
    use crate::types::{Action, Micros};

    #[test]
    fn units_cost_what_the_book_says_only_where_it_prices_by_them() {
        let charged = |name: &str, model: &str, units: &str| {
            let units: Micros = units.parse().expect("a number of the test");
            book(name).expect("a built-in book").charge_units(model, Action::Generate, units).map(|amount| amount.to_string())
        };
        assert_eq!(charged("fal", "flux-dev", "1.0").as_deref(), Some("$0.025"));
        assert_eq!(charged("fal", "flux-dev", "0.786432").as_deref(), Some("$0.019661"), "rounded up once");
        assert_eq!(charged("fal", "nano-banana-2", "1.0"), None, "nobody has said what this unit costs");
        assert_eq!(charged("bfl", "flux-2-pro", "2"), None, "further megapixels have a price of their own");
        assert_eq!(charged("kie", "gpt-image-2", "1"), None);
    }
}
