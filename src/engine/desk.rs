//! What all jobs of a run share: ports, lanes, caps, the gate, and the news that go to the driver.
//!
//! In: a run's request, what became of submits. Out: whether jobs may go on, what bounds them.
//! Never: a decision about one job; that is the machine's.

use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use tokio::sync::{mpsc, watch};

use super::backoff::RetryBudget;
use super::judging::Accepted;
use super::keys::SentKeys;
use super::lanes::{Lane, Lanes};
use super::latency::Latencies;
use super::machine::{JobEvent, Notice};
use super::money::Money;
use super::outcome::StopReason;
use super::steady::SteadyClock;
use super::{Ports, RunRequest};
use crate::imaging::Limits;
use crate::ledger::{Cap, Scope};
use crate::plan::JobIx;
use crate::types::{Amount, Clock as _, Failure, FailureClass, Micros, Timestamp};

/// Whether jobs may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gate {
    /// All may.
    Open,
    /// No new submits; what is paid is finished.
    Closed,
    /// Something of ours is broken: finish the present exchange, then leave.
    Halted,
}

/// What those who run jobs tell the driver.
#[derive(Debug)]
pub(super) enum News {
    /// Work on it has begun.
    Started,
    /// What the machine wants known.
    Notice(Notice),
}

/// What all jobs of a run share.
pub(super) struct Desk {
    pub(super) request: RunRequest,
    pub(super) ports: Ports,
    /// What all waits of the run are reckoned by.
    pub(super) clock: SteadyClock,
    pub(super) lanes: Lanes,
    pub(super) latencies: Mutex<Latencies>,
    pub(super) limits: Limits,
    pub(super) gate: watch::Sender<Gate>,
    pub(super) stopped: Mutex<Option<StopReason>>,
    /// Whether the caps do not pay for all that is left.
    pub(super) is_short: AtomicBool,
    pub(super) budget: Mutex<RetryBudget>,
    pub(super) money: Money,
    /// When requests of earlier runs went out that may be repeated.
    pub(super) sent_keys: SentKeys,
    /// Pictures that were taken for good, for those that must not be their like.
    pub(super) accepted: Accepted,
    pub(super) news: mpsc::UnboundedSender<(JobIx, News)>,
}

impl Desk {
    pub(super) fn tell(&self, ix: JobIx, news: News) {
        // The driver is gone only when the run was left; nobody is there to be told then.
        let _ = self.news.send((ix, news));
    }

    /// Returns the lane of the provider that makes a job's picture.
    pub(super) fn lane(&self, ix: JobIx) -> &Lane {
        self.lanes.of(&self.request, ix)
    }

    /// Returns an amount in the currency of the run's sums.
    pub(super) fn weighed(&self, amount: &Amount) -> Micros {
        self.request.further.weighed(amount)
    }

    /// Returns a figure of a cap in the currency of the run's sums: what one provider is paid is capped in its own.
    pub(super) fn in_sums(&self, scope: &Scope, micros: Micros) -> Micros {
        let cap = self.request.further.caps.values().find(|cap| cap.scope == *scope).and_then(|cap| cap.limit.as_ref());
        cap.map_or(micros, |limit| self.weighed(&Amount::new(limit.currency.clone(), micros)))
    }

    /// Takes what became of a submit into the pace of all that go the same way.
    pub(super) fn heed(&self, ix: JobIx, sent: Timestamp, event: &JobEvent) {
        let now = self.clock.now();
        let lane = self.lane(ix);
        match event {
            JobEvent::Accepted(_) | JobEvent::Fetched { .. } | JobEvent::DeliveryBroke { .. } => {
                self.budget.lock().unwrap_or_else(PoisonError::into_inner).succeed();
                lane.pace().accepted(sent, now);
            }
            JobEvent::SubmitFailed(failure) if failure.class == FailureClass::Throttled => {
                lane.pace().throttled(sent, now, failure.retry_after);
            }
            JobEvent::SubmitFailed(failure) if failure.class == FailureClass::Ambiguous => {
                let (hold, hopeless) = {
                    let mut pace = lane.pace();
                    (pace.unclear(sent, now), pace.hopeless())
                };
                hold.into_iter().for_each(|until| lane.hold_submits(until));
                hopeless.into_iter().for_each(|rounds| self.leave_alone(ix, rounds));
            }
            _ => {}
        }
    }

    /// Lets no job submit any more; the first reason stands.
    pub(super) fn stop(&self, reason: StopReason) {
        self.note_stop(reason);
        self.raise(Gate::Closed);
    }

    /// Closes the gate, or has all work end.
    pub(super) fn raise(&self, to: Gate) {
        self.gate.send_if_modified(|gate| {
            let rises = *gate < to;
            *gate = (*gate).max(to);
            rises
        });
        self.lanes.raise_all(to);
    }

    /// Lets no job submit to a provider that has refused the account; those of other providers go on.
    pub(super) fn refuse(&self, ix: JobIx, failure: Failure) {
        let place = self.lanes.place(&self.request, ix);
        let Some(provider) = self.lanes.at(place).provider.clone() else { return self.stop(StopReason::Account(failure)) };
        let named = Failure { message: format!("{provider}: {}", failure.message), ..failure.clone() };
        self.note_stop(StopReason::Account(named));
        self.lanes.refuse(place, &failure);
        self.close(place);
    }

    /// Lets no job submit to a provider that gives no clear answers; those of other providers go on.
    fn leave_alone(&self, ix: JobIx, rounds: u32) {
        let place = self.lanes.place(&self.request, ix);
        self.note_stop(StopReason::Doubts(rounds));
        self.close(place);
    }

    /// Closes one provider's lane, and the whole run with the last of them.
    fn close(&self, place: usize) {
        if !self.lanes.close(place) {
            self.raise(Gate::Closed);
        }
    }

    /// Keeps the first reason.
    pub(super) fn note_stop(&self, reason: StopReason) {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reason);
    }

    pub(super) fn gate(&self) -> Gate {
        *self.gate.borrow()
    }

    pub(super) fn reserved(&self, ix: JobIx) -> Micros {
        self.request.prices.get(ix.index()).and_then(Option::as_ref).map_or(Micros::ZERO, |price| self.weighed(&price.reserved))
    }

    pub(super) fn quoted(&self, ix: JobIx) -> Option<Micros> {
        self.request.prices.get(ix.index()).and_then(Option::as_ref).map(|price| self.weighed(&price.quoted))
    }

    pub(super) fn caps(&self, ix: JobIx) -> Vec<Cap> {
        let step = self.request.plan.job(ix).step as usize;
        let own = self.request.step_caps.get(step).and_then(Option::as_ref);
        let at_provider = self.request.maker(ix).and_then(|maker| self.request.further.caps.get(maker));
        self.request.caps.iter().chain(own).chain(at_provider).cloned().collect()
    }
}
