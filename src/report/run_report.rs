//! What a campaign has cost and made, as one value that every report reads.
//!
//! In: plan, history, paid tries, quotes. Out: [`RunReport`].
//! Two views, never mixed: the last run alone (`last_*`), and the campaign so far (all others). A sum over runs is a sum of what was paid.
//! Never: the disk; a shot that was left out counted as undone.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use petgraph::Direction;
use petgraph::graph::NodeIndex;

use super::reuse::{Reused, reused};
use super::spending::{Group, RunLine, Spending, groups, runs, share, sums, tries};
use crate::ledger::{AttemptRow, AttemptStatus, History, JobState};
use crate::plan::{JobIx, Plan};
use crate::pricing::{BookFacts, Quotes, without_price};
use crate::types::{Amount, AttemptNo, Billed, Digest, Failure, FailureClass, JobKey, Micros, MoneyError, RunId};

/// One paid try with what the plan knows of it: a row of `costs.csv`.
#[derive(Debug, Clone)]
pub struct ReportRow<'a> {
    /// The try.
    pub attempt: &'a AttemptRow,
    /// The plan's job that has this picture; `None` when the plan has moved on.
    pub job: Option<JobIx>,
    /// Whether this campaign paid; a try that another campaign paid is no part of any sum.
    pub is_ours: bool,
    /// Whether the plan's picture is the one that came out of this try.
    pub in_use: bool,
}

/// Where a shot stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shot {
    /// The picture is there.
    Done,
    /// The last try failed.
    Failed,
    /// All its pictures were turned down by its checks.
    Rejected,
    /// A choice that nobody has made, or made from one.
    ToPick,
    /// Nobody knows the outcome of the last try.
    InDoubt,
    /// A try is under way.
    UnderWay,
    /// It waits for this job, which failed, was rejected or is in doubt.
    Blocked(JobIx),
    /// Nothing stands in its way.
    ToDo,
    /// Not asked for: left out by `--only`, `--until` or a profile.
    LeftOut,
}

/// The shots of one step by where they stand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StepStatus {
    /// The step.
    pub name: Arc<str>,
    /// All its shots that are asked for.
    pub jobs: usize,
    /// With a picture.
    pub done: usize,
    /// Whose last try failed.
    pub failed: usize,
    /// Whose pictures were all turned down.
    pub rejected: usize,
    /// Waiting for somebody's choice.
    pub to_pick: usize,
    /// Of unknown outcome.
    pub in_doubt: usize,
    /// Accepted, without a picture yet.
    pub under_way: usize,
    /// Waiting for one that failed, was rejected or is in doubt.
    pub blocked: usize,
    /// Left to make.
    pub to_do: usize,
    /// Not asked for, and no part of `jobs`.
    pub left_out: usize,
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
    /// Pictures with a C2PA manifest in them, as far as somebody has looked.
    pub signed: BTreeSet<Digest>,
    /// Names of the axes that any row has, in the plan's order.
    pub axes: Vec<String>,
    /// One row a paid try, in ledger order.
    pub rows: Vec<ReportRow<'a>>,
    /// The campaign so far: what all its runs paid, by currency; the book's own first.
    pub spending: Vec<Spending>,
    /// The last run alone, by currency; empty when there is none.
    pub last_spending: Vec<Spending>,
    /// The last run alone, by step, baseline, model and axis value.
    pub last_groups: Vec<Group>,
    /// The campaign so far by step, baseline, model and axis value.
    pub groups: Vec<Group>,
    /// The campaign's runs that paid for something, in the order in which they began.
    pub runs: Vec<RunLine>,
    /// Where each job stands, in the plan's order.
    pub shots: Vec<Shot>,
    /// Shots by step.
    pub steps: Vec<StepStatus>,
    /// Pictures that were there before the last run, by who paid for them.
    pub reused: Reused,
    /// Shots of final steps that are done, and how many there are.
    pub finals: (usize, usize),
    /// What the campaign paid so far in the book's currency, for each final that is done; rounded up to the millionth.
    ///
    /// A final that is done counts as accepted.
    pub per_final: Option<Micros>,
    /// The campaign's paid tries so far for each picture in use, in millionths, rounded up.
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
        let rows = rows(plan, history, attempts);
        let ours = || rows.iter().filter(|row| row.is_ours);
        let book = &quotes.book().currency;
        let spending = sums(ours(), history, Some(book))?;
        let (last_spending, last_groups) = match &last_run {
            Some(run) => {
                let of_run = || ours().filter(|row| row.attempt.run == *run);
                (sums(of_run(), history, Some(book))?, groups(of_run(), plan, history)?)
            }
            None => (Vec::new(), Vec::new()),
        };
        let shots = shots(plan, history);
        let steps = steps(plan, &shots);
        let reused = reused(plan, history, quotes, &rows, last_run.as_ref())?;
        let finals = finals(plan, &shots);
        let charged = in_currency_of(quotes.book(), &spending);
        let per_final = share(charged, finals.0)?;
        let factor_seen = share(tries(spending.iter().map(|spent| spent.paid).sum())?, spending.iter().map(|spent| spent.in_use).sum())?;
        let axes = axes(plan, attempts);
        let groups = groups(ours(), plan, history)?;
        let runs = runs(ours(), history)?;
        Ok(Self {
            plan,
            history,
            quotes,
            last_run,
            is_rehearsal: false,
            signed: BTreeSet::new(),
            axes,
            rows,
            spending,
            last_spending,
            last_groups,
            groups,
            runs,
            shots,
            steps,
            reused,
            finals,
            per_final,
            factor_seen,
        })
    }

    /// Returns the report of the shots that are asked for: the others are left out of all counts. Money stays what it is.
    #[must_use]
    pub fn narrowed(mut self, is_wanted: impl Fn(JobIx) -> bool) -> Self {
        for ix in self.plan.indices().filter(|ix| !is_wanted(*ix)) {
            self.shots[ix.index()] = Shot::LeftOut;
        }
        self.steps = steps(self.plan, &self.shots);
        self
    }

    /// Returns the report of a run that gave these shots up: what it could not get in before its patience ended has failed in it.
    #[must_use]
    pub fn given_up(mut self, has_failed: impl Fn(JobIx) -> bool) -> Self {
        for ix in self.plan.indices().filter(|ix| has_failed(*ix)) {
            let shot = &mut self.shots[ix.index()];
            if *shot == Shot::ToDo {
                *shot = Shot::Failed;
            }
        }
        self.steps = steps(self.plan, &self.shots);
        self
    }

    /// Returns the report of a run that ended these tries: those that an earlier run had begun count as fetched.
    #[must_use]
    pub fn fetched(mut self, has_ended: impl Fn(JobIx, AttemptNo) -> bool) -> Self {
        let is_earlier = |row: &&ReportRow<'_>| row.is_ours && self.last_run.as_ref() != Some(&row.attempt.run);
        let ended = |row: &&ReportRow<'_>| row.job.is_some_and(|ix| has_ended(ix, row.attempt.attempt));
        self.reused.fetched = self.rows.iter().filter(is_earlier).filter(ended).count();
        self
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

    /// Returns how many of the shots that are asked for are done, and how many there are.
    pub fn done(&self) -> (usize, usize) {
        self.steps.iter().fold((0, 0), |(done, all), step| (done + step.done, all + step.jobs))
    }

    /// Returns where a job stands.
    pub fn shot(&self, ix: JobIx) -> Shot {
        self.shots[ix.index()]
    }
}

/// Returns what was charged in the currency of the book, amounts of other books weighed where they and the book have a stated rate.
fn in_currency_of(book: &BookFacts, spending: &[Spending]) -> Micros {
    let weighed = |spent: &Spending| match spent.currency == book.currency {
        true => Some(spent.charged),
        false => book.rates.convert(&Amount::new(spent.currency.clone(), spent.charged), &book.currency),
    };
    Micros::new(spending.iter().filter_map(weighed).map(Micros::get).fold(0, i64::saturating_add))
}

fn rows<'a>(plan: &Plan, history: &History, attempts: &'a [AttemptRow]) -> Vec<ReportRow<'a>> {
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
        let stands = stands(attempt, history, attempts);
        ReportRow { attempt, job, is_ours: *attempt.card.campaign == *plan.campaign, in_use: job.is_some() && stands }
    };
    attempts.iter().map(row).collect()
}

/// Returns whether the picture in use is the one of this try: that of the last one, or one that was kept from before.
fn stands(attempt: &AttemptRow, history: &History, attempts: &[AttemptRow]) -> bool {
    let JobState::Done { attempt: Some(last), artifact } = history.state(&attempt.key) else { return false };
    if attempt.status != AttemptStatus::Done {
        return false;
    }
    if history.judged(&attempt.key).is_empty() {
        return *last == attempt.attempt;
    }
    // Of two tries that brought the same bytes the later one is in use.
    let is_later = |other: &AttemptRow| other.key == attempt.key && other.artifact == attempt.artifact && other.attempt > attempt.attempt;
    attempt.artifact.as_ref() == Some(artifact) && !attempts.iter().any(is_later)
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
            JobState::Rejected { .. } => Shot::Rejected,
            // It was never let in: nothing was accepted and nothing charged, so it stands where it stood before.
            JobState::Failed { failure, .. } if was_never_let_in(failure) => Shot::ToDo,
            JobState::Failed { .. } => Shot::Failed,
            JobState::InDoubt { .. } => Shot::InDoubt,
            JobState::Submitting { .. } | JobState::Running { .. } => Shot::UnderWay,
            JobState::Untried => {
                let makers = plan.graph.neighbors_directed(NodeIndex::new(ix.index()), Direction::Incoming);
                let causes = makers.clone().filter_map(|maker| match shots.get(maker.index())? {
                    Shot::Failed | Shot::Rejected | Shot::InDoubt => Some(JobIx(maker.index() as u32)),
                    Shot::Blocked(cause) => Some(*cause),
                    Shot::Done | Shot::UnderWay | Shot::ToDo | Shot::ToPick | Shot::LeftOut => None,
                });
                // Who chooses needs not all of them: a choice waits for the chooser, whatever became of some.
                let is_to_pick = plan.waits_for_a_pick(ix) || makers.into_iter().any(|maker| shots.get(maker.index()) == Some(&Shot::ToPick));
                match causes.min() {
                    _ if is_to_pick => Shot::ToPick,
                    cause => cause.map_or(Shot::ToDo, Shot::Blocked),
                }
            }
        };
        shots.push(shot);
    }
    shots
}

/// Returns whether the provider took nothing: busy, unreachable, or down for maintenance.
fn was_never_let_in(failure: &Failure) -> bool {
    failure.billed == Billed::No && matches!(failure.class, FailureClass::Throttled | FailureClass::Transient | FailureClass::Maintenance)
}

fn steps(plan: &Plan, shots: &[Shot]) -> Vec<StepStatus> {
    let count = |step: &crate::plan::PlannedStep| {
        let mut status = StepStatus { name: Arc::clone(&step.name), jobs: step.jobs.len(), ..StepStatus::default() };
        for ix in step.jobs.clone() {
            *match shots[ix as usize] {
                Shot::Done => &mut status.done,
                Shot::Failed => &mut status.failed,
                Shot::Rejected => &mut status.rejected,
                Shot::ToPick => &mut status.to_pick,
                Shot::InDoubt => &mut status.in_doubt,
                Shot::UnderWay => &mut status.under_way,
                Shot::Blocked(_) => &mut status.blocked,
                Shot::ToDo => &mut status.to_do,
                Shot::LeftOut => &mut status.left_out,
            } += 1;
        }
        status.jobs -= status.left_out;
        status
    };
    plan.steps.iter().map(count).collect()
}

fn finals(plan: &Plan, shots: &[Shot]) -> (usize, usize) {
    let finals = plan.steps.iter().filter(|step| step.is_final).flat_map(|step| step.jobs.clone());
    finals.fold((0, 0), |(done, all), ix| (done + usize::from(shots[ix as usize] == Shot::Done), all + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;
    use crate::types::Currency;
    use proptest::prelude::*;

    #[test]
    fn a_report_tells_what_was_paid_saved_and_made() {
        let ran = sample::ran();
        let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, Some(sample::run_id())).expect("small sums");
        let spent = &report.spending[0];
        assert_eq!((spent.attempts, spent.pictures), (6, 3));
        assert_eq!((spent.charged, spent.refunded, spent.in_doubt), (Micros::units(18), Micros::units(12), Micros::units(6)));
        assert_eq!(report.last_spending[0].charged, Micros::units(12), "one picture was bought by an earlier run");
        assert_eq!((report.runs.len(), report.last_spending[0].attempts), (2, 5));
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
    fn shots_that_are_left_out_are_no_part_of_any_count() {
        let ran = sample::ran();
        let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, None).expect("small sums");
        assert_eq!(report.done(), (5, 14));
        let report = report.narrowed(|ix| ran.plan.job(ix).step < 2);
        assert_eq!(report.done(), (3, 8));
        assert_eq!((report.steps[2].jobs, report.steps[2].left_out), (0, 6));
        assert_eq!(report.spending[0].charged, Micros::units(18), "money does not go away with a narrower look");
    }

    #[test]
    fn what_another_campaign_paid_is_reused_and_not_spent() {
        let mut ran = sample::ran();
        for row in &mut ran.attempts {
            row.card.campaign = "summer".to_owned();
        }
        let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, None).expect("small sums");
        assert_eq!((report.spending[0].attempts, report.spending[0].charged), (0, Micros::ZERO));
        assert_eq!(report.reused.others.pictures, 3);
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
