//! What follows when the picture of a paid try arrives, or does not.
//!
//! In: a picture, or why there is none. Out: the turn. Never: a second purchase while what is paid for may still come whole.

use super::Desk;
use super::charge::rest;
use crate::engine::backoff::{FREE, LONGEST_TOLD};
use crate::engine::retries::{OnFetch, rule};
use crate::engine::turn::{Effect, Effort, Ending, Notice, Queue, Turn};
use crate::ledger::{Artifact, JobState, Record};
use crate::plan::Kept;
use crate::types::{Amount, AttemptNo, Billed, Failure, FailureClass, Micros};

impl Desk<'_> {
    pub(super) fn fetched(mut self, artifact: Artifact, charged: Option<Micros>) -> Turn {
        let (JobState::Submitting { attempt, reserved, .. }
        | JobState::Running { attempt, reserved, .. }
        | JobState::InDoubt { attempt, reserved, .. }) = self.state
        else {
            return self.look_again();
        };
        let attempt = *attempt;
        let amount = Amount::new(reserved.currency.clone(), charged.unwrap_or_else(|| self.quoted(reserved)));
        self.effort.troubles = 0;
        let record = Record::Done { attempt, artifact, charged: amount.clone(), settled: charged.is_some() };
        let then = match self.brief.checked {
            true => Effect::Judge { kept: Kept { of: Some(attempt), artifact }, charged: Some(amount) },
            false => Effect::Finish(Ending::Bought { artifact, attempt, charged: amount }),
        };
        self.record([record], [then])
    }

    pub(super) fn fetch_failed(mut self, failure: Failure, charged: Option<Micros>) -> Turn {
        let JobState::Running { attempt, reserved, since, .. } = self.state else { return self.look_again() };
        let (attempt, reserved) = (*attempt, reserved.clone());
        self.effort.fetches += 1;
        let then = rule(failure.class).fetch;
        if then == OnFetch::KeptAtOnce {
            return self.kept(attempt, failure);
        }
        if self.effort.fetches < self.brief.rules.fetches {
            let told = failure.retry_after.map(|told| told.min(LONGEST_TOLD));
            let delay = told.unwrap_or_else(|| self.backoff(FREE, self.effort.fetches));
            let notice = Notice::WillRetry { attempt, failure, delay };
            return self.turn([Effect::Tell(notice), Effect::Again { after: delay, queue: Queue::Fetch }]);
        }
        // What is paid for is not bought again while its picture may still come whole.
        let may_come = failure.class == FailureClass::BadResult && self.brief.terms.keeps.is_some_and(|keeps| self.now.since(*since) < keeps);
        match then {
            OnFetch::Lost if !may_come => self.paid_for_nothing(attempt, &reserved, failure, charged),
            OnFetch::Lost | OnFetch::Kept | OnFetch::KeptAtOnce => self.kept(attempt, failure),
        }
    }

    /// Leaves a finished picture to a later run, which fetches it for nothing.
    fn kept(self, attempt: AttemptNo, failure: Failure) -> Turn {
        self.turn([Effect::Tell(Notice::Kept { attempt, failure }), Effect::Finish(Ending::StillRunning)])
    }

    /// The provider delivered, so it charged, and we hold no whole picture.
    pub(super) fn paid_for_nothing(mut self, attempt: AttemptNo, reserved: &Amount, failure: Failure, charged: Option<Micros>) -> Turn {
        let known = match failure.billed {
            Billed::Yes(figure) => Some(figure),
            Billed::No | Billed::Maybe => charged,
        };
        let charged = known.unwrap_or_else(|| self.quoted(reserved));
        let failure = Failure { billed: known.map_or(Billed::Maybe, Billed::Yes), ..failure };
        let record = Record::Failed { attempt, failure: failure.clone(), charged, refunded: rest(reserved, charged) };
        self.effort = Effort { tries: self.effort.tries + 1, ..Effort::default() };
        if failure.class == FailureClass::Local {
            return self.record([record], [Effect::Finish(Ending::Failed { attempt: Some(attempt), failure })]);
        }
        self.once_more(record, attempt, failure)
    }
}
