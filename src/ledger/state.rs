//! The one transition table: what a record does to a job's state.
//!
//! Live writes and recovery both go through [`JobState::next`], so they cannot drift apart.
//! Anything the table does not name is an [`IllegalTransition`] and is refused before it is written.

use serde::{Deserialize, Serialize};

use super::record::{Artifact, Record};
use crate::types::{Amount, AttemptNo, Failure, TaskId, Timestamp};

/// Where a job stands, by its key.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobState {
    /// Nothing was ever sent.
    #[default]
    Untried,
    /// An intent is durable; its answer is not. Past the deadline this is doubt.
    Submitting {
        /// Which try.
        attempt: AttemptNo,
        /// What is held.
        reserved: Amount,
        /// Nobody judges it before this moment.
        deadline: Timestamp,
    },
    /// Accepted and paid for; polling and fetching are free.
    Running {
        /// Which try.
        attempt: AttemptNo,
        /// What is held.
        reserved: Amount,
        /// The provider's name for it.
        task: TaskId,
        /// When it was accepted.
        since: Timestamp,
    },
    /// The picture is there.
    Done {
        /// Which try; absent for local work.
        attempt: Option<AttemptNo>,
        /// The picture.
        artifact: Artifact,
    },
    /// The last try ended without a picture.
    Failed {
        /// Which try.
        attempt: AttemptNo,
        /// Why.
        failure: Failure,
    },
    /// The outcome of the last try is unknown.
    InDoubt {
        /// Which try.
        attempt: AttemptNo,
        /// What is held until it is settled.
        reserved: Amount,
        /// What was seen.
        failure: Failure,
    },
}

/// A record that the state does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a job that is {state} cannot take the record `{record}`{}", of_attempt(*attempt))]
pub struct IllegalTransition {
    /// The state's name.
    pub state: &'static str,
    /// The record's name.
    pub record: &'static str,
    /// The record's try.
    pub attempt: Option<AttemptNo>,
}

impl JobState {
    /// Returns the state's name for messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Untried => "untried",
            Self::Submitting { .. } => "submitting",
            Self::Running { .. } => "running",
            Self::Done { .. } => "done",
            Self::Failed { .. } => "failed",
            Self::InDoubt { .. } => "in doubt",
        }
    }

    /// Returns the number of the last paid try; 0 when there was none.
    pub fn last_attempt(&self) -> AttemptNo {
        match self {
            Self::Untried => AttemptNo(0),
            Self::Submitting { attempt, .. } | Self::Running { attempt, .. } | Self::Failed { attempt, .. } | Self::InDoubt { attempt, .. } => {
                *attempt
            }
            Self::Done { attempt, .. } => attempt.unwrap_or(AttemptNo(0)),
        }
    }

    /// Returns the state after `record`, taken at `at`.
    ///
    /// A late answer is still taken: `Accepted`, `Done` and `Failed` of the same try end doubt.
    ///
    /// # Errors
    /// [`IllegalTransition`] for everything else, including records of another try than the last.
    pub fn next(&self, record: &Record, at: Timestamp) -> Result<Self, IllegalTransition> {
        let last = self.last_attempt();
        let same_try = record.attempt() == Some(last);
        match (self, record) {
            (Self::Untried | Self::Failed { .. }, Record::Intent { attempt, reserved, deadline, .. }) if attempt.0 == last.0 + 1 => {
                Ok(Self::Submitting { attempt: *attempt, reserved: reserved.clone(), deadline: *deadline })
            }
            (Self::Submitting { reserved, .. } | Self::InDoubt { reserved, .. }, Record::Accepted { attempt, task }) if same_try => {
                Ok(Self::Running { attempt: *attempt, reserved: reserved.clone(), task: task.clone(), since: at })
            }
            (Self::Submitting { .. } | Self::Running { .. } | Self::InDoubt { .. }, Record::Done { attempt, artifact, .. }) if same_try => {
                Ok(Self::Done { attempt: Some(*attempt), artifact: *artifact })
            }
            (Self::Submitting { .. } | Self::Running { .. } | Self::InDoubt { .. }, Record::Failed { attempt, failure, .. }) if same_try => {
                Ok(Self::Failed { attempt: *attempt, failure: failure.clone() })
            }
            (Self::Submitting { reserved, .. } | Self::Running { reserved, .. }, Record::InDoubt { attempt, failure }) if same_try => {
                Ok(Self::InDoubt { attempt: *attempt, reserved: reserved.clone(), failure: failure.clone() })
            }
            (Self::InDoubt { failure, .. }, Record::Settled { attempt, .. }) if same_try => {
                Ok(Self::Failed { attempt: *attempt, failure: failure.clone() })
            }
            (Self::Untried | Self::Done { attempt: None, .. }, Record::Made { artifact, .. }) => {
                Ok(Self::Done { attempt: None, artifact: *artifact })
            }
            // The picture was lost from the store (or the ledger copied without it): buying again is a new try.
            (Self::Done { attempt: Some(_), .. }, Record::Intent { attempt, reserved, deadline, .. }) if attempt.0 == last.0 + 1 => {
                Ok(Self::Submitting { attempt: *attempt, reserved: reserved.clone(), deadline: *deadline })
            }
            _ => Err(self.refuses(record)),
        }
    }

    /// Returns the error that says this state does not take `record`.
    pub(super) fn refuses(&self, record: &Record) -> IllegalTransition {
        IllegalTransition { state: self.name(), record: record.name(), attempt: record.attempt() }
    }
}

fn of_attempt(attempt: Option<AttemptNo>) -> String {
    attempt.map_or_else(String::new, |attempt| format!(" of attempt {attempt}"))
}
