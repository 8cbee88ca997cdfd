//! What a plan costs: quotes, the estimate, and the gate before the first request.
//!
//! In: a plan, a worklist, the catalog, the budget, what the ledger already counts. Out: [`Quotes`], [`Estimate`], [`Verdict`].
//! Never: HTTP, the disk, a price of 0 for something unknown.

mod breakdown;
mod caps;
pub mod compare;
mod counts;
pub mod delta;
pub mod estimate;
pub mod gate;
pub mod learned;
pub mod policy;
pub mod providers;
pub mod quote;
#[cfg(test)]
pub(crate) mod sample;
pub mod side;
pub mod sum;
pub mod what_if;
pub mod whole;
pub mod worksheet;

pub use compare::{Asked, Cheapest, Lack, Offer, cheapest, offer};
pub use delta::{BeforeAfter, Delta};
pub use estimate::{
    AxisLines, CapLine, CapOf, CeilingBy, Committed, Counts, Estimate, Finals, GroupLine, NamedJobs, StepLine, Unit, UnpricedJobs, Unweighed,
    estimate, estimate_by,
};
pub use gate::{Gate, Refusal, Verdict, Warning, gate, without_price};
pub use learned::{FEWEST_FINALS, Factors, Learned, learn};
pub use policy::{Judged, PolicyVerdict, judge};
pub use providers::{ProviderCap, ProviderLine, by_provider};
pub use quote::{BookFacts, JobQuote, Quotes, quotes, quotes_settled};
pub use side::{EmptySide, LiveSide};
pub use sum::Sum;
pub use what_if::{Basis, WhatIf, WhatIfError, factor_called, suppose};
pub use whole::Whole;
pub use worksheet::{Sheet, SheetError, SheetLine, Wanted, worksheet};
