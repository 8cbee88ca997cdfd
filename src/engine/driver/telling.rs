//! What those who watch are told, and the figures that go with it.
//!
//! In: news of those who run jobs, outcomes. Out: events, each with the run as it stands.
//! Never: the same slowing down told for every shot that it holds up; a decision.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use super::super::desk::News;
use super::super::machine::Notice;
use super::super::outcome::JobOutcome;
use super::Driver;
use crate::event::{Event, EventKind, Picture};
use crate::ledger::Artifact;
use crate::plan::JobIx;
use crate::types::{Clock as _, JobId, Micros, Operation};

/// Least time between two events about slowing down.
const LEAST_QUIET: Duration = Duration::from_secs(1);

impl Driver<'_> {
    pub(super) fn pass_on(&mut self, ix: JobIx, news: News) {
        let job = self.plan.id(ix);
        match news {
            News::Started => {
                if !std::mem::replace(&mut self.told[ix.index()], true) {
                    let paid = matches!(self.plan.job(ix).operation, Operation::Paid(_));
                    self.tell(EventKind::JobStarted { job, paid });
                }
            }
            News::Notice(Notice::Kept { attempt, failure }) => self.tell(EventKind::PictureKept { job, attempt, failure }),
            News::Notice(Notice::WillRetry { attempt, failure, delay }) => {
                self.spending.surprise();
                self.tell(EventKind::AttemptFailedWillRetry { job, attempt, failure, delay });
            }
            News::Notice(Notice::Rejected { attempt, reason }) => {
                self.spending.surprise();
                self.tell(EventKind::PictureRejected { job, attempt, reason });
            }
            News::Notice(Notice::Throttled { delay }) => self.tell_throttled(job, delay),
        }
    }

    /// Tells that the provider asks to slow down, once for all the shots that it holds up.
    fn tell_throttled(&mut self, job: JobId, delay: Duration) {
        let now = self.desk.clock.now();
        if self.slow_until.is_some_and(|until| now < until) {
            return;
        }
        self.slow_until = Some(now.after(delay.max(LEAST_QUIET)));
        self.tell(EventKind::Throttled { job, delay });
    }

    pub(super) fn announce(&mut self, ix: JobIx, outcome: &JobOutcome) {
        let job = self.plan.id(ix);
        let picture = |artifact: &Artifact| Picture { blob: artifact.blob, info: artifact.info };
        let kind = match outcome {
            JobOutcome::Bought { artifact, charged, .. } => {
                let is_unpriced = self.desk.request.prices.get(ix.index()).and_then(Option::as_ref).is_some_and(|price| price.unpriced);
                let known = Some(charged.clone()).filter(|charged| !is_unpriced || charged.micros > Micros::ZERO);
                EventKind::JobDone { job, picture: picture(artifact), charged: known }
            }
            JobOutcome::Made { artifact } | JobOutcome::Shared { artifact, .. } | JobOutcome::Reused { artifact } => {
                EventKind::JobDone { job, picture: picture(artifact), charged: None }
            }
            JobOutcome::Failed { attempt, failure } => EventKind::JobFailed { job, attempt: *attempt, failure: failure.clone() },
            JobOutcome::Rejected { attempt } => EventKind::JobRejected { job, attempt: *attempt },
            JobOutcome::Skipped { because } => EventKind::JobSkipped { job, because: self.plan.id(*because) },
            JobOutcome::InDoubt { failure } => EventKind::JobInDoubt { job, failure: failure.clone() },
            JobOutcome::Undone(_) | JobOutcome::Excluded => return,
        };
        self.tell(kind);
    }

    pub(super) fn count(&mut self, outcome: &JobOutcome) {
        let counter = match outcome {
            JobOutcome::Bought { .. } | JobOutcome::Made { .. } | JobOutcome::Shared { .. } => &mut self.stats.done,
            JobOutcome::Reused { .. } => &mut self.stats.reused,
            JobOutcome::Failed { .. } => &mut self.stats.failed,
            JobOutcome::Rejected { .. } => &mut self.stats.rejected,
            JobOutcome::Skipped { .. } => &mut self.stats.skipped,
            JobOutcome::InDoubt { .. } => &mut self.stats.in_doubt,
            JobOutcome::Undone(_) => &mut self.stats.undone,
            JobOutcome::Excluded => return,
        };
        *counter += 1;
    }

    pub(super) fn tell(&mut self, kind: EventKind) {
        self.refresh();
        let at = self.desk.clock.now();
        let event = Event { at, elapsed: at.since(self.started_at), stats: self.stats.clone(), kind };
        (self.events)(&event);
    }

    pub(super) fn refresh(&mut self) {
        let stats = &mut self.stats;
        let decided = stats.done + stats.reused + stats.failed + stats.rejected + stats.skipped + stats.in_doubt + stats.undone;
        stats.running = (self.places + self.paid_before + self.cores).min(stats.total.saturating_sub(decided));
        stats.waiting = stats.total.saturating_sub(decided + stats.running);
        let read = |sum: &AtomicI64| Micros::new(sum.load(Ordering::Relaxed));
        stats.spent = read(&self.desk.money.spent);
        stats.reserved = read(&self.desk.money.reserved);
        stats.doubted = read(&self.desk.money.doubted);
    }
}
