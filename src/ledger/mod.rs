//! The durable record of every intent, charge, refund and artifact; the only memory.
//!
//! Money is counted per scope and currency. A scope is what a cap guards: a campaign, a profile of it, a step of it. Two currencies under
//! one scope are two sums and never one; a cap weighs the other by rates that books state, and grants nothing where there are none.
//!
//! In: records. Out: job states, totals and history, all of them folds of the records.
//! Never: a decision about what to do next (that is the engine's), a printed word.

pub mod balances;
pub mod fold;
pub mod history;
pub mod memory;
pub mod plans;
pub mod record;
mod rules;
pub mod sqlite;
pub mod state;
pub mod workspace;

#[cfg(test)]
mod contract;

use std::time::Duration;

use futures_util::future::BoxFuture;

pub use balances::{BalanceNote, Balances};
pub use history::{AttemptRow, AttemptStatus, History, Judgement, KeptPicture, KnownJob, Showing};
pub use memory::MemoryLedger;
pub use plans::PlanRecord;
pub use record::{Artifact, AttemptCard, Entry, Record, Scope, ScopeTotals, Terms};
pub use sqlite::{Durability, SqliteLedger, SqliteReader};
pub use state::{IllegalTransition, JobState};
pub use workspace::WorkspaceLock;

use crate::types::{Amount, AttemptNo, Currency, Digest, IdempotencyKey, JobId, JobKey, Micros, Rates, RunId, Timestamp};

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
    ///
    /// It guards amounts of its own currency. What stands under the scope in another one is weighed by `rates`; where they say
    /// nothing, nothing more is granted: [`LedgerError::NoRate`].
    pub limit: Option<Amount>,
    /// What books say their credits are worth.
    pub rates: Rates,
}

impl Cap {
    /// Returns a cap that guards one currency only.
    pub fn new(scope: Scope, limit: Option<Amount>) -> Self {
        Self { scope, limit, rates: Rates::default() }
    }

    /// Returns what `totals` commit under the cap, in `currency`: spent, reserved and in doubt of every currency.
    ///
    /// # Errors
    /// [`LedgerError::NoRate`] when an amount of another currency cannot be weighed.
    pub fn committed(&self, totals: &[ScopeTotals], currency: &Currency) -> Result<Micros, LedgerError> {
        let mut sum = 0_i128;
        for totals in totals {
            sum += i128::from(self.weighed(&totals.committed(), currency)?.get());
        }
        Ok(Micros::new(i64::try_from(sum).unwrap_or(i64::MAX)))
    }

    /// Returns an amount in `currency`; nothing needs no rate.
    fn weighed(&self, amount: &Amount, currency: &Currency) -> Result<Micros, LedgerError> {
        if amount.micros == Micros::ZERO {
            return Ok(Micros::ZERO);
        }
        self.rates.convert(amount, currency).ok_or_else(|| LedgerError::NoRate {
            scope: self.scope.0.clone(),
            cap: currency.clone(),
            amount: amount.clone(),
        })
    }
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
        /// Its limit, in its own currency.
        limit: Micros,
        /// What is spent, reserved and in doubt under it now, in the same currency.
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
    /// Two currencies in one try: it is quoted, held and charged in the same one.
    #[error("a try of `{of}` is counted in `{counted}`, not in `{asked}`")]
    Currency {
        /// The shot, or the first scope that its money is counted under.
        of: String,
        /// Its currency so far.
        counted: Currency,
        /// The currency of the new amount.
        asked: Currency,
    },
    /// A cap and money under it whose currencies nobody's rate compares.
    #[error("the cap of `{scope}` is in `{cap}`, and `{}` states no rate by which {amount} could be weighed against it", amount.currency)]
    NoRate {
        /// What the cap guards.
        scope: String,
        /// Its currency.
        cap: Currency,
        /// What cannot be weighed.
        amount: Amount,
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

    /// Returns the pictures of a job that were looked at, in the order of their tries.
    fn judgements(&self, key: JobKey) -> Result<Vec<Judgement>, LedgerError>;

    /// Remembers that `campaign` uses `key` at the address `job`, for `why` and for `changed`.
    fn remember(&self, campaign: &str, addresses: Vec<(JobId, JobKey)>) -> BoxFuture<'_, Result<(), LedgerError>>;

    /// Returns the ingredients of a key, if the ledger ever took it.
    fn recipe(&self, key: JobKey) -> Result<Option<Recipe>, LedgerError>;

    /// Returns every paid try of `campaign`, and those of other campaigns on `keys`, in ledger order.
    fn attempts(&self, campaign: &str, keys: &[JobKey]) -> Result<Vec<AttemptRow>, LedgerError>;

    /// Returns what is spent, reserved and in doubt under a scope, one entry a currency in their order; empty when nothing ever was.
    fn totals(&self, scope: &Scope) -> Result<Vec<ScopeTotals>, LedgerError>;

    /// Returns the number of the last record, 0 when there is none: changes whenever a record was written.
    fn last_seq(&self) -> Result<u64, LedgerError>;

    /// Notes that `run` begins the saved plan called `plan`, unless a run of it has begun before; returns what stands then.
    fn begin_plan(&self, plan: Digest, campaign: &str, run: RunId) -> BoxFuture<'_, Result<PlanRecord, LedgerError>>;

    /// Notes that `run` has come to the end of a plan: it is spent, once and for all. Returns what stands then; nothing if it never began.
    fn end_plan(&self, plan: Digest, run: RunId) -> BoxFuture<'_, Result<Option<PlanRecord>, LedgerError>>;

    /// Returns what is known of a saved plan; nothing if no run of it has begun.
    fn plan(&self, plan: Digest) -> Result<Option<PlanRecord>, LedgerError>;
}
