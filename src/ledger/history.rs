//! What the ledger knows, as values for the planner and the reports.

use std::collections::HashMap;

use super::record::{Artifact, AttemptCard};
use super::state::JobState;
use crate::types::{Amount, AttemptNo, BlobRef, Finding, JobId, JobKey, Micros, RunId, TaskId, Timestamp};

/// What is known about the jobs of one plan. A pure value: a fold of the records.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// States by key; a key that is missing was never tried.
    pub jobs: HashMap<JobKey, KnownJob>,
    /// The key that each address of the campaign had when it was last run.
    pub addresses: HashMap<JobId, JobKey>,
    /// Pictures of jobs that were looked at, by key, in the order of their tries; most jobs have none.
    pub judged: HashMap<JobKey, Vec<Judgement>>,
}

/// What is known of one picture that was looked at: the latest word about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The try that brought it; absent for local work.
    pub of: Option<AttemptNo>,
    /// The picture.
    pub artifact: Artifact,
    /// Whether it was taken for good.
    pub accepted: bool,
    /// What was measured.
    pub findings: Vec<Finding>,
}

/// One known job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownJob {
    /// Where it stands.
    pub state: JobState,
}

impl History {
    /// Returns where the job stands; `Untried` when nothing is known.
    pub fn state(&self, key: &JobKey) -> &JobState {
        static UNTRIED: JobState = JobState::Untried;
        self.jobs.get(key).map_or(&UNTRIED, |known| &known.state)
    }

    /// Returns what is known of the pictures of a job that were looked at, in the order of their tries.
    pub fn judged(&self, key: &JobKey) -> &[Judgement] {
        self.judged.get(key).map_or(&[], Vec::as_slice)
    }

    /// Returns the picture of a finished job.
    pub fn artifact(&self, key: &JobKey) -> Option<&Artifact> {
        match self.state(key) {
            JobState::Done { artifact, .. } => Some(artifact),
            _ => None,
        }
    }
}

/// A picture that the ledger names: what it must never lose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptPicture {
    /// Where its bytes are, and how many.
    pub blob: BlobRef,
    /// The shots that show it now; none when something else stands in its place, or its campaign has moved on.
    pub shots: Vec<Showing>,
}

/// A shot of a campaign, as it was called when it was last run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Showing {
    /// The campaign.
    pub campaign: String,
    /// Address of the shot.
    pub job: JobId,
}

/// How a paid try ended, for reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttemptStatus {
    /// The intent is written, no answer yet.
    Submitting,
    /// Accepted, no picture yet.
    Running,
    /// A picture.
    Done,
    /// No picture.
    Failed,
    /// Nobody knows.
    InDoubt,
}

impl AttemptStatus {
    /// Returns the word for reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Submitting => "submitting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::InDoubt => "in-doubt",
        }
    }
}

/// One paid try, folded from its records: a row of `costs.csv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRow {
    /// The run that wrote the intent.
    pub run: RunId,
    /// The job's identity.
    pub key: JobKey,
    /// Who and what.
    pub card: AttemptCard,
    /// Which try.
    pub attempt: AttemptNo,
    /// How it ended.
    pub status: AttemptStatus,
    /// Class and code of the failure: `refused/moderation_blocked`.
    pub error_code: Option<String>,
    /// What the plan said.
    pub quoted: Amount,
    /// What was charged for good; `None` while nobody knows, and for a failure that was counted at nothing because it had no price.
    pub charged: Option<Micros>,
    /// What was held and given back after a failure.
    pub refunded: Micros,
    /// When the intent was written.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The provider's name for it.
    pub task: Option<TaskId>,
    /// The picture.
    pub artifact: Option<Artifact>,
}

impl AttemptRow {
    /// Returns what the plan said, if the book had a price.
    pub fn known_quote(&self) -> Option<Micros> {
        (!self.card.unpriced).then_some(self.quoted.micros)
    }

    /// Returns what was charged for good, as far as anybody knows: a try without a price costs what the provider says, or nobody knows what. A
    /// failed one costs nothing only if the provider, or its charge policy, says so.
    pub fn known_charge(&self) -> Option<Micros> {
        match self.status {
            AttemptStatus::Done => self.charged.filter(|charged| !self.card.unpriced || *charged > Micros::ZERO),
            AttemptStatus::Failed if !self.card.unpriced => self.charged.or(Some(Micros::ZERO)),
            AttemptStatus::Failed | AttemptStatus::Submitting | AttemptStatus::Running | AttemptStatus::InDoubt => self.charged,
        }
    }
}
