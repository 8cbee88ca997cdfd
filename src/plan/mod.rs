//! The DAG of shots as an immutable value, and what history leaves to do of it.
//!
//! In: a [`Campaign`](crate::campaign::Campaign) and the digests of its files. Out: a [`Plan`], then a [`Worklist`].
//! Never: tokio, the disk, a clock. The same inputs give the same plan, byte for byte.

mod build;
mod cells;
mod credit;
mod describe;
mod diff;
mod jobs;
mod lower;
mod mistakes;
mod paths;
mod picking;
mod prepare;
mod prompts;
mod proof;
mod ruling;
pub mod saved;
mod selection;
mod side;
mod texts;
mod why;
pub mod word_diff;
mod worklist;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};

pub use build::{asset_paths, build, build_picked};
pub use credit::{ancestry, credit, digital_source};
pub use describe::{recipe, tell_recipe};
#[cfg(test)]
pub(crate) use diff::sample;
pub use diff::{Change, Diff, FieldChange, Group, MOST_FIELDS, Pair, StepDiff, Value, Variant, diff};
pub use jobs::Assets;
pub use picking::{PickCell, Picked, Stale, check_picks, refused_now, stale};
pub use prepare::{Preparation, Reshaped, reshaped};
pub use ruling::{Bar, Fate, Kept, Ruling, TurnedDown, ruled, ruling};
pub use saved::SavedPlan;
pub use selection::{Only, Selection, SelectionError};
pub use side::{PartOfSide, Side, SidePrice};
pub use why::{Difference, Reason, why};
pub use worklist::{Work, Worklist, most_tries, worklist};

pub use crate::campaign::Inserted;
use crate::picks::Rejected;
use crate::types::{Action, Check, Digest, InputRole, JobId, JobKey, LocalAction, Operation, PixelSize};

/// A job's place in [`Plan::jobs`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobIx(pub u32);

impl JobIx {
    /// Returns the place as an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// An axis with its values' keys, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedAxis {
    /// Name; `take` for the author's equal tries.
    pub name: Arc<str>,
    /// Keys of the values.
    pub keys: Arc<[Arc<str>]>,
    /// Whether it is an axis of takes.
    pub is_take: bool,
}

/// A step, settled: what its jobs share.
#[derive(Debug, Clone)]
pub struct PlannedStep {
    /// Name.
    pub name: Arc<str>,
    /// Kind as written in YAML.
    pub kind: &'static str,
    /// Paid action; `None` is local and free.
    pub action: Option<Action>,
    /// Model of a paid step.
    pub model: Option<Arc<str>>,
    /// Baseline that its prompts follow.
    pub baseline: Option<Arc<str>>,
    /// Its axes, as places in [`Plan::axes`], takes last.
    pub axes: Vec<usize>,
    /// Its jobs, as places in [`Plan::jobs`].
    pub jobs: Range<u32>,
    /// Steps whose pictures it takes, as places in [`Plan::steps`].
    pub inputs: Vec<usize>,
    /// Whether nothing but contact sheets is made from its pictures: these are the finals.
    pub is_final: bool,
    /// How many paid steps stand on the way to it, itself included.
    pub depth: u32,
    /// What it is for, if the author did not write it.
    pub inserted: Option<Inserted>,
    /// What its pictures must be like.
    pub checks: Arc<[Check]>,
    /// How often a shot may be paid again because a check failed.
    pub rerolls: u32,
}

/// One shot of one step, fully rendered.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its step, as a place in [`Plan::steps`].
    pub step: u32,
    /// Its value on each axis of the step, as places in the axis' keys.
    pub cell: Box<[u32]>,
    /// Identity.
    pub key: JobKey,
    /// What it does.
    pub operation: Operation,
    /// Rendered prompt; empty for operations without one.
    pub prompt: Arc<str>,
    /// Rendered subject, for people and for rehearsals; empty when there is none.
    pub subject: Arc<str>,
    /// Size of the picture that the plan expects.
    pub size: PixelSize,
    /// Where its file stands below the output folder, with `/` between folders.
    pub path: Box<str>,
}

/// The plan.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Name of the campaign.
    pub campaign: Arc<str>,
    /// Digest over all jobs, keys and paths.
    pub digest: Digest,
    /// All axes that any step has.
    pub axes: Vec<PlannedAxis>,
    /// Steps; inputs stand before those who take them.
    pub steps: Vec<PlannedStep>,
    /// Jobs; inputs stand before those who take them.
    pub jobs: Vec<Job>,
    /// Who takes whose picture: node `n` is job `n`, an edge goes from the maker to the taker.
    pub graph: DiGraph<(), InputRole, u32>,
    /// Jobs with the key of an earlier one, and that earlier one: the same picture, paid once.
    pub twins: BTreeMap<JobIx, JobIx>,
    /// What is done to sources before they are sent, in the order of their jobs.
    pub prepared: Vec<Preparation>,
    /// Jobs that load a file of the author's with a C2PA manifest in it.
    pub signed: Vec<JobIx>,
    /// The cells of `pick` steps.
    pub picks: BTreeMap<JobIx, PickCell>,
    /// Jobs that are one picture with others: the step whose checks look at it.
    pub checked_as: BTreeMap<JobIx, u32>,
    /// Pictures that a person turned down, by shot: part of its key, so that it is made again, and with it what is made from it.
    pub refused: BTreeMap<JobIx, Vec<Rejected>>,
}

/// One picture that a job takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Input {
    /// Who makes it.
    pub from: JobIx,
    /// What it is here.
    pub role: InputRole,
}

impl Plan {
    /// Returns the job at `ix`.
    pub fn job(&self, ix: JobIx) -> &Job {
        &self.jobs[ix.index()]
    }

    /// Returns the step of a job.
    pub fn step_of(&self, ix: JobIx) -> &PlannedStep {
        &self.steps[self.job(ix).step as usize]
    }

    /// Returns what a picture of a job must pass.
    pub fn bar(&self, ix: JobIx) -> Bar<'_> {
        // Shots that are one picture are looked at once, by the checks of the first step that has any.
        let step = self.checked_as.get(&ix).map_or(self.step_of(ix), |step| &self.steps[*step as usize]);
        Bar { checks: &step.checks, rerolls: step.rerolls, is_paid: matches!(self.job(ix).operation, Operation::Paid(_)) }
    }

    /// Returns whether a job is a choice that nobody has made.
    pub fn waits_for_a_pick(&self, ix: JobIx) -> bool {
        matches!(self.job(ix).operation, Operation::Local(LocalAction::Pick { chosen: None }))
    }

    /// Returns all places of jobs, in order.
    pub fn indices(&self) -> impl DoubleEndedIterator<Item = JobIx> + ExactSizeIterator + use<> {
        (0..self.jobs.len() as u32).map(JobIx)
    }

    /// Returns the pictures that a job takes, in the order of their roles.
    pub fn inputs(&self, ix: JobIx) -> Vec<Input> {
        let mut inputs: Vec<Input> = self
            .graph
            .edges_directed(NodeIndex::new(ix.index()), Direction::Incoming)
            .map(|edge| Input { from: JobIx(petgraph::visit::EdgeRef::source(&edge).index() as u32), role: *edge.weight() })
            .collect();
        inputs.sort_by_key(|input| input.role);
        inputs
    }

    /// Returns the jobs that take a job's picture; one that takes it twice stands there twice.
    pub fn dependents(&self, ix: JobIx) -> impl Iterator<Item = JobIx> + '_ {
        self.graph.neighbors(NodeIndex::new(ix.index())).map(|node| JobIx(node.index() as u32))
    }

    /// Returns the axis names and value keys of a job, in the step's order, takes left out.
    pub fn axes_of(&self, ix: JobIx) -> Vec<(&Arc<str>, &Arc<str>)> {
        self.coordinates(ix).filter(|(axis, _)| !axis.is_take).map(|(axis, key)| (&axis.name, key)).collect()
    }

    /// Returns which of the author's equal tries a job is, from 1; the axis counts wherever it was inherited from.
    pub fn take_of(&self, ix: JobIx) -> Option<u32> {
        self.coordinates(ix).find(|(axis, _)| axis.is_take).and_then(|(_, key)| key.parse().ok())
    }

    fn coordinates(&self, ix: JobIx) -> impl Iterator<Item = (&PlannedAxis, &Arc<str>)> {
        let job = self.job(ix);
        let axes = &self.step_of(ix).axes;
        axes.iter().zip(job.cell.iter()).map(|(axis, value)| (&self.axes[*axis], &self.axes[*axis].keys[*value as usize]))
    }

    /// Returns the address of a job: `surface[sku=teapot,angle=front,surface=oak]#2`.
    pub fn id(&self, ix: JobIx) -> JobId {
        JobId::new(Address { plan: self, ix }.to_string())
    }

    /// Adds the address of a job to a text, as [`Plan::id`] prints it.
    pub fn write_id(&self, ix: JobIx, text: &mut String) {
        use fmt::Write as _;
        write!(text, "{}", Address { plan: self, ix }).expect("a string takes all");
    }

    /// Finds a job by its address as printed by [`Plan::id`].
    pub fn find(&self, address: &str) -> Option<JobIx> {
        let step_name = address.split(['[', '#']).next()?;
        let step = self.steps.iter().find(|step| &*step.name == step_name)?;
        step.jobs.clone().map(JobIx).find(|ix| self.id(*ix).as_str() == address)
    }
}

/// Prints the address of a job.
struct Address<'a> {
    plan: &'a Plan,
    ix: JobIx,
}

impl fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.plan.step_of(self.ix).name)?;
        let mut before = "[";
        for (axis, key) in self.plan.coordinates(self.ix).filter(|(axis, _)| !axis.is_take) {
            for part in [before, &axis.name, "=", key] {
                f.write_str(part)?;
            }
            before = ",";
        }
        if before == "," {
            f.write_str("]")?;
        }
        match self.plan.take_of(self.ix) {
            Some(take) => write!(f, "#{take}"),
            None => Ok(()),
        }
    }
}
