//! What a run has spent, holds and is in doubt about, for those who watch; the ledger's own sums decide.
//!
//! In: records that are durable, the state that they were taken in. Out: sums in one currency.
//! Never: a decision about money.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::ledger::{JobState, Record};
use crate::types::{Amount, Micros};

/// Sums of this run, moved with each record that is durable.
#[derive(Debug, Default)]
pub(super) struct Money {
    pub(super) spent: AtomicI64,
    pub(super) reserved: AtomicI64,
    pub(super) doubted: AtomicI64,
}

impl Money {
    pub(super) fn hold(&self, reserved: Micros) {
        self.reserved.fetch_add(reserved.get(), Ordering::Relaxed);
    }

    /// Moves the sums as `records`, taken in `state`, say; `weighed` tells an amount in the currency of the sums.
    pub(super) fn take(&self, state: &JobState, records: &[Record], weighed: impl Fn(&Amount) -> Micros) {
        let (reserved, mut doubted) = match state {
            JobState::Submitting { reserved, .. } | JobState::Running { reserved, .. } => (Some(reserved), false),
            JobState::InDoubt { reserved, .. } => (Some(reserved), true),
            JobState::Untried | JobState::Done { .. } | JobState::Rejected { .. } | JobState::Failed { .. } => (None, false),
        };
        let held = reserved.map_or(0, |reserved| weighed(reserved).get());
        let figure = |charged: Micros| reserved.map_or(charged, |reserved| weighed(&Amount::new(reserved.currency.clone(), charged)));
        let place = |doubted: bool| if doubted { &self.doubted } else { &self.reserved };
        for record in records {
            match record {
                Record::Accepted { .. } | Record::InDoubt { .. } => {
                    let doubt = matches!(record, Record::InDoubt { .. });
                    place(doubted).fetch_sub(held, Ordering::Relaxed);
                    place(doubt).fetch_add(held, Ordering::Relaxed);
                    doubted = doubt;
                }
                Record::Done { charged, .. } => self.settle(place(doubted), held, weighed(charged)),
                Record::Failed { charged, .. } | Record::Settled { charged, .. } => self.settle(place(doubted), held, figure(*charged)),
                Record::Intent { .. } | Record::Made { .. } | Record::Judged { .. } => {}
            }
        }
    }

    fn settle(&self, place: &AtomicI64, held: i64, charged: Micros) {
        place.fetch_sub(held, Ordering::Relaxed);
        self.spent.fetch_add(charged.get(), Ordering::Relaxed);
    }
}
