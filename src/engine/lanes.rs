//! The providers of a run side by side: each with its own pace, its own waits, and its own gate.
//!
//! In: a run's providers, what became of their submits. Out: who may submit, and from when on.
//! Never: one provider held up, slowed down or stopped by what another one says.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::RunRequest;
use super::desk::Gate;
use super::pace::Pace;
use super::terms::ProviderTerms;
use crate::plan::JobIx;
use crate::types::{Failure, Timestamp};

/// One provider at work in a run.
#[derive(Debug)]
pub(super) struct Lane {
    /// Its name, where the run has several.
    pub(super) provider: Option<Arc<str>>,
    pace: Mutex<Pace>,
    not_before: AtomicI64,
    gate: watch::Sender<Gate>,
    refused: Mutex<Option<Failure>>,
}

/// All providers of a run; the campaign's own stands first.
#[derive(Debug)]
pub(super) struct Lanes {
    lanes: Vec<Lane>,
    by_name: BTreeMap<Arc<str>, usize>,
}

impl Lane {
    fn new(provider: Option<Arc<str>>, terms: &ProviderTerms, concurrency: usize) -> Self {
        let ceiling = terms.limits.places.map_or(concurrency, |places| concurrency.min(places as usize));
        let pace = Mutex::new(Pace::new(ceiling, &terms.limits.windows));
        Self { provider, pace, not_before: AtomicI64::new(i64::MIN), gate: watch::Sender::new(Gate::Open), refused: Mutex::new(None) }
    }

    pub(super) fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn hold_submits(&self, until: Timestamp) {
        self.not_before.fetch_max(until.millis(), Ordering::Relaxed);
    }

    pub(super) fn not_before(&self) -> Timestamp {
        Timestamp::from_millis(self.not_before.load(Ordering::Relaxed))
    }

    pub(super) fn gate(&self) -> Gate {
        *self.gate.borrow()
    }

    pub(super) fn watched(&self) -> watch::Receiver<Gate> {
        self.gate.subscribe()
    }

    fn raise(&self, to: Gate) {
        self.gate.send_if_modified(|gate| {
            let rises = *gate < to;
            *gate = (*gate).max(to);
            rises
        });
    }
}

impl Lanes {
    /// Prepares a lane for each provider that the plan's jobs have.
    pub(super) fn new(request: &RunRequest) -> Self {
        let several = !request.further.terms.is_empty();
        let own = request.plan.indices().find_map(|ix| request.maker(ix).filter(|maker| !request.further.terms.contains_key(*maker)));
        let mut lanes = vec![Lane::new(own.cloned().filter(|_| several), &request.terms, request.concurrency)];
        let mut by_name = BTreeMap::new();
        for (name, terms) in &request.further.terms {
            by_name.insert(Arc::clone(name), lanes.len());
            lanes.push(Lane::new(Some(Arc::clone(name)), terms, request.concurrency));
        }
        Self { lanes, by_name }
    }

    /// Returns the place of a job's lane.
    pub(super) fn place(&self, request: &RunRequest, ix: JobIx) -> usize {
        request.maker(ix).and_then(|maker| self.by_name.get(maker)).copied().unwrap_or(0)
    }

    pub(super) fn of(&self, request: &RunRequest, ix: JobIx) -> &Lane {
        &self.lanes[self.place(request, ix)]
    }

    pub(super) fn at(&self, place: usize) -> &Lane {
        &self.lanes[place]
    }

    pub(super) fn count(&self) -> usize {
        self.lanes.len()
    }

    /// Closes all of them, or lets them end.
    pub(super) fn raise_all(&self, to: Gate) {
        self.lanes.iter().for_each(|lane| lane.raise(to));
    }

    /// Notes that the account of one of several was refused.
    pub(super) fn refuse(&self, place: usize, failure: &Failure) {
        self.lanes[place].refused.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| failure.clone());
    }

    /// Closes one of them; returns whether any is still open.
    pub(super) fn close(&self, place: usize) -> bool {
        self.lanes[place].raise(Gate::Closed);
        self.lanes.iter().any(|lane| lane.gate() == Gate::Open)
    }

    /// Takes the refusals that nobody has been told yet.
    pub(super) fn refusals(&self, told: &mut Vec<bool>) -> Vec<(Arc<str>, Failure)> {
        told.resize(self.lanes.len(), false);
        let mut fresh = Vec::new();
        for (lane, told) in self.lanes.iter().zip(told.iter_mut()) {
            let refused = lane.refused.lock().unwrap_or_else(PoisonError::into_inner);
            if let (false, Some(failure), Some(provider)) = (*told, &*refused, &lane.provider) {
                fresh.push((Arc::clone(provider), failure.clone()));
                *told = true;
            }
        }
        fresh
    }
}
