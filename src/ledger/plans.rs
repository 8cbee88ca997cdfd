//! What the ledger knows of saved plans: that a run of one has begun, and that the plan is spent.
//!
//! In: the name of a plan and of a run. Out: [`PlanRecord`]. Never: what stands in the plan; its name is the digest of all of it.

use crate::types::{RunId, Timestamp};

/// A saved plan of which a run has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRecord {
    /// Campaign that it is of.
    pub campaign: String,
    /// The first run of it.
    pub begun_by: RunId,
    /// When that began, by the ledger's clock.
    pub begun_at: Timestamp,
    /// The run that came to its end, and when: from there on the plan is spent.
    pub spent: Option<(RunId, Timestamp)>,
}

impl PlanRecord {
    /// Returns the record after a run has come to the plan's end; a plan is spent once, by the first that says so.
    #[must_use]
    pub fn ended(mut self, run: RunId, at: Timestamp) -> Self {
        self.spent.get_or_insert((run, at));
        self
    }
}
