//! What a run did not pay, because the pictures were there.
//!
//! Two questions that must not be mixed, or money would be saved twice:
//!
//! - *this run*: what it would have paid for shots that were done before it began, whoever had paid for them ([`Reused::total`]);
//! - *the campaign*: what it never paid, in no run, because another campaign had, or because two of its shots are one picture
//!   ([`Reused::never_paid`]). What an earlier run of the campaign paid is spent, not saved.
//!
//! In: plan, history, paid tries, today's prices. Out: [`Reused`]. Never: a price of 0 for what has none.

use std::collections::HashMap;

use super::run_report::ReportRow;
use crate::ledger::{History, JobState};
use crate::plan::{JobIx, Plan};
use crate::pricing::{JobQuote, Quotes, Sum};
use crate::types::{JobKey, MoneyError, RunId};

/// Some pictures, and what they would cost today.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reuse {
    /// How many.
    pub pictures: usize,
    /// What one try of each would cost at today's prices.
    pub saved: Sum,
}

impl Reuse {
    fn add(&mut self, quote: &JobQuote) -> Result<(), MoneyError> {
        self.pictures += 1;
        self.saved = match quote {
            JobQuote::Priced(quote) => self.saved.plus(quote.amount.micros, 1, quote.certainty)?,
            JobQuote::Unpriced(_) => self.saved.and_unknown(),
        };
        Ok(())
    }

    /// Returns both together.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] if the sum does not fit.
    pub fn and(self, other: Self) -> Result<Self, MoneyError> {
        Ok(Self { pictures: self.pictures + other.pictures, saved: self.saved.and(other.saved)? })
    }
}

/// Pictures that were there, by who paid for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reused {
    /// Paid by earlier runs of this campaign; none when the report closes no run.
    pub earlier: Reuse,
    /// Paid by other campaigns.
    pub others: Reuse,
    /// The same picture as another shot of the plan, paid once there.
    pub twins: Reuse,
    /// How many of `earlier` an earlier run had ordered and this one has fetched; only the run itself knows.
    pub fetched: usize,
}

impl Reused {
    /// Returns what the last run did not pay again.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] if the sum does not fit.
    pub fn total(&self) -> Result<Reuse, MoneyError> {
        self.earlier.and(self.never_paid()?)
    }

    /// Returns what the campaign has without ever paying for it.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] if the sum does not fit.
    pub fn never_paid(&self) -> Result<Reuse, MoneyError> {
        self.others.and(self.twins)
    }
}

/// Who paid for a picture.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Payer {
    LastRun,
    EarlierRun,
    OtherCampaign,
}

/// Counts the pictures of paid shots that stand, for whom they were paid, and what they would cost.
pub(super) fn reused(
    plan: &Plan,
    history: &History,
    quotes: &Quotes,
    rows: &[ReportRow<'_>],
    last_run: Option<&RunId>,
) -> Result<Reused, MoneyError> {
    let payer = |row: &ReportRow<'_>| match last_run {
        _ if !row.is_ours => Payer::OtherCampaign,
        Some(run) if row.attempt.run != *run => Payer::EarlierRun,
        _ => Payer::LastRun,
    };
    let payers: HashMap<JobKey, Payer> = rows.iter().filter(|row| row.in_use).map(|row| (row.attempt.key, payer(row))).collect();
    let mut reused = Reused::default();
    for ix in plan.indices() {
        let Some(quote) = quotes.of(ix) else { continue };
        let key = plan.job(ix).key;
        if !matches!(history.state(&key), JobState::Done { .. }) {
            continue;
        }
        match payers.get(&key) {
            _ if is_twin(plan, ix) => reused.twins.add(quote)?,
            Some(Payer::LastRun) => {}
            Some(Payer::EarlierRun) => reused.earlier.add(quote)?,
            // A picture without a paid try came into the ledger with somebody else's.
            Some(Payer::OtherCampaign) | None => reused.others.add(quote)?,
        }
    }
    Ok(reused)
}

fn is_twin(plan: &Plan, ix: JobIx) -> bool {
    plan.twins.contains_key(&ix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{AttemptRow, AttemptStatus};
    use crate::report::{RunReport, sample};
    use crate::types::Micros;

    fn of(ran: &sample::Ran, last_run: Option<RunId>) -> Reused {
        RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, last_run).expect("small sums").reused
    }

    fn credits(credits: i64) -> Sum {
        Sum::exact(Micros::units(credits))
    }

    #[test]
    fn what_an_earlier_run_paid_is_saved_by_this_run_and_not_by_the_campaign() {
        let ran = sample::ran();
        let reused = of(&ran, Some(sample::run_id()));
        assert_eq!(reused.earlier, Reuse { pictures: 1, saved: credits(6) });
        assert_eq!(reused.never_paid(), Ok(Reuse::default()), "the campaign has paid for every picture it has");
        assert_eq!(of(&ran, None), Reused::default(), "without a run there is nothing that it did not pay");
    }

    #[test]
    fn what_another_campaign_paid_is_saved_by_both() {
        let mut ran = sample::ran();
        for row in &mut ran.attempts {
            row.card.campaign = "summer".to_owned();
        }
        let reused = of(&ran, Some(sample::run_id()));
        assert_eq!(reused.others, Reuse { pictures: 3, saved: credits(18) });
        assert_eq!(reused.total(), reused.never_paid());
    }

    #[test]
    fn two_shots_that_are_one_picture_are_paid_once() {
        let mut ran = sample::ran();
        let (first, later) = (JobIx(2), JobIx(3));
        ran.plan.jobs[later.index()].key = ran.plan.job(first).key;
        ran.plan.twins.insert(later, first);
        assert_eq!(of(&ran, None).twins, Reuse { pictures: 1, saved: credits(6) });
    }

    #[test]
    fn a_picture_that_this_run_bought_anew_is_not_reused() {
        let mut ran = sample::ran();
        ran.attempts[0] = AttemptRow { run: RunId::new("20261101T080000Z-0001"), ..sample::attempt(&ran.plan, JobIx(0), 1, AttemptStatus::Done) };
        assert_eq!(of(&ran, Some(sample::run_id())).earlier.pictures, 1, "the hero's older picture is gone; only the surface was there");
    }
}
