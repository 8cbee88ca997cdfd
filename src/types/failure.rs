//! What went wrong at a provider, classed by what to do next.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Micros;

/// What a failure means for the job, its money and the campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureClass {
    /// Over the rate: not accepted, not charged; wait exactly as long as told, then send again.
    Throttled,
    /// Broke before acceptance: not charged; retry with backoff.
    Transient,
    /// Nobody knows whether it was accepted: in doubt, never resent blindly.
    Ambiguous,
    /// Accepted, then failed at the provider; a new try is a new charge decision.
    Failed,
    /// Refused by moderation: final for this prompt.
    Refused,
    /// Refused as malformed: final; a bug in the plan or the manifest.
    Invalid,
    /// Bad key or no credits: stops the campaign, keeps what is paid.
    Account,
    /// The service is down for maintenance: retry slowly.
    Maintenance,
    /// The result came but is not a whole image: fetch it again, for nothing.
    BadResult,
    /// Our own side: disk, decoder, transform.
    Local,
}

impl FailureClass {
    /// Returns the word for reports: `throttled`, `in-doubt` stays `ambiguous` here because doubt is a state, not a class.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Transient => "transient",
            Self::Ambiguous => "ambiguous",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Invalid => "invalid",
            Self::Account => "account",
            Self::Maintenance => "maintenance",
            Self::BadResult => "bad-result",
            Self::Local => "local",
        }
    }
}

/// What a failed attempt cost, as far as anyone knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Billed {
    /// Nothing was charged, or the charge was given back.
    No,
    /// It may have been charged; counts as spent until settled.
    Maybe,
    /// Exactly this was charged, in the currency of the attempt's reservation.
    Yes(Micros),
}

/// One failure of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What to do about it.
    pub class: FailureClass,
    /// The provider's own code, or ours: `429`, `moderation_blocked`, `truncated`.
    pub code: String,
    /// The provider's message, unescaped: never print it without escaping.
    pub message: String,
    /// How long the provider asked us to wait.
    pub retry_after: Option<Duration>,
    /// What it cost.
    pub billed: Billed,
}

impl Failure {
    /// Returns an unbilled failure without a wait.
    pub fn new(class: FailureClass, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { class, code: code.into(), message: message.into(), retry_after: None, billed: Billed::No }
    }
}
