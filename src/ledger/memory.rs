//! The ledger of one process: the same rules and sums as on disk, gone with the process.
//!
//! In: commands. Out: answers, at once.
//! Never: I/O. Tests and the pure simulation run on it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::fold::Folded;
use super::history::{AttemptRow, History, Judgement, KnownJob};
use super::record::{Entry, Scope, ScopeTotals};
use super::rules::{self, Changes};
use super::state::JobState;
use super::{BalanceNote, Balances, Grant, Ledger, LedgerError, PlanRecord, Recipe, Record, SubmitIntent};
use crate::types::{Amount, Clock, Digest, JobId, JobKey, RunId};

/// A ledger that keeps its records in memory.
pub struct MemoryLedger {
    clock: Arc<dyn Clock>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    entries: Vec<Entry>,
    folded: Folded,
    recipes: HashMap<JobKey, Recipe>,
    addresses: HashMap<String, HashMap<JobId, JobKey>>,
    plans: HashMap<Digest, PlanRecord>,
    balances: Vec<BalanceNote>,
}

impl MemoryLedger {
    /// Returns an empty ledger that takes its time from `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, kept: Mutex::default() }
    }

    /// Returns the ledger that a process finds whose predecessor wrote `entries`; recipes and addresses are not among them.
    ///
    /// # Errors
    /// The first entry that its job's state forbids, as [`fold`](super::fold::fold) finds it.
    pub fn holding(clock: Arc<dyn Clock>, entries: Vec<Entry>) -> Result<Self, LedgerError> {
        let folded = super::fold::fold(&entries)?;
        Ok(Self { clock, kept: Mutex::new(Kept { entries, folded, ..Kept::default() }) })
    }

    /// Returns what the records add up to.
    pub fn folded(&self) -> Folded {
        self.lock().folded.clone()
    }

    /// Returns every record, in order.
    pub fn entries(&self) -> Vec<Entry> {
        self.lock().entries.clone()
    }

    /// A command changes nothing before it can no longer fail, so a poisoned lock guards whole values.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn submit(&self, intent: SubmitIntent) -> Result<Grant, LedgerError> {
        let mut kept = self.lock();
        let (grant, changes) = rules::begin_submit(&mut kept.folded, self.clock.now(), intent)?;
        if let Some(changes) = changes {
            kept.write(changes)?;
        }
        Ok(grant)
    }

    fn take(&self, run: RunId, key: JobKey, records: Vec<Record>, recipe: Option<Recipe>) -> Result<JobState, LedgerError> {
        let mut kept = self.lock();
        let (state, changes) = rules::append(&mut kept.folded, self.clock.now(), run, key, records, recipe)?;
        kept.write(changes)?;
        Ok(state)
    }
}

impl Kept {
    fn write(&mut self, changes: Changes) -> Result<(), LedgerError> {
        let Changes { at, run, key, records, opening, recipe, .. } = changes;
        let mut terms = None;
        if let Some(opening) = opening {
            self.address(&opening.campaign, opening.job, key);
            terms = Some(opening.terms);
        }
        for record in records {
            let seq = self.folded.last_seq() + 1;
            let entry = Entry { seq, at, run: run.clone(), key, record, terms: terms.take() };
            self.folded.take(&entry)?;
            self.entries.push(entry);
        }
        if let Some(recipe) = recipe.filter(|_| self.folded.jobs().contains_key(&key)) {
            self.recipes.entry(key).or_insert(recipe);
        }
        Ok(())
    }

    fn address(&mut self, campaign: &str, job: JobId, key: JobKey) {
        self.addresses.entry(campaign.to_owned()).or_default().insert(job, key);
    }
}

impl Ledger for MemoryLedger {
    fn begin_submit(&self, intent: SubmitIntent) -> BoxFuture<'_, Result<Grant, LedgerError>> {
        async move { self.submit(intent) }.boxed()
    }

    fn append(&self, run: RunId, key: JobKey, records: Vec<Record>, recipe: Option<Recipe>) -> BoxFuture<'_, Result<JobState, LedgerError>> {
        async move { self.take(run, key, records, recipe) }.boxed()
    }

    fn load(&self, key: JobKey) -> Result<JobState, LedgerError> {
        Ok(self.lock().folded.state(&key).clone())
    }

    fn history(&self, campaign: &str, keys: &[JobKey]) -> Result<History, LedgerError> {
        let kept = self.lock();
        let known = |key: &JobKey| kept.folded.jobs().get(key).map(|state| (*key, KnownJob { state: state.clone() }));
        let jobs = if kept.folded.jobs().is_empty() { HashMap::new() } else { keys.iter().filter_map(known).collect() };
        let judged = keys.iter().map(|key| (*key, kept.folded.judged(key))).filter(|(_, judged)| !judged.is_empty());
        let judged = judged.map(|(key, judged)| (key, judged.to_vec())).collect();
        Ok(History { jobs, addresses: kept.addresses.get(campaign).cloned().unwrap_or_default(), judged })
    }

    fn judgements(&self, key: JobKey) -> Result<Vec<Judgement>, LedgerError> {
        Ok(self.lock().folded.judged(&key).to_vec())
    }

    fn remember(&self, campaign: &str, addresses: Vec<(JobId, JobKey)>) -> BoxFuture<'_, Result<(), LedgerError>> {
        let campaign = campaign.to_owned();
        async move {
            let mut kept = self.lock();
            for (job, key) in addresses {
                kept.address(&campaign, job, key);
            }
            Ok(())
        }
        .boxed()
    }

    fn recipe(&self, key: JobKey) -> Result<Option<Recipe>, LedgerError> {
        Ok(self.lock().recipes.get(&key).cloned())
    }

    fn attempts(&self, campaign: &str, keys: &[JobKey]) -> Result<Vec<AttemptRow>, LedgerError> {
        let keys: HashSet<&JobKey> = keys.iter().collect();
        Ok(self.lock().folded.attempts(|of, key| of == campaign || keys.contains(key)))
    }

    fn totals(&self, scope: &Scope) -> Result<Vec<ScopeTotals>, LedgerError> {
        Ok(self.lock().folded.totals().get(scope).cloned().unwrap_or_default())
    }

    fn last_seq(&self) -> Result<u64, LedgerError> {
        Ok(self.lock().folded.last_seq())
    }

    fn begin_plan(&self, plan: Digest, campaign: &str, run: RunId) -> BoxFuture<'_, Result<PlanRecord, LedgerError>> {
        let fresh = PlanRecord { campaign: campaign.to_owned(), begun_by: run, begun_at: self.clock.now(), spent: None };
        async move { Ok(self.lock().plans.entry(plan).or_insert(fresh).clone()) }.boxed()
    }

    fn end_plan(&self, plan: Digest, run: RunId) -> BoxFuture<'_, Result<Option<PlanRecord>, LedgerError>> {
        async move {
            let mut kept = self.lock();
            let Some(known) = kept.plans.get_mut(&plan) else { return Ok(None) };
            *known = known.clone().ended(run, self.clock.now());
            Ok(Some(known.clone()))
        }
        .boxed()
    }

    fn plan(&self, plan: Digest) -> Result<Option<PlanRecord>, LedgerError> {
        Ok(self.lock().plans.get(&plan).cloned())
    }
}

impl Balances for MemoryLedger {
    fn note_balance(&self, account: &str, run: RunId, amount: Amount) -> BoxFuture<'_, Result<BalanceNote, LedgerError>> {
        let account = account.to_owned();
        async move {
            let mut kept = self.lock();
            let note = BalanceNote { account, run, at: self.clock.now(), after: kept.folded.last_seq(), amount };
            kept.balances.push(note.clone());
            Ok(note)
        }
        .boxed()
    }

    fn balances(&self, account: &str) -> Result<Vec<BalanceNote>, LedgerError> {
        Ok(self.lock().balances.iter().filter(|note| note.account == account).cloned().collect())
    }
}
