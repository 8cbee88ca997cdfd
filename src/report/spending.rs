//! Money that some paid tries add up to, in one currency each.
//!
//! In: paid tries and where their shots stand. Out: [`Spending`] in all, by run, and by what tries share ([`Group`]).
//! Never: a currency added to another; an unknown charge counted as 0 without being told apart.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::run_report::ReportRow;
use crate::ledger::{AttemptRow, AttemptStatus, History, JobState};
use crate::plan::Plan;
use crate::types::{Currency, Micros, MoneyError, RunId, Timestamp};

/// Tries that were charged on one side of what they were quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Deviation {
    /// How many tries.
    pub tries: usize,
    /// By how much, all together; never negative.
    pub micros: Micros,
}

impl Deviation {
    fn add(&mut self, micros: Micros) -> Result<(), MoneyError> {
        self.tries += 1;
        self.micros = self.micros.checked_add(micros)?;
        Ok(())
    }
}

/// Money in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spending {
    /// What it is counted in.
    pub currency: Currency,
    /// Paid tries, whatever became of them.
    pub attempts: usize,
    /// Tries that brought a picture.
    pub pictures: usize,
    /// Tries that were charged, or brought a picture for nothing.
    pub paid: usize,
    /// Pictures of the plan that came out of them and stand: nothing was made in their place since.
    pub in_use: usize,
    /// What the plans said of all tries.
    pub quoted: Micros,
    /// What was charged for good.
    pub charged: Micros,
    /// What was given back of tries that the provider had taken on.
    pub refunded: Micros,
    /// What was held for tries that nobody had taken on: it was never more than a reservation, and is no part of `refunded`.
    pub released: Micros,
    /// What is held by tries whose outcome nobody knows.
    pub in_doubt: Micros,
    /// What is held by tries that are under way.
    pub reserved: Micros,
    /// Paid tries that were charged more than quoted.
    pub above: Deviation,
    /// Paid tries that were charged less than quoted.
    pub below: Deviation,
    /// Tries without a price whose cost nobody knows; they are in none of the sums.
    pub unpriced: usize,
}

impl Spending {
    pub(super) fn none(currency: Currency) -> Self {
        let zero = Micros::ZERO;
        Self {
            currency,
            attempts: 0,
            pictures: 0,
            paid: 0,
            in_use: 0,
            quoted: zero,
            charged: zero,
            refunded: zero,
            released: zero,
            in_doubt: zero,
            reserved: zero,
            above: Deviation::default(),
            below: Deviation::default(),
            unpriced: 0,
        }
    }

    fn add(&mut self, row: &ReportRow<'_>, held: Micros) -> Result<(), MoneyError> {
        let attempt = row.attempt;
        self.attempts += 1;
        self.pictures += usize::from(attempt.status == AttemptStatus::Done);
        self.in_use += usize::from(row.in_use);
        self.quoted = self.quoted.checked_add(attempt.known_quote().unwrap_or_default())?;
        self.unpriced += usize::from(attempt.card.unpriced && attempt.known_charge().is_none());
        self.refunded = self.refunded.checked_add(refunded(attempt))?;
        self.released = self.released.checked_add(released(attempt))?;
        match attempt.status {
            AttemptStatus::InDoubt => self.in_doubt = self.in_doubt.checked_add(held)?,
            AttemptStatus::Submitting | AttemptStatus::Running => self.reserved = self.reserved.checked_add(held)?,
            AttemptStatus::Done | AttemptStatus::Failed => self.charged = self.charged.checked_add(attempt.known_charge().unwrap_or_default())?,
        }
        if let Some(difference) = difference(attempt)? {
            self.paid += 1;
            let zero = Micros::ZERO;
            if difference > zero {
                self.above.add(difference)?;
            } else if difference < zero {
                self.below.add(zero.checked_sub(difference)?)?;
            }
        }
        Ok(())
    }

    /// Returns how many paid tries were charged other than quoted.
    pub fn differing(&self) -> usize {
        self.above.tries + self.below.tries
    }

    /// Returns what each picture in use has cost with all tries on the way, rounded up to the millionth; `None` without a picture, and
    /// while some tries have no known cost.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] for a count past 64 bits.
    pub fn per_picture(&self) -> Result<Option<Micros>, MoneyError> {
        // A sum that leaves some out is no sum to be shared.
        if self.unpriced > 0 { Ok(None) } else { share(self.charged, self.in_use) }
    }

    /// Returns the paid tries for each picture in use, in millionths, rounded up; `None` without a picture.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] for a count past 64 bits.
    pub fn factor(&self) -> Result<Option<Micros>, MoneyError> {
        share(tries(self.paid)?, self.in_use)
    }
}

/// Returns a count as millionths.
pub(super) fn tries(count: usize) -> Result<Micros, MoneyError> {
    Micros::units(1).checked_mul(count as u64)
}

/// Returns an equal share, rounded up to the millionth; `None` when nobody is there to share.
pub(super) fn share(of: Micros, among: usize) -> Result<Option<Micros>, MoneyError> {
    let among = i64::try_from(among).map_err(|_| MoneyError::Overflow)?;
    if among == 0 { Ok(None) } else { of.mul_ratio_ceil(1, among).map(Some) }
}

/// Returns what was given back of a try that the provider had taken on.
pub fn refunded(attempt: &AttemptRow) -> Micros {
    if attempt.task.is_some() { attempt.refunded } else { Micros::ZERO }
}

/// Returns what was held for a try that the provider never took on, and is held no more.
pub fn released(attempt: &AttemptRow) -> Micros {
    if attempt.task.is_none() { attempt.refunded } else { Micros::ZERO }
}

/// Returns how far a paid try was charged from its quote; `None` for a try that was not paid for, or not yet.
///
/// # Errors
/// [`MoneyError::Overflow`] if the difference does not fit.
pub fn difference(attempt: &AttemptRow) -> Result<Option<Micros>, MoneyError> {
    let Some(charged) = attempt.charged else { return Ok(None) };
    let is_paid = match attempt.status {
        AttemptStatus::Done => true,
        AttemptStatus::Failed => charged > Micros::ZERO,
        AttemptStatus::Submitting | AttemptStatus::Running | AttemptStatus::InDoubt => false,
    };
    if is_paid { charged.checked_sub(attempt.quoted.micros).map(Some) } else { Ok(None) }
}

/// Money by what some tries share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// `step`, `baseline`, `model`, `axis` or `run`.
    pub by: &'static str,
    /// Name of the step, the baseline, the model, the axis or the run.
    pub name: String,
    /// The axis' value; empty for all others.
    pub value: String,
    /// One for each currency.
    pub spending: Vec<Spending>,
}

/// One run of the campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunLine {
    /// Its name.
    pub run: RunId,
    /// Its first paid try.
    pub started_at: Timestamp,
    /// One for each currency.
    pub spending: Vec<Spending>,
}

/// Returns what a try holds: the reservation while the ledger still shows it, else what the plan said.
pub(super) fn held(row: &AttemptRow, history: &History) -> Micros {
    match history.state(&row.key) {
        JobState::Submitting { attempt, reserved, .. }
        | JobState::Running { attempt, reserved, .. }
        | JobState::InDoubt { attempt, reserved, .. }
            if *attempt == row.attempt && reserved.currency == row.quoted.currency =>
        {
            reserved.micros
        }
        _ => row.quoted.micros,
    }
}

/// Returns the sums of some tries, one for each currency; `first` stands first, even when no try was counted in it.
pub(super) fn sums<'r, 'a: 'r>(
    rows: impl Iterator<Item = &'r ReportRow<'a>>,
    history: &History,
    first: Option<&Currency>,
) -> Result<Vec<Spending>, MoneyError> {
    let mut sums: Vec<Spending> = first.map(|currency| Spending::none(currency.clone())).into_iter().collect();
    for row in rows {
        add_to(&mut sums, row, history)?;
    }
    Ok(sums)
}

fn add_to(sums: &mut Vec<Spending>, row: &ReportRow<'_>, history: &History) -> Result<(), MoneyError> {
    let currency = &row.attempt.quoted.currency;
    let place = match sums.iter().position(|sum| sum.currency == *currency) {
        Some(place) => place,
        None => {
            sums.push(Spending::none(currency.clone()));
            sums.len() - 1
        }
    };
    sums[place].add(row, held(row.attempt, history))
}

/// Returns the runs that made some tries, in the order in which they began.
pub(super) fn runs<'r, 'a: 'r>(rows: impl Iterator<Item = &'r ReportRow<'a>>, history: &History) -> Result<Vec<RunLine>, MoneyError> {
    let mut runs: IndexMap<&RunId, RunLine> = IndexMap::new();
    for row in rows {
        let attempt = row.attempt;
        let line =
            runs.entry(&attempt.run).or_insert_with(|| RunLine { run: attempt.run.clone(), started_at: attempt.started_at, spending: Vec::new() });
        add_to(&mut line.spending, row, history)?;
    }
    Ok(runs.into_values().collect())
}

/// Kinds of groups, in the order in which they are shown.
const KINDS: [&str; 4] = ["step", "baseline", "model", "axis"];

/// Returns money by step, baseline, model and axis value; within each, in the order in which the ledger met them.
pub(super) fn groups<'r, 'a: 'r>(rows: impl Iterator<Item = &'r ReportRow<'a>>, plan: &Plan, history: &History) -> Result<Vec<Group>, MoneyError> {
    let baselines: HashMap<&str, &str> = plan.steps.iter().filter_map(|step| Some((&*step.name, step.baseline.as_deref()?))).collect();
    let mut groups: IndexMap<(&'static str, &'r str, &'r str), Vec<Spending>> = IndexMap::new();
    for row in rows {
        let card = &row.attempt.card;
        for (by, name) in [("step", &card.step), ("model", &card.model)] {
            add_to(groups.entry((by, name, "")).or_default(), row, history)?;
        }
        for (axis, value) in &card.axes {
            add_to(groups.entry(("axis", axis, value)).or_default(), row, history)?;
        }
    }
    let mut groups: Vec<Group> =
        groups.into_iter().map(|((by, name, value), spending)| Group { by, name: name.to_owned(), value: value.to_owned(), spending }).collect();
    groups.extend(by_baseline(&groups, &baselines)?);
    // An axis' values together, where its first one was met.
    let first_met: HashMap<(&str, String), usize> =
        groups.iter().enumerate().rev().map(|(place, group)| ((group.by, group.name.clone()), place)).collect();
    let kind = |by: &str| KINDS.iter().position(|known| *known == by);
    groups.sort_by_cached_key(|group| (kind(group.by), first_met.get(&(group.by, group.name.clone())).copied()));
    Ok(groups)
}

/// Adds up the steps that follow one baseline.
fn by_baseline(groups: &[Group], baselines: &HashMap<&str, &str>) -> Result<Vec<Group>, MoneyError> {
    let mut sums: IndexMap<&str, Vec<Spending>> = IndexMap::new();
    for group in groups.iter().filter(|group| group.by == "step") {
        let Some(baseline) = baselines.get(group.name.as_str()) else { continue };
        let all = sums.entry(baseline).or_default();
        for spent in &group.spending {
            match all.iter_mut().find(|sum| sum.currency == spent.currency) {
                Some(sum) => sum.merge(spent)?,
                None => all.push(spent.clone()),
            }
        }
    }
    Ok(sums.into_iter().map(|(name, spending)| Group { by: "baseline", name: name.to_owned(), value: String::new(), spending }).collect())
}

impl Spending {
    fn merge(&mut self, other: &Self) -> Result<(), MoneyError> {
        self.attempts += other.attempts;
        self.pictures += other.pictures;
        self.paid += other.paid;
        self.in_use += other.in_use;
        for (mine, theirs) in [
            (&mut self.quoted, other.quoted),
            (&mut self.charged, other.charged),
            (&mut self.refunded, other.refunded),
            (&mut self.released, other.released),
            (&mut self.in_doubt, other.in_doubt),
            (&mut self.reserved, other.reserved),
            (&mut self.above.micros, other.above.micros),
            (&mut self.below.micros, other.below.micros),
        ] {
            *mine = mine.checked_add(theirs)?;
        }
        self.above.tries += other.above.tries;
        self.below.tries += other.below.tries;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::JobIx;
    use crate::report::{RunReport, sample};

    fn charged(ran: &mut sample::Ran, place: usize, charged: &str) {
        ran.attempts[place].charged = Some(charged.parse().expect("a number"));
    }

    #[test]
    fn what_was_charged_other_than_quoted_is_told_on_both_sides() {
        let mut ran = sample::ran();
        charged(&mut ran, 1, "8");
        charged(&mut ran, 2, "5.5");
        // A failed try that kept half of its price is charged below its quote; one that cost nothing was not paid for.
        charged(&mut ran, 5, "3");
        let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, None).expect("small sums");
        let spent = &report.spending[0];
        assert_eq!((spent.paid, spent.differing()), (4, 3));
        assert_eq!(spent.above, Deviation { tries: 1, micros: Micros::units(2) });
        assert_eq!(spent.below, Deviation { tries: 2, micros: "3.5".parse().expect("a number") });
        assert_eq!(difference(&ran.attempts[0]), Ok(None), "refunded whole");
        assert_eq!(difference(&ran.attempts[4]), Ok(None), "in doubt");
    }

    #[test]
    fn what_was_never_accepted_is_released_and_what_was_is_refunded() {
        let mut ran = sample::ran();
        ran.attempts[5].task = None;
        let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, None).expect("small sums");
        assert_eq!((report.spending[0].refunded, report.spending[0].released), (Micros::units(6), Micros::units(6)), "no part of each other");
    }

    #[test]
    fn a_picture_that_was_made_anew_is_paid_twice_and_in_use_once() {
        let mut ran = sample::ran();
        let older = AttemptRow { run: RunId::new("20261101T080000Z-0001"), ..sample::attempt(&ran.plan, JobIx(0), 1, AttemptStatus::Done) };
        ran.attempts[0] = older;
        let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, None).expect("small sums");
        let hero = report.groups.iter().find(|group| group.by == "step" && group.name == "hero").expect("the step was paid for");
        assert_eq!((hero.spending[0].paid, hero.spending[0].in_use), (2, 1));
        assert_eq!(hero.spending[0].factor(), Ok(Some(Micros::units(2))));
        assert_eq!(hero.spending[0].per_picture(), Ok(Some(Micros::units(12))));
        assert_eq!(report.runs.len(), 2);
    }
}
