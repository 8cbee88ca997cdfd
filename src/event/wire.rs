//! Events as JSON: a mirror with a version, so that the live type can change without breaking those who read.
//!
//! In: [`Event`]s. Out: one JSON object each.
//! Never: a field whose meaning changes under the same [`EVENT_VERSION`]; new fields may come.

use serde::Serialize;

use super::{Event, EventKind};
use crate::types::{Amount, Billed, Failure};

/// Version of the JSON events.
pub const EVENT_VERSION: u32 = 1;

/// One event as written. Amounts are decimal text, moments RFC 3339, spans milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WireEvent {
    v: u32,
    at: String,
    elapsed_ms: u64,
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paid: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    picture: Option<WirePicture>,
    #[serde(skip_serializing_if = "Option::is_none")]
    charged: Option<WireAmount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<WireFailure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cap: Option<WireCap>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<usize>,
    stats: WireStats,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct WirePicture {
    digest: String,
    bytes: u64,
    format: &'static str,
    width: u32,
    height: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct WireAmount {
    currency: String,
    amount: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct WireFailure {
    class: &'static str,
    code: String,
    message: String,
    billed: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct WireCap {
    scope: String,
    limit: String,
    committed: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct WireStats {
    total: usize,
    done: usize,
    reused: usize,
    failed: usize,
    skipped: usize,
    in_doubt: usize,
    undone: usize,
    running: usize,
    waiting: usize,
    #[serde(skip_serializing_if = "is_none")]
    unpriced: usize,
    spent: String,
    reserved: String,
    doubted: String,
    spent_before: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cap: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
}

impl From<&Amount> for WireAmount {
    fn from(amount: &Amount) -> Self {
        Self { currency: amount.currency.to_string(), amount: amount.micros.to_string() }
    }
}

impl From<&Failure> for WireFailure {
    fn from(failure: &Failure) -> Self {
        let billed = match failure.billed {
            Billed::No => "no",
            Billed::Maybe => "maybe",
            Billed::Yes(_) => "yes",
        };
        Self { class: failure.class.as_str(), code: failure.code.clone(), message: failure.message.clone(), billed }
    }
}

impl From<&Event> for WireEvent {
    fn from(event: &Event) -> Self {
        let stats = &event.stats;
        let mut wire = Self {
            v: EVENT_VERSION,
            at: event.at.to_string(),
            elapsed_ms: millis(event.elapsed),
            event: "",
            run: None,
            campaign: None,
            job: None,
            paid: None,
            attempt: None,
            picture: None,
            charged: None,
            because: None,
            failure: None,
            delay_ms: None,
            cap: None,
            limit: None,
            stats: WireStats {
                total: stats.total,
                done: stats.done,
                reused: stats.reused,
                failed: stats.failed,
                skipped: stats.skipped,
                in_doubt: stats.in_doubt,
                undone: stats.undone,
                running: stats.running,
                waiting: stats.waiting,
                unpriced: stats.unpriced,
                spent: stats.spent.to_string(),
                reserved: stats.reserved.to_string(),
                doubted: stats.doubted.to_string(),
                spent_before: stats.spent_before.to_string(),
                cap: stats.cap.map(|cap| cap.to_string()),
                currency: stats.currency.as_ref().map(|currency| currency.to_string()),
            },
        };
        wire.fill(&event.kind);
        wire
    }
}

impl WireEvent {
    fn fill(&mut self, kind: &EventKind) {
        self.event = match kind {
            EventKind::RunStarted { run, campaign } => {
                self.run = Some(run.to_string());
                self.campaign = Some(campaign.to_string());
                "run-started"
            }
            EventKind::JobStarted { job, paid } => {
                self.job = Some(job.to_string());
                self.paid = Some(*paid);
                "job-started"
            }
            EventKind::JobDone { job, picture, charged } => {
                self.job = Some(job.to_string());
                self.picture = Some(WirePicture {
                    digest: picture.blob.digest.to_string(),
                    bytes: picture.blob.len,
                    format: picture.info.format.as_str(),
                    width: picture.info.size.width,
                    height: picture.info.size.height,
                });
                self.charged = charged.as_ref().map(WireAmount::from);
                "job-done"
            }
            EventKind::JobFailed { job, attempt, failure } => {
                self.job = Some(job.to_string());
                self.attempt = attempt.map(|attempt| attempt.0);
                self.failure = Some(failure.into());
                "job-failed"
            }
            EventKind::AttemptFailedWillRetry { job, attempt, failure, delay } => {
                self.job = Some(job.to_string());
                self.attempt = Some(attempt.0);
                self.failure = Some(failure.into());
                self.delay_ms = Some(millis(*delay));
                "attempt-failed-will-retry"
            }
            EventKind::PictureKept { job, attempt, failure } => {
                self.job = Some(job.to_string());
                self.attempt = Some(attempt.0);
                self.failure = Some(failure.into());
                "picture-kept"
            }
            EventKind::JobSkipped { job, because } => {
                self.job = Some(job.to_string());
                self.because = Some(because.to_string());
                "job-skipped"
            }
            EventKind::JobInDoubt { job, failure } => {
                self.job = Some(job.to_string());
                self.failure = Some(failure.into());
                "job-in-doubt"
            }
            EventKind::Throttled { job, delay } => {
                self.job = Some(job.to_string());
                self.delay_ms = Some(millis(*delay));
                "throttled"
            }
            EventKind::CapReached { scope, limit, committed } => {
                self.cap = Some(WireCap { scope: scope.clone(), limit: limit.to_string(), committed: committed.to_string() });
                "cap-reached"
            }
            EventKind::TooManyFailures { limit } => {
                self.limit = Some(*limit);
                "too-many-failures"
            }
            EventKind::TooManyDoubts { rounds } => {
                self.limit = usize::try_from(*rounds).ok();
                "too-many-doubts"
            }
            EventKind::AccountRefused { failure } => {
                self.failure = Some(failure.into());
                "account-refused"
            }
            EventKind::Cancelling => "cancelling",
            EventKind::RunFinished => "run-finished",
        };
    }
}

// The signature is serde's.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_none(count: &usize) -> bool {
    *count == 0
}

fn millis(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
