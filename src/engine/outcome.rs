//! What became of each job of a run.
//!
//! In: the driver's decisions. Out: plain values for reports and exit codes.
//! Never: a word for people.

use crate::event::RunStats;
use crate::ledger::{Artifact, Scope};
use crate::plan::JobIx;
use crate::types::{Amount, AttemptNo, Failure, Micros};

/// What became of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobOutcome {
    /// Bought in this run.
    Bought {
        /// The picture.
        artifact: Artifact,
        /// Which try.
        attempt: AttemptNo,
        /// What it cost.
        charged: Amount,
    },
    /// Made here, for nothing.
    Made {
        /// The picture.
        artifact: Artifact,
    },
    /// There already.
    Reused {
        /// The picture.
        artifact: Artifact,
    },
    /// The same picture as another shot's, paid once, there.
    Shared {
        /// The other shot.
        of: JobIx,
        /// The picture.
        artifact: Artifact,
    },
    /// No picture, and no further try in this run.
    Failed {
        /// The last try; absent for local work.
        attempt: Option<AttemptNo>,
        /// Why.
        failure: Failure,
    },
    /// Not tried, because something it needs has no picture.
    Skipped {
        /// The first cause: a failed job or one in doubt.
        because: JobIx,
    },
    /// Nobody knows whether it was accepted.
    InDoubt {
        /// What was seen.
        failure: Failure,
    },
    /// Left for a later run.
    Undone(Undone),
    /// Left out by the selection.
    Excluded,
}

impl JobOutcome {
    /// Returns the picture, if there is one.
    pub fn artifact(&self) -> Option<&Artifact> {
        match self {
            Self::Bought { artifact, .. } | Self::Made { artifact } | Self::Reused { artifact } | Self::Shared { artifact, .. } => Some(artifact),
            Self::Failed { .. } | Self::Skipped { .. } | Self::InDoubt { .. } | Self::Undone(_) | Self::Excluded => None,
        }
    }
}

/// Why a job was left for a later run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undone {
    /// Its reservation does not fit under a cap.
    OverCap,
    /// The run took no new submits: see [`RunOutcome::stopped`].
    Stopped,
    /// Paid for, and its task is known: a later run fetches it for nothing.
    StillRunning,
}

/// Why a run took no new submits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    /// A reservation did not fit.
    OverCap {
        /// Which cap.
        scope: Scope,
        /// Its limit.
        limit: Micros,
        /// What was spent, reserved and in doubt under it.
        committed: Micros,
    },
    /// So many jobs failed.
    Failures(usize),
    /// So many rounds of requests in a row got no clear answer.
    Doubts(u32),
    /// Bad key or no credits.
    Account(Failure),
    /// The user asked for it.
    Cancelled,
}

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOutcome {
    /// One outcome for each job, in the plan's order.
    pub jobs: Vec<JobOutcome>,
    /// Why it took no new submits, if so.
    pub stopped: Option<StopReason>,
    /// Jobs left undone, in the order in which they would have been started.
    pub left: Vec<JobIx>,
    /// The run in figures.
    pub stats: RunStats,
}
