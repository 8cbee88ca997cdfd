//! Whole histories of the exactly-once machine, each decided by one number.
//!
//! ```text
//! seed ─▶ campaign, provider's terms, faults ─▶ world: events in virtual time ─▶ figures, or the first rule that was broken
//!                       machine::step ◀─ processes ─▶ MemoryLedger        provider with books of its own
//! ```
//!
//! Real: [`callsheet::engine::machine::step`], the ledger's rules and fold, the run-wide retry budget. Simulated: the driver around
//! them, time, network, provider, disks, and the end of the process.
//!
//! In: a seed. Out: [`Played`]. Never: the real clock, the real disk, anything that a seed does not decide.

mod advance;
mod campaign;
mod checks;
mod dice;
mod looks;
mod network;
mod process;
mod provider;
mod work;
mod world;

use world::World;

/// A rule that a history broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken(pub String);

/// A mistake that is built into the engine on purpose, to see that it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    /// The request leaves before the intent is durable.
    ForgetTheIntent,
    /// A submit without an answer counts as one that never arrived.
    ResendBlindly,
    /// The provider's task is not written down.
    ForgetTheTask,
    /// What is in doubt is given back.
    ReleaseDoubt,
    /// What a failure cost is not written down.
    ForgetTheCharge,
    /// No cap is asked about.
    IgnoreTheCap,
    /// A shot starts when one of its inputs is still missing.
    StartEarly,
    /// A picture is announced that was not stored.
    SkipTheStore,
    /// What the provider says about waiting holds for nobody else.
    IgnoreRetryAfter,
    /// Retries are not rationed across the run.
    RetryUnrationed,
    /// Nobody ever waits.
    NeverWait,
    /// A picture is used before it was looked at.
    UseUnseen,
    /// Pictures that were turned down do not count: others are bought without end.
    CountNoReroll,
    /// One picture more is bought than the author allows.
    RerollOnceMore,
    /// What was once taken for good stays good, whatever the author asks for now.
    StandByTheOldWord,
}

impl Mutation {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::ForgetTheIntent,
        Self::ResendBlindly,
        Self::ForgetTheTask,
        Self::ReleaseDoubt,
        Self::ForgetTheCharge,
        Self::IgnoreTheCap,
        Self::StartEarly,
        Self::SkipTheStore,
        Self::IgnoreRetryAfter,
        Self::RetryUnrationed,
        Self::NeverWait,
        Self::UseUnseen,
        Self::CountNoReroll,
        Self::RerollOnceMore,
        Self::StandByTheOldWord,
    ];
}

/// What a history came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Shots of the campaign.
    pub shots: u64,
    /// Runs.
    pub runs: u64,
    /// Processes that died.
    pub crashes: u64,
    /// Events.
    pub events: u64,
    /// Commands to the ledger.
    pub writes: u64,
    /// Paid requests that were sent.
    pub submits: u64,
    /// Questions after tasks.
    pub polls: u64,
    /// Times that a picture was turned down.
    pub turned_down: u64,
    /// Tries that were begun because a picture was turned down.
    pub rerolls: u64,
    /// Virtual time, in seconds.
    pub seconds: u64,
}

impl Figures {
    /// Adds another history's.
    pub fn add(&mut self, other: Self) {
        self.shots += other.shots;
        self.runs += other.runs;
        self.crashes += other.crashes;
        self.events += other.events;
        self.writes += other.writes;
        self.submits += other.submits;
        self.polls += other.polls;
        self.turned_down += other.turned_down;
        self.rerolls += other.rerolls;
        self.seconds += other.seconds;
    }
}

/// One history, played.
#[derive(Debug)]
pub struct Played {
    /// What it came to.
    pub figures: Figures,
    /// The first rule that was broken, if one was.
    pub broken: Option<Broken>,
    /// All that happened, if that was wanted.
    pub log: Vec<String>,
}

/// Plays the history of a seed.
pub fn play(seed: u64, mutation: Option<Mutation>, log: bool) -> Played {
    let mut world = World::new(seed, mutation, log);
    let broken = world.play().err();
    Played { figures: world.figures, broken, log: world.log.take().unwrap_or_default() }
}

/// Returns how many seeds it takes, from 0 on, until a mistake is found; `None` when `most` were not enough.
pub fn seeds_until_found(mutation: Mutation, most: u64) -> Option<u64> {
    (0..most).find(|seed| play(*seed, Some(mutation), false).broken.is_some()).map(|seed| seed + 1)
}
