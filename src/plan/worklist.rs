//! What history leaves to do of a plan.
//!
//! | state of the key | picture in the store | work |
//! |---|---|---|
//! | done | yes | reused |
//! | done | no | lost: bought (or made) again |
//! | submitting before its deadline, running | - | resumed, for nothing |
//! | submitting past its deadline, in doubt | - | in doubt: held |
//! | failed | - | tried again |
//! | any of these, and an earlier shot of the plan has the same key | - | twin: paid once, there |
//! | done, and its checks have not seen its picture | yes | look: measured for nothing |
//! | all pictures turned down, another may be bought | - | reroll: bought once more |
//! | all pictures turned down, rerolls used up | - | rejected |
//! | a choice that nobody has made, and what is made from it | - | waiting |
//! | untried, address known with another key | - | changed |
//! | untried | - | new |

use std::collections::BTreeMap;

use super::{Fate, JobIx, Plan, Selection, ruling};
use crate::ledger::{History, JobState};
use crate::types::{BlobRef, JobKey};

/// What is to be done about one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Work {
    /// Never tried.
    New,
    /// Another picture stood at this address: something that determines it has changed.
    Changed {
        /// The key that the address had.
        was: JobKey,
    },
    /// Done before, but its picture is no longer in the store.
    Lost,
    /// The last try failed.
    Again,
    /// A try is under way or accepted: polled and fetched for nothing.
    Resumed,
    /// Done: the picture is there.
    Reused,
    /// The outcome of the last try is unknown: held until it is settled.
    InDoubt,
    /// The same picture as an earlier shot of the plan that is still to be made: paid once, there.
    Twin,
    /// A picture is there that its checks have not seen, or that passes them now: looked at for nothing.
    Look,
    /// Its pictures were turned down by its checks: another is bought.
    Reroll,
    /// Its pictures were turned down by its checks, and its rerolls are used up.
    Rejected,
    /// A choice that nobody has made, or made from one.
    Waiting,
    /// Left out by `--only`, `--until` or a profile.
    Excluded,
}

impl Work {
    /// Returns the word for tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed { .. } => "changed",
            Self::Lost => "lost",
            Self::Again => "again",
            Self::Resumed => "resumed",
            Self::Reused => "reused",
            Self::InDoubt => "in doubt",
            Self::Twin => "twin",
            Self::Look => "look",
            Self::Reroll => "reroll",
            Self::Rejected => "rejected",
            Self::Waiting => "waiting",
            Self::Excluded => "excluded",
        }
    }

    /// Returns whether a paid job of this work needs a new paid try.
    pub fn is_outstanding(self) -> bool {
        matches!(self, Self::New | Self::Changed { .. } | Self::Lost | Self::Again | Self::Reroll)
    }

    /// Returns whether the run has anything to do for it.
    pub fn is_to_do(self) -> bool {
        self.is_outstanding() || matches!(self, Self::Resumed | Self::Twin | Self::Look)
    }
}

/// One [`Work`] for each job of a plan, in the plan's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worklist {
    work: Vec<Work>,
    /// Most pictures that a run may buy for a job; only where that is not one for each outstanding job.
    pictures: BTreeMap<JobIx, u32>,
}

impl Worklist {
    /// Returns what is to be done about a job.
    pub fn work(&self, ix: JobIx) -> Work {
        self.work[ix.index()]
    }

    /// Returns the most pictures that a run may buy for a job, rerolls included.
    pub fn pictures(&self, ix: JobIx) -> u32 {
        self.pictures.get(&ix).copied().unwrap_or(u32::from(self.work(ix).is_outstanding()))
    }

    /// Returns the most tries that a run may pay for a job if each may use `attempts`: all its pictures, and all tries but the last that may fail.
    ///
    /// What is on its way is paid for already; when it fails it is bought again like any other.
    pub fn tries(&self, ix: JobIx, attempts: u32) -> u64 {
        match self.pictures(ix) {
            0 if self.work(ix) != Work::Resumed => 0,
            pictures => most_tries(pictures, attempts),
        }
    }

    /// Returns jobs and their work, in the plan's order.
    pub fn iter(&self) -> impl Iterator<Item = (JobIx, Work)> + '_ {
        (0u32..).map(JobIx).zip(self.work.iter().copied())
    }

    /// Returns how many jobs have work for which `wanted` is true.
    pub fn count(&self, wanted: impl Fn(Work) -> bool) -> usize {
        self.work.iter().filter(|work| wanted(**work)).count()
    }

    /// Returns the same for a run that buys again what is in doubt: such shots are outstanding like failed ones. `present` as for [`worklist`].
    ///
    /// So are intents without an answer: whoever runs holds the workspace, nobody else can be waiting for one, and it finds them in doubt.
    #[must_use]
    pub fn resending(mut self, plan: &Plan, history: &History, present: &dyn Fn(&BlobRef) -> bool) -> Self {
        for (ix, work) in (0u32..).map(JobIx).zip(&mut self.work) {
            let is_unanswered = *work == Work::Resumed && matches!(history.state(&plan.job(ix).key), JobState::Submitting { .. });
            if *work == Work::InDoubt || is_unanswered {
                *work = Work::Again;
                // A doubt has brought no picture: all of them are still to be bought.
                self.pictures.extend(most_pictures(plan, history, ix, Work::Again, present).map(|most| (ix, most)));
            }
        }
        self.pair_twins(plan);
        self
    }

    /// Returns the same as if every open choice were made: what stands behind one is new.
    #[must_use]
    pub fn as_if_picked(mut self, plan: &Plan) -> Self {
        for (ix, work) in (0u32..).map(JobIx).zip(&mut self.work).filter(|(_, work)| **work == Work::Waiting) {
            *work = Work::New;
            let bar = plan.bar(ix);
            if bar.is_paid && bar.rerolls > 0 {
                self.pictures.insert(ix, bar.rerolls.saturating_add(1));
            }
        }
        self
    }

    /// Marks later shots whose key an earlier one is going to make.
    fn pair_twins(&mut self, plan: &Plan) {
        for (later, first) in &plan.twins {
            if self.work[later.index()].is_to_do() && self.work[first.index()].is_to_do() {
                self.work[later.index()] = Work::Twin;
                self.pictures.remove(later);
            }
        }
    }

    /// Returns whether a run would do nothing.
    pub fn is_done(&self) -> bool {
        !self.work.iter().any(|work| work.is_to_do())
    }
}

/// Compares a plan with what the ledger knows.
///
/// `present` says whether a picture is in the store; it is asked only about finished jobs.
pub fn worklist(plan: &Plan, history: &History, selection: &Selection, present: &dyn Fn(&BlobRef) -> bool) -> Worklist {
    let mut work: Vec<Work> = Vec::with_capacity(plan.jobs.len());
    let mut pictures = BTreeMap::new();
    for ix in plan.indices() {
        let of_job = if selection.includes(ix) { of_job(plan, history, ix, present) } else { Work::Excluded };
        // Makers stand before takers, so one pass tells who waits for whom.
        let waits = of_job != Work::Excluded && !plan.picks.is_empty() && (plan.waits_for_a_pick(ix) || behind_a_pick(plan, ix, &work));
        let of_job = if waits { Work::Waiting } else { of_job };
        if let Some(count) = most_pictures(plan, history, ix, of_job, present) {
            pictures.insert(ix, count);
        }
        work.push(of_job);
    }
    let mut worklist = Worklist { work, pictures };
    worklist.pair_twins(plan);
    worklist
}

/// Returns the most tries that are paid for so many pictures: all of them, and all tries but the last that may fail.
pub fn most_tries(pictures: u32, attempts: u32) -> u64 {
    u64::from(attempts.max(1) - 1) + u64::from(pictures)
}

fn behind_a_pick(plan: &Plan, ix: JobIx, work: &[Work]) -> bool {
    plan.inputs(ix).iter().any(|input| work[input.from.index()] == Work::Waiting)
}

fn of_job(plan: &Plan, history: &History, ix: JobIx, present: &dyn Fn(&BlobRef) -> bool) -> Work {
    let key = plan.job(ix).key;
    let state = history.state(&key);
    match ruling(&plan.bar(ix), state, history.judged(&key), present).map(|ruling| ruling.fate) {
        Some(Fate::Look(kept)) if present(&kept.artifact.blob) => return Work::Look,
        Some(Fate::Again(_)) => return Work::Reroll,
        Some(Fate::UsedUp) => return Work::Rejected,
        Some(Fate::Look(_) | Fate::Stands) | None => {}
    }
    match state {
        JobState::Done { artifact, .. } if present(&artifact.blob) => Work::Reused,
        JobState::Done { .. } => Work::Lost,
        JobState::Submitting { .. } | JobState::Running { .. } => Work::Resumed,
        JobState::InDoubt { .. } => Work::InDoubt,
        JobState::Failed { .. } => Work::Again,
        // Made here, turned down, and gone: always ruled upon otherwise.
        JobState::Rejected { .. } => Work::Lost,
        // Addresses are read only for campaigns that ran before: most plans skip building the text.
        JobState::Untried if history.addresses.is_empty() => Work::New,
        JobState::Untried => match history.addresses.get(&plan.id(ix)) {
            Some(was) if *was != key => Work::Changed { was: *was },
            _ => Work::New,
        },
    }
}

/// Returns the most pictures that a run may buy for a job with rerolls; `None` where one for each outstanding job is right.
fn most_pictures(plan: &Plan, history: &History, ix: JobIx, work: Work, present: &dyn Fn(&BlobRef) -> bool) -> Option<u32> {
    let bar = plan.bar(ix);
    if bar.rerolls == 0 || !bar.is_paid {
        return None;
    }
    let brought = bar.brought(history.judged(&plan.job(ix).key), present);
    let all = bar.rerolls.saturating_add(1);
    match work {
        work if work.is_outstanding() => Some(all.saturating_sub(brought).max(1)),
        // What is looked at, or on its way, is one of them.
        Work::Look | Work::Resumed => Some(all.saturating_sub(brought.max(1))),
        _ => None,
    }
}
