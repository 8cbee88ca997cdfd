//! Requests that went to a provider together: which tries are in which batch, and what the provider calls it.
//!
//! ```text
//! intents of all shots ─▶ note_sending (name, shots) ─▶ the one paid request ─▶ note_batch (the provider's id) ─▶ accepted, shot by shot
//! ```
//!
//! In: names, tries, ids. Out: what stands. A batch that is noted without an id may have been made; one that is not noted was never asked for.
//! Never: money, a picture: those follow from records about each shot.

use futures_util::future::BoxFuture;

use super::LedgerError;
use crate::types::{AttemptNo, JobKey, RunId, TaskId, Timestamp};

/// A batch that is about to be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBatch {
    /// Our name for it; the provider keeps it beside the batch, so that it can be found by it.
    pub name: String,
    /// The run that asks.
    pub run: RunId,
    /// The tries in it.
    pub shots: Vec<(JobKey, AttemptNo)>,
}

/// What is known of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchNote {
    /// Our name for it.
    pub name: String,
    /// The run that asked.
    pub run: RunId,
    /// When it was noted, by the ledger's clock: before it was asked for.
    pub at: Timestamp,
    /// The provider's name for it, once that is known.
    pub batch: Option<TaskId>,
}

/// Keeps batches. Beside [`Ledger`](super::Ledger): caps and states rest on the records about each shot.
pub trait Batches: Send + Sync {
    /// Notes a batch before it is asked for, durably. A name that is there already stays as it is.
    fn note_sending(&self, batch: NewBatch) -> BoxFuture<'_, Result<(), LedgerError>>;

    /// Notes what the provider calls a batch, durably and for all its shots at once; the first word stands.
    fn note_batch(&self, name: &str, batch: TaskId) -> BoxFuture<'_, Result<(), LedgerError>>;

    /// Returns the batch that a try went in; nothing if none was ever asked for with it.
    fn batch_of(&self, key: JobKey, attempt: AttemptNo) -> Result<Option<BatchNote>, LedgerError>;
}
