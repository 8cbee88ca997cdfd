//! The durable record of every intent, charge, refund and artifact; the only memory.
//!
//! In: records. Out: job states, totals and history, all of them folds of the records.
//! Never: a decision about what to do next (that is the engine's), a printed word.

pub mod fold;
pub mod history;
pub mod memory;
pub mod record;
mod rules;
pub mod sqlite;
pub mod state;
pub mod workspace;

#[cfg(test)]
mod contract;

use std::time::Duration;

use futures_util::future::BoxFuture;

pub use history::{AttemptRow, AttemptStatus, History, KeptPicture, KnownJob, Showing};
pub use memory::MemoryLedger;
pub use record::{Artifact, AttemptCard, Entry, Record, Scope, ScopeTotals, Terms};
pub use sqlite::{Durability, SqliteLedger, SqliteReader};
pub use state::{IllegalTransition, JobState};
pub use workspace::WorkspaceLock;

use crate::types::{Amount, AttemptNo, Currency, IdempotencyKey, JobId, JobKey, Micros, RunId, Timestamp};

/// At most `count` submits in any `span`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateWindow {
    /// How many.
    pub count: u32,
    /// In how long.
    pub span: Duration,
}

/// The provider account that limits are counted for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountLimits {
    /// Provider and key name, for example `kie:KIE_API_KEY`; never the key.
    pub account: String,
    /// All windows hold at once.
    pub windows: Vec<RateWindow>,
    /// Most tries in flight, from before the send until a terminal record; absent: no limit.
    pub places: Option<u32>,
}

/// A cap that a reservation must stay within.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cap {
    /// What it guards.
    pub scope: Scope,
    /// `spent + reserved + in doubt` never passes it; absent: only counted.
    pub limit: Option<Micros>,
}

/// Everything that becomes true together before a paid request leaves.
#[derive(Debug, Clone)]
pub struct SubmitIntent {
    /// The run that asks.
    pub run: RunId,
    /// The job.
    pub key: JobKey,
    /// Who and what, for reports.
    pub card: AttemptCard,
    /// The try this would be: last + 1, else the answer is [`Grant::Taken`].
    pub attempt: AttemptNo,
    /// Sent along with the request.
    pub idempotency_key: IdempotencyKey,
    /// What the plan said it costs.
    pub quoted: Amount,
    /// What is held.
    pub reserved: Amount,
    /// How long the answer may take; the deadline is the ledger's now plus this.
    pub patience: Duration,
    /// Windows and places of the account.
    pub limits: AccountLimits,
    /// Caps of campaign, profile and step, all checked, all charged.
    pub caps: Vec<Cap>,
    /// Named ingredients of the job key, kept once per key for `why`.
    pub recipe: Recipe,
}

/// The named ingredients of a job key, in order; see [`crate::types::Fields`].
pub type Recipe = Vec<(String, String)>;

/// The answer to a [`SubmitIntent`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// The intent is durable: send now.
    Granted {
        /// The ledger's moment of the intent.
        at: Timestamp,
        /// Give up waiting for the answer well before this.
        deadline: Timestamp,
    },
    /// No slot in a rate window before this moment; nothing was written.
    Wait {
        /// When to ask again.
        until: Timestamp,
    },
    /// All places of the account are taken; ask again when one is free. Nothing was written.
    Full,
    /// The reservation would pass a cap; nothing was written.
    OverCap {
        /// Which cap.
        scope: Scope,
        /// Its limit.
        limit: Micros,
        /// What is spent, reserved and in doubt under it now.
        committed: Micros,
    },
    /// The job is not in the state that the intent assumed; nothing was written.
    Taken(JobState),
}

/// Where a job stands, with its address as last used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobEntry {
    /// Its state.
    pub state: JobState,
}

/// Why the ledger could not do it.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another process holds the workspace for writing.
    #[error("another run holds the workspace: {holder}")]
    Locked {
        /// Name, process and start of the holder, as far as known.
        holder: String,
    },
    /// Written by a newer callsheet.
    #[error("the ledger has format {found}, this callsheet reads up to {supported}")]
    NewerFormat {
        /// Format in the file.
        found: u32,
        /// Newest that is read.
        supported: u32,
    },
    /// A stored record cannot be read.
    #[error("ledger record {seq} cannot be read: {reason}")]
    Corrupt {
        /// Which record.
        seq: u64,
        /// Why.
        reason: String,
    },
    /// A record that the job's state forbids.
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    /// Two currencies under one scope.
    #[error("scope `{scope}` is counted in `{counted}`, not in `{asked}`")]
    Currency {
        /// The scope.
        scope: String,
        /// Its currency so far.
        counted: Currency,
        /// The currency of the new amount.
        asked: Currency,
    },
    /// A sum of money that cannot be counted: negative, or too large.
    #[error("{what} of attempt {attempt} cannot be counted: {micros} is negative or too large")]
    Amount {
        /// Which figure: `the reservation`, `the charge`.
        what: &'static str,
        /// The try it is about.
        attempt: AttemptNo,
        /// The figure.
        micros: Micros,
    },
    /// The disk or the database said no.
    #[error("the ledger cannot be used: {0}")]
    Storage(String),
}

/// The ledger port. Durable when a future returns `Ok`; commands are small, plain data, so that a remote ledger can take them.
pub trait Ledger: Send + Sync {
    /// Checks state, rate windows, places and caps, and writes the intent, in one transaction.
    fn begin_submit(&self, intent: SubmitIntent) -> BoxFuture<'_, Result<Grant, LedgerError>>;

    /// Appends `records` about one job in one transaction and returns its new state.
    ///
    /// Each record passes the transition table; charges, refunds and places follow from the records.
    /// A record that says exactly what the ledger holds already is taken without being written again.
    /// `recipe` is kept if the job has none yet (local work has no intent that would carry it).
    ///
    /// # Errors
    /// [`LedgerError::Illegal`] when the table forbids a record, and for every intent: those pass caps and limits in
    /// [`begin_submit`](Self::begin_submit) only. Nothing of the batch is written then.
    fn append(&self, run: RunId, key: JobKey, records: Vec<Record>, recipe: Option<Recipe>) -> BoxFuture<'_, Result<JobState, LedgerError>>;

    /// Returns where a job stands.
    fn load(&self, key: JobKey) -> Result<JobState, LedgerError>;

    /// Returns what is known about `keys`, and the keys last used at the addresses of `campaign`.
    fn history(&self, campaign: &str, keys: &[JobKey]) -> Result<History, LedgerError>;

    /// Remembers that `campaign` uses `key` at the address `job`, for `why` and for `changed`.
    fn remember(&self, campaign: &str, addresses: Vec<(JobId, JobKey)>) -> BoxFuture<'_, Result<(), LedgerError>>;

    /// Returns the ingredients of a key, if the ledger ever took it.
    fn recipe(&self, key: JobKey) -> Result<Option<Recipe>, LedgerError>;

    /// Returns every paid try of `campaign`, and those of other campaigns on `keys`, in ledger order.
    fn attempts(&self, campaign: &str, keys: &[JobKey]) -> Result<Vec<AttemptRow>, LedgerError>;

    /// Returns what is spent, reserved and in doubt under a scope; `None` when nothing ever was.
    fn totals(&self, scope: &Scope) -> Result<Option<ScopeTotals>, LedgerError>;

    /// Returns the number of the last record, 0 when there is none: changes whenever a record was written.
    fn last_seq(&self) -> Result<u64, LedgerError>;
}
