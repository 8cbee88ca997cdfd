//! The ledger in one SQLite file: records and their sums, one writer thread, group commit.
//!
//! ```text
//! begin_submit ┐                                   ┌ rules (decide) ┐
//! append       ├─ channel ─ writer thread ─ BEGIN ─┤ per command    ├─ COMMIT (one flush) ─ answers
//! remember     ┘                                   └ apply          ┘
//! load, history, attempts, totals ─ read connection: what is committed
//! ```
//!
//! In: commands. Out: answers that are on disk.
//! Never: a future that holds a lock, a second writer inside the process.

mod balances;
mod pictures;
mod plans;
mod read;
mod rows;
mod schema;
mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rusqlite::Connection;

use super::history::{AttemptRow, History, KeptPicture};
use super::record::{Entry, Scope, ScopeTotals};
use super::state::JobState;
use super::{BalanceNote, Balances, Grant, Ledger, LedgerError, PlanRecord, Recipe, Record, SubmitIntent};
use crate::types::{Amount, Clock, Digest, JobId, JobKey, RunId};
use writer::{Command, Writer};

/// What a finished command survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Power loss: every commit is flushed to the disk. About 1 to 4 ms on an ordinary disk, shared by all that wait.
    #[default]
    Full,
    /// The end of the process, but not power loss, which may take the last commits. Never for a ledger of real money.
    Normal,
}

impl Durability {
    fn pragma(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Normal => "NORMAL",
        }
    }
}

/// A ledger in a file. Handles of several processes on one file take turns and see each other's records.
pub struct SqliteLedger {
    writer: Writer,
    reader: Mutex<Connection>,
}

impl SqliteLedger {
    /// Opens the ledger at `path`; creates the file, and folders above it, if they are missing.
    ///
    /// Dropping the ledger ends its thread, after the commands it was given.
    ///
    /// # Errors
    /// [`LedgerError::NewerFormat`] for a file of a newer callsheet; [`LedgerError::Storage`] when the disk says no
    /// or the file is something else.
    pub fn open(path: &Path, clock: Arc<dyn Clock>, durability: Durability) -> Result<Self, LedgerError> {
        let connection = schema::open_writer(path, durability)?;
        let reader = schema::open_reader(path)?;
        Ok(Self { writer: Writer::start(connection, clock)?, reader: Mutex::new(reader) })
    }

    /// Returns every record after the one numbered `after`, in order; 0 for all.
    ///
    /// # Errors
    /// [`LedgerError::Corrupt`] names the first record that cannot be read.
    pub fn entries(&self, after: u64) -> Result<Vec<Entry>, LedgerError> {
        read::entries(&self.reader(), after)
    }

    /// Reading changes nothing, so a lock poisoned by a panic guards a sound connection.
    fn reader(&self) -> MutexGuard<'_, Connection> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A ledger that is only read: by plans and reports, beside a run that may be writing it.
pub struct SqliteReader(Mutex<Connection>);

impl SqliteReader {
    /// Opens the ledger at `path`; `None` if there is none. Creates nothing.
    ///
    /// # Errors
    /// [`LedgerError::NewerFormat`] for a file of a newer callsheet; [`LedgerError::Storage`] when the file is something else.
    pub fn open(path: &Path) -> Result<Option<Self>, LedgerError> {
        if !path.is_file() {
            return Ok(None);
        }
        let reader = schema::open_reader(path)?;
        schema::check_format(&reader)?;
        // A file of format 0 is one that a run is just creating.
        Ok((schema::format_of(&reader)? > 0).then(|| Self(Mutex::new(reader))))
    }

    /// Returns what is known about `keys`, and the keys last used at the addresses of `campaign` if one of `keys` was never tried:
    /// only then can an address tell something.
    ///
    /// # Errors
    /// When the file cannot be read, like all of these.
    pub fn history(&self, campaign: &str, keys: &[JobKey]) -> Result<History, LedgerError> {
        read::history_for_plan(&self.reader(), campaign, keys)
    }

    /// Returns where a job stands.
    pub fn load(&self, key: JobKey) -> Result<JobState, LedgerError> {
        read::job(&self.reader(), &key)
    }

    /// Returns the ingredients of a key, if the ledger ever took it.
    pub fn recipe(&self, key: JobKey) -> Result<Option<Recipe>, LedgerError> {
        read::recipe(&self.reader(), &key)
    }

    /// Returns every paid try of `campaign`, and those of other campaigns on `keys`, in ledger order.
    pub fn attempts(&self, campaign: &str, keys: &[JobKey]) -> Result<Vec<AttemptRow>, LedgerError> {
        read::attempts(&self.reader(), campaign, keys)
    }

    /// Returns what is spent, reserved and in doubt under a scope, one entry a currency; empty when nothing ever was.
    pub fn totals(&self, scope: &Scope) -> Result<Vec<ScopeTotals>, LedgerError> {
        read::totals(&self.reader(), scope)
    }

    /// Returns the number of the last record, 0 when there is none.
    pub fn last_seq(&self) -> Result<u64, LedgerError> {
        read::last_seq(&self.reader())
    }

    /// Returns what is known of a saved plan; nothing if no run of it has begun.
    pub fn plan(&self, plan: Digest) -> Result<Option<PlanRecord>, LedgerError> {
        plans::plan(&self.reader(), plan)
    }

    /// Returns every picture that any job has or had, each once, by digest.
    pub fn pictures(&self) -> Result<Vec<KeptPicture>, LedgerError> {
        pictures::pictures(&self.reader())
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger for SqliteLedger {
    fn begin_submit(&self, intent: SubmitIntent) -> BoxFuture<'_, Result<Grant, LedgerError>> {
        self.writer.ask(|reply| Command::BeginSubmit(Box::new(intent), reply)).boxed()
    }

    fn append(&self, run: RunId, key: JobKey, records: Vec<Record>, recipe: Option<Recipe>) -> BoxFuture<'_, Result<JobState, LedgerError>> {
        self.writer.ask(move |reply| Command::Append { run, key, records, recipe, reply }).boxed()
    }

    fn load(&self, key: JobKey) -> Result<JobState, LedgerError> {
        read::job(&self.reader(), &key)
    }

    fn history(&self, campaign: &str, keys: &[JobKey]) -> Result<History, LedgerError> {
        read::history(&self.reader(), campaign, keys)
    }

    fn remember(&self, campaign: &str, addresses: Vec<(JobId, JobKey)>) -> BoxFuture<'_, Result<(), LedgerError>> {
        let campaign = campaign.to_owned();
        self.writer.ask(move |reply| Command::Remember { campaign, addresses, reply }).boxed()
    }

    fn recipe(&self, key: JobKey) -> Result<Option<Recipe>, LedgerError> {
        read::recipe(&self.reader(), &key)
    }

    fn attempts(&self, campaign: &str, keys: &[JobKey]) -> Result<Vec<AttemptRow>, LedgerError> {
        read::attempts(&self.reader(), campaign, keys)
    }

    fn totals(&self, scope: &Scope) -> Result<Vec<ScopeTotals>, LedgerError> {
        read::totals(&self.reader(), scope)
    }

    fn last_seq(&self) -> Result<u64, LedgerError> {
        read::last_seq(&self.reader())
    }

    fn begin_plan(&self, plan: Digest, campaign: &str, run: RunId) -> BoxFuture<'_, Result<PlanRecord, LedgerError>> {
        let campaign = campaign.to_owned();
        self.writer.ask(move |reply| Command::BeginPlan { plan, campaign, run, reply }).boxed()
    }

    fn end_plan(&self, plan: Digest, run: RunId) -> BoxFuture<'_, Result<Option<PlanRecord>, LedgerError>> {
        self.writer.ask(move |reply| Command::EndPlan { plan, run, reply }).boxed()
    }

    fn plan(&self, plan: Digest) -> Result<Option<PlanRecord>, LedgerError> {
        plans::plan(&self.reader(), plan)
    }
}

impl Balances for SqliteLedger {
    fn note_balance(&self, account: &str, run: RunId, amount: Amount) -> BoxFuture<'_, Result<BalanceNote, LedgerError>> {
        let account = account.to_owned();
        self.writer.ask(move |reply| Command::NoteBalance { account, run, amount, reply }).boxed()
    }

    fn balances(&self, account: &str) -> Result<Vec<BalanceNote>, LedgerError> {
        balances::balances(&self.reader(), account)
    }
}

#[cfg(test)]
mod tests;
