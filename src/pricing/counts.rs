//! Jobs counted by what is to be done about them, and the few that are named.
//!
//! In: jobs and their work. Out: [`Counts`], [`NamedJobs`]. Never: money.

use crate::plan::{JobIx, Plan, Work};
use crate::types::JobId;

/// Most jobs that a note names.
pub(super) const MOST_NAMED: usize = 5;

/// How many jobs have which work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Never tried.
    pub new: usize,
    /// Determined by something that has changed.
    pub changed: usize,
    /// Done, but the picture is gone from the store.
    pub lost: usize,
    /// Failed before.
    pub again: usize,
    /// Under way already.
    pub resumed: usize,
    /// Done.
    pub reused: usize,
    /// The same picture as another shot's.
    pub twin: usize,
    /// Of unknown outcome.
    pub in_doubt: usize,
    /// With a picture that is to be looked at.
    pub look: usize,
    /// Turned down, and bought once more.
    pub reroll: usize,
    /// Turned down for good.
    pub rejected: usize,
    /// Waiting for a person's choice.
    pub waiting: usize,
    /// Not selected.
    pub excluded: usize,
}

impl Counts {
    /// Counts one job.
    pub fn add(&mut self, work: Work) {
        *match work {
            Work::New => &mut self.new,
            Work::Changed { .. } => &mut self.changed,
            Work::Lost => &mut self.lost,
            Work::Again => &mut self.again,
            Work::Resumed => &mut self.resumed,
            Work::Reused => &mut self.reused,
            Work::Twin => &mut self.twin,
            Work::InDoubt => &mut self.in_doubt,
            Work::Look => &mut self.look,
            Work::Reroll => &mut self.reroll,
            Work::Rejected => &mut self.rejected,
            Work::Waiting => &mut self.waiting,
            Work::Excluded => &mut self.excluded,
        } += 1;
    }

    /// Returns how many jobs are selected: all but the excluded.
    pub fn jobs(&self) -> usize {
        self.outstanding() + self.resumed + self.reused + self.twin + self.in_doubt + self.look + self.rejected + self.waiting
    }

    /// Returns how many need a new try.
    pub fn outstanding(&self) -> usize {
        self.new + self.changed + self.lost + self.again + self.reroll
    }

    /// Adds the counts of another group.
    pub fn and(&mut self, other: &Self) {
        self.new += other.new;
        self.changed += other.changed;
        self.lost += other.lost;
        self.again += other.again;
        self.resumed += other.resumed;
        self.reused += other.reused;
        self.twin += other.twin;
        self.in_doubt += other.in_doubt;
        self.look += other.look;
        self.reroll += other.reroll;
        self.rejected += other.rejected;
        self.waiting += other.waiting;
        self.excluded += other.excluded;
    }
}

/// The first few of some jobs, and how many there are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NamedJobs {
    /// Addresses of the first few.
    pub first: Vec<JobId>,
    /// How many there are.
    pub count: usize,
}

impl NamedJobs {
    /// Takes one more job.
    pub fn push(&mut self, plan: &Plan, ix: JobIx) {
        if self.first.len() < MOST_NAMED {
            self.first.push(plan.id(ix));
        }
        self.count += 1;
    }

    /// Returns "`a`, `b` and 3 more".
    pub fn listed(&self) -> String {
        let named: Vec<String> = self.first.iter().map(|id| format!("`{id}`")).collect();
        match (self.count - self.first.len(), named.as_slice()) {
            (0, [first @ .., last]) if !first.is_empty() => format!("{} and {last}", first.join(", ")),
            (0, named) => named.join(", "),
            (more, named) => format!("{} and {more} more", named.join(", ")),
        }
    }
}
