//! The gate before the first request: refusals end the run with nothing sent.
//!
//! Everything is compared in the currency of the plan's book. What stands under a cap in another currency was weighed by stated rates on its
//! way into the estimate; what could not be weighed shuts the gate, because nobody can say what is left. So does a balance below the floor.
//!
//! In: the estimate and what the account holds. Out: a [`Verdict`].
//! Never: the gate does not replace the ledger's reservation, which holds the caps at every instant of a run.

use crate::types::{Amount, Currency, Micros};

use super::estimate::{CapLine, CapOf, Estimate, Unweighed};

use super::policy::PolicyVerdict;

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
    /// Money of another currency stands under a cap, and no rate compares the two.
    #[error("{what} is in {}, and {} are committed under it; no rate of book `{}` is known, so the two cannot be compared",
        currency_words(.cap), with_book(&.unweighed.amount), .unweighed.book, what = cap_words(.of))]
    NoRate {
        /// Which cap.
        of: CapOf,
        /// Its currency.
        cap: Currency,
        /// What cannot be weighed.
        unweighed: Unweighed,
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
    /// The campaign's own policy forbids it.
    #[error("the campaign's policy denies this plan: {0}")]
    Policy(PolicyVerdict),
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
        /// Whether there is a cap, which cannot guard them: nothing can be reserved for them.
        capped: bool,
    },
    /// The campaign's own policy says a word.
    Policy(PolicyVerdict),
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
            Self::Policy(verdict) => write!(f, "the campaign's policy warns: {verdict}"),
            Self::Unpriced { count, capped } => {
                f.write_str(&without_price(*count))?;
                if *capped { f.write_str(", and no cap guards them") } else { Ok(()) }
            }
        }
    }
}

/// Returns the sentence that marks every screen and report when the user lets shots without a price pass.
pub fn without_price(count: usize) -> String {
    if count == 1 { "1 shot without a price is not in any total".to_owned() } else { format!("{count} shots without a price are not in any total") }
}

/// Returns a cap's name in a sentence.
fn cap_words(of: &CapOf) -> String {
    match of {
        CapOf::Campaign => "the campaign's cap".to_owned(),
        CapOf::Profile => "the profile's cap".to_owned(),
        CapOf::Step(name) => format!("the cap of step `{name}`"),
    }
}

fn currency_words(currency: &Currency) -> String {
    match currency {
        Currency::Usd => "USD".to_owned(),
        Currency::Credits(book) => format!("credits of book `{book}`"),
    }
}

fn with_book(amount: &Amount) -> String {
    match &amount.currency {
        Currency::Usd => amount.to_string(),
        Currency::Credits(book) => format!("{amount} of book `{book}`"),
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

    /// Adds what the campaign's policy says.
    #[must_use]
    pub fn with_policy(mut self, verdicts: &[PolicyVerdict]) -> Self {
        self.refusals.extend(verdicts.iter().filter(|verdict| verdict.denies()).cloned().map(Refusal::Policy));
        self.warnings.extend(verdicts.iter().filter(|verdict| verdict.warns()).cloned().map(Warning::Policy));
        self
    }

    /// Returns whether the campaign's policy forbids the plan.
    pub fn is_denied_by_policy(&self) -> bool {
        self.refusals.iter().any(|refusal| matches!(refusal, Refusal::Policy(_)))
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
        if floor > Micros::ZERO {
            let refusals = cap.unweighed.iter().map(|unweighed| Refusal::NoRate {
                of: cap.of.clone(),
                cap: estimate.book.currency.clone(),
                unweighed: unweighed.clone(),
            });
            verdict.refusals.extend(refusals);
        }
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
    let unpriced = estimate.unpriced_jobs();
    if told.allow_unpriced && unpriced > 0 {
        verdict.warnings.push(Warning::Unpriced { count: unpriced, capped: !estimate.caps.is_empty() });
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

/// Returns floor and expected of what stands under a cap; expected counts what stands behind choices that nobody has made.
fn under(estimate: &Estimate, cap: &CapLine) -> (Micros, Micros) {
    let with = |expected: Micros, later: Micros| Micros::new(expected.get().saturating_add(later.get()));
    let all = &estimate.totals;
    match &cap.of {
        CapOf::Campaign | CapOf::Profile => (all.floor.micros, with(all.expected.micros, all.later.micros)),
        CapOf::Step(name) => estimate
            .lines
            .iter()
            .find(|line| line.name == *name)
            .map_or((Micros::ZERO, Micros::ZERO), |line| (line.floor.micros, with(line.expected.micros, line.later.micros))),
    }
}

fn reaches(sum: Micros, limit: Micros, share: u32) -> bool {
    i128::from(sum.get()) * 10_000 >= i128::from(limit.get()) * i128::from(share)
}

fn percent(sum: Micros, limit: Micros) -> u64 {
    let limit = i128::from(limit.get()).max(1);
    u64::try_from(i128::from(sum.get()) * 100 / limit).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::Budget;
    use crate::ledger::History;
    use crate::pricing::{Committed, estimate, quotes, sample};

    fn of(budget: &Budget, committed: i64, change: impl Fn(&mut crate::plan::Plan)) -> Estimate {
        let mut plan = sample::plan(2);
        change(&mut plan);
        let committed = Committed { campaign: Micros::units(committed), ..Committed::default() };
        let work = sample::all_work(&plan, &History::default());
        estimate(&plan, &work, &quotes(&plan, &sample::catalog("kie")), budget, 1, &committed).expect("small sums")
    }

    fn words(verdict: &Verdict) -> String {
        let refusals = verdict.refusals.iter().map(|refusal| format!("refused: {refusal}"));
        refusals.chain(verdict.warnings.iter().map(|warning| format!("warning: {warning}"))).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_floor_above_a_cap_is_refused_with_what_is_missing() {
        let verdict = gate(&of(&sample::capped(60), 20, |_| {}), Gate::default());
        insta::assert_snapshot!(words(&verdict), @"refused: the floor of 48 credits is above the campaign's cap of 60 credits (20 credits of it already committed) by 8 credits");
        let steps = Budget { steps: vec![("surface".into(), Micros::units(35))], ..Budget::default() };
        insta::assert_snapshot!(words(&gate(&of(&steps, 0, |_| {}), Gate::default())), @"refused: the floor of 36 credits is above the cap of step `surface` of 35 credits by 1 credit");
    }

    #[test]
    fn money_under_a_cap_that_no_rate_compares_is_refused_by_name() {
        let plan = sample::plan(2);
        let unweighed = Unweighed { amount: Amount::new(Currency::Usd, Micros::units(12)), book: "kie".into() };
        let committed = Committed { unweighed: vec![(CapOf::Campaign, unweighed)], ..Committed::default() };
        let (work, quotes) = (sample::all_work(&plan, &History::default()), quotes(&plan, &sample::catalog("kie")));
        let under = |budget: &Budget| gate(&estimate(&plan, &work, &quotes, budget, 1, &committed).expect("small sums"), Gate::default());
        insta::assert_snapshot!(words(&under(&sample::capped(1_000))), @"refused: the campaign's cap is in credits of book `kie`, and $12 are committed under it; no rate of book `kie` is known, so the two cannot be compared");
        assert_eq!(under(&Budget::default()), Verdict::default(), "without a cap there is nothing to compare");
    }

    #[test]
    fn a_floor_that_just_fits_is_let_through_with_a_warning() {
        let verdict = gate(&of(&sample::capped(60), 12, |_| {}), Gate { warn_at: Some(8_000), ..Gate::default() });
        assert!(verdict.is_open());
        insta::assert_snapshot!(words(&verdict), @"warning: the floor brings the campaign's cap of 60 credits to 60 credits: 100%");
        assert_eq!(gate(&of(&sample::capped(61), 0, |_| {}), Gate { warn_at: Some(8_000), ..Gate::default() }), Verdict::default());
    }

    #[test]
    fn an_expectation_above_the_cap_is_told() {
        let budget = Budget { iteration: Some(("explore".to_owned(), Micros::new(1_800_000))), ..sample::capped(60) };
        insta::assert_snapshot!(words(&gate(&of(&budget, 0, |_| {}), Gate::default())), @"warning: what is expected, 86.4 credits with what is committed, is above the campaign's cap of 60 credits");
    }

    #[test]
    fn unpriced_jobs_are_refused_unless_the_user_accepts_them() {
        let estimate = of(&Budget::default(), 0, |plan| sample::set(plan, 0, |paid| paid.model = "nano-banana-2-lite".into()));
        insta::assert_snapshot!(words(&gate(&estimate, Gate::default())), @"refused: 2 outstanding shots have no price: the price of `nano-banana-2-lite` is unknown to book `kie`: not in the list of 2026-06-30 (`hero[sku=teapot]` and `hero[sku=mug]`)");
        let verdict = gate(&estimate, Gate { allow_unpriced: true, ..Gate::default() });
        assert!(verdict.is_open());
        insta::assert_snapshot!(words(&verdict), @"warning: 2 shots without a price are not in any total");
    }

    #[test]
    fn a_balance_below_the_floor_is_refused() {
        let verdict = gate(&of(&Budget::default(), 0, |_| {}), Gate { balance: Some(Micros::units(47)), ..Gate::default() });
        insta::assert_snapshot!(words(&verdict), @"refused: the account holds 47 credits, the floor is 48 credits");
        assert!(gate(&of(&Budget::default(), 0, |_| {}), Gate { balance: Some(Micros::units(48)), ..Gate::default() }).is_open());
    }
}
