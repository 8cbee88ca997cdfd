//! What a plan costs: quotes, the estimate, and the gate before the first request.
//!
//! In: a plan, a worklist, the catalog, the budget, what the ledger already counts. Out: [`Quotes`], [`Estimate`], [`Verdict`].
//! Never: HTTP, the disk, a price of 0 for something unknown.

mod breakdown;
pub mod delta;
pub mod estimate;
pub mod gate;
pub mod policy;
pub mod quote;
#[cfg(test)]
pub(crate) mod sample;
pub mod side;
pub mod sum;
pub mod whole;

pub use delta::{BeforeAfter, Delta};
pub use estimate::{
    AxisLines, CapLine, CapOf, CeilingBy, Committed, Counts, Estimate, Finals, GroupLine, NamedJobs, StepLine, Unit, UnpricedJobs, Unweighed,
    estimate,
};
pub use gate::{Gate, Refusal, Verdict, Warning, gate};
pub use policy::{Judged, PolicyVerdict, judge};
pub use quote::{BookFacts, JobQuote, Quotes, quotes};
pub use side::{EmptySide, LiveSide};
pub use sum::Sum;
pub use whole::Whole;
