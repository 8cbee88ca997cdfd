//! The rehearsal's account: counts down as shots are accepted, so that a balance that runs out can be rehearsed too.
//!
//! In: what it holds, what shots cost. Out: whether one can be paid.
//! Never: real money.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::Shot;
use crate::types::{Amount, Currency, Micros};

/// What a shot costs on the rehearsal's account; `None` when it has no price.
pub type Tariff = Arc<dyn Fn(&Shot) -> Option<Micros> + Send + Sync>;

/// The rehearsal's account: it takes the price when it accepts, and gives it back when it gives back at all.
pub(super) struct Account {
    currency: Currency,
    tariff: Tariff,
    held: Mutex<Held>,
}

struct Held {
    balance: Micros,
    /// Tries that were paid, by the number of their task: one that is sent again is not paid again.
    paid: HashMap<u64, Micros>,
}

impl Account {
    /// Opens an account that holds `balance`.
    pub(super) fn new(balance: Amount, tariff: Tariff) -> Self {
        let held = Held { balance: balance.micros, paid: HashMap::new() };
        Self { currency: balance.currency, tariff, held: Mutex::new(held) }
    }

    /// Returns what is left.
    pub(super) fn balance(&self) -> Amount {
        Amount::new(self.currency.clone(), self.held.lock().unwrap_or_else(PoisonError::into_inner).balance)
    }

    /// Takes the price of a try once; returns whether it was there.
    pub(super) fn pays(&self, shot: &Shot, number: u64) -> bool {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.paid.contains_key(&number) {
            return true;
        }
        let price = (self.tariff)(shot).unwrap_or(Micros::ZERO);
        let Some(rest) = held.balance.checked_sub(price).ok().filter(|rest| *rest >= Micros::ZERO) else { return false };
        held.balance = rest;
        held.paid.insert(number, price);
        true
    }

    /// Gives the price of a try back, once.
    pub(super) fn gives_back(&self, number: u64) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(price) = held.paid.insert(number, Micros::ZERO) {
            held.balance = held.balance.checked_add(price).unwrap_or(Micros::MAX);
        }
    }
}
