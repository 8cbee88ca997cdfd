//! Floor, expected and ceiling of what is left to do, per step and in total.
//!
//! - floor: every outstanding paid job at one try;
//! - ceiling: the most this run can spend: all tries at the highest price of the book, or the caps, whichever is lower;
//! - expected: the floor times the campaign's iteration factor, a forecast over runs until everyone is content.
//!
//! In: plan, worklist, quotes, budget, what the ledger already counts. Out: [`Estimate`].
//! Never: a float; an unpriced job counted as 0; a total that looks surer than its least sure part.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::breakdown::{by_axis, by_model};
use super::caps::caps;
use super::learned::Factors;
use super::providers::ProviderLine;
use super::quote::{BookFacts, JobQuote, Quotes};
use super::sum::Sum;
use crate::campaign::Budget;
use crate::catalog::{Certainty, Unpriced};
use crate::plan::{JobIx, Plan, PlannedStep, Work, Worklist};
use crate::types::{Micros, MoneyError};

pub use super::breakdown::{AxisLines, GroupLine};
pub use super::caps::{CapLine, CapOf, Committed, Unweighed};
pub use super::counts::{Counts, NamedJobs};

/// Millionths in a factor of 1.
const FACTOR_ONE: i64 = 1_000_000;

/// The price of one try in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Local and free.
    Free,
    /// The lowest and the highest price of its jobs, and the least certainty; `Unknown` when some have no price.
    Priced {
        /// Of the cheapest job.
        low: Micros,
        /// Of the dearest job.
        high: Micros,
        /// Of the least sure job.
        certainty: Certainty,
    },
    /// No job has a price.
    Unpriced,
}

/// What bounds the ceiling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CeilingBy {
    /// Every outstanding job at all its tries.
    Attempts(u32),
    /// What is left under this cap.
    Cap(CapOf),
    /// What is left under the caps of some steps, and all tries of the others.
    StepCaps(u32),
    /// What is left under the caps on what single providers are paid.
    ProviderCaps,
}

/// One step of the estimate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepLine {
    /// Its place in [`Plan::steps`].
    pub step: usize,
    /// Name.
    pub name: Arc<str>,
    /// Kind as written in YAML.
    pub kind: &'static str,
    /// Model of a paid step.
    pub model: Option<Arc<str>>,
    /// Jobs by work.
    pub counts: Counts,
    /// Price of one try.
    pub unit: Unit,
    /// Every outstanding job at one try.
    pub floor: Sum,
    /// Its part of the expected total.
    pub expected: Sum,
    /// The most that this run can spend on it.
    pub ceiling: Sum,
    /// Whether its own cap bounds the ceiling.
    pub capped: bool,
    /// What its reused pictures would cost at one try.
    pub saved: Sum,
    /// What stands behind choices that nobody has made would cost at one try: no run can buy it before, so it is in no other sum.
    pub later: Sum,
    /// Outstanding jobs without a price; they are in no sum.
    pub unpriced: usize,
}

/// The sums over all steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Jobs by work.
    pub counts: Counts,
    /// Sum of the lines' floors.
    pub floor: Sum,
    /// Sum of the lines' expected.
    pub expected: Sum,
    /// Sum of the lines' ceilings, or what is left under a cap.
    pub ceiling: Sum,
    /// Sum of what the lines save.
    pub saved: Sum,
    /// Sum of what stands behind choices that nobody has made.
    pub later: Sum,
}

/// The pictures that a campaign is made for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Finals {
    /// How many selected jobs the final steps have.
    pub count: usize,
    /// The steps whose pictures no other step takes.
    pub steps: Vec<Arc<str>>,
    /// Floor for each, rounded up to the millionth; `None` without finals.
    pub floor_each: Option<Sum>,
    /// Expected for each, rounded up to the millionth; `None` without finals.
    pub expected_each: Option<Sum>,
}

/// Outstanding jobs without a price, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnpricedJobs {
    /// What the book lacks.
    pub reason: Unpriced,
    /// Which jobs.
    pub jobs: NamedJobs,
}

/// What a plan will cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Estimate {
    /// The book behind the prices.
    pub book: BookFacts,
    /// Paid tries that a job may use in this run.
    pub attempts: u32,
    /// Further pictures that this run may pay for because a check fails, over all jobs.
    pub rerolls: usize,
    /// One line a step, in the plan's order.
    pub lines: Vec<StepLine>,
    /// Sums over the lines.
    pub totals: Totals,
    /// The iteration factor as the author called it, in millionths; without one, expected is the floor. Where baselines have learned
    /// factors of their own, this is expected over floor.
    pub factor: Option<(String, Micros)>,
    /// The factors of the baselines.
    pub factors: Factors,
    /// What bounds the ceiling.
    pub ceiling_by: CeilingBy,
    /// The caps that the plan stands under.
    pub caps: Vec<CapLine>,
    /// What one final picture costs.
    pub finals: Finals,
    /// Jobs and floor by axis and value.
    pub by_axis: Vec<AxisLines>,
    /// Jobs and floor by model.
    pub by_model: Vec<GroupLine>,
    /// What each provider is to be paid, in its own currency; empty for a campaign with one provider and no cap on it.
    pub by_provider: Vec<ProviderLine>,
    /// Outstanding jobs without a price.
    pub unpriced: Vec<UnpricedJobs>,
    /// Paid jobs whose outcome nobody knows.
    pub in_doubt: NamedJobs,
}

impl Estimate {
    /// Returns a sum of the book's currency in USD; `None` if the book states no rate.
    pub fn usd(&self, sum: Sum) -> Option<Sum> {
        let micros = self.book.usd(&self.book.amount(sum.micros))?;
        Some(Sum { micros, certainty: sum.certainty })
    }

    /// Returns the cap that guards `of`.
    pub fn cap(&self, of: &CapOf) -> Option<&CapLine> {
        self.caps.iter().find(|cap| cap.of == *of)
    }

    /// Returns the same estimate, told by provider; what is left under their caps bounds the ceiling too.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] if a sum does not fit.
    pub fn told_by_provider(mut self, lines: Vec<ProviderLine>) -> Result<Self, MoneyError> {
        let capped = lines.iter().any(|line| line.cap.is_some_and(|cap| cap.room() <= line.ceiling.micros));
        let common = |line: &ProviderLine| {
            let micros = match line.book.currency == self.book.currency {
                true => Some(line.ceiling.micros),
                false => self.book.rates.convert(&line.book.amount(line.ceiling.micros), &self.book.currency),
            };
            micros.map(|micros| Sum { micros, ..line.ceiling })
        };
        if capped && let Some(parts) = lines.iter().map(common).collect::<Option<Vec<Sum>>>() {
            let together = parts.into_iter().try_fold(Sum::default(), Sum::and)?;
            if self.totals.ceiling.certainty != Certainty::Unknown && together.micros < self.totals.ceiling.micros {
                self.totals.ceiling = together;
                self.ceiling_by = CeilingBy::ProviderCaps;
            }
        }
        self.by_provider = lines;
        Ok(self)
    }

    /// Returns how many outstanding jobs have no price.
    pub fn unpriced_jobs(&self) -> usize {
        self.unpriced.iter().map(|group| group.jobs.count).sum()
    }
}

/// Adds up what is left to do, at the factor that the author named.
///
/// `attempts` are the paid tries that a job may use in this run; `committed` is what the ledger already counts under the caps.
///
/// # Errors
/// [`MoneyError::Overflow`] if a sum does not fit (over 9.2 trillion units).
pub fn estimate(
    plan: &Plan,
    worklist: &Worklist,
    quotes: &Quotes,
    budget: &Budget,
    attempts: u32,
    committed: &Committed,
) -> Result<Estimate, MoneyError> {
    estimate_by(plan, worklist, quotes, budget, Factors::of(budget), attempts, committed)
}

/// As [`estimate`], at factors that may have been learned.
///
/// # Errors
/// As [`estimate`].
pub fn estimate_by(
    plan: &Plan,
    worklist: &Worklist,
    quotes: &Quotes,
    budget: &Budget,
    factors: Factors,
    attempts: u32,
    committed: &Committed,
) -> Result<Estimate, MoneyError> {
    let caps = caps(plan, budget, committed);
    let mut lines = Vec::with_capacity(plan.steps.len());
    for (place, step) in plan.steps.iter().enumerate() {
        let mut line = line(place, step, worklist, quotes, attempts)?;
        bound_by_step(&mut line, &caps);
        lines.push(line);
    }
    let Sums { totals, factor, ceiling_by } = sum_up(plan, &mut lines, &caps, &factors, attempts)?;
    let (unpriced, in_doubt) = notable(plan, worklist, quotes);
    Ok(Estimate {
        book: quotes.book().clone(),
        attempts,
        rerolls: rerolls(worklist),
        finals: finals(plan, worklist, &totals, factor.as_ref().map(|(_, factor)| *factor))?,
        by_axis: by_axis(plan, worklist, quotes)?,
        by_model: by_model(plan, worklist, quotes)?,
        by_provider: Vec::new(),
        lines,
        totals,
        factor,
        factors,
        ceiling_by,
        caps,
        unpriced,
        in_doubt,
    })
}

/// Returns how many pictures a run may pay for beyond one for each outstanding job.
pub(super) fn rerolls(worklist: &Worklist) -> usize {
    let more = |(ix, work): (JobIx, Work)| worklist.pictures(ix).saturating_sub(u32::from(work.is_outstanding())) as usize;
    worklist.iter().map(more).sum()
}

/// What is said of all lines together.
pub(super) struct Sums {
    pub(super) totals: Totals,
    pub(super) factor: Option<(String, Micros)>,
    pub(super) ceiling_by: CeilingBy,
}

/// Gives each line its expected part, and adds up.
pub(super) fn sum_up(plan: &Plan, lines: &mut [StepLine], caps: &[CapLine], factors: &Factors, attempts: u32) -> Result<Sums, MoneyError> {
    spread_expected(lines, |line| factors.factor(plan.steps[line.step].baseline.as_ref()))?;
    let mut totals = Totals::default();
    for line in lines.iter() {
        totals.counts.and(&line.counts);
        totals.floor = totals.floor.and(line.floor)?;
        totals.expected = totals.expected.and(line.expected)?;
        totals.ceiling = totals.ceiling.and(line.ceiling)?;
        totals.saved = totals.saved.and(line.saved)?;
        totals.later = totals.later.and(line.later)?;
    }
    let ceiling_by = bound_by_caps(&mut totals.ceiling, lines, caps, attempts);
    Ok(Sums { factor: factor(&totals, factors)?, totals, ceiling_by })
}

/// Returns the factor to show: the author's, or what the learned ones come to.
fn factor(totals: &Totals, factors: &Factors) -> Result<Option<(String, Micros)>, MoneyError> {
    let mut learned = factors.learned.iter().filter_map(|learned| learned.factor);
    let Some(first) = learned.next() else { return Ok(factors.named.clone()) };
    let floor = totals.floor.micros.get();
    let together = if floor > 0 { totals.expected.micros.mul_ratio_ceil(FACTOR_ONE, floor)? } else { first };
    Ok(Some(("learned".to_owned(), together)))
}

/// How often each distinct quote of a step occurs: a step of 100,000 jobs has a handful.
#[derive(Default, Clone, Copy)]
struct Uses {
    selected: u64,
    outstanding: u64,
    /// Most tries that this run may pay, rerolls included.
    tries: u64,
    reused: u64,
    /// Behind a choice that nobody has made.
    waiting: u64,
}

fn line(place: usize, step: &PlannedStep, worklist: &Worklist, quotes: &Quotes, attempts: u32) -> Result<StepLine, MoneyError> {
    let mut counts = Counts::default();
    let mut uses: BTreeMap<usize, Uses> = BTreeMap::new();
    for ix in step.jobs.clone().map(JobIx) {
        let work = worklist.work(ix);
        counts.add(work);
        if let (Some(quote), true) = (quotes.place(ix), work != Work::Excluded) {
            let uses = uses.entry(quote).or_default();
            uses.selected += 1;
            uses.outstanding += u64::from(work.is_outstanding());
            uses.tries += worklist.tries(ix, attempts);
            uses.reused += u64::from(work == Work::Reused);
            uses.waiting += u64::from(work == Work::Waiting);
        }
    }
    let (mut floor, mut ceiling, mut saved, mut later) = (Sum::default(), Sum::default(), Sum::default(), Sum::default());
    let mut unpriced = 0;
    for (place, uses) in &uses {
        match &quotes.distinct()[*place] {
            JobQuote::Priced(quote) => {
                if uses.outstanding > 0 {
                    floor = floor.plus(quote.amount.micros, uses.outstanding, quote.certainty)?;
                }
                if uses.tries > 0 {
                    ceiling = ceiling.plus(quote.highest, uses.tries, quote.certainty)?;
                }
                if uses.waiting > 0 {
                    later = later.plus(quote.amount.micros, uses.waiting, quote.certainty)?;
                }
                if uses.reused > 0 {
                    saved = saved.plus(quote.amount.micros, uses.reused, quote.certainty)?;
                }
            }
            JobQuote::Unpriced(_) => {
                if uses.outstanding > 0 {
                    floor = floor.and_unknown();
                    unpriced += uses.outstanding as usize;
                }
                if uses.tries > 0 {
                    ceiling = ceiling.and_unknown();
                }
                if uses.reused > 0 {
                    saved = saved.and_unknown();
                }
                if uses.waiting > 0 {
                    later = later.and_unknown();
                }
            }
        }
    }
    let unit = unit(step, quotes, uses.keys().copied());
    let (name, model) = (Arc::clone(&step.name), step.model.clone());
    Ok(StepLine { step: place, name, kind: step.kind, model, counts, unit, floor, expected: floor, ceiling, capped: false, saved, later, unpriced })
}

/// Lowers the ceiling of a step to what its own cap leaves.
pub(super) fn bound_by_step(line: &mut StepLine, caps: &[CapLine]) {
    let Some(cap) = caps.iter().find(|cap| matches!(&cap.of, CapOf::Step(name) if *name == line.name)) else { return };
    line.capped = line.ceiling.certainty != Certainty::Unknown && cap.room() < line.ceiling.micros;
    if line.capped {
        line.ceiling = Sum::exact(cap.room());
    }
}

pub(super) fn unit(step: &PlannedStep, quotes: &Quotes, used: impl Iterator<Item = usize>) -> Unit {
    let mut unit = None;
    let mut unpriced = false;
    for place in used {
        let quote = match &quotes.distinct()[place] {
            JobQuote::Priced(quote) => quote,
            JobQuote::Unpriced(_) => {
                unpriced = true;
                continue;
            }
        };
        let price = quote.amount.micros;
        let (low, high, certainty) = unit.unwrap_or((price, price, quote.certainty));
        unit = Some((low.min(price), high.max(price), certainty.max(quote.certainty)));
    }
    match unit {
        Some((low, high, _)) if unpriced => Unit::Priced { low, high, certainty: Certainty::Unknown },
        Some((low, high, certainty)) => Unit::Priced { low, high, certainty },
        None if unpriced => Unit::Unpriced,
        // A paid step of which nothing is selected has no price to show, which is not the same as free; it costs this run nothing either way.
        None if step.action.is_some() => Unit::Priced { low: Micros::ZERO, high: Micros::ZERO, certainty: Certainty::Exact },
        None => Unit::Free,
    }
}

/// Gives each line its part of `floor x factor`, which is rounded up once for all lines that share a factor: the parts sum to the total.
fn spread_expected(lines: &mut [StepLine], factor: impl Fn(&StepLine) -> Option<Micros>) -> Result<(), MoneyError> {
    let mut until_here: BTreeMap<Micros, (Micros, Micros)> = BTreeMap::new();
    for line in lines {
        let Some(factor) = factor(line) else { continue };
        let (floor, expected) = until_here.entry(factor).or_default();
        *floor = floor.checked_add(line.floor.micros)?;
        let together = floor.mul_ratio_ceil(factor.get(), FACTOR_ONE)?;
        line.expected = Sum { micros: together.checked_sub(*expected)?, certainty: line.floor.certainty };
        *expected = together;
    }
    Ok(())
}

/// Lowers the ceiling to what the caps leave, and says what bounds it.
fn bound_by_caps(ceiling: &mut Sum, lines: &[StepLine], caps: &[CapLine], attempts: u32) -> CeilingBy {
    let whole = caps.iter().filter(|cap| !matches!(cap.of, CapOf::Step(_)));
    let tightest = whole.min_by_key(|cap| cap.room());
    match tightest.filter(|cap| ceiling.certainty != Certainty::Unknown && cap.room() < ceiling.micros) {
        Some(cap) => {
            *ceiling = Sum::exact(cap.room());
            CeilingBy::Cap(cap.of.clone())
        }
        None if lines.iter().any(|line| line.capped) => CeilingBy::StepCaps(attempts),
        None => CeilingBy::Attempts(attempts),
    }
}

fn finals(plan: &Plan, worklist: &Worklist, totals: &Totals, factor: Option<Micros>) -> Result<Finals, MoneyError> {
    let mut finals = Finals::default();
    for step in plan.steps.iter().filter(|step| step.is_final) {
        let selected = step.jobs.clone().filter(|ix| worklist.work(JobIx(*ix)) != Work::Excluded).count();
        if selected > 0 {
            finals.count += selected;
            finals.steps.push(Arc::clone(&step.name));
        }
    }
    let count = i64::try_from(finals.count).map_err(|_| MoneyError::Overflow)?;
    if count > 0 {
        let each = |sum: Sum| Ok::<_, MoneyError>(Sum { micros: sum.micros.mul_ratio_ceil(1, count)?, ..sum });
        // A final that waits for a choice costs what stands behind the choice too.
        let later = Sum { micros: totals.later.micros.mul_ratio_ceil(factor.map_or(FACTOR_ONE, Micros::get), FACTOR_ONE)?, ..totals.later };
        finals.floor_each = Some(each(totals.floor.and(totals.later)?)?);
        finals.expected_each = Some(each(totals.expected.and(later)?)?);
    }
    Ok(finals)
}

/// Finds the jobs that a person must hear of by name.
pub(super) fn notable(plan: &Plan, worklist: &Worklist, quotes: &Quotes) -> (Vec<UnpricedJobs>, NamedJobs) {
    let mut unpriced: Vec<UnpricedJobs> = Vec::new();
    let mut in_doubt = NamedJobs::default();
    // Reasons are long texts: each quote is compared once, not each job.
    let mut group_of: BTreeMap<usize, usize> = BTreeMap::new();
    for (ix, work) in worklist.iter() {
        if work == Work::InDoubt {
            in_doubt.push(plan, ix);
        }
        if !work.is_outstanding() {
            continue;
        }
        if let (Some(place), Some(JobQuote::Unpriced(reason))) = (quotes.place(ix), quotes.of(ix)) {
            let group = *group_of.entry(place).or_insert_with(|| {
                unpriced.iter().position(|group| group.reason == *reason).unwrap_or_else(|| {
                    unpriced.push(UnpricedJobs { reason: reason.clone(), jobs: NamedJobs::default() });
                    unpriced.len() - 1
                })
            });
            unpriced[group].jobs.push(plan, ix);
        }
    }
    (unpriced, in_doubt)
}

#[cfg(test)]
mod tests;
