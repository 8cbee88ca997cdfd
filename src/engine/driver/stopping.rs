//! When a run takes no new submits: too many failures, requests that nobody answers, an account that is refused.
//!
//! In: outcomes as they come. Out: the gate is shut, and it is told why, once.
//! Never: an end to what is paid for.

use super::super::outcome::{JobOutcome, StopReason};
use super::{Driver, Gate};
use crate::event::EventKind;
use crate::plan::JobIx;

impl Driver<'_> {
    pub(super) fn fail(&mut self, ix: JobIx, outcome: JobOutcome) {
        self.settle(ix, outcome);
        let Some(limit) = self.desk.request.stop_after_failures else { return };
        if self.stats.failed >= limit && self.desk.gate() == Gate::Open {
            self.desk.stop(StopReason::Failures(limit));
            self.tell(EventKind::TooManyFailures { limit });
        }
    }

    /// Tells once why nothing more is sent, whichever exchange found out.
    pub(super) fn tell_stop(&mut self) {
        if self.stop_told || self.desk.gate() == Gate::Open {
            return;
        }
        let kind = match self.stopped() {
            Some(StopReason::Account(failure)) => EventKind::AccountRefused { failure },
            Some(StopReason::Doubts(rounds)) => EventKind::TooManyDoubts { rounds },
            _ => return,
        };
        self.stop_told = true;
        self.tell(kind);
    }
}
