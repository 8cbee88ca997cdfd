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

    /// Adds the address of the job at `place` to a text: a diff reads all of them, and needs none for itself.
    fn write_id(&self, place: usize, text: &mut String) {
        text.push_str(self.id(place).as_str());
    }

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

    /// Tells the named ingredients of the job at `place`, in order, without keeping them: the same as [`Side::fields`].
    fn each_field(&self, place: usize, tell: &mut dyn FnMut(&str, &str)) {
        for (name, value) in self.fields(place) {
            tell(&name, &value);
        }
    }
}

/// Some jobs of a side, as a side.
pub struct PartOfSide<'a> {
    side: &'a dyn Side,
    /// Their places in the whole.
    places: Vec<usize>,
}

impl<'a> PartOfSide<'a> {
    /// Returns the jobs for whose place `wanted` is true.
    pub fn new(side: &'a dyn Side, wanted: impl Fn(usize) -> bool) -> Self {
        Self { side, places: (0..side.len()).filter(|place| wanted(*place)).collect() }
    }
}

impl Side for PartOfSide<'_> {
    fn currency(&self) -> &Currency {
        self.side.currency()
    }

    fn len(&self) -> usize {
        self.places.len()
    }

    fn id(&self, place: usize) -> JobId {
        self.side.id(self.places[place])
    }

    fn write_id(&self, place: usize, text: &mut String) {
        self.side.write_id(self.places[place], text);
    }

    fn key(&self, place: usize) -> JobKey {
        self.side.key(self.places[place])
    }

    fn step(&self, place: usize) -> &str {
        self.side.step(self.places[place])
    }

    fn path(&self, place: usize) -> &str {
        self.side.path(self.places[place])
    }

    fn price(&self, place: usize) -> SidePrice {
        self.side.price(self.places[place])
    }

    fn fields(&self, place: usize) -> Vec<(String, String)> {
        self.side.fields(self.places[place])
    }

    fn each_field(&self, place: usize, tell: &mut dyn FnMut(&str, &str)) {
        self.side.each_field(self.places[place], tell);
    }
}
