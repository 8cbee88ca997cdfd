//! The gate before the first request: refusals end the run with nothing sent.
//!
//! In: the estimate and what the account holds. Out: a [`Verdict`].
//! Never: the gate does not replace the ledger's reservation, which holds the caps at every instant of a run.

use crate::types::{Amount, Micros};

use super::estimate::{CapLine, CapOf, Estimate};

/// What the gate is told besides the estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gate {
    /// What the provider says is left on the account, in the book's currency; `None` when nobody asked.
    pub balance: Option<Micros>,
    /// Whether the user accepts jobs without a price.
    pub allow_unpriced: bool,
    /// Share of a cap at which to warn, in hundredths of a per cent.
    pub warn_at: Option<u32>,
}

/// Why nothing may be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Even one try for each job passes a cap.
    #[error(
        "the floor of {floor} is above {what} of {limit}{} by {over}",
        if .committed.micros > Micros::ZERO { format!(" ({} of it already committed)", .committed) } else { String::new() },
        what = cap_words(.of)
    )]
    OverCap {
        /// Which cap.
        of: CapOf,
        /// Its limit.
        limit: Amount,
        /// What is already spent, reserved and in doubt under it.
        committed: Amount,
        /// What the outstanding jobs under it cost at one try each.
        floor: Amount,
        /// How much is missing.
        over: Amount,
    },
    /// Some outstanding jobs have no price.
    #[error("{count} outstanding {noun} no price: {reason} ({jobs})", noun = if *.count == 1 { "shot has" } else { "shots have" })]
    Unpriced {
        /// How many.
        count: usize,
        /// What the book lacks.
        reason: crate::catalog::Unpriced,
        /// The first few, by name.
        jobs: String,
    },
    /// The account holds less than one try for each job.
    #[error("the account holds {balance}, the floor is {floor}")]
    Balance {
        /// What it holds.
        balance: Amount,
        /// What is needed at least.
        floor: Amount,
    },
}

/// What the user should hear before saying yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// The floor comes near a cap, as near as the author asked to be warned.
    NearCap {
        /// Which cap.
        of: CapOf,
        /// Its limit.
        limit: Amount,
        /// What is committed with the floor added.
        with_floor: Amount,
        /// The share of the cap that this is, in whole per cent, rounded down.
        percent: u64,
    },
    /// One try each fits, but what is expected does not: later runs will be refused.
    ExpectedOverCap {
        /// Which cap.
        of: CapOf,
        /// Its limit.
        limit: Amount,
        /// What is committed with the expected added.
        with_expected: Amount,
    },
    /// Jobs without a price are sent because the user said so.
    Unpriced {
        /// How many.
        count: usize,
    },
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NearCap { of, limit, with_floor, percent } => {
                write!(f, "the floor brings {} of {limit} to {with_floor}: {percent}%", cap_words(of))
            }
            Self::ExpectedOverCap { of, limit, with_expected } => {
                write!(f, "what is expected, {with_expected} with what is committed, is above {} of {limit}", cap_words(of))
            }
            Self::Unpriced { count: 1 } => f.write_str("1 outstanding shot has no price; no total includes it"),
            Self::Unpriced { count } => write!(f, "{count} outstanding shots have no price; no total includes them"),
        }
    }
}

/// Returns a cap's name in a sentence.
fn cap_words(of: &CapOf) -> String {
    match of {
        CapOf::Campaign => "the campaign's cap".to_owned(),
        CapOf::Profile => "the profile's cap".to_owned(),
        CapOf::Step(name) => format!("the cap of step `{name}`"),
    }
}

/// What the gate says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// If there is any, nothing may be sent.
    pub refusals: Vec<Refusal>,
    /// What the user should hear.
    pub warnings: Vec<Warning>,
}

impl Verdict {
    /// Returns whether the run may start.
    pub fn is_open(&self) -> bool {
        self.refusals.is_empty()
    }
}

/// Judges an estimate before the first request.
pub fn gate(estimate: &Estimate, told: Gate) -> Verdict {
    let mut verdict = Verdict::default();
    let amount = |micros: Micros| estimate.book.amount(micros);
    for cap in &estimate.caps {
        let (floor, expected) = under(estimate, cap);
        let with = |more: Micros| Micros::new(cap.committed.get().saturating_add(more.get()));
        let limit = cap.limit;
        // A plan that costs nothing any more passes also when the author has lowered the cap below what is spent.
        if floor > Micros::ZERO && with(floor) > limit {
            let over = Micros::new(with(floor).get().saturating_sub(limit.get()));
            verdict.refusals.push(Refusal::OverCap {
                of: cap.of.clone(),
                limit: amount(limit),
                committed: amount(cap.committed),
                floor: amount(floor),
                over: amount(over),
            });
        } else if floor > Micros::ZERO && told.warn_at.is_some_and(|share| reaches(with(floor), limit, share)) {
            let percent = percent(with(floor), limit);
            verdict.warnings.push(Warning::NearCap { of: cap.of.clone(), limit: amount(limit), with_floor: amount(with(floor)), percent });
        } else if floor > Micros::ZERO && with(expected) > limit {
            verdict.warnings.push(Warning::ExpectedOverCap { of: cap.of.clone(), limit: amount(limit), with_expected: amount(with(expected)) });
        }
    }
    let unpriced: usize = estimate.unpriced.iter().map(|group| group.jobs.count).sum();
    if told.allow_unpriced && unpriced > 0 {
        verdict.warnings.push(Warning::Unpriced { count: unpriced });
    } else {
        verdict.refusals.extend(estimate.unpriced.iter().map(|group| Refusal::Unpriced {
            count: group.jobs.count,
            reason: group.reason.clone(),
            jobs: group.jobs.listed(),
        }));
    }
    let floor = estimate.totals.floor.micros;
    if let Some(balance) = told.balance.filter(|balance| *balance < floor) {
        verdict.refusals.push(Refusal::Balance { balance: amount(balance), floor: amount(floor) });
    }
    verdict
}

/// Returns floor and expected of what stands under a cap.
fn under(estimate: &Estimate, cap: &CapLine) -> (Micros, Micros) {
    match &cap.of {
        CapOf::Campaign | CapOf::Profile => (estimate.totals.floor.micros, estimate.totals.expected.micros),
        CapOf::Step(name) => estimate
            .lines
            .iter()
            .find(|line| line.name == *name)
            .map_or((Micros::ZERO, Micros::ZERO), |line| (line.floor.micros, line.expected.micros)),
    }
}

fn reaches(sum: Micros, limit: Micros, share: u32) -> bool {
    i128::from(sum.get()) * 10_000 >= i128::from(limit.get()) * i128::from(share)
}

fn percent(sum: Micros, limit: Micros) -> u64 {
    let limit = i128::from(limit.get()).max(1);
    u64::try_from(i128::from(sum.get()) * 100 / limit).unwrap_or(u64::MAX)
}
