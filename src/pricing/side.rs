//! A plan that was just built, as one side of a comparison.

use super::quote::{JobQuote, Quotes};
use crate::plan::{self, JobIx, Plan, Selection, Side, SidePrice};
use crate::types::{Currency, JobId, JobKey};

/// A plan with its prices: all of it, or what is selected.
#[derive(Debug, Clone)]
pub struct LiveSide<'a> {
    plan: &'a Plan,
    quotes: &'a Quotes,
    /// Places in the plan of the selected jobs, in order.
    places: Vec<JobIx>,
}

impl<'a> LiveSide<'a> {
    /// Returns the selected part of a plan.
    pub fn new(plan: &'a Plan, quotes: &'a Quotes, selection: &Selection) -> Self {
        Self { plan, quotes, places: plan.indices().filter(|ix| selection.includes(*ix)).collect() }
    }

    fn ix(&self, place: usize) -> JobIx {
        self.places[place]
    }
}

impl Side for LiveSide<'_> {
    fn currency(&self) -> &Currency {
        &self.quotes.book().currency
    }

    fn len(&self) -> usize {
        self.places.len()
    }

    fn id(&self, place: usize) -> JobId {
        self.plan.id(self.ix(place))
    }

    fn write_id(&self, place: usize, text: &mut String) {
        self.plan.write_id(self.ix(place), text);
    }

    fn key(&self, place: usize) -> JobKey {
        self.plan.job(self.ix(place)).key
    }

    fn step(&self, place: usize) -> &str {
        &self.plan.step_of(self.ix(place)).name
    }

    fn path(&self, place: usize) -> &str {
        &self.plan.job(self.ix(place)).path
    }

    fn price(&self, place: usize) -> SidePrice {
        match self.quotes.of(self.ix(place)) {
            None => SidePrice::Free,
            Some(JobQuote::Priced(quote)) => SidePrice::Priced(quote.amount.micros, quote.certainty),
            Some(JobQuote::Unpriced(_)) => SidePrice::Unpriced,
        }
    }

    fn fields(&self, place: usize) -> Vec<(String, String)> {
        plan::recipe(self.plan, self.ix(place))
    }

    fn each_field(&self, place: usize, tell: &mut dyn FnMut(&str, &str)) {
        plan::tell_recipe(self.plan, self.ix(place), tell);
    }
}

/// A side without jobs: what stands before a campaign that is new.
#[derive(Debug, Clone)]
pub struct EmptySide(pub Currency);

impl Side for EmptySide {
    fn currency(&self) -> &Currency {
        &self.0
    }

    fn len(&self) -> usize {
        0
    }

    fn id(&self, _place: usize) -> JobId {
        JobId::new("")
    }

    fn key(&self, _place: usize) -> JobKey {
        JobKey(crate::types::Digest::from_bytes([0; 32]))
    }

    fn step(&self, _place: usize) -> &str {
        ""
    }

    fn path(&self, _place: usize) -> &str {
        ""
    }

    fn price(&self, _place: usize) -> SidePrice {
        SidePrice::Free
    }

    fn fields(&self, _place: usize) -> Vec<(String, String)> {
        Vec::new()
    }
}
