//! The estimate by axis value and by model.
//!
//! In: plan, worklist, quotes. Out: lines that each sum to the floor of the whole plan.
//! Never: text per job; places in axes are counted, names are looked up once.

use std::sync::Arc;

use indexmap::IndexMap;

use super::estimate::Counts;
use super::quote::{JobQuote, Quotes};
use super::sum::Sum;
use crate::plan::{JobIx, Plan, Work, Worklist};
use crate::types::{MoneyError, Operation};

/// What the jobs of one group cost.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupLine {
    /// What they share: a value of an axis, a model; empty for the jobs that do not have the axis.
    pub name: Arc<str>,
    /// Paid jobs by work.
    pub counts: Counts,
    /// Every outstanding job at one try.
    pub floor: Sum,
}

impl GroupLine {
    fn named(name: &Arc<str>) -> Self {
        Self { name: Arc::clone(name), ..Self::default() }
    }

    fn add(&mut self, quotes: &Quotes, ix: JobIx, work: Work) -> Result<(), MoneyError> {
        self.counts.add(work);
        if work.is_outstanding() {
            self.floor = match quotes.of(ix) {
                Some(JobQuote::Priced(quote)) => self.floor.plus(quote.amount.micros, 1, quote.certainty)?,
                Some(JobQuote::Unpriced(_)) => self.floor.and_unknown(),
                None => self.floor,
            };
        }
        Ok(())
    }
}

/// What the values of one axis cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AxisLines {
    /// The axis.
    pub axis: Arc<str>,
    /// One line a value, in the axis' order.
    pub values: Vec<GroupLine>,
    /// Paid jobs of steps that do not have the axis.
    pub without: GroupLine,
}

/// Groups the paid jobs by the values of each axis.
pub(super) fn by_axis(plan: &Plan, worklist: &Worklist, quotes: &Quotes) -> Result<Vec<AxisLines>, MoneyError> {
    let mut axes: Vec<AxisLines> = plan
        .axes
        .iter()
        .map(|axis| AxisLines {
            axis: Arc::clone(&axis.name),
            values: axis.keys.iter().map(GroupLine::named).collect(),
            without: GroupLine::default(),
        })
        .collect();
    for step in plan.steps.iter().filter(|step| step.action.is_some()) {
        let mut place_in_cell: Vec<Option<usize>> = vec![None; axes.len()];
        for (place, axis) in step.axes.iter().enumerate() {
            place_in_cell[*axis] = Some(place);
        }
        for ix in step.jobs.clone().map(JobIx) {
            let (work, cell) = (worklist.work(ix), &plan.job(ix).cell);
            for (axis, place) in axes.iter_mut().zip(&place_in_cell) {
                let line = match place {
                    Some(place) => &mut axis.values[cell[*place] as usize],
                    None => &mut axis.without,
                };
                line.add(quotes, ix, work)?;
            }
        }
    }
    Ok(axes)
}

/// Groups the paid jobs by model, in the order in which the plan uses them.
pub(super) fn by_model(plan: &Plan, worklist: &Worklist, quotes: &Quotes) -> Result<Vec<GroupLine>, MoneyError> {
    let mut models: IndexMap<Arc<str>, GroupLine> = IndexMap::new();
    for (ix, work) in worklist.iter() {
        let Operation::Paid(paid) = &plan.job(ix).operation else { continue };
        match models.get_mut(&paid.model) {
            Some(line) => line.add(quotes, ix, work)?,
            None => {
                let mut line = GroupLine::named(&paid.model);
                line.add(quotes, ix, work)?;
                models.insert(Arc::clone(&paid.model), line);
            }
        }
    }
    Ok(models.into_values().collect())
}
