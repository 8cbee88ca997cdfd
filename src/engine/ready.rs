//! Which job goes next: whole chains before half chains, then the plan's order.
//!
//! In: jobs whose inputs are there, and which of them the money is for. Out: the next one to start.
//! Never: a scan over the plan for each job; a job before its inputs.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use crate::plan::{JobIx, Plan};
use crate::types::Micros;

/// Jobs that can start, one lane for each step.
#[derive(Debug)]
pub(super) struct Ready {
    /// Deepest step first: a chain that was begun is finished before another is begun.
    lanes: Vec<Lane>,
    /// The lane of each step.
    lane_of: Vec<usize>,
    /// The jobs that are bought first, by place; absent: all of them.
    chosen: Option<Vec<bool>>,
}

#[derive(Debug)]
struct Lane {
    paid: bool,
    jobs: BTreeSet<JobIx>,
    /// Those that wait until the chosen ones are through.
    put_off: BTreeSet<JobIx>,
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
        let lane = |step: &usize| Lane { paid: plan.steps[*step].action.is_some(), jobs: BTreeSet::new(), put_off: BTreeSet::new(), refused: None };
        Self { lanes: order.iter().map(lane).collect(), lane_of, chosen: None }
    }

    /// Adds a job whose inputs are there.
    pub(super) fn push(&mut self, plan: &Plan, ix: JobIx) {
        let lane = &mut self.lanes[self.lane_of[plan.job(ix).step as usize]];
        let is_first = !lane.paid || self.chosen.as_ref().is_none_or(|chosen| chosen[ix.index()]);
        if is_first {
            lane.jobs.insert(ix)
        } else {
            lane.put_off.insert(ix)
        };
    }

    /// Says which paid jobs are bought first, by place; `None`: all of them, in their order.
    pub(super) fn choose(&mut self, chosen: Option<Vec<bool>>) {
        let is_first = |ix: &JobIx| chosen.as_ref().is_none_or(|chosen| chosen[ix.index()]);
        for lane in self.lanes.iter_mut().filter(|lane| lane.paid) {
            let all = std::mem::take(&mut lane.jobs).into_iter().chain(std::mem::take(&mut lane.put_off));
            (lane.jobs, lane.put_off) = all.partition(is_first);
        }
        self.chosen = chosen;
    }

    /// Returns whether jobs wait until the chosen ones are through.
    pub(super) fn has_put_off(&self) -> bool {
        self.lanes.iter().any(|lane| !lane.put_off.is_empty())
    }

    /// Takes the next local job.
    pub(super) fn pop_local(&mut self) -> Option<JobIx> {
        self.lanes.iter_mut().filter(|lane| !lane.paid).find_map(|lane| lane.jobs.pop_first())
    }

    /// Takes the next paid job whose reservation may fit, and that has a place where it is made. A step is made at one provider.
    pub(super) fn pop_paid(&mut self, reserved: impl Fn(JobIx) -> Micros, has_place: impl Fn(JobIx) -> bool) -> Option<JobIx> {
        let fits = |lane: &Lane| lane.jobs.first().is_some_and(|ix| has_place(*ix) && lane.refused.is_none_or(|refused| reserved(*ix) < refused));
        self.lanes.iter_mut().filter(|lane| lane.paid).find(|lane| fits(lane)).and_then(|lane| lane.jobs.pop_first())
    }

    /// Takes the next paid job of a step whose provider takes no more.
    pub(super) fn pop_closed(&mut self, is_closed: impl Fn(JobIx) -> bool) -> Option<JobIx> {
        let closed = |jobs: &BTreeSet<JobIx>| jobs.first().is_some_and(|ix| is_closed(*ix));
        let next = |lane: &mut Lane| {
            if closed(&lane.jobs) {
                lane.jobs.pop_first()
            } else if closed(&lane.put_off) {
                lane.put_off.pop_first()
            } else {
                None
            }
        };
        self.lanes.iter_mut().filter(|lane| lane.paid).find_map(next)
    }

    /// Takes the next paid job whether it may fit or not.
    pub(super) fn pop_refused(&mut self) -> Option<JobIx> {
        let next = |lane: &mut Lane| lane.jobs.pop_first().or_else(|| lane.put_off.pop_first());
        self.lanes.iter_mut().filter(|lane| lane.paid).find_map(next)
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

    /// Returns `jobs` in the order in which a run of one shot at a time would do them: chain by chain, each job after its inputs.
    pub(super) fn ordered(&self, plan: &Plan, jobs: &[JobIx]) -> Vec<JobIx> {
        let lane = |ix: JobIx| {
            let lane = self.lane_of[plan.job(ix).step as usize];
            (self.lanes[lane].paid, lane, ix)
        };
        let mut missing: HashMap<JobIx, usize> = jobs.iter().map(|ix| (*ix, 0)).collect();
        for ix in jobs {
            for next in plan.dependents(*ix) {
                missing.entry(next).and_modify(|missing| *missing += 1);
            }
        }
        let mut open: BTreeSet<_> = jobs.iter().filter(|ix| missing[*ix] == 0).map(|ix| lane(*ix)).collect();
        let mut ordered = Vec::with_capacity(jobs.len());
        while let Some((_, _, ix)) = open.pop_first() {
            ordered.push(ix);
            for next in plan.dependents(ix) {
                let Some(missing) = missing.get_mut(&next) else { continue };
                *missing -= 1;
                if *missing == 0 {
                    open.insert(lane(next));
                }
            }
        }
        ordered
    }
}
