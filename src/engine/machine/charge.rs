//! What a try cost: by the provider's word, else by what its manifest says of failures.
//!
//! In: how a try ended, what was held for it. Out: what is charged and what is given back. Never: a price taken for nothing because nobody told it.

use super::Desk;
use crate::engine::turn::Trade;
use crate::ledger::{JobState, Record};
use crate::provider::manifest::{ChargedOn, Known};
use crate::types::{Amount, AttemptNo, Billed, Currency, Failure, FailureClass, Micros};

impl Desk<'_> {
    pub(super) fn reserved(&self) -> Amount {
        match (self.state, self.brief.trade) {
            (JobState::Submitting { reserved, .. } | JobState::Running { reserved, .. } | JobState::InDoubt { reserved, .. }, _) => reserved.clone(),
            (_, Trade::Paid(price)) => price.reserved.clone(),
            (_, Trade::Local) => Amount::new(Currency::Usd, Micros::ZERO),
        }
    }

    /// Returns the quote, or what is held if the try was made under another currency or a lower price than today's.
    pub(super) fn quoted(&self, reserved: &Amount) -> Micros {
        match self.brief.trade {
            Trade::Paid(price) if price.quoted.currency == reserved.currency => price.quoted.micros.min(reserved.micros),
            _ => reserved.micros,
        }
    }

    /// Says what a failed try cost, and whether that is known: the provider's word, else its charge policy.
    ///
    /// What was never accepted costs nothing. Of what was accepted, a price that nobody is sure was given back stays counted: as charged, at
    /// the quote, with `billed: maybe`, so that no cap is passed by hope and reports show it as open until it is settled.
    fn priced(&self, reserved: &Amount, failure: Failure) -> (Failure, Micros) {
        let policy = &self.brief.terms.charge;
        let accepted = matches!(self.state, JobState::Running { .. }) || matches!(failure.class, FailureClass::Failed | FailureClass::Refused);
        let kept = match failure.class {
            _ if !accepted || policy.on == ChargedOn::Success => Known::No,
            FailureClass::Refused => policy.moderation_charged,
            _ => match policy.refund_on_failure {
                Known::Yes => Known::No,
                Known::No => Known::Yes,
                Known::Unknown => Known::Unknown,
            },
        };
        let (billed, charged) = match (failure.billed, kept) {
            (Billed::No, _) => (Billed::No, Micros::ZERO),
            (Billed::Yes(figure), _) => (Billed::Yes(figure), figure),
            (Billed::Maybe, Known::No) => (Billed::No, Micros::ZERO),
            (Billed::Maybe, Known::Yes) => (Billed::Yes(self.quoted(reserved)), self.quoted(reserved)),
            (Billed::Maybe, Known::Unknown) => (Billed::Maybe, self.quoted(reserved)),
        };
        (Failure { billed, ..failure }, charged)
    }

    /// Writes a failure down with what it cost.
    pub(super) fn settled_failure(&self, attempt: AttemptNo, reserved: &Amount, failure: Failure) -> (Record, Failure) {
        let (failure, charged) = self.priced(reserved, failure);
        (Record::Failed { attempt, failure: failure.clone(), charged, refunded: rest(reserved, charged) }, failure)
    }
}

/// A try that was not accepted: all of it is given back.
pub(super) fn released(attempt: AttemptNo, failure: &Failure, reserved: &Amount) -> Record {
    let failure = Failure { billed: Billed::No, ..failure.clone() };
    Record::Failed { attempt, failure, charged: Micros::ZERO, refunded: reserved.micros }
}

/// Returns what is left of a reservation; nothing, if the charge was higher.
pub(super) fn rest(reserved: &Amount, charged: Micros) -> Micros {
    reserved.micros.checked_sub(charged).unwrap_or(Micros::ZERO).max(Micros::ZERO)
}
