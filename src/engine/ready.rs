//! Which job goes next: whole chains before half chains, so that finals come early; towards the end, where the money lasts, whoever was
//! ready first, so that no chain is begun when the others end; then the plan's order.
//!
//! In: jobs whose inputs are there, and which of them the money is for. Out: the next one to start.
//! Never: a scan over the plan for each job; a job before its inputs.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use crate::plan::{JobIx, Plan};
use crate::types::Micros;

/// What goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// The deepest step, to the end: money may run out, and then it has gone to whole chains.
    WholeChains,
    /// The deepest step while much can start, and then who was ready first: all chains move on together, and the places stay filled.
    FillPlaces,
}

/// Jobs for each place below which few can start. In chains of 4 with latencies of all lengths this takes 1 % longer than no order of
/// chains at all, and a quarter of the finals is there in half the time.
const FEW: usize = 2;

/// Jobs that can start, one lane for each step.
#[derive(Debug)]
pub(super) struct Ready {
    order: Order,
    /// When each job was ready first, counted from 1; 0 before, and where the turn does not matter.
    turns: Vec<u32>,
    turn: u32,
    /// Deepest step first.
    lanes: Vec<Lane>,
    /// The lane of each step.
    lane_of: Vec<usize>,
    /// The jobs that are bought first, by place; absent: all of them.
    chosen: Option<Vec<bool>>,
}

#[derive(Debug)]
struct Lane {
    paid: bool,
    /// By turn, then by place in the plan.
    jobs: BTreeSet<(u32, JobIx)>,
    /// Those that wait until the chosen ones are through.
    put_off: BTreeSet<(u32, JobIx)>,
    /// The smallest reservation that no longer fitted, since money was last given back.
    refused: Option<Micros>,
}

impl Ready {
    /// Starts empty, with a lane for each step of the plan.
    pub(super) fn new(plan: &Plan, order: Order) -> Self {
        let mut steps: Vec<usize> = (0..plan.steps.len()).collect();
        steps.sort_by_key(|step| (Reverse(plan.steps[*step].depth), *step));
        let mut lane_of = vec![0; steps.len()];
        for (lane, step) in steps.iter().enumerate() {
            lane_of[*step] = lane;
        }
        let lane = |step: &usize| Lane { paid: plan.steps[*step].action.is_some(), jobs: BTreeSet::new(), put_off: BTreeSet::new(), refused: None };
        let turns = if order == Order::FillPlaces { vec![0; plan.jobs.len()] } else { Vec::new() };
        Self { order, turns, turn: 0, lanes: steps.iter().map(lane).collect(), lane_of, chosen: None }
    }

    /// Adds a job whose inputs are there.
    pub(super) fn push(&mut self, plan: &Plan, ix: JobIx) {
        let turn = self.turn_of(ix);
        let lane = &mut self.lanes[self.lane_of[plan.job(ix).step as usize]];
        let is_first = !lane.paid || self.chosen.as_ref().is_none_or(|chosen| chosen[ix.index()]);
        if is_first {
            lane.jobs.insert((turn, ix))
        } else {
            lane.put_off.insert((turn, ix))
        };
    }

    /// Returns a job's turn, which it keeps when it comes back.
    fn turn_of(&mut self, ix: JobIx) -> u32 {
        let Some(turn) = self.turns.get_mut(ix.index()) else { return 0 };
        if *turn == 0 {
            self.turn = self.turn.saturating_add(1);
            *turn = self.turn;
        }
        *turn
    }

    /// Says which paid jobs are bought first, by place; `None`: all of them, in their order.
    pub(super) fn choose(&mut self, chosen: Option<Vec<bool>>) {
        let is_first = |(_, ix): &(u32, JobIx)| chosen.as_ref().is_none_or(|chosen| chosen[ix.index()]);
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
        self.lanes.iter_mut().filter(|lane| !lane.paid).find_map(|lane| lane.jobs.pop_first()).map(|(_, ix)| ix)
    }

    /// Takes the next paid job whose reservation may fit, and that has a place where it is made, for one of so many places in all. A step is
    /// made at one provider.
    pub(super) fn pop_paid(&mut self, places: usize, reserved: impl Fn(JobIx) -> Micros, has_place: impl Fn(JobIx) -> bool) -> Option<JobIx> {
        let next = |lane: &Lane| {
            let (turn, ix) = lane.jobs.first()?;
            (has_place(*ix) && lane.refused.is_none_or(|refused| reserved(*ix) < refused)).then_some(*turn)
        };
        let can_start: usize = self.lanes.iter().filter(|lane| lane.paid).map(|lane| lane.jobs.len()).sum();
        // With one place nothing is won by another order.
        let fills = self.order == Order::FillPlaces && self.chosen.is_none() && places > 1 && can_start <= places.saturating_mul(FEW);
        let mut turns = self.lanes.iter().enumerate().filter(|(_, lane)| lane.paid).filter_map(|(at, lane)| Some((next(lane)?, at)));
        let (_, at) = if fills { turns.min() } else { turns.next() }?;
        self.lanes.get_mut(at)?.jobs.pop_first().map(|(_, ix)| ix)
    }

    /// Takes the next paid job of a step whose provider takes no more.
    pub(super) fn pop_closed(&mut self, is_closed: impl Fn(JobIx) -> bool) -> Option<JobIx> {
        let closed = |jobs: &BTreeSet<(u32, JobIx)>| jobs.first().is_some_and(|(_, ix)| is_closed(*ix));
        let next = |lane: &mut Lane| {
            if closed(&lane.jobs) {
                lane.jobs.pop_first().map(|(_, ix)| ix)
            } else if closed(&lane.put_off) {
                lane.put_off.pop_first().map(|(_, ix)| ix)
            } else {
                None
            }
        };
        self.lanes.iter_mut().filter(|lane| lane.paid).find_map(next)
    }

    /// Takes the next paid job whether it may fit or not.
    pub(super) fn pop_refused(&mut self) -> Option<JobIx> {
        let next = |lane: &mut Lane| lane.jobs.pop_first().or_else(|| lane.put_off.pop_first());
        self.lanes.iter_mut().filter(|lane| lane.paid).find_map(next).map(|(_, ix)| ix)
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
