//! The one transition table: what a record does to a job's state.
//!
//! Live writes and recovery both go through [`JobState::next`], so they cannot drift apart.
//! Anything the table does not name is an [`IllegalTransition`] and is refused before it is written.

use serde::{Deserialize, Serialize};

use super::record::{Artifact, Record};
use crate::types::{Amount, AttemptNo, Billed, Failure, TaskId, Timestamp};

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
    /// The last picture was turned down and no other is in use: whoever needs one waits.
    Rejected {
        /// The last try; absent for local work.
        attempt: Option<AttemptNo>,
        /// The picture that was turned down last.
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
            Self::Rejected { .. } => "rejected",
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
            Self::Done { attempt, .. } | Self::Rejected { attempt, .. } => attempt.unwrap_or(AttemptNo(0)),
        }
    }

    /// Returns the state after `record`, taken at `at`.
    ///
    /// A late answer is still taken: `Accepted`, `Done` and `Failed` of the same try end doubt. `Settled` ends doubt too, and says once what
    /// a failure really cost that was counted as charged for want of a better word.
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
            (Self::InDoubt { failure, .. }, Record::Settled { attempt, charged, .. }) if same_try => {
                Ok(Self::Failed { attempt: *attempt, failure: Failure { billed: Billed::Yes(*charged), ..failure.clone() } })
            }
            // A failure that was counted as charged because nobody knew better, once: its evidence comes later.
            (Self::Failed { failure, .. }, Record::Settled { attempt, charged, .. }) if same_try && failure.billed == Billed::Maybe => {
                Ok(Self::Failed { attempt: *attempt, failure: Failure { billed: Billed::Yes(*charged), ..failure.clone() } })
            }
            (Self::Untried | Self::Done { attempt: None, .. } | Self::Rejected { attempt: None, .. }, Record::Made { artifact, .. }) => {
                Ok(Self::Done { attempt: None, artifact: *artifact })
            }
            // Only the picture in use is judged in place; one that was kept from an earlier try is taken when nothing better is there.
            (Self::Done { attempt, artifact }, Record::Judged { artifact: judged, accepted, .. }) if judged == artifact => {
                let (attempt, artifact) = (*attempt, *artifact);
                Ok(if *accepted { Self::Done { attempt, artifact } } else { Self::Rejected { attempt, artifact } })
            }
            (Self::Rejected { attempt, .. }, Record::Judged { artifact, accepted: true, .. }) => {
                Ok(Self::Done { attempt: *attempt, artifact: *artifact })
            }
            (Self::Rejected { .. }, Record::Judged { accepted: false, .. }) => Ok(self.clone()),
            // A reroll failed, and a picture that was kept from before is looked at again: what the failure cost stays as it was counted.
            (Self::Failed { attempt, .. }, Record::Judged { artifact, accepted: true, .. }) => {
                Ok(Self::Done { attempt: Some(*attempt), artifact: *artifact })
            }
            (Self::Failed { .. }, Record::Judged { accepted: false, .. }) => Ok(self.clone()),
            // The picture was lost from the store (or the ledger copied without it), or turned down: buying again is a new try.
            (Self::Done { attempt: Some(_), .. } | Self::Rejected { attempt: Some(_), .. }, Record::Intent { attempt, reserved, deadline, .. })
                if attempt.0 == last.0 + 1 =>
            {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{BlobRef, Currency, Digest, FailureClass, IdempotencyKey, ImageFormat, ImageInfo, JobId, Micros, PixelSize, TaskId};

    fn artifact() -> Artifact {
        let info = ImageInfo { format: ImageFormat::Png, size: PixelSize::new(4, 5), alpha: false };
        Artifact { blob: BlobRef { digest: Digest::of(b"teapot"), len: 6 }, info }
    }

    /// A picture of an earlier try.
    fn earlier() -> Artifact {
        Artifact { blob: BlobRef { digest: Digest::of(b"earlier"), len: 7 }, ..artifact() }
    }

    fn judged(artifact: Artifact, accepted: bool) -> Record {
        Record::Judged { job: JobId::new("sheet"), of: Some(AttemptNo(1)), artifact, accepted, findings: Vec::new() }
    }

    fn failure() -> Failure {
        Failure::new(FailureClass::Failed, "500", "broken")
    }

    /// Every kind of record, about the try `attempt`.
    fn records(attempt: u32) -> Vec<Record> {
        let attempt = AttemptNo(attempt);
        let price = Amount::new(Currency::Usd, Micros::units(1));
        let card = super::super::AttemptCard {
            campaign: "spring".into(),
            job: JobId::new("hero"),
            step: "hero".into(),
            axes: Vec::new(),
            take: None,
            provider: "kie".into(),
            model: "gpt-image-2".into(),
            operation: "generate".into(),
            aspect: None,
            resolution: None,
            quality: None,
            unpriced: false,
            batch: false,
        };
        let deadline = Timestamp::from_millis(60_000);
        let (quoted, reserved, charged) = (price.clone(), price.clone(), price.clone());
        vec![
            Record::Intent { card, attempt, idempotency_key: IdempotencyKey::new("k"), quoted, reserved, deadline },
            Record::Accepted { attempt, task: TaskId::new("t") },
            Record::Done { attempt, artifact: artifact(), charged, settled: true },
            Record::Failed { attempt, failure: failure(), charged: Micros::ZERO, refunded: price.micros },
            Record::InDoubt { attempt, failure: failure() },
            Record::Settled { attempt, charged: price.micros, refunded: Micros::ZERO, evidence: "balance".into() },
            Record::Made { job: JobId::new("sheet"), artifact: artifact() },
            judged(artifact(), true),
            judged(artifact(), false),
            judged(earlier(), true),
            judged(earlier(), false),
        ]
    }

    /// Every state a job can be in, its last try being 1.
    fn states() -> Vec<JobState> {
        let (attempt, reserved) = (AttemptNo(1), Amount::new(Currency::Usd, Micros::units(1)));
        let at = Timestamp::from_millis(0);
        vec![
            JobState::Untried,
            JobState::Submitting { attempt, reserved: reserved.clone(), deadline: at },
            JobState::Running { attempt, reserved: reserved.clone(), task: TaskId::new("t"), since: at },
            JobState::Done { attempt: Some(attempt), artifact: artifact() },
            JobState::Done { attempt: None, artifact: artifact() },
            JobState::Rejected { attempt: Some(attempt), artifact: artifact() },
            JobState::Rejected { attempt: None, artifact: artifact() },
            JobState::Failed { attempt, failure: failure() },
            JobState::Failed { attempt, failure: Failure { billed: Billed::Maybe, ..failure() } },
            JobState::InDoubt { attempt, reserved, failure: failure() },
        ]
    }

    fn describe(state: &JobState) -> String {
        match state {
            JobState::Untried => "untried".to_owned(),
            JobState::Done { attempt: None, .. } => "made".to_owned(),
            JobState::Done { attempt: Some(attempt), artifact } if *artifact == earlier() => format!("done {attempt} with the earlier picture"),
            JobState::Rejected { attempt: None, .. } => "made and rejected".to_owned(),
            JobState::Failed { attempt, failure } if failure.billed == Billed::Maybe => format!("failed {attempt}, price open"),
            other => format!("{} {}", other.name(), other.last_attempt()),
        }
    }

    #[test]
    fn every_record_on_every_state() {
        let mut table = String::new();
        for state in states() {
            table.push_str(&format!("{}\n", describe(&state)));
            for attempt in 0..=3 {
                for record in records(attempt) {
                    // Local work has no try, so it is told once.
                    if record.attempt().is_none() && attempt > 0 {
                        continue;
                    }
                    if let Ok(next) = state.next(&record, Timestamp::from_millis(5)) {
                        let of = record.attempt().map_or_else(String::new, |attempt| format!(" {attempt}"));
                        let of = match &record {
                            Record::Judged { artifact, accepted, .. } => {
                                let which = if *artifact == earlier() { "earlier " } else { "" };
                                format!(" {which}{}", if *accepted { "good" } else { "bad" })
                            }
                            _ => of,
                        };
                        table.push_str(&format!("    {:<19} -> {}\n", format!("{}{of}", record.name()), describe(&next)));
                    }
                }
            }
        }
        // Whatever is not in the table is refused.
        insta::assert_snapshot!(table, @"
        untried
            made                -> made
            intent 1            -> submitting 1
        submitting 1
            accepted 1          -> running 1
            done 1              -> done 1
            failed 1            -> failed 1
            in-doubt 1          -> in doubt 1
        running 1
            done 1              -> done 1
            failed 1            -> failed 1
            in-doubt 1          -> in doubt 1
        done 1
            judged good         -> done 1
            judged bad          -> rejected 1
            intent 2            -> submitting 2
        made
            made                -> made
            judged good         -> made
            judged bad          -> made and rejected
        rejected 1
            judged good         -> done 1
            judged bad          -> rejected 1
            judged earlier good -> done 1 with the earlier picture
            judged earlier bad  -> rejected 1
            intent 2            -> submitting 2
        made and rejected
            made                -> made
            judged good         -> made
            judged bad          -> made and rejected
            judged earlier good -> made
            judged earlier bad  -> made and rejected
        failed 1
            judged good         -> done 1
            judged bad          -> failed 1
            judged earlier good -> done 1 with the earlier picture
            judged earlier bad  -> failed 1
            intent 2            -> submitting 2
        failed 1, price open
            judged good         -> done 1
            judged bad          -> failed 1, price open
            judged earlier good -> done 1 with the earlier picture
            judged earlier bad  -> failed 1, price open
            settled 1           -> failed 1
            intent 2            -> submitting 2
        in doubt 1
            accepted 1          -> running 1
            done 1              -> done 1
            failed 1            -> failed 1
            settled 1           -> failed 1
        ");
    }

    #[test]
    fn a_refused_record_is_named() {
        let running = &states()[2];
        let refused = running.next(&records(2)[2], Timestamp::from_millis(5)).expect_err("another try");
        insta::assert_snapshot!(refused, @"a job that is running cannot take the record `done` of attempt 2");
    }

    #[test]
    fn what_is_held_follows_the_try_from_state_to_state() {
        let at = Timestamp::from_millis(5);
        let mut state = JobState::Untried;
        for record in [&records(1)[0], &records(1)[4], &records(1)[1]] {
            state = state.next(record, at).expect("a late acceptance after doubt");
        }
        let reserved = Amount::new(Currency::Usd, Micros::units(1));
        assert_eq!(state, JobState::Running { attempt: AttemptNo(1), reserved, task: TaskId::new("t"), since: at });
    }
}
