//! What a plan would cost if an axis had another number of values, or if people took another number of tries.
//!
//! No prompt is invented. An axis that is made shorter keeps its first values, and what they cost is exact. Of an axis that is made
//! longer all values are known, and each further one costs, step by step, what they cost on average: exact when all cost the same. A
//! further value is made from nothing, so it costs its full price also where the known ones are done. Whole numbers throughout; what
//! does not come out even is rounded up, once a step.
//!
//! In: plan, worklist, quotes, budget, and what is supposed. Out: an [`Estimate`]. Never: a prompt, a float.

use std::sync::Arc;

use super::caps::caps;
use super::estimate::{CapLine, Committed, Counts, Estimate, Finals, StepLine, Sums, Totals, bound_by_step, notable, rerolls, sum_up, unit};
use super::learned::Factors;
use super::quote::{JobQuote, Quotes};
use super::sum::Sum;
use crate::campaign::Budget;
use crate::catalog::builtin;
use crate::plan::{JobIx, Plan, PlannedStep, Work, Worklist, most_tries};
use crate::types::diagnostic::{did_you_mean, listed};
use crate::types::{Micros, MoneyError};

/// Most values that an axis can be supposed to have.
const MOST_VALUES: u64 = 1_000_000;

/// The name of the factor; no axis can be called so here.
const ITERATION: &str = "iteration";

/// What is supposed instead of what is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WhatIf {
    /// Axes by their place in the plan, and how many values each has.
    pub axes: Vec<(usize, u64)>,
    /// The iteration factor of all steps.
    pub iteration: Option<(String, Micros)>,
}

/// Something that cannot be supposed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WhatIfError {
    /// Neither an axis nor the factor.
    #[error("the plan has no axis `{0}` to suppose another length of")]
    Axis(String, String),
    /// Not a number of values.
    #[error("`{axis}={value}` is not a number of values from 1 to {MOST_VALUES}")]
    Count {
        /// The axis.
        axis: String,
        /// What was written.
        value: String,
    },
    /// Not a factor.
    #[error("`iteration={0}` is not a factor")]
    Factor(String, String),
    /// Supposed twice.
    #[error("`{0}` is supposed twice")]
    Twice(String),
}

impl WhatIfError {
    /// Returns how to mend it.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Axis(_, help) | Self::Factor(_, help) => Some(help.clone()),
            Self::Count { axis, .. } => Some(format!("for example `{axis}=40`")),
            Self::Twice(_) => Some("say each once".to_owned()),
        }
    }
}

impl WhatIf {
    /// Reads `axis=40` and `iteration=explore` against a plan.
    ///
    /// # Errors
    /// What cannot be supposed, and what can.
    pub fn of(plan: &Plan, supposed: &[(String, String)]) -> Result<Self, WhatIfError> {
        let mut what_if = Self::default();
        for (name, value) in supposed {
            if name == ITERATION {
                if what_if.iteration.is_some() {
                    return Err(WhatIfError::Twice(name.clone()));
                }
                what_if.iteration = Some(factor_called(value).map_err(|help| WhatIfError::Factor(value.clone(), help))?);
                continue;
            }
            let Some(place) = plan.axes.iter().position(|axis| *axis.name == **name) else {
                let names = || plan.axes.iter().map(|axis| &*axis.name).chain([ITERATION]);
                let help = did_you_mean(name, names())
                    .map_or_else(|| format!("there are {}", listed(names(), 12)), |near| format!("did you mean `{near}`?"));
                return Err(WhatIfError::Axis(name.clone(), help));
            };
            let count: u64 = value
                .parse()
                .ok()
                .filter(|count| (1..=MOST_VALUES).contains(count))
                .ok_or_else(|| WhatIfError::Count { axis: name.clone(), value: value.clone() })?;
            if what_if.axes.iter().any(|(known, _)| *known == place) {
                return Err(WhatIfError::Twice(name.clone()));
            }
            what_if.axes.push((place, count));
        }
        Ok(what_if)
    }

    /// Returns what is supposed, in words: `sku=40: 12 values known, 28 like their average`.
    pub fn words(&self, plan: &Plan) -> Vec<String> {
        let axis = |(place, count): &(usize, u64)| {
            let axis = &plan.axes[*place];
            let known = axis.keys.len() as u64;
            let told = match count.checked_sub(known) {
                Some(0) => "as many as it has".to_owned(),
                Some(more) => format!("{known} known, {more} more like their average in each step, rounded up"),
                None => format!("the first {count} of {known}"),
            };
            format!("{}={count}: {told}", axis.name)
        };
        let factor = self.iteration.iter().map(|(name, factor)| {
            let number = factor.to_string();
            if *name == number { format!("iteration={number}") } else { format!("iteration={name}: {number}") }
        });
        self.axes.iter().map(axis).chain(factor).collect()
    }

    fn count(&self, axis: usize) -> Option<u64> {
        self.axes.iter().find(|(place, _)| *place == axis).map(|(_, count)| *count)
    }
}

/// Reads a factor: a name, or a number of at least 1; else says what there is.
///
/// # Errors
/// What a factor can be.
pub fn factor_called(text: &str) -> Result<(String, Micros), String> {
    if let Some(factor) = builtin::iteration_factor(text) {
        return Ok((text.to_owned(), factor));
    }
    if let Some(factor) = text.parse().ok().filter(|factor: &Micros| *factor >= Micros::units(1)) {
        return Ok((factor.to_string(), factor));
    }
    let names = || builtin::iteration_factors().iter().map(|(name, _)| *name);
    Err(did_you_mean(text, names())
        .map_or_else(|| format!("there are {}, or a number of at least 1", listed(names(), 8)), |near| format!("did you mean `{near}`?")))
}

/// Adds up what a plan would cost if it were as supposed.
///
/// # Errors
/// [`MoneyError::Overflow`] if a sum does not fit (over 9.2 trillion units).
// The parameters are those of the estimate, and what is supposed.
#[allow(clippy::too_many_arguments)]
pub fn suppose(
    what_if: &WhatIf,
    plan: &Plan,
    worklist: &Worklist,
    quotes: &Quotes,
    budget: &Budget,
    factors: Factors,
    attempts: u32,
    committed: &Committed,
) -> Result<Estimate, MoneyError> {
    let factors = match &what_if.iteration {
        Some(named) => Factors { named: Some(named.clone()), learned: Vec::new() },
        None => factors,
    };
    let caps = caps(plan, budget, committed);
    let mut lines = Vec::with_capacity(plan.steps.len());
    let mut finals = Finals::default();
    for (place, step) in plan.steps.iter().enumerate() {
        let line = Stretch::of(what_if, plan, step).line(place, step, plan, worklist, quotes, attempts, &caps)?;
        if step.is_final && line.counts.jobs() > 0 {
            finals.count += line.counts.jobs();
            finals.steps.push(Arc::clone(&step.name));
        }
        lines.push(line);
    }
    let Sums { totals, factor, ceiling_by } = sum_up(plan, &mut lines, &caps, &factors, attempts)?;
    each(&mut finals, &totals)?;
    let (unpriced, in_doubt) = notable(plan, worklist, quotes);
    Ok(Estimate {
        book: quotes.book().clone(),
        attempts,
        rerolls: rerolls(worklist),
        lines,
        totals,
        factor,
        factors,
        ceiling_by,
        caps,
        finals,
        by_axis: Vec::new(),
        by_model: Vec::new(),
        by_provider: Vec::new(),
        unpriced,
        in_doubt,
    })
}

fn each(finals: &mut Finals, totals: &Totals) -> Result<(), MoneyError> {
    let count = i64::try_from(finals.count).map_err(|_| MoneyError::Overflow)?;
    if count > 0 {
        let each = |sum: Sum| Ok::<_, MoneyError>(Sum { micros: sum.micros.mul_ratio_ceil(1, count)?, ..sum });
        finals.floor_each = Some(each(totals.floor)?);
        finals.expected_each = Some(each(totals.expected)?);
    }
    Ok(())
}

/// How a step's jobs are cut and multiplied.
struct Stretch {
    /// For each axis of the step how many of its first values stay.
    kept: Vec<u64>,
    /// Further jobs for each `over` known ones.
    more: u64,
    over: u64,
}

impl Stretch {
    fn of(what_if: &WhatIf, plan: &Plan, step: &PlannedStep) -> Self {
        let (mut kept, mut all, mut over) = (Vec::with_capacity(step.axes.len()), 1_u64, 1_u64);
        for axis in &step.axes {
            let known = plan.axes[*axis].keys.len() as u64;
            let count = what_if.count(*axis).unwrap_or(known);
            kept.push(count.min(known));
            if count > known {
                all = all.saturating_mul(count);
                over = over.saturating_mul(known.max(1));
            }
        }
        Self { kept, more: all - over, over }
    }

    fn keeps(&self, cell: &[u32]) -> bool {
        cell.iter().zip(&self.kept).all(|(value, kept)| u64::from(*value) < *kept)
    }

    /// Returns what the further jobs cost when the known ones cost `known`.
    fn further(&self, known: Sum) -> Result<Sum, MoneyError> {
        if self.more == 0 {
            return Ok(Sum::default());
        }
        let whole = |count: u64| i64::try_from(count).map_err(|_| MoneyError::Overflow);
        Ok(Sum { micros: known.micros.mul_ratio_ceil(whole(self.more)?, whole(self.over)?)?, certainty: known.certainty })
    }

    fn further_jobs(&self, known: usize) -> Result<usize, MoneyError> {
        let jobs = (known as u128 * u128::from(self.more)).div_ceil(u128::from(self.over));
        usize::try_from(jobs).ok().filter(|jobs| i64::try_from(*jobs).is_ok()).ok_or(MoneyError::Overflow)
    }

    // A step with all that its line is made of.
    #[allow(clippy::too_many_arguments)]
    fn line(
        &self,
        place: usize,
        step: &PlannedStep,
        plan: &Plan,
        worklist: &Worklist,
        quotes: &Quotes,
        attempts: u32,
        caps: &[CapLine],
    ) -> Result<StepLine, MoneyError> {
        let mut counts = Counts::default();
        let mut used: Vec<usize> = Vec::new();
        let (mut floor, mut ceiling, mut saved) = (Sum::default(), Sum::default(), Sum::default());
        let (mut full, mut full_ceiling) = (Sum::default(), Sum::default());
        let (mut unpriced, mut all_unpriced) = (0, 0);
        for ix in step.jobs.clone().map(JobIx).filter(|ix| self.keeps(&plan.job(*ix).cell)) {
            let work = worklist.work(ix);
            counts.add(work);
            let Some(quoted) = quotes.place(ix).filter(|_| work != Work::Excluded) else { continue };
            if !used.contains(&quoted) {
                used.push(quoted);
            }
            // Shots that share a picture pay for it once; so would further ones.
            let is_twin = plan.twins.contains_key(&ix);
            let tries = worklist.tries(ix, attempts);
            match &quotes.distinct()[quoted] {
                JobQuote::Priced(quote) => {
                    let (price, sure) = (quote.amount.micros, quote.certainty);
                    if work.is_outstanding() {
                        floor = floor.plus(price, 1, sure)?;
                    }
                    if tries > 0 {
                        ceiling = ceiling.plus(quote.highest, tries, sure)?;
                    }
                    if work == Work::Reused {
                        saved = saved.plus(price, 1, sure)?;
                    }
                    if !is_twin {
                        full = full.plus(price, 1, sure)?;
                        full_ceiling = full_ceiling.plus(quote.highest, most_tries(step.rerolls + 1, attempts), sure)?;
                    }
                }
                JobQuote::Unpriced(_) => {
                    if work.is_outstanding() {
                        floor = floor.and_unknown();
                        unpriced += 1;
                    }
                    if tries > 0 {
                        ceiling = ceiling.and_unknown();
                    }
                    if work == Work::Reused {
                        saved = saved.and_unknown();
                    }
                    if !is_twin {
                        (full, full_ceiling) = (full.and_unknown(), full_ceiling.and_unknown());
                        all_unpriced += 1;
                    }
                }
            }
        }
        floor = floor.and(self.further(full)?)?;
        ceiling = ceiling.and(self.further(full_ceiling)?)?;
        unpriced += self.further_jobs(all_unpriced)?;
        counts.new += self.further_jobs(counts.jobs())?;
        let unit = unit(step, quotes, used.into_iter());
        let (name, model) = (Arc::clone(&step.name), step.model.clone());
        let mut line = StepLine {
            step: place,
            name,
            kind: step.kind,
            model,
            counts,
            unit,
            floor,
            expected: floor,
            ceiling,
            capped: false,
            saved,
            later: Sum::default(),
            unpriced,
        };
        bound_by_step(&mut line, caps);
        Ok(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::History;
    use crate::pricing::{estimate, quotes, sample};
    use proptest::prelude::*;

    fn supposed(text: &[(&str, &str)]) -> Vec<(String, String)> {
        text.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn of(plan: &Plan, history: &History, budget: &Budget, text: &[(&str, &str)]) -> Estimate {
        let what_if = WhatIf::of(plan, &supposed(text)).expect("it can be supposed");
        let work = sample::all_work(plan, history);
        let quotes = quotes(plan, &sample::catalog("kie"));
        suppose(&what_if, plan, &work, &quotes, budget, Factors::of(budget), 2, &Committed::default()).expect("small sums")
    }

    #[test]
    fn more_values_of_equal_price_cost_exactly_what_they_would() {
        let (few, many) = (sample::plan(3), sample::plan(40));
        let longer = of(&few, &History::default(), &Budget::default(), &[("sku", "40"), ("iteration", "explore")]);
        let budget = Budget { iteration: Some(("explore".to_owned(), Micros::new(1_800_000))), ..Budget::default() };
        let real = estimate(
            &many,
            &sample::all_work(&many, &History::default()),
            &quotes(&many, &sample::catalog("kie")),
            &budget,
            2,
            &Committed::default(),
        )
        .expect("small sums");
        assert_eq!((longer.totals, &longer.finals, &longer.lines), (real.totals, &real.finals, &real.lines));
    }

    #[test]
    fn fewer_values_are_the_first_ones_and_two_axes_multiply() {
        let plan = sample::plan(3);
        let estimate = of(&plan, &History::default(), &Budget::default(), &[("sku", "2"), ("surface", "6")]);
        let floors: Vec<String> = estimate.lines.iter().map(|line| format!("{} {}", line.counts.jobs(), line.floor.micros)).collect();
        assert_eq!(floors, ["2 12", "12 72", "12 0"]);
        assert_eq!(estimate.finals.count, 12);
    }

    #[test]
    fn further_values_cost_their_full_price_also_where_the_known_ones_are_done() {
        let plan = sample::plan(2);
        let mut history = History::default();
        plan.indices().for_each(|ix| sample::done(&mut history, &plan, ix));
        let estimate = of(&plan, &history, &Budget::default(), &[("sku", "3")]);
        assert_eq!(estimate.totals.floor, Sum::exact(Micros::units(4 * 6)), "a hero and three surfaces");
        assert_eq!(estimate.totals.saved, Sum::exact(Micros::units(8 * 6)));
    }

    #[test]
    fn caps_hold_for_what_is_supposed_too() {
        let plan = sample::plan(2);
        let estimate = of(&plan, &History::default(), &sample::capped(100), &[("sku", "4")]);
        assert_eq!((estimate.totals.floor.micros, estimate.totals.ceiling.micros), (Micros::units(96), Micros::units(100)));
    }

    #[test]
    fn what_cannot_be_supposed_is_said_with_what_can() {
        let plan = sample::plan(2);
        let said = |text: &[(&str, &str)]| {
            let error = WhatIf::of(&plan, &supposed(text)).expect_err("it cannot be supposed");
            format!("{error}; {}", error.help().unwrap_or_default())
        };
        let slips: [&[(&str, &str)]; 6] =
            [&[("skus", "4")], &[("weather", "4")], &[("sku", "0")], &[("sku", "many")], &[("iteration", "0.5")], &[("sku", "4"), ("sku", "5")]];
        insta::assert_snapshot!(slips.map(said).join("\n"), @"
        the plan has no axis `skus` to suppose another length of; did you mean `sku`?
        the plan has no axis `weather` to suppose another length of; there are `sku`, `surface` and `iteration`
        `sku=0` is not a number of values from 1 to 1000000; for example `sku=40`
        `sku=many` is not a number of values from 1 to 1000000; for example `sku=40`
        `iteration=0.5` is not a factor; there are `strict`, `explore` and `blank-box`, or a number of at least 1
        `sku` is supposed twice; say each once
        ");
    }

    proptest! {
        #[test]
        fn more_values_never_cost_less_and_the_known_number_changes_nothing(heroes in 1_u32..5, more in 0_u64..40, sizes in prop::collection::vec(1_u32..4000, 5)) {
            let mut plan = sample::plan(heroes);
            for (ix, side) in (0..heroes as usize).zip(&sizes) {
                plan.jobs[ix].size = crate::types::PixelSize::new(*side, 1000);
            }
            let book = "book: mp\ncurrency: credits\nmodels: { gpt-image-2: { price: { per-megapixel: { of: output, megapixel: 1000000, first: 2 } } } }";
            let quotes = quotes(&plan, &sample::priced(book));
            let work = sample::all_work(&plan, &History::default());
            let of = |count: u64| {
                let what_if = WhatIf { axes: vec![(0, count)], iteration: None };
                suppose(&what_if, &plan, &work, &quotes, &Budget::default(), Factors::default(), 1, &Committed::default()).expect("small sums")
            };
            let known = u64::from(heroes);
            let real = estimate(&plan, &work, &quotes, &Budget::default(), 1, &Committed::default()).expect("small sums");
            prop_assert_eq!(of(known).totals, real.totals);
            prop_assert!(of(known + more).totals.floor.micros <= of(known + more + 1).totals.floor.micros);
        }
    }
}
