//! Runs a plan: decides purely, performs asynchronously, buys exactly once.
//!
//! ```text
//! RunRequest ─▶ driver ─▶ advance(job) ─▶ machine::step ─▶ Turn { append, then }
//!                 ▲           │  ledger first ◀────────────────┘
//!                 │           └─ provider, store, imaging
//!                 └─ Finished | Again { after, queue }          events after the ledger
//! ```
//!
//! In: a [`RunRequest`] (plan, worklist, prices, terms) and [`Ports`]. Out: [`Event`](crate::event::Event)s and a [`RunOutcome`].
//! Never: a printed word, a vendor's name, a retry that the machine did not decide.

mod advance;
#[doc(hidden)]
pub mod backoff;
pub mod batch;
mod desk;
mod driver;
mod funding;
mod judging;
mod keys;
mod lanes;
mod latency;
pub mod machine;
mod money;
mod outcome;
mod pace;
mod pictures;
mod ready;
mod retries;
mod spending;
mod steady;
pub mod terms;
pub mod turn;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures_util::future::BoxFuture;

pub use driver::run;
pub use outcome::{JobOutcome, RunOutcome, StopReason, Undone};
pub use steady::SteadyClock;
pub use terms::{Further, JobPrice, KEY_LIVES, OnDoubt, PATIENCE, ProviderTerms, RunRules};

use crate::ledger::{Cap, Ledger, LedgerError};
use crate::plan::{JobIx, Plan, Worklist};
use crate::provider::Provider;
use crate::store::{BlobStore, StoreError};
use crate::types::{Clock, Failure, JobId, Operation, RunId};

/// What is to be run.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// This invocation.
    pub run: RunId,
    /// Names the workspace in idempotency keys, so that two workspaces never share one.
    pub workspace: Arc<str>,
    /// The plan.
    pub plan: Arc<Plan>,
    /// What history leaves to do of it.
    pub work: Worklist,
    /// Price of each job, by its place in the plan; `None` for local ones.
    pub prices: Vec<Option<JobPrice>>,
    /// What the provider's account allows and charges.
    pub terms: ProviderTerms,
    /// The same of further providers that make pictures of this plan.
    pub further: Further,
    /// Caps that every paid try counts under; the first is the campaign's.
    pub caps: Vec<Cap>,
    /// Further cap of a step, by its place in the plan; may be shorter than the steps.
    pub step_caps: Vec<Option<Cap>>,
    /// Most paid jobs under way at once; at least 1.
    pub concurrency: usize,
    /// No new submits after this many failed jobs.
    pub stop_after_failures: Option<usize>,
    /// Attempts, doubt, patience, seed.
    pub rules: RunRules,
    /// Whether pictures are drawn, not made by a model: files say so of themselves.
    pub is_rehearsal: bool,
}

impl RunRequest {
    /// Returns the provider that makes a job's picture; `None` for local work.
    pub(crate) fn maker(&self, ix: JobIx) -> Option<&Arc<str>> {
        match &self.plan.job(ix).operation {
            Operation::Paid(paid) => Some(&paid.provider),
            Operation::Local(_) => None,
        }
    }

    /// Returns the terms of the provider that makes a job's picture.
    pub(crate) fn terms_of(&self, ix: JobIx) -> &ProviderTerms {
        self.maker(ix).and_then(|maker| self.further.terms.get(maker)).unwrap_or(&self.terms)
    }
}

/// What a run works with.
#[derive(Clone)]
pub struct Ports {
    /// The only memory.
    pub ledger: Arc<dyn Ledger>,
    /// Where pictures are kept.
    pub store: Arc<dyn BlobStore>,
    /// Who makes them.
    pub provider: Arc<dyn Provider>,
    /// The author's own files.
    pub originals: Arc<dyn Originals>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// Reads the author's files, by their paths as the campaign names them.
pub trait Originals: Send + Sync {
    /// Returns the bytes of a file.
    fn read<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Vec<u8>, Failure>>;
}

/// How urgently the user wants out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Cancel {
    /// Not at all.
    #[default]
    No,
    /// No new submits; finish what is paid.
    Finish,
    /// Leave at once; the ledger stays whole.
    Leave,
}

/// What is broken on our side; a failed job is an outcome, not an error.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The ledger cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A paid job has no price.
    #[error("`{job}` has no price; nothing was sent")]
    Unpriced {
        /// Which.
        job: JobId,
    },
    /// A task of the run ended by a panic: a bug.
    #[error("the work on a shot stopped unexpectedly: {0}")]
    Panicked(String),
}
