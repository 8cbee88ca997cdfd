//! What a campaign has cost and made, as one value that every report reads.
//!
//! In: plan, history, paid tries, quotes. Out: [`RunReport`].
//! Never: the disk; a currency added to another; an unknown charge counted as 0 without being told apart.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use indexmap::IndexMap;
use petgraph::Direction;
use petgraph::graph::NodeIndex;

use crate::ledger::{AttemptRow, AttemptStatus, History, JobState};
use crate::plan::{JobIx, Plan};
use crate::pricing::{JobQuote, Quotes, Sum, without_price};
use crate::types::{Currency, JobKey, Micros, MoneyError, RunId};

/// One paid try with what the plan knows of it: a row of `costs.csv`.
#[derive(Debug, Clone)]
pub struct ReportRow<'a> {
    /// The try.
    pub attempt: &'a AttemptRow,
    /// The plan's job that has this picture; `None` when the plan has moved on.
    pub job: Option<JobIx>,
    /// Whether this campaign paid.
    pub is_ours: bool,
    /// Whether its picture was taken over instead of bought: the last run did not pay for it, or another campaign did.
    pub reused: bool,
}

/// Money in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spending {
    /// What it is counted in.
    pub currency: Currency,
    /// Paid tries.
    pub attempts: usize,
    /// Tries that brought a picture.
    pub pictures: usize,
    /// What the plans said.
    pub quoted: Micros,
    /// What was charged for good.
    pub charged: Micros,
    /// What was held and given back.
    pub refunded: Micros,
    /// What is held by tries whose outcome nobody knows.
    pub in_doubt: Micros,
    /// What is held by tries that are under way.
    pub reserved: Micros,
    /// Tries without a price whose cost nobody knows; they are in none of the sums.
    pub unpriced: usize,
}

impl Spending {
    fn none(currency: Currency) -> Self {
        let zero = Micros::ZERO;
        Self { currency, attempts: 0, pictures: 0, quoted: zero, charged: zero, refunded: zero, in_doubt: zero, reserved: zero, unpriced: 0 }
    }

    fn add(&mut self, row: &AttemptRow, held: Micros) -> Result<(), MoneyError> {
        self.attempts += 1;
        self.pictures += usize::from(row.status == AttemptStatus::Done);
        self.quoted = self.quoted.checked_add(row.known_quote().unwrap_or_default())?;
        self.unpriced += usize::from(row.card.unpriced && row.known_charge().is_none());
        self.refunded = self.refunded.checked_add(row.refunded)?;
        match row.status {
            AttemptStatus::InDoubt => self.in_doubt = self.in_doubt.checked_add(held)?,
            AttemptStatus::Submitting | AttemptStatus::Running => self.reserved = self.reserved.checked_add(held)?,
            AttemptStatus::Done | AttemptStatus::Failed => {
                if let Some(charged) = row.known_charge() {
                    self.charged = self.charged.checked_add(charged)?;
                }
            }
        }
        Ok(())
    }
}

/// Money by what some tries share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// `step`, `model` or `axis`.
    pub by: &'static str,
    /// Name of the step, the model or the axis.
    pub name: String,
    /// The axis' value; empty for steps and models.
    pub value: String,
    /// One for each currency.
    pub spending: Vec<Spending>,
}

/// Where a shot stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shot {
    /// The picture is there.
    Done,
    /// The last try failed.
    Failed,
    /// Nobody knows the outcome of the last try.
    InDoubt,
    /// A try is under way.
    UnderWay,
    /// It waits for this job, which failed or is in doubt.
    Blocked(JobIx),
    /// Nothing stands in its way.
    ToDo,
}

/// The shots of one step by where they stand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StepStatus {
    /// The step.
    pub name: Arc<str>,
    /// All its shots.
    pub jobs: usize,
    /// With a picture.
    pub done: usize,
    /// Whose last try failed.
    pub failed: usize,
    /// Of unknown outcome.
    pub in_doubt: usize,
    /// Accepted, without a picture yet.
    pub under_way: usize,
    /// Waiting for one that failed or is in doubt.
    pub blocked: usize,
    /// Left to make.
    pub to_do: usize,
}

/// What a campaign has cost and made.
#[derive(Debug, Clone)]
pub struct RunReport<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// What the ledger knows of its jobs.
    pub history: &'a History,
    /// Today's prices.
    pub quotes: &'a Quotes,
    /// The run that the report closes, if any.
    pub last_run: Option<RunId>,
    /// Whether every picture was drawn by the simulator and nothing was paid.
    pub is_rehearsal: bool,
    /// Names of the axes that any row has, in the plan's order.
    pub axes: Vec<String>,
    /// One row a paid try, in ledger order.
    pub rows: Vec<ReportRow<'a>>,
    /// What this campaign paid, by currency; the book's own first.
    pub spending: Vec<Spending>,
    /// What the last run paid, by currency.
    pub last_spending: Vec<Spending>,
    /// What this campaign paid by step, by model and by axis value.
    pub groups: Vec<Group>,
    /// Where each job stands, in the plan's order.
    pub shots: Vec<Shot>,
    /// Shots by step.
    pub steps: Vec<StepStatus>,
    /// Pictures that were taken over instead of bought.
    pub reused: usize,
    /// What they would cost at today's prices.
    pub saved: Sum,
    /// Shots of final steps that are done, and how many there are.
    pub finals: (usize, usize),
    /// What this campaign paid in the book's currency, for each final that is done; rounded up to the millionth.
    pub per_final: Option<Micros>,
    /// Paid tries for each finished paid picture, in millionths, rounded up.
    pub factor_seen: Option<Micros>,
}

impl<'a> RunReport<'a> {
    /// Brings together what the ledger knows of a plan.
    ///
    /// `attempts` are those of the campaign and those of other campaigns on the plan's keys, in ledger order.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] if a sum does not fit.
    pub fn new(
        plan: &'a Plan,
        history: &'a History,
        attempts: &'a [AttemptRow],
        quotes: &'a Quotes,
        last_run: Option<RunId>,
    ) -> Result<Self, MoneyError> {
        let rows = rows(plan, history, attempts, last_run.as_ref());
        let ours = || rows.iter().filter(|row| row.is_ours).map(|row| row.attempt);
        let book = &quotes.book().currency;
        let spending = sums(ours(), history, Some(book))?;
        let last_spending = match &last_run {
            Some(run) => sums(ours().filter(|row| row.run == *run), history, Some(book))?,
            None => Vec::new(),
        };
        let shots = shots(plan, history);
        let steps = steps(plan, &shots);
        let (reused, saved) = reused(plan, history, quotes, &rows)?;
        let finals = finals(plan, &shots);
        let charged = spending.iter().find(|spent| spent.currency == *book).map_or(Micros::ZERO, |spent| spent.charged);
        let per_final = i64::try_from(finals.0).ok().filter(|done| *done > 0).map(|done| charged.mul_ratio_ceil(1, done)).transpose()?;
        let factor_seen = factor_seen(&rows)?;
        let axes = axes(plan, attempts);
        let groups = groups(ours(), history)?;
        Ok(Self {
            plan,
            history,
            quotes,
            last_run,
            is_rehearsal: false,
            axes,
            rows,
            spending,
            last_spending,
            groups,
            shots,
            steps,
            reused,
            saved,
            finals,
            per_final,
            factor_seen,
        })
    }

    /// Returns the same report, marked as one of a rehearsal: its amounts are what a real run would have been charged.
    #[must_use]
    pub fn rehearsed(self) -> Self {
        Self { is_rehearsal: true, ..self }
    }

    /// Returns the sentence that marks every report while this campaign has tries whose cost nobody knows.
    pub fn without_price(&self) -> Option<String> {
        let unpriced: usize = self.spending.iter().map(|spent| spent.unpriced).sum();
        (unpriced > 0).then(|| without_price(unpriced))
    }

    /// Returns where a job stands.
    pub fn shot(&self, ix: JobIx) -> Shot {
        self.shots[ix.index()]
    }
}

fn rows<'a>(plan: &Plan, history: &History, attempts: &'a [AttemptRow], last_run: Option<&RunId>) -> Vec<ReportRow<'a>> {
    let wanted: HashSet<JobKey> = attempts.iter().map(|row| row.key).collect();
    let mut by_key: HashMap<JobKey, Vec<JobIx>> = HashMap::with_capacity(wanted.len());
    for ix in plan.indices().filter(|ix| wanted.contains(&plan.job(*ix).key)) {
        by_key.entry(plan.job(ix).key).or_default().push(ix);
    }
    let row = |attempt: &'a AttemptRow| {
        let jobs = by_key.get(&attempt.key).map_or(&[][..], Vec::as_slice);
        // Several shots may be the same picture; the row stands for the one it was bought for.
        let own = jobs.iter().copied().find(|ix| jobs.len() > 1 && plan.id(*ix) == attempt.card.job);
        let job = own.or(jobs.first().copied());
        let is_ours = *attempt.card.campaign == *plan.campaign;
        let stands = matches!(history.state(&attempt.key), JobState::Done { attempt: Some(done), .. } if *done == attempt.attempt);
        let elsewhere = last_run.map_or(!is_ours, |run| attempt.run != *run);
        ReportRow { attempt, job, is_ours, reused: job.is_some() && stands && elsewhere }
    };
    attempts.iter().map(row).collect()
}

/// Returns what a try holds: the reservation while the ledger still shows it, else what the plan said.
fn held(row: &AttemptRow, history: &History) -> Micros {
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

fn sums<'a>(rows: impl Iterator<Item = &'a AttemptRow>, history: &History, first: Option<&Currency>) -> Result<Vec<Spending>, MoneyError> {
    let mut sums: Vec<Spending> = first.map(|currency| Spending::none(currency.clone())).into_iter().collect();
    for row in rows {
        add_to(&mut sums, row, history)?;
    }
    Ok(sums)
}

fn add_to(sums: &mut Vec<Spending>, row: &AttemptRow, history: &History) -> Result<(), MoneyError> {
    let place = match sums.iter().position(|sum| sum.currency == row.quoted.currency) {
        Some(place) => place,
        None => {
            sums.push(Spending::none(row.quoted.currency.clone()));
            sums.len() - 1
        }
    };
    sums[place].add(row, held(row, history))
}

fn groups<'a>(rows: impl Iterator<Item = &'a AttemptRow>, history: &History) -> Result<Vec<Group>, MoneyError> {
    let mut groups: IndexMap<(&'static str, &'a str, &'a str), Vec<Spending>> = IndexMap::new();
    for row in rows {
        let axes = row.card.axes.iter().map(|(axis, value)| ("axis", axis.as_str(), value.as_str()));
        for group in [("step", row.card.step.as_str(), ""), ("model", row.card.model.as_str(), "")].into_iter().chain(axes) {
            add_to(groups.entry(group).or_default(), row, history)?;
        }
    }
    let mut groups: Vec<Group> =
        groups.into_iter().map(|((by, name, value), spending)| Group { by, name: name.to_owned(), value: value.to_owned(), spending }).collect();
    // Steps, models, axes; within each, the order in which the ledger met them; an axis' values together.
    let first_met: HashMap<(&str, String), usize> =
        groups.iter().enumerate().rev().map(|(place, group)| ((group.by, group.name.clone()), place)).collect();
    let kind = |by: &str| ["step", "model", "axis"].iter().position(|known| *known == by);
    groups.sort_by_cached_key(|group| (kind(group.by), first_met.get(&(group.by, group.name.clone())).copied()));
    Ok(groups)
}

fn axes(plan: &Plan, attempts: &[AttemptRow]) -> Vec<String> {
    let mut names: indexmap::IndexSet<String> = plan.axes.iter().filter(|axis| !axis.is_take).map(|axis| axis.name.to_string()).collect();
    for (axis, _) in attempts.iter().flat_map(|row| &row.card.axes) {
        if !names.contains(axis) {
            names.insert(axis.clone());
        }
    }
    names.into_iter().collect()
}

/// Finds out where each job stands; makers stand before takers, so one pass tells who waits for whom.
fn shots(plan: &Plan, history: &History) -> Vec<Shot> {
    let mut shots: Vec<Shot> = Vec::with_capacity(plan.jobs.len());
    for ix in plan.indices() {
        let shot = match history.state(&plan.job(ix).key) {
            JobState::Done { .. } => Shot::Done,
            JobState::Failed { .. } => Shot::Failed,
            JobState::InDoubt { .. } => Shot::InDoubt,
            JobState::Submitting { .. } | JobState::Running { .. } => Shot::UnderWay,
            JobState::Untried => {
                let makers = plan.graph.neighbors_directed(NodeIndex::new(ix.index()), Direction::Incoming);
                let causes = makers.filter_map(|maker| match shots.get(maker.index())? {
                    Shot::Failed | Shot::InDoubt => Some(JobIx(maker.index() as u32)),
                    Shot::Blocked(cause) => Some(*cause),
                    Shot::Done | Shot::UnderWay | Shot::ToDo => None,
                });
                causes.min().map_or(Shot::ToDo, Shot::Blocked)
            }
        };
        shots.push(shot);
    }
    shots
}

fn steps(plan: &Plan, shots: &[Shot]) -> Vec<StepStatus> {
    let count = |step: &crate::plan::PlannedStep| {
        let mut status = StepStatus { name: Arc::clone(&step.name), jobs: step.jobs.len(), ..StepStatus::default() };
        for ix in step.jobs.clone() {
            *match shots[ix as usize] {
                Shot::Done => &mut status.done,
                Shot::Failed => &mut status.failed,
                Shot::InDoubt => &mut status.in_doubt,
                Shot::UnderWay => &mut status.under_way,
                Shot::Blocked(_) => &mut status.blocked,
                Shot::ToDo => &mut status.to_do,
            } += 1;
        }
        status
    };
    plan.steps.iter().map(count).collect()
}

/// Counts the pictures that nobody had to pay for, and what they would cost; twins of a shot are such pictures too.
fn reused(plan: &Plan, history: &History, quotes: &Quotes, rows: &[ReportRow<'_>]) -> Result<(usize, Sum), MoneyError> {
    let bought: HashSet<JobKey> =
        rows.iter().filter(|row| !row.reused && row.attempt.status == AttemptStatus::Done).map(|row| row.attempt.key).collect();
    let (mut count, mut saved) = (0, Sum::default());
    for ix in plan.indices() {
        let Some(quote) = quotes.of(ix) else { continue };
        let key = plan.job(ix).key;
        if !matches!(history.state(&key), JobState::Done { .. }) || (bought.contains(&key) && !plan.twins.contains_key(&ix)) {
            continue;
        }
        count += 1;
        saved = match quote {
            JobQuote::Priced(quote) => saved.plus(quote.amount.micros, 1, quote.certainty)?,
            JobQuote::Unpriced(_) => saved.and_unknown(),
        };
    }
    Ok((count, saved))
}

fn finals(plan: &Plan, shots: &[Shot]) -> (usize, usize) {
    let finals = plan.steps.iter().filter(|step| step.is_final).flat_map(|step| step.jobs.clone());
    finals.fold((0, 0), |(done, all), ix| (done + usize::from(shots[ix as usize] == Shot::Done), all + 1))
}

/// Tries that were paid for, over the distinct pictures of the plan that came out of them.
fn factor_seen(rows: &[ReportRow<'_>]) -> Result<Option<Micros>, MoneyError> {
    let is_paid = |row: &AttemptRow| row.status == AttemptStatus::Done || row.charged.is_some_and(|charged| charged > Micros::ZERO);
    let paid = rows.iter().filter(|row| row.is_ours && is_paid(row.attempt)).count();
    let finished: HashSet<JobKey> =
        rows.iter().filter(|row| row.is_ours && row.job.is_some() && row.attempt.status == AttemptStatus::Done).map(|row| row.attempt.key).collect();
    let count = |count: usize| i64::try_from(count).map_err(|_| MoneyError::Overflow);
    if finished.is_empty() {
        return Ok(None);
    }
    Micros::units(count(paid)?).mul_ratio_ceil(1, count(finished.len())?).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;
    use proptest::prelude::*;

    #[test]
    fn a_report_tells_what_was_paid_saved_and_made() {
        let ran = sample::ran();
        let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, Some(sample::run_id())).expect("small sums");
        let spent = &report.spending[0];
        assert_eq!((spent.attempts, spent.pictures), (6, 3));
        assert_eq!((spent.charged, spent.refunded, spent.in_doubt), (Micros::units(18), Micros::units(12), Micros::units(6)));
        assert_eq!(report.last_spending[0].charged, Micros::units(12), "one picture was bought by an earlier run");
        assert_eq!((report.reused, report.saved), (1, Sum::exact(Micros::units(6))));
        assert_eq!(report.finals, (2, 6));
        assert_eq!(report.per_final, Some(Micros::units(9)));
        assert_eq!(report.factor_seen, Some(Micros::units(1)), "a refunded try was not paid for");
    }

    #[test]
    fn shots_behind_a_failure_wait_for_its_cause() {
        let ran = sample::ran();
        let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, None).expect("small sums");
        assert_eq!(report.shot(JobIx(1)), Shot::Failed);
        for ix in [5, 6, 7, 11, 12, 13] {
            assert_eq!(report.shot(JobIx(ix)), Shot::Blocked(JobIx(1)), "{}", ran.plan.id(JobIx(ix)));
        }
        assert_eq!(report.shot(JobIx(10)), Shot::Blocked(JobIx(4)), "behind a doubt");
    }

    #[test]
    fn what_another_campaign_paid_is_reused_and_not_spent() {
        let mut ran = sample::ran();
        for row in &mut ran.attempts {
            row.card.campaign = "summer".to_owned();
        }
        let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, None).expect("small sums");
        assert_eq!((report.spending[0].attempts, report.spending[0].charged), (0, Micros::ZERO));
        assert_eq!((report.reused, report.saved), (3, Sum::exact(Micros::units(18))));
        assert_eq!(report.factor_seen, None);
    }

    #[test]
    fn credits_of_two_books_stay_apart() {
        let mut ran = sample::ran();
        ran.attempts[1].quoted.currency = Currency::credits("other");
        let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, None).expect("small sums");
        let sums: Vec<(String, Micros)> = report.spending.iter().map(|spent| (spent.currency.to_string(), spent.charged)).collect();
        assert_eq!(sums, [("credits:kie".to_owned(), Micros::units(12)), ("credits:other".to_owned(), Micros::units(6))]);
    }

    proptest! {
        #[test]
        fn groups_of_one_kind_sum_to_what_was_spent(charges in prop::collection::vec((0_i64..50_000_000, 0_usize..8, 0_u8..4), 0..20)) {
            let ran = sample::ran();
            let statuses = [AttemptStatus::Done, AttemptStatus::Failed, AttemptStatus::InDoubt, AttemptStatus::Running];
            let attempts: Vec<AttemptRow> = charges
                .iter()
                .map(|(charged, ix, status)| AttemptRow {
                    charged: Some(Micros::new(*charged)),
                    ..sample::attempt(&ran.plan, JobIx(*ix as u32), 1, statuses[*status as usize])
                })
                .collect();
            let report = RunReport::new(&ran.plan, &ran.history, &attempts, &ran.quotes, None).expect("small sums");
            for by in ["step", "model"] {
                let of_kind = report.groups.iter().filter(|group| group.by == by).flat_map(|group| &group.spending);
                let (charged, in_doubt, attempts) = of_kind.fold((0, 0, 0), |(charged, in_doubt, attempts), spent| {
                    (charged + spent.charged.get(), in_doubt + spent.in_doubt.get(), attempts + spent.attempts)
                });
                let all = &report.spending[0];
                prop_assert_eq!((charged, in_doubt, attempts), (all.charged.get(), all.in_doubt.get(), all.attempts));
            }
        }
    }
}
