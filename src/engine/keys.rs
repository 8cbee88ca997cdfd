//! How old the idempotency keys of requests are that an earlier run has sent and not seen answered.
//!
//! In: the ledger's tries, once, at the start of a run. Out: whether a request may be repeated under the key that it had.
//! Never: a repeat under a key that the provider may have forgotten: it would be charged a second time.

use std::collections::HashMap;

use super::terms::KEY_LIVES;
use super::{EngineError, RunRequest};
use crate::ledger::Ledger;
use crate::plan::Work;
use crate::types::{AttemptNo, JobKey, Timestamp};

/// When requests went out that may be repeated.
#[derive(Debug, Default)]
pub(super) struct SentKeys(HashMap<(JobKey, AttemptNo), Timestamp>);

impl SentKeys {
    /// Reads them from the ledger; asks it nothing where no provider honours keys.
    ///
    /// # Errors
    /// A ledger that cannot be read.
    pub(super) fn read(request: &RunRequest, ledger: &dyn Ledger) -> Result<Self, EngineError> {
        let is_honoured = |ix| request.maker(ix).is_some() && request.terms_of(ix).idempotent;
        let may_be_open = |work| matches!(work, Work::Resumed | Work::InDoubt | Work::Again);
        let open = request.work.iter().filter(|(ix, work)| may_be_open(*work) && is_honoured(*ix));
        let keys: Vec<JobKey> = open.map(|(ix, _)| request.plan.job(ix).key).collect();
        if keys.is_empty() {
            return Ok(Self::default());
        }
        let tries = ledger.attempts(&request.plan.campaign, &keys)?;
        Ok(Self(tries.into_iter().map(|row| ((row.key, row.attempt), row.started_at)).collect()))
    }

    /// Returns whether the provider may have forgotten the key of a try; one of this run is young.
    pub(super) fn is_old(&self, key: JobKey, attempt: AttemptNo, now: Timestamp) -> bool {
        self.0.get(&(key, attempt)).is_some_and(|sent| now.since(*sent) >= KEY_LIVES)
    }
}
