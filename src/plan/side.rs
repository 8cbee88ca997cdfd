//! One side of a comparison of two plans: one that was just built, one of another revision, or a saved one.
//!
//! In: nothing; it is a port. Out: jobs by their place, and of each what a diff shows.
//! Never: the money of what history has done already; a side is what the whole plan costs at one try for each job.

use crate::catalog::Certainty;
use crate::types::{Currency, JobId, JobKey, Micros};

/// What one try of a job costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SidePrice {
    /// Local work.
    Free,
    /// The book's price, and how sure it is.
    Priced(Micros, Certainty),
    /// The book has none.
    Unpriced,
}

/// One plan, as a diff sees it. Only what two sides do not share is asked for in full.
pub trait Side {
    /// Returns what its prices are counted in.
    fn currency(&self) -> &Currency;

    /// Returns how many jobs it has.
    fn len(&self) -> usize;

    /// Returns whether it has no jobs.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the address of the job at `place`.
    fn id(&self, place: usize) -> JobId;

    /// Returns the identity of the job at `place`.
    fn key(&self, place: usize) -> JobKey;

    /// Returns the step of the job at `place`.
    fn step(&self, place: usize) -> &str;

    /// Returns the file of the job at `place`, below the output folder.
    fn path(&self, place: usize) -> &str;

    /// Returns what one try of the job at `place` costs.
    fn price(&self, place: usize) -> SidePrice;

    /// Returns the named ingredients of the job at `place`, in order: those of [`super::recipe`].
    fn fields(&self, place: usize) -> Vec<(String, String)>;
}
