//! What happened in a run: the interface between the engine and everybody who watches.
//!
//! In: facts, after the ledger holds them. Out: [`Event`]s, each complete in itself, so that a reporter needs next to no memory.
//! Never: a fact before it is durable, a word for people, a decision.

pub mod wire;

use std::sync::Arc;
use std::time::Duration;

use crate::types::{Amount, AttemptNo, BlobRef, Currency, Failure, ImageInfo, JobId, Micros, RunId, Timestamp};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// How long after the start of the run.
    pub elapsed: Duration,
    /// The run as it stands after it.
    pub stats: RunStats,
    /// What.
    pub kind: EventKind,
}

/// Where a run stands. `total = done + reused + failed + skipped + in_doubt + undone + running + waiting`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunStats {
    /// Shots that the run is asked for, those that are there already included.
    pub total: usize,
    /// Bought or made in this run.
    pub done: usize,
    /// There already.
    pub reused: usize,
    /// Ended without a picture.
    pub failed: usize,
    /// Not tried, because something they need has no picture.
    pub skipped: usize,
    /// Nobody knows whether they were accepted.
    pub in_doubt: usize,
    /// Left for a later run.
    pub undone: usize,
    /// Under way.
    pub running: usize,
    /// Not started.
    pub waiting: usize,
    /// Of the shots that this run is to buy, those without a price: `spent`, `reserved` and `cap` say nothing of them.
    pub unpriced: usize,
    /// Charged in this run.
    pub spent: Micros,
    /// Held for tries under way, those of other runs under the same cap included.
    pub reserved: Micros,
    /// Held for tries whose outcome nobody knows, those of other runs under the same cap included.
    pub doubted: Micros,
    /// Charged under the same cap before this run.
    pub spent_before: Micros,
    /// The campaign's cap.
    pub cap: Option<Micros>,
    /// What the money is counted in; absent when nothing costs anything.
    pub currency: Option<Currency>,
}

impl RunStats {
    /// Returns how many shots need no more attention of this run.
    pub fn settled(&self) -> usize {
        self.total.saturating_sub(self.running + self.waiting)
    }
}

/// A picture as those who watch see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picture {
    /// Where its bytes are.
    pub blob: BlobRef,
    /// What it is.
    pub info: ImageInfo,
}

/// What happened. Messages inside failures are the provider's own words, unescaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// The run begins.
    RunStarted {
        /// Which run.
        run: RunId,
        /// Of which campaign.
        campaign: Arc<str>,
    },
    /// Work on a job begins.
    JobStarted {
        /// Which.
        job: JobId,
        /// Whether it costs something.
        paid: bool,
    },
    /// A job has its picture.
    JobDone {
        /// Which.
        job: JobId,
        /// The picture.
        picture: Picture,
        /// What it cost in this run; absent for local work, for the picture of another shot, and where nobody knows.
        charged: Option<Amount>,
    },
    /// A job ended without a picture.
    JobFailed {
        /// Which.
        job: JobId,
        /// The last try; absent for local work.
        attempt: Option<AttemptNo>,
        /// Why.
        failure: Failure,
    },
    /// A try ended without a picture, or an exchange broke; there will be another.
    AttemptFailedWillRetry {
        /// Which job.
        job: JobId,
        /// Which try.
        attempt: AttemptNo,
        /// Why.
        failure: Failure,
        /// When the next one is due at the earliest.
        delay: Duration,
    },
    /// A finished picture did not come; its task is kept, and a later run fetches it for nothing.
    PictureKept {
        /// Which job.
        job: JobId,
        /// Which try.
        attempt: AttemptNo,
        /// Why.
        failure: Failure,
    },
    /// A job is not tried.
    JobSkipped {
        /// Which.
        job: JobId,
        /// The job that has no picture for it: the first cause, not a skipped one.
        because: JobId,
    },
    /// Nobody knows whether a try was accepted: held, counted as spent.
    JobInDoubt {
        /// Which.
        job: JobId,
        /// What was seen.
        failure: Failure,
    },
    /// The provider asked us to slow down.
    Throttled {
        /// The job whose submit it was.
        job: JobId,
        /// For how long.
        delay: Duration,
    },
    /// A reservation does not fit under a cap: no more such submits.
    CapReached {
        /// Which cap.
        scope: String,
        /// Its limit.
        limit: Micros,
        /// What is spent, reserved and in doubt under it.
        committed: Micros,
    },
    /// Enough jobs have failed: no new submits, what is paid is finished.
    TooManyFailures {
        /// The limit.
        limit: usize,
    },
    /// Many rounds of requests in a row got no clear answer: no new submits, what is paid is finished.
    TooManyDoubts {
        /// How many.
        rounds: u32,
    },
    /// The account was refused: no new submits, what is paid is kept.
    AccountRefused {
        /// By what answer.
        failure: Failure,
    },
    /// The user asked to stop: no new submits, what is paid is finished.
    Cancelling,
    /// The run is over.
    RunFinished,
}
