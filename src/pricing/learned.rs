//! The iteration factor that a campaign's own past teaches: paid tries for each accepted final, by baseline.
//!
//! A shot's address stands for what the author wants there, whatever its prompt was at the time: a changed prompt that is bought again
//! is a further try for the same final. The floor counts one try for every picture, so the tries are set against the pictures: a chain of
//! three steps, or a ladder of which one rung is delivered, has a factor of 1 if each picture took one try. A final is accepted when all that it is
//! made from was bought at least once; picks may say more one day. Tries of unknown outcome count on neither side.
//!
//! In: the plan, its campaign's paid tries over all runs of the workspace. Out: one [`Learned`] a baseline.
//! Never: another campaign's tries, tries for shots that the plan no longer has, a factor from too few finals.

use std::collections::HashMap;
use std::sync::Arc;

use crate::campaign::Budget;
use crate::ledger::{AttemptRow, AttemptStatus};
use crate::plan::{JobIx, Plan};
use crate::types::{Micros, MoneyError, Operation};

/// Fewest accepted finals of a baseline from which a factor is learned: with fewer, one unlucky shot moves it by a quarter.
pub const FEWEST_FINALS: usize = 5;

/// What is known of one baseline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learned {
    /// The baseline; `None` for steps with a prompt of their own.
    pub baseline: Option<Arc<str>>,
    /// Finals that are done and stand on pictures of the baseline.
    pub finals: usize,
    /// Shots of the baseline that have, or had, their picture.
    pub pictures: usize,
    /// Tries of the baseline that were paid.
    pub attempts: usize,
    /// Tries for each picture, in millionths, rounded up; `None` while there are too few finals.
    pub factor: Option<Micros>,
}

/// What multiplies the floor of which step.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Factors {
    /// Of every baseline without a learned one, in millionths, as the author called it; without any, expected is the floor.
    pub named: Option<(String, Micros)>,
    /// What was learned; empty when the author named a factor.
    pub learned: Vec<Learned>,
}

impl Factors {
    /// Returns those of a budget, as long as nothing is learned.
    pub fn of(budget: &Budget) -> Self {
        Self { named: budget.iteration.clone(), learned: Vec::new() }
    }

    /// Returns those of a budget with what the ledger teaches, if the author asked for it.
    #[must_use]
    pub fn learning(budget: &Budget, learned: Vec<Learned>) -> Self {
        Self { named: budget.iteration.clone(), learned: if budget.learns { learned } else { Vec::new() } }
    }

    /// Returns the factor of a baseline's steps; `None` when there is none at all.
    pub fn factor(&self, baseline: Option<&Arc<str>>) -> Option<Micros> {
        let learned = self.learned.iter().find(|learned| learned.baseline.as_ref() == baseline).and_then(|learned| learned.factor);
        learned.or_else(|| self.named.as_ref().map(|(_, factor)| *factor))
    }
}

/// Returns what a campaign's past teaches about each baseline of its paid steps, in the plan's order.
///
/// # Errors
/// [`MoneyError::Overflow`] if there are more tries than fit (over 9 trillion).
pub fn learn(plan: &Plan, attempts: &[AttemptRow]) -> Result<Vec<Learned>, MoneyError> {
    let mut found: Vec<Learned> = Vec::new();
    let mut of_step: Vec<Option<usize>> = Vec::with_capacity(plan.steps.len());
    for step in &plan.steps {
        let place = step.action.map(|_| {
            found.iter().position(|learned| learned.baseline == step.baseline).unwrap_or_else(|| {
                found.push(Learned { baseline: step.baseline.clone(), finals: 0, pictures: 0, attempts: 0, factor: None });
                found.len() - 1
            })
        });
        of_step.push(place);
    }
    let of = |ix: JobIx| of_step[plan.job(ix).step as usize];

    let ids: Vec<_> = plan.indices().map(|ix| plan.id(ix)).collect();
    let places: HashMap<&str, JobIx> = ids.iter().map(|id| id.as_str()).zip(plan.indices()).collect();
    let mut is_bought = vec![false; plan.jobs.len()];
    for row in attempts.iter().filter(|row| *row.card.campaign == *plan.campaign && is_paid(row)) {
        let Some(ix) = places.get(row.card.job.as_str()) else { continue };
        is_bought[ix.index()] |= row.status == AttemptStatus::Done;
        if let Some(place) = of(*ix) {
            found[place].attempts += 1;
        }
    }
    let accepted = accepted(plan, &is_bought);
    for (place, learned) in found.iter_mut().enumerate() {
        let is_of = |ix: JobIx| of(ix) == Some(place) && is_bought[ix.index()];
        learned.pictures = plan.indices().filter(|ix| is_of(*ix)).count();
        learned.finals = finals_on(plan, &accepted, is_of);
        if learned.finals >= FEWEST_FINALS && learned.pictures > 0 {
            let count = |count: usize| i64::try_from(count).map_err(|_| MoneyError::Overflow);
            learned.factor = Some(Micros::units(count(learned.attempts)?).mul_ratio_ceil(1, count(learned.pictures)?)?);
        }
    }
    Ok(found)
}

fn is_paid(row: &AttemptRow) -> bool {
    row.status == AttemptStatus::Done || row.charged.is_some_and(|charged| charged > Micros::ZERO)
}

/// Says of each job whether it had its picture and a final that had its own stands on it, or is it. Makers stand before takers: one
/// pass forward tells who had a picture, one backward who was of use.
fn accepted(plan: &Plan, is_bought: &[bool]) -> Vec<bool> {
    let mut had = is_bought.to_vec();
    for ix in plan.indices() {
        had[ix.index()] = match (plan.twins.get(&ix), &plan.job(ix).operation) {
            // The same picture as an earlier shot's, paid there.
            (Some(first), _) => had[first.index()] || had[ix.index()],
            (None, Operation::Paid(_)) => had[ix.index()],
            (None, Operation::Local(_)) => plan.inputs(ix).iter().all(|input| had[input.from.index()]),
        };
    }
    let mut accepted = vec![false; had.len()];
    for ix in plan.indices().rev() {
        accepted[ix.index()] = had[ix.index()] && (plan.step_of(ix).is_final || plan.dependents(ix).any(|taker| accepted[taker.index()]));
    }
    accepted
}

/// Counts the accepted finals that stand on a job for which `is_of` is true, or are one.
fn finals_on(plan: &Plan, accepted: &[bool], is_of: impl Fn(JobIx) -> bool) -> usize {
    let mut stands = vec![false; plan.jobs.len()];
    let mut finals = 0;
    for ix in plan.indices() {
        stands[ix.index()] |= is_of(ix);
        if stands[ix.index()] {
            plan.dependents(ix).for_each(|taker| stands[taker.index()] = true);
            finals += usize::from(accepted[ix.index()] && plan.step_of(ix).is_final);
        }
    }
    finals
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::AttemptCard;
    use crate::pricing::sample;
    use crate::types::{Amount, AttemptNo, Currency, JobKey, RunId, Timestamp};

    fn row(plan: &Plan, ix: JobIx, status: AttemptStatus, charged: i64) -> AttemptRow {
        let card = AttemptCard {
            campaign: plan.campaign.to_string(),
            job: plan.id(ix),
            step: plan.step_of(ix).name.to_string(),
            axes: Vec::new(),
            take: None,
            provider: "kie".to_owned(),
            model: "gpt-image-2".to_owned(),
            operation: "generate".to_owned(),
            aspect: None,
            resolution: None,
            quality: None,
            unpriced: false,
            batch: false,
        };
        let quoted = Amount::new(Currency::credits("kie"), Micros::units(6));
        let (key, at) = (plan.job(ix).key, Timestamp::from_millis(0));
        let charged = Some(Micros::units(charged));
        let (run, attempt) = (RunId::new("r"), AttemptNo(1));
        let (refunded, started_at) = (Micros::ZERO, at);
        AttemptRow {
            run,
            key,
            card,
            attempt,
            status,
            error_code: None,
            quoted,
            charged,
            refunded,
            started_at,
            finished_at: None,
            task: None,
            artifact: None,
        }
    }

    /// Two products with three surfaces each, and a row for each of the first `bought` paid jobs.
    fn past(bought: u32) -> (Plan, Vec<AttemptRow>) {
        let plan = sample::plan(2);
        let rows = (0..bought).map(|ix| row(&plan, JobIx(ix), AttemptStatus::Done, 6)).collect();
        (plan, rows)
    }

    #[test]
    fn one_try_for_each_picture_is_a_factor_of_one_however_long_the_chain() {
        let (plan, rows) = past(8);
        let learned = learn(&plan, &rows).expect("few tries");
        let factor = Some(Micros::units(1));
        assert_eq!(learned, [Learned { baseline: Some("pdp".into()), finals: 6, pictures: 8, attempts: 8, factor }]);
    }

    #[test]
    fn every_paid_try_counts_also_those_of_an_earlier_prompt_of_the_shot() {
        let (mut plan, mut rows) = past(8);
        let mut older = row(&plan, JobIx(3), AttemptStatus::Done, 6);
        older.key = JobKey(crate::types::Digest::of(b"an earlier prompt"));
        rows.push(older);
        rows.push(row(&plan, JobIx(4), AttemptStatus::Failed, 6));
        rows.push(row(&plan, JobIx(4), AttemptStatus::Failed, 0));
        rows.push(row(&plan, JobIx(4), AttemptStatus::InDoubt, 0));
        // The author has changed the prompt once more since: what was learned stays.
        plan.jobs.iter_mut().for_each(|job| job.key = JobKey(crate::types::Digest::of(job.key.to_string().as_bytes())));
        let learned = learn(&plan, &rows).expect("few tries");
        assert_eq!((learned[0].attempts, learned[0].factor), (10, Some(Micros::new(1_250_000))), "neither a refund nor a doubt was paid for");
    }

    #[test]
    fn too_few_finals_teach_nothing_and_the_named_factor_stands_in() {
        let (plan, rows) = past(6);
        let learned = learn(&plan, &rows).expect("few tries");
        assert_eq!((learned[0].finals, learned[0].factor), (4, None));
        let budget = Budget { iteration: Some(("strict".to_owned(), Micros::new(1_200_000))), learns: true, ..Budget::default() };
        let factors = Factors::learning(&budget, learned);
        assert_eq!(factors.factor(Some(&"pdp".into())), Some(Micros::new(1_200_000)));
        assert_eq!(factors.factor(None), Some(Micros::new(1_200_000)));
    }

    #[test]
    fn what_another_campaign_paid_for_teaches_nothing() {
        let (plan, mut rows) = past(8);
        rows.iter_mut().for_each(|row| row.card.campaign = "summer".to_owned());
        let learned = learn(&plan, &rows).expect("few tries");
        assert_eq!((learned[0].finals, learned[0].pictures, learned[0].attempts, learned[0].factor), (0, 0, 0, None));
    }

    #[test]
    fn a_factor_that_the_author_names_is_not_overruled() {
        let (plan, rows) = past(8);
        let learned = learn(&plan, &rows).expect("few tries");
        let budget = Budget { iteration: Some(("explore".to_owned(), Micros::new(1_800_000))), ..Budget::default() };
        assert_eq!(Factors::learning(&budget, learned), Factors::of(&budget));
    }
}
