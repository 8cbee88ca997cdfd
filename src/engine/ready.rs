//! Which job goes next: whole chains before half chains, then the plan's order.
//!
//! In: jobs whose inputs are there. Out: the next one to start.
//! Never: a scan over the plan; a job before its inputs.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::plan::{JobIx, Plan};
use crate::types::Micros;

/// Jobs that can start, one lane for each step.
#[derive(Debug)]
pub(super) struct Ready {
    /// Deepest step first: a chain that was begun is finished before another is begun.
    lanes: Vec<Lane>,
    /// The lane of each step.
    lane_of: Vec<usize>,
}

#[derive(Debug)]
struct Lane {
    paid: bool,
    jobs: BTreeSet<JobIx>,
    /// The smallest reservation that no longer fitted, since money was last given back.
    refused: Option<Micros>,
}

impl Ready {
    /// Starts empty, with a lane for each step of the plan.
    pub(super) fn new(plan: &Plan) -> Self {
        let mut order: Vec<usize> = (0..plan.steps.len()).collect();
        order.sort_by_key(|step| (Reverse(plan.steps[*step].depth), *step));
        let mut lane_of = vec![0; order.len()];
        for (lane, step) in order.iter().enumerate() {
            lane_of[*step] = lane;
        }
        let lanes = order.iter().map(|step| Lane { paid: plan.steps[*step].action.is_some(), jobs: BTreeSet::new(), refused: None }).collect();
        Self { lanes, lane_of }
    }

    /// Adds a job whose inputs are there.
    pub(super) fn push(&mut self, plan: &Plan, ix: JobIx) {
        let lane = self.lane_of[plan.job(ix).step as usize];
        self.lanes[lane].jobs.insert(ix);
    }

    /// Takes the next local job.
    pub(super) fn pop_local(&mut self) -> Option<JobIx> {
        self.lanes.iter_mut().filter(|lane| !lane.paid).find_map(|lane| lane.jobs.pop_first())
    }

    /// Takes the next paid job whose reservation may fit.
    pub(super) fn pop_paid(&mut self, reserved: impl Fn(JobIx) -> Micros) -> Option<JobIx> {
        let fits = |lane: &Lane| lane.jobs.first().is_some_and(|ix| lane.refused.is_none_or(|refused| reserved(*ix) < refused));
        self.lanes.iter_mut().filter(|lane| lane.paid).find(|lane| fits(lane)).and_then(|lane| lane.jobs.pop_first())
    }

    /// Takes the next paid job whether it may fit or not.
    pub(super) fn pop_refused(&mut self) -> Option<JobIx> {
        self.lanes.iter_mut().filter(|lane| lane.paid).find_map(|lane| lane.jobs.pop_first())
    }

    /// Notes that a reservation of this size does not fit for this job's step now.
    pub(super) fn refuse(&mut self, plan: &Plan, ix: JobIx, reserved: Micros) {
        let lane = &mut self.lanes[self.lane_of[plan.job(ix).step as usize]];
        lane.refused = Some(lane.refused.map_or(reserved, |refused| refused.min(reserved)));
    }

    /// Notes that money may have been given back.
    pub(super) fn relax(&mut self) {
        for lane in &mut self.lanes {
            lane.refused = None;
        }
    }

    /// Returns the places of `jobs` in the order in which they would be started.
    pub(super) fn ordered(&self, plan: &Plan, mut jobs: Vec<JobIx>) -> Vec<JobIx> {
        jobs.sort_by_key(|ix| (self.lane_of[plan.job(*ix).step as usize], *ix));
        jobs
    }
}
