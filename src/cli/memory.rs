//! What a workspace remembers, read only: a plan on a fresh folder leaves nothing behind.
//!
//! In: a [`Workspace`]. Out: history, totals, recipes; empty ones where there is no ledger yet.
//! Never: a file or a folder that was not there.

use std::collections::{BTreeSet, HashMap};

use super::error::Outcome;
use super::workspace::Workspace;
use crate::imaging::marks;
use crate::ledger::{Artifact, AttemptRow, History, JobState, KeptPicture, PlanRecord, Recipe, Scope, ScopeTotals, SqliteReader};
use crate::plan::Plan;
use crate::store::fs::{Census, FsStore};
use crate::types::{Digest, JobKey, LocalAction, Operation};

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

    /// Returns the pictures that the ledger knows of these keys, as far as they are in the store.
    pub fn pictures_of(&self, campaign: &str, keys: &[JobKey]) -> Outcome<HashMap<JobKey, Artifact>> {
        let Some(ledger) = &self.ledger else { return Ok(HashMap::new()) };
        let history = ledger.history(campaign, keys)?;
        let census = self.census(keys.len());
        let there = keys.iter().filter_map(|key| Some((*key, *history.artifact(key)?)));
        Ok(there.filter(|(_, artifact)| census.has(artifact.blob.digest)).collect())
    }

    /// Returns the bytes of a picture.
    pub fn bytes(&self, picture: Digest) -> std::io::Result<Vec<u8>> {
        std::fs::read(self.store.path(picture))
    }

    /// Returns the pictures of a plan that carry a C2PA manifest, as far as something was made from them here: the others are as they came.
    pub fn signed(&self, plan: &Plan, history: &History) -> BTreeSet<Digest> {
        let mut looked_at: BTreeSet<Digest> = BTreeSet::new();
        let mut signed = BTreeSet::new();
        for ix in plan.indices().filter(|ix| matches!(plan.job(*ix).operation, Operation::Local(LocalAction::Transform { .. }))) {
            for picture in plan.inputs(ix).iter().filter_map(|input| history.artifact(&plan.job(input.from).key)) {
                let digest = picture.blob.digest;
                let is_signed = || std::fs::File::open(self.store.path(digest)).and_then(|mut file| marks::is_signed(&mut file));
                if looked_at.insert(digest) && is_signed().unwrap_or(false) {
                    signed.insert(digest);
                }
            }
        }
        signed
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
