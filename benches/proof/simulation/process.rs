//! One process of callsheet: what the driver and `advance` keep while they run, and lose when they die.
//!
//! It follows `src/engine/driver.rs` and `src/engine/advance.rs` step by step, with events in the place of futures.

use std::collections::VecDeque;

use callsheet::engine::backoff::RetryBudget;
use callsheet::engine::machine::{Effort, Queue};
use callsheet::ledger::JobState;
use callsheet::types::{Digest, Micros, RunId, Timestamp};

use super::campaign::{Campaign, Shot};
use super::provider::Time;

/// Whether shots may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gate {
    /// All may.
    Open,
    /// No new submits.
    Closed,
    /// Something of ours is broken: finish the present exchange, then leave.
    Halted,
}

/// What bounds a shot under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Post {
    /// One of the run's places for paid shots.
    Place,
    /// None: it was paid for before.
    PaidBefore,
    /// One of the machine's cores.
    Core,
}

/// What became of a shot in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// There is a picture.
    Picture(Digest),
    /// There is none, and no further try in this run.
    Failed,
    /// Its pictures are kept and turned down, and no other may be bought.
    Rejected,
    /// Nobody knows.
    InDoubt,
    /// Something it needs has none.
    Skipped,
    /// Its reservation does not fit.
    OverCap,
    /// The run takes no new submits.
    Stopped,
    /// Paid for and known: a later run goes on.
    StillRunning,
}

impl Outcome {
    /// Returns what a shot without a picture means for one that takes it.
    pub fn inherited(self) -> Option<Self> {
        match self {
            Self::Picture(_) => None,
            Self::Failed | Self::Rejected | Self::InDoubt | Self::Skipped => Some(Self::Skipped),
            Self::OverCap => Some(Self::OverCap),
            Self::Stopped | Self::StillRunning => Some(Self::Stopped),
        }
    }
}

/// A shot under way.
#[derive(Debug, Clone)]
pub struct Active {
    /// What bounds it.
    pub post: Post,
    /// The state that the present call rests on.
    pub state: JobState,
    /// What was tried for it.
    pub effort: Effort,
    /// Which of its waits and exchanges is the present one.
    pub turn: u64,
    /// What it waits for; absent while an exchange is under way.
    pub waits: Option<Queue>,
    /// The store broke while a paid answer was on its way; told once the ledger knows about the answer.
    pub broken: bool,
    /// It was started without a picture that it takes.
    pub lacks: bool,
}

/// One process.
#[derive(Debug)]
pub struct Process {
    /// Its run.
    pub run: RunId,
    /// Whether it lives.
    pub alive: bool,
    /// Whether shots may go on.
    pub gate: Gate,
    /// Whether the user asked for an end.
    pub cancelled: bool,
    /// No submit before.
    pub not_before: Timestamp,
    /// The same as the provider said it, in virtual time.
    pub told_until: Time,
    /// The run's retries.
    pub budget: RetryBudget,
    /// Shots under way, by their places.
    pub active: Vec<Option<Active>>,
    /// How many of them stand at each post.
    pub places: usize,
    /// See [`Post::PaidBefore`].
    pub paid_before: usize,
    /// See [`Post::Core`].
    pub cores: usize,
    /// What became of each shot.
    pub outcomes: Vec<Option<Outcome>>,
    /// How many pictures each still waits for.
    pub missing: Vec<usize>,
    /// Shots that were begun.
    pub begun: Vec<bool>,
    /// Shots whose picture was there, and is gone.
    pub lost: Vec<bool>,
    /// What was tried for shots that are not under way.
    pub efforts: Vec<Effort>,
    /// Who can start.
    pub ready: Vec<usize>,
    /// Shots with a picture that is to be looked at.
    pub looks: VecDeque<usize>,
    /// By step, the smallest reservation that no longer fitted.
    pub refused: Vec<Option<Micros>>,
    /// How many shots failed.
    pub failed: usize,
    /// Events at one moment.
    pub at_once: u32,
    /// Submits that met an outage.
    pub into_outage: u64,
}

impl Process {
    /// Starts a process for a campaign.
    pub fn new(campaign: &Campaign, run: RunId) -> Self {
        let count = campaign.shots.len();
        Self {
            run,
            alive: true,
            gate: Gate::Open,
            cancelled: false,
            not_before: Timestamp::from_millis(i64::MIN),
            told_until: 0,
            budget: RetryBudget::new(campaign.concurrency as u32),
            active: vec![None; count],
            places: 0,
            paid_before: 0,
            cores: 0,
            outcomes: vec![None; count],
            missing: vec![0; count],
            begun: vec![false; count],
            lost: vec![false; count],
            efforts: vec![Effort::default(); count],
            ready: Vec::new(),
            looks: VecDeque::new(),
            refused: vec![None; campaign.depths.len()],
            failed: 0,
            at_once: 0,
            into_outage: 0,
        }
    }

    /// Returns how many stand at a post.
    pub fn count_of(&mut self, post: Post) -> &mut usize {
        match post {
            Post::Place => &mut self.places,
            Post::PaidBefore => &mut self.paid_before,
            Post::Core => &mut self.cores,
        }
    }

    /// Returns whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.places + self.paid_before + self.cores == 0
    }

    /// Adds a shot whose inputs are there.
    pub fn push(&mut self, at: usize) {
        self.ready.push(at);
    }

    /// Takes the next shot that `wanted` lets through: the deepest step first, then in order.
    pub fn pop(&mut self, campaign: &Campaign, wanted: impl Fn(&Self, &Shot) -> bool) -> Option<usize> {
        let rank = |at: &usize| (u32::MAX - campaign.depths[campaign.shots[*at].step], campaign.shots[*at].step, *at);
        let found = self.ready.iter().enumerate().filter(|(_, at)| wanted(self, &campaign.shots[**at])).min_by_key(|(_, at)| rank(at));
        let place = found.map(|(place, _)| place)?;
        Some(self.ready.swap_remove(place))
    }

    /// Returns whether a shot's reservation may fit.
    pub fn fits(&self, shot: &Shot) -> bool {
        let reserved = shot.price.as_ref().map_or(Micros::ZERO, |price| price.reserved.micros);
        self.refused[shot.step].is_none_or(|refused| reserved < refused)
    }
}
