//! Inputs that are almost right, for every reader of what others wrote: nothing of it may end in a panic.
//!
//! In: a target, a seed. Out: how often it was tried, and which seeds ended in a panic.
//! Never: chance without a seed; the same seed makes the same input on every machine.

mod mutate;
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

pub use targets::{Target, targets};

/// What came of a target.
#[derive(Debug, Default)]
pub struct Tried {
    /// Inputs that were read.
    pub executions: u64,
    /// Inputs that were taken for right.
    pub taken: u64,
    /// Seeds of inputs that ended in a panic.
    pub panics: Vec<u64>,
    /// Longest time that one input took.
    pub slowest: Duration,
    /// Its seed.
    pub slowest_seed: u64,
}

/// Reads inputs of the seeds from `from` on, for as long as `goes_on` says; stops after ten panics.
pub fn fuzz(target: &Target, from: u64, mut goes_on: impl FnMut(u64) -> bool) -> Tried {
    let mut tried = Tried::default();
    while goes_on(tried.executions) && tried.panics.len() < 10 {
        let seed = from + tried.executions;
        let input = mutate::input(target.seeds(), target.is_png(), seed);
        let begun = Instant::now();
        match catch_unwind(AssertUnwindSafe(|| target.read(&input))) {
            Ok(taken) => tried.taken += u64::from(taken),
            Err(_) => {
                eprintln!("{}: seed {seed} ends in a panic", target.name());
                tried.panics.push(seed);
            }
        }
        let span = begun.elapsed();
        if span > tried.slowest {
            (tried.slowest, tried.slowest_seed) = (span, seed);
        }
        tried.executions += 1;
    }
    tried
}
