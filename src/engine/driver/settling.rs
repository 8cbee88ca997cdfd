//! What one job's outcome means for all that rest on it: dependents, twins, addresses.
//!
//! In: an outcome. Out: the outcomes that follow from it, each decided once.
//! Never: a job decided twice, a walk over the plan for one outcome.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::super::outcome::{JobOutcome, Undone};
use super::{Driver, EngineError};
use crate::plan::{JobIx, Plan};

impl Driver<'_> {
    /// Decides a job, and with it everything that rests on it, each once.
    pub(super) fn settle(&mut self, ix: JobIx, outcome: JobOutcome) {
        let plan = Arc::clone(&self.plan);
        let mut decided = VecDeque::from([(ix, outcome)]);
        while let Some((ix, outcome)) = decided.pop_front() {
            if self.outcomes[ix.index()].is_some() {
                continue;
            }
            self.count(&outcome);
            self.outcomes[ix.index()] = Some(outcome.clone());
            self.note_address(ix, &outcome);
            self.announce(ix, &outcome);
            for follower in self.followers.remove(&ix).unwrap_or_default() {
                decided.push_back((follower, shared(ix, &outcome)));
            }
            match inherited(ix, &outcome) {
                None => {
                    for dependent in plan.dependents(ix) {
                        self.supply(dependent);
                    }
                }
                Some(consequence) => {
                    let undecided = plan.dependents(ix).filter(|dependent| self.outcomes[dependent.index()].is_none());
                    // A dependent that is paid for already goes on: its picture does not need ours any more.
                    decided.extend(undecided.filter(|dependent| !self.begun[dependent.index()]).map(|dependent| (dependent, consequence.clone())));
                }
            }
        }
    }

    /// Gives a job one of the pictures that it waits for.
    pub(super) fn supply(&mut self, ix: JobIx) {
        let at = ix.index();
        if self.outcomes[at].is_some() || self.missing[at] == 0 {
            return;
        }
        self.missing[at] -= 1;
        if self.missing[at] == 0 && !self.begun[at] && !self.follows.contains_key(&ix) {
            self.ready.push(&Arc::clone(&self.plan), ix);
        }
    }

    /// Notes the address of a job that has a picture or was tried, unless the ledger has it already.
    pub(super) fn note_address(&mut self, ix: JobIx, outcome: &JobOutcome) {
        if matches!(outcome, JobOutcome::Skipped { .. } | JobOutcome::Undone(_) | JobOutcome::Excluded) {
            return;
        }
        let (id, key) = (self.plan.id(ix), self.plan.job(ix).key);
        if self.addresses.get(&id) != Some(&key) {
            self.to_remember.push((id, key));
        }
    }

    pub(super) async fn remember_reused(&mut self) -> Result<(), EngineError> {
        for ix in Arc::clone(&self.plan).indices() {
            if let Some(outcome @ JobOutcome::Reused { .. }) = self.outcomes[ix.index()].clone() {
                self.note_address(ix, &outcome);
            }
        }
        self.remember().await
    }

    pub(super) async fn remember(&mut self) -> Result<(), EngineError> {
        if self.to_remember.is_empty() {
            return Ok(());
        }
        let addresses = std::mem::take(&mut self.to_remember);
        Ok(self.desk.ports.ledger.remember(&self.plan.campaign, addresses).await?)
    }
}

/// Pairs jobs of one key that are all still to be decided: the first of them is made, the others share its picture.
pub(super) fn pair_twins(plan: &Plan, outcomes: &[Option<JobOutcome>]) -> (BTreeMap<JobIx, Vec<JobIx>>, BTreeMap<JobIx, JobIx>) {
    let open = |ix: &JobIx| outcomes[ix.index()].is_none();
    let mut leaders: BTreeMap<JobIx, JobIx> = BTreeMap::new();
    let mut followers: BTreeMap<JobIx, Vec<JobIx>> = BTreeMap::new();
    let mut follows = BTreeMap::new();
    for (later, first) in plan.twins.iter().filter(|(later, _)| open(later)) {
        let leader = *leaders.entry(*first).or_insert(if open(first) { *first } else { *later });
        if leader != *later {
            followers.entry(leader).or_default().push(*later);
            follows.insert(*later, leader);
        }
    }
    (followers, follows)
}

/// What a job's outcome means for one that shares its picture.
fn shared(of: JobIx, outcome: &JobOutcome) -> JobOutcome {
    match outcome.artifact() {
        Some(artifact) => JobOutcome::Shared { of, artifact: *artifact },
        None => inherited(of, outcome).unwrap_or(JobOutcome::Undone(Undone::Stopped)),
    }
}

/// What a job without a picture means for one that needs it; `None` when there is a picture.
fn inherited(ix: JobIx, outcome: &JobOutcome) -> Option<JobOutcome> {
    match outcome {
        JobOutcome::Bought { .. } | JobOutcome::Made { .. } | JobOutcome::Reused { .. } | JobOutcome::Shared { .. } => None,
        JobOutcome::Failed { .. } | JobOutcome::Rejected { .. } | JobOutcome::InDoubt { .. } => Some(JobOutcome::Skipped { because: ix }),
        JobOutcome::Skipped { because } => Some(JobOutcome::Skipped { because: *because }),
        JobOutcome::Undone(Undone::OverCap) => Some(JobOutcome::Undone(Undone::OverCap)),
        JobOutcome::Undone(Undone::Pick) => Some(JobOutcome::Undone(Undone::Pick)),
        JobOutcome::Undone(Undone::Stopped | Undone::StillRunning) | JobOutcome::Excluded => Some(JobOutcome::Undone(Undone::Stopped)),
    }
}
