//! What the ledger keeps: facts, in order, never changed.
//!
//! The wire form is JSON, one record a row, version [`RECORD_VERSION`]. Unknown fields are ignored when reading;
//! a new field needs a default. An old writer never rewrites a record, so it cannot drop what it does not know.

use serde::{Deserialize, Serialize};

use crate::types::{Amount, AttemptNo, BlobRef, Currency, Failure, Finding, IdempotencyKey, ImageInfo, JobId, Micros, TaskId, Timestamp};

/// Version written into the ledger's header.
pub const RECORD_VERSION: u32 = 1;

/// Describes one paid try for people and reports; recorded with the intent, so that a report never needs the old plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptCard {
    /// Campaign that pays.
    pub campaign: String,
    /// Address of the shot.
    pub job: JobId,
    /// Step of the shot.
    pub step: String,
    /// Axis names and value keys, in the step's order.
    pub axes: Vec<(String, String)>,
    /// Which of the author's equal tries, from 1; absent when the step has no takes.
    pub take: Option<u32>,
    /// Who is paid.
    pub provider: String,
    /// Which model.
    pub model: String,
    /// Which operation, as in [`crate::types::Action::as_str`].
    pub operation: String,
    /// Shape asked for.
    pub aspect: Option<String>,
    /// Size class asked for.
    pub resolution: Option<String>,
    /// Quality asked for.
    pub quality: Option<String>,
    /// Whether the book had no price for it and the user let it pass: what is quoted and reserved for it stands for nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unpriced: bool,
}

/// An image that came out of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Where its bytes are.
    pub blob: BlobRef,
    /// What it is.
    pub info: ImageInfo,
}

/// One fact about one job (or its end).
// An intent is the largest by far, and every third record is one: a box would cost more than it saves.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// We are about to ask; durable before the first byte leaves.
    Intent {
        /// Who and what, for reports.
        card: AttemptCard,
        /// Fences every later record about this try.
        attempt: AttemptNo,
        /// Sent along, where the provider honours it.
        idempotency_key: IdempotencyKey,
        /// What the plan said it costs.
        quoted: Amount,
        /// What is held back from the caps: the highest price that the book allows.
        reserved: Amount,
        /// Nobody judges this intent before this moment.
        deadline: Timestamp,
    },
    /// The provider took it; from here on the picture can be fetched for nothing.
    Accepted {
        /// Which try.
        attempt: AttemptNo,
        /// The provider's name for it.
        task: TaskId,
    },
    /// A whole image stands in the store.
    Done {
        /// Which try.
        attempt: AttemptNo,
        /// The image.
        artifact: Artifact,
        /// What it cost: the provider's own figure, else the quote.
        charged: Amount,
        /// Whether `charged` is the provider's own figure.
        settled: bool,
    },
    /// The try ended without an image.
    Failed {
        /// Which try.
        attempt: AttemptNo,
        /// Why, and what it cost.
        failure: Failure,
        /// What stays charged.
        charged: Micros,
        /// What was held and is given back.
        refunded: Micros,
    },
    /// Nobody knows whether it was accepted: counts as spent, never resent blindly.
    InDoubt {
        /// Which try.
        attempt: AttemptNo,
        /// What was seen.
        failure: Failure,
    },
    /// Doubt was settled by evidence or by the user's word; or the price of a failure that was counted as charged.
    Settled {
        /// Which try.
        attempt: AttemptNo,
        /// Whether it was charged.
        charged: Micros,
        /// What was released.
        refunded: Micros,
        /// By what evidence, for the report.
        evidence: String,
    },
    /// A local job made its picture; free.
    Made {
        /// Address of the shot.
        job: JobId,
        /// The image.
        artifact: Artifact,
    },
    /// A picture of the job was looked at: taken for good, or turned down by a check. Moves no money.
    Judged {
        /// Address of the shot.
        job: JobId,
        /// The try that brought it; absent for local work. Not always the last one: a threshold may have changed.
        of: Option<AttemptNo>,
        /// The picture.
        artifact: Artifact,
        /// Whether it may be used.
        accepted: bool,
        /// What the checks have measured.
        findings: Vec<Finding>,
    },
}

impl Record {
    /// Returns the record's name, as in its wire form.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Intent { .. } => "intent",
            Self::Accepted { .. } => "accepted",
            Self::Done { .. } => "done",
            Self::Failed { .. } => "failed",
            Self::InDoubt { .. } => "in-doubt",
            Self::Settled { .. } => "settled",
            Self::Made { .. } => "made",
            Self::Judged { .. } => "judged",
        }
    }

    /// Returns which try the record moves; local work has none, and a judgement moves none.
    pub fn attempt(&self) -> Option<AttemptNo> {
        match self {
            Self::Intent { attempt, .. }
            | Self::Accepted { attempt, .. }
            | Self::Done { attempt, .. }
            | Self::Failed { attempt, .. }
            | Self::InDoubt { attempt, .. }
            | Self::Settled { attempt, .. } => Some(*attempt),
            Self::Made { .. } | Self::Judged { .. } => None,
        }
    }
}

/// A record with its place in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Position, from 1, without gaps a reader could rely on.
    pub seq: u64,
    /// When the ledger took it, by the ledger's clock.
    pub at: Timestamp,
    /// The run that wrote it.
    pub run: crate::types::RunId,
    /// The job it is about.
    pub key: crate::types::JobKey,
    /// The fact.
    pub record: Record,
    /// Present with an intent only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<Terms>,
}

/// Under what an intent was granted: whose places and windows it takes, and which scopes its money is counted under.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Provider and key name, as in [`AccountLimits`](super::AccountLimits); never the key.
    pub account: String,
    /// Each scope once.
    pub scopes: Vec<Scope>,
}

/// What one cap guards: `campaign:spring-drop`, `campaign:spring-drop/step:surface`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Scope(pub String);

/// Money held and spent under one scope in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeTotals {
    /// In what.
    pub currency: Currency,
    /// Charged for good.
    pub spent: Micros,
    /// Held by tries that are under way.
    pub reserved: Micros,
    /// Held by tries whose outcome nobody knows.
    pub in_doubt: Micros,
}

impl ScopeTotals {
    /// Returns nothing, in this currency.
    pub fn nothing(currency: Currency) -> Self {
        Self { currency, spent: Micros::ZERO, reserved: Micros::ZERO, in_doubt: Micros::ZERO }
    }

    /// Returns all three together, which is what a cap holds; the largest amount if they do not fit.
    pub fn committed(&self) -> Amount {
        let sum = [self.spent, self.reserved, self.in_doubt].iter().map(|part| i128::from(part.get())).sum::<i128>();
        Amount::new(self.currency.clone(), Micros::new(i64::try_from(sum).unwrap_or(i64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::FailureClass;

    /// Ledgers of released versions hold exactly this text.
    #[test]
    fn the_wire_form_is_what_older_ledgers_hold() {
        let attempt = AttemptNo(1);
        let charged = Amount::new(Currency::credits("kie"), Micros::new(73_500_000));
        let failure = Failure::new(FailureClass::Refused, "moderation_blocked", "no");
        let records = [
            Record::Accepted { attempt, task: TaskId::new("t1") },
            Record::Failed { attempt, failure, charged: Micros::ZERO, refunded: charged.micros },
            Record::Settled { attempt, charged: charged.micros, refunded: Micros::ZERO, evidence: "balance".into() },
        ];
        let wire: Vec<String> = records.iter().map(|record| serde_json::to_string(record).expect("records are plain data")).collect();
        insta::assert_snapshot!(wire.join("\n"), @r#"
        {"accepted":{"attempt":1,"task":"t1"}}
        {"failed":{"attempt":1,"failure":{"class":"refused","code":"moderation_blocked","message":"no","retry_after":null,"billed":"no"},"charged":"0","refunded":"73.5"}}
        {"settled":{"attempt":1,"charged":"73.5","refunded":"0","evidence":"balance"}}
        "#);
        for (text, record) in wire.iter().zip(&records) {
            assert_eq!(&serde_json::from_str::<Record>(text).expect("own text is read"), record);
        }
    }

    #[test]
    fn a_field_of_a_newer_version_is_passed_over() {
        let newer = r#"{"accepted":{"attempt":1,"task":"t1","region":"eu"}}"#;
        let read: Record = serde_json::from_str(newer).expect("unknown fields are ignored");
        assert_eq!(read, Record::Accepted { attempt: AttemptNo(1), task: TaskId::new("t1") });
    }
}
