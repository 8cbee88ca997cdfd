//! What a workspace remembers, read only: a plan on a fresh folder leaves nothing behind.
//!
//! In: a [`Workspace`]. Out: history, totals, recipes; empty ones where there is no ledger yet.
//! Never: a file or a folder that was not there.

use super::error::Outcome;
use super::workspace::Workspace;
use crate::ledger::{AttemptRow, History, JobState, KeptPicture, PlanRecord, Recipe, Scope, ScopeTotals, SqliteReader};
use crate::plan::Plan;
use crate::store::fs::{Census, FsStore};
use crate::types::{Digest, JobKey};

/// A workspace's ledger and pictures, for reading.
pub struct Memory {
    ledger: Option<SqliteReader>,
    store: FsStore,
}

impl Memory {
    /// Looks into the workspace.
    ///
    /// # Errors
    /// A ledger that cannot be read.
    pub fn of(workspace: &Workspace) -> Outcome<Self> {
        Ok(Self { ledger: SqliteReader::open(&workspace.ledger())?, store: FsStore::at(&workspace.blobs()) })
    }

    /// Returns whether the workspace has a ledger.
    pub fn is_there(&self) -> bool {
        self.ledger.is_some()
    }

    /// Returns what is known of a plan's jobs.
    pub fn history(&self, plan: &Plan) -> Outcome<History> {
        match &self.ledger {
            Some(ledger) => Ok(ledger.history(&plan.campaign, &keys(plan))?),
            None => Ok(History::default()),
        }
    }

    /// Returns every paid try of a plan's campaign, and those of others on its keys.
    pub fn attempts(&self, plan: &Plan) -> Outcome<Vec<AttemptRow>> {
        match &self.ledger {
            Some(ledger) => Ok(ledger.attempts(&plan.campaign, &keys(plan))?),
            None => Ok(Vec::new()),
        }
    }

    /// Returns where a job stands.
    pub fn state(&self, key: JobKey) -> Outcome<JobState> {
        match &self.ledger {
            Some(ledger) => Ok(ledger.load(key)?),
            None => Ok(JobState::Untried),
        }
    }

    /// Returns what the key was made of, if it was ever tried.
    pub fn recipe(&self, key: JobKey) -> Outcome<Option<Recipe>> {
        match &self.ledger {
            Some(ledger) => Ok(ledger.recipe(key)?),
            None => Ok(None),
        }
    }

    /// Returns the money under a scope, one entry a currency.
    pub fn totals(&self, scope: &Scope) -> Outcome<Vec<ScopeTotals>> {
        match &self.ledger {
            Some(ledger) => Ok(ledger.totals(scope)?),
            None => Ok(Vec::new()),
        }
    }

    /// Returns a number that changes with every record.
    pub fn last_seq(&self) -> Outcome<u64> {
        match &self.ledger {
            Some(ledger) => Ok(ledger.last_seq()?),
            None => Ok(0),
        }
    }

    /// Returns what is known of a saved plan, if a run of it has begun.
    pub fn plan(&self, plan: Digest) -> Outcome<Option<PlanRecord>> {
        match &self.ledger {
            Some(ledger) => Ok(ledger.plan(plan)?),
            None => Ok(None),
        }
    }

    /// Returns every picture that the ledger names.
    pub fn pictures(&self) -> Outcome<Vec<KeptPicture>> {
        match &self.ledger {
            Some(ledger) => Ok(ledger.pictures()?),
            None => Ok(Vec::new()),
        }
    }

    /// Answers about `count` pictures whether they are in the store.
    pub fn census(&self, count: usize) -> Census {
        self.store.census(count)
    }
}

fn keys(plan: &Plan) -> Vec<JobKey> {
    plan.jobs.iter().map(|job| job.key).collect()
}
