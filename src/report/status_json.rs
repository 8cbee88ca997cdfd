//! Where a campaign stands, for programs: the facts of `status`, and for each doubt what would settle it.
//!
//! In: [`RunReport`], what is ahead of it, the ways to end a doubt. Out: [`CampaignStatus`], format [`STATUS_FORMAT`]; amounts are decimal text.
//! Never: 0 for what is not known; that is null.

mod form;

pub(super) use form::Spent;
use form::{
    Book, CapStand, Deviating, Doubt, Estimated, Factor, Failures, Figure, FinalShots, Left, NeverPaid, Off, Picks, RejectedShot, Shots, StepShots,
    TurnedDown,
};
pub use form::{CampaignStatus, STATUS_FORMAT, Way};

use super::outlook::Ahead;
use super::plan_export::{cap_name, certainty};
use super::preparations;
use super::rejects::{rejects, unmet};
use super::run_report::{ReportRow, RunReport, Shot, StepStatus};
use super::spending::{Deviation, Spending, held};
use super::summary::{automatic_picks, picks_open, ready_picks};
use super::told::{causes, mend, waiting};
use crate::catalog::Certainty;
use crate::ledger::{AttemptRow, AttemptStatus};
use crate::plan::JobIx;
use crate::pricing::{BookFacts, CapLine, Sum};
use crate::types::{Amount, Billed, Micros, MoneyError};

/// What the status shows besides the report and what is ahead.
pub struct StatusView<'a> {
    /// What stands behind the figures; its report is the one that is told.
    pub ahead: &'a Ahead<'a>,
    /// The profile that the campaign was opened with.
    pub profile: Option<&'a str>,
    /// Returns what would end the doubt about a try.
    pub ways: &'a dyn Fn(&AttemptRow) -> Vec<Way>,
}

impl CampaignStatus {
    /// Brings together where a campaign stands.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] if a share or a sum does not fit.
    pub fn of(view: &StatusView<'_>) -> Result<Self, MoneyError> {
        let ahead = view.ahead;
        let (report, estimate) = (ahead.view.report, ahead.view.estimate);
        let book = report.quotes.book();
        let figure = |sum: Sum| Figure::of(sum, book);
        let totals = &estimate.totals;
        let never_paid = report.reused.never_paid()?;
        let decimal = |micros: Micros| micros.to_string();
        let spending = report.spending.iter().filter(|spent| spent.attempts > 0).map(|spent| Spent::of(report, spent)).collect::<Result<_, _>>()?;
        let (open, behind) = picks_open(report);
        let kept = rejects(report);
        Ok(Self {
            callsheet_status: STATUS_FORMAT,
            campaign: report.plan.campaign.to_string(),
            profile: view.profile.map(str::to_owned),
            rehearsal: report.is_rehearsal,
            book: Book::of(book),
            shots: report.steps.iter().fold(Shots::default(), Shots::with),
            steps: report.steps.iter().map(|step| StepShots { step: step.name.to_string(), shots: Shots::default().with(step) }).collect(),
            finals: FinalShots { done: report.finals.0, all: report.finals.1, charged_each: report.per_final.map(decimal) },
            estimate: Estimated {
                floor: figure(ahead.whole.floor),
                expected: figure(ahead.whole.expected),
                ceiling: figure(ahead.whole.ceiling),
                factor: estimate.factor.as_ref().map(|(name, factor)| Factor { name: name.clone(), value: decimal(*factor) }),
            },
            spending,
            deviations: deviations(report),
            factor_seen: report.factor_seen.map(decimal),
            never_paid: NeverPaid { pictures: never_paid.pictures, saved: figure(never_paid.saved) },
            left: Left {
                floor: figure(totals.floor),
                expected: figure(totals.expected),
                ceiling: figure(totals.ceiling),
                later: figure(totals.later),
                unpriced: estimate.unpriced_jobs(),
            },
            caps: estimate.caps.iter().map(CapStand::of).collect(),
            in_doubt: doubts(view),
            failures: failures(report),
            rejected: rejected(report),
            turned_down: TurnedDown { pictures: kept.len(), by_you: kept.iter().filter(|reject| reject.by_person).count() },
            picks: Picks { open, ready: ready_picks(report), waiting: behind, automatic: automatic_picks(report) },
            prepared: preparations::json(report.plan),
            c2pa: preparations::lines_so_far(report).into_iter().filter(|(about, _)| *about == "c2pa").map(|(_, said)| said).collect(),
            refusals: ahead.refusals().map(ToString::to_string).collect(),
            next: ahead.next(),
        })
    }
}

impl Book {
    fn of(book: &BookFacts) -> Self {
        Self {
            name: book.name.to_string(),
            as_of: book.as_of.map(|date| date.to_string()),
            currency: book.currency.to_string(),
            usd_per_credit: book.usd_per_credit.map(|rate| rate.to_string()),
        }
    }
}

impl Shots {
    fn with(mut self, step: &StepStatus) -> Self {
        self.all += step.jobs;
        self.done += step.done;
        self.failed += step.failed;
        self.rejected += step.rejected;
        self.in_doubt += step.in_doubt;
        self.under_way += step.under_way;
        self.waiting += step.blocked;
        self.to_pick += step.to_pick;
        self.to_do += step.to_do;
        self.left_out += step.left_out;
        self
    }
}

impl Figure {
    fn of(sum: Sum, book: &BookFacts) -> Self {
        let is_known = sum.certainty != Certainty::Unknown || sum.micros > Micros::ZERO;
        let usd = book.usd(&Amount::new(book.currency.clone(), sum.micros));
        let shown = |micros: Option<Micros>| micros.filter(|_| is_known).map(|micros| micros.to_string());
        Self { amount: shown(Some(sum.micros)), usd: shown(usd), certainty: certainty(sum.certainty) }
    }
}

impl Spent {
    /// Returns what was paid in one currency.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] if a share does not fit.
    pub(super) fn of(report: &RunReport<'_>, spent: &Spending) -> Result<Self, MoneyError> {
        let optional = |micros: Option<Micros>| micros.map(|micros| micros.to_string());
        Ok(Self {
            currency: spent.currency.to_string(),
            attempts: spent.attempts,
            pictures: spent.pictures,
            paid: spent.paid,
            in_use: spent.in_use,
            quoted: spent.quoted.to_string(),
            charged: spent.charged.to_string(),
            refunded: spent.refunded.to_string(),
            released: spent.released.to_string(),
            in_doubt: spent.in_doubt.to_string(),
            reserved: spent.reserved.to_string(),
            above_quote: Off::of(spent.above),
            below_quote: Off::of(spent.below),
            unpriced: spent.unpriced,
            per_picture: optional(spent.per_picture()?),
            factor: optional(spent.factor()?),
            usd: optional(report.quotes.book().usd(&Amount::new(spent.currency.clone(), spent.charged))),
        })
    }
}

impl Off {
    fn of(side: Deviation) -> Self {
        Self { tries: side.tries, amount: side.micros.to_string() }
    }
}

fn deviations(report: &RunReport<'_>) -> Vec<Deviating> {
    let models = report.groups.iter().filter(|group| group.by == "model");
    let deviating = models.flat_map(|model| model.spending.iter().filter(|spent| spent.differing() > 0).map(move |spent| (model, spent)));
    let told = deviating.map(|(model, spent)| Deviating {
        model: model.name.clone(),
        currency: spent.currency.to_string(),
        above_quote: Off::of(spent.above),
        below_quote: Off::of(spent.below),
    });
    told.collect()
}

impl CapStand {
    fn of(cap: &CapLine) -> Self {
        Self {
            of: cap_name(&cap.of),
            limit: cap.limit.to_string(),
            committed: cap.committed.to_string(),
            room: cap.unweighed.is_empty().then(|| cap.room().to_string()),
        }
    }
}

/// Returns every try of the campaign in doubt, in ledger order: also those of shots that have changed since.
fn doubts(view: &StatusView<'_>) -> Vec<Doubt> {
    let report = view.ahead.view.report;
    let waiting = waiting(report);
    let waits = |row: &ReportRow<'_>| {
        let same = |ix: &JobIx| report.plan.job(*ix).key == row.attempt.key && report.shot(*ix) == Shot::InDoubt;
        waiting.iter().filter(|(ix, _)| same(ix)).map(|(_, count)| count).sum()
    };
    let doubt = |row: &ReportRow<'_>| {
        let attempt = row.attempt;
        Doubt {
            shot: attempt.card.job.to_string(),
            key: attempt.key.to_string(),
            in_plan: row.job.is_some(),
            attempt: attempt.attempt.0,
            held: held(attempt, report.history).to_string(),
            currency: attempt.quoted.currency.to_string(),
            provider: attempt.card.provider.clone(),
            model: attempt.card.model.clone(),
            sent: attempt.started_at.to_string(),
            run: attempt.run.to_string(),
            seen: attempt.error_code.clone(),
            task: attempt.task.as_ref().map(ToString::to_string),
            waiting: waits(row),
            settle: (view.ways)(attempt),
        }
    };
    report.rows.iter().filter(|row| row.is_ours && row.attempt.status == AttemptStatus::InDoubt).map(doubt).collect()
}

fn failures(report: &RunReport<'_>) -> Vec<Failures> {
    let told = |cause: super::told::Cause<'_>| Failures {
        class: cause.failure.class.as_str(),
        code: cause.failure.code.clone(),
        message: cause.failure.message.clone(),
        billed: billed(cause.failure.billed),
        mend: mend(cause.failure.class),
        shots: cause.shots.iter().map(|ix| report.plan.id(*ix).to_string()).collect(),
        waiting: cause.waiting,
    };
    causes(report).into_iter().map(told).collect()
}

fn billed(billed: Billed) -> &'static str {
    match billed {
        Billed::No => "no",
        Billed::Maybe => "maybe",
        Billed::Yes(_) => "yes",
    }
}

fn rejected(report: &RunReport<'_>) -> Vec<RejectedShot> {
    let waiting = waiting(report);
    let told = |one: super::Unmet| RejectedShot {
        shot: one.address.to_string(),
        why: one.why,
        pictures: one.pictures,
        rerolls_left: one.left,
        waiting: waiting.get(&one.job).copied().unwrap_or(0),
    };
    unmet(report).into_iter().map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::Budget;
    use crate::pricing::sample as plans;
    use crate::report::sample;

    fn status(ran: &sample::Ran, budget: &Budget) -> serde_json::Value {
        let ways = |row: &AttemptRow| vec![Way { when: "it was charged", command: format!("callsheet reconcile '{}' --charged", row.card.job) }];
        let told = sample::ahead(ran, budget, |ahead| CampaignStatus::of(&StatusView { ahead, profile: None, ways: &ways }));
        let told = serde_json::to_value(told.expect("small sums")).expect("plain values");
        let validator = jsonschema::validator_for(&CampaignStatus::schema().to_value()).expect("the schema is one");
        let mistakes: Vec<String> = validator.iter_errors(&told).map(|error| error.to_string()).collect();
        assert!(mistakes.is_empty(), "{mistakes:?}");
        told
    }

    #[test]
    fn a_program_reads_shots_money_doubts_and_what_is_left() {
        let ran = sample::ran();
        let told = status(&ran, &Budget::default());
        let shots = &told["shots"];
        assert_eq!(
            (&shots["all"], &shots["done"], &shots["failed"], &shots["in-doubt"], &shots["waiting"]),
            (&14.into(), &5.into(), &1.into(), &1.into(), &7.into())
        );
        assert_eq!(
            told["steps"][1],
            serde_json::json!({ "step": "surface", "shots": {
            "all": 6, "done": 2, "failed": 0, "rejected": 0, "in-doubt": 1, "under-way": 0, "waiting": 3, "to-pick": 0, "to-do": 0, "left-out": 0,
        } })
        );
        let spent = &told["spending"][0];
        assert_eq!(
            (&spent["currency"], &spent["charged"], &spent["usd"], &spent["in-doubt"]),
            (&"credits:kie".into(), &"18".into(), &"0.09".into(), &"6".into())
        );
        let doubt = &told["in-doubt"][0];
        assert_eq!((&doubt["shot"], &doubt["held"], &doubt["waiting"]), (&"surface[sku=teapot,surface=linen]".into(), &"6".into(), &1.into()));
        assert_eq!(doubt["settle"][0]["command"], "callsheet reconcile 'surface[sku=teapot,surface=linen]' --charged");
        assert_eq!((&doubt["in-plan"], &doubt["task"]), (&true.into(), &serde_json::Value::Null), "what nobody told is null");
        assert_eq!((&told["failures"][0]["shots"][0], &told["failures"][0]["billed"]), (&"hero[sku=mug]".into(), &"no".into()));
        assert_eq!((&told["estimate"]["floor"]["amount"], &told["left"]["floor"]["amount"]), (&"48".into(), &"24".into()));
        assert_eq!((&told["estimate"]["factor"], &told["profile"]), (&serde_json::Value::Null, &serde_json::Value::Null));
        assert!(told["next"].as_str().is_some_and(|next| next.starts_with("callsheet reconcile spring.yaml")), "{}", told["next"]);
    }

    #[test]
    fn what_was_charged_other_than_quoted_is_told_by_model() {
        let mut ran = sample::ran();
        ran.attempts[1].charged = Some(Micros::units(8));
        let told = status(&ran, &Budget::default());
        let deviating = &told["deviations"][0];
        assert_eq!(
            (&deviating["model"], &deviating["above-quote"]["amount"], &deviating["below-quote"]["tries"]),
            (&"gpt-image-2".into(), &"2".into(), &0.into())
        );
        assert_eq!(status(&sample::ran(), &Budget::default())["deviations"], serde_json::json!([]));
    }

    #[test]
    fn what_refuses_a_run_is_told_with_the_cap_that_does() {
        let told = status(&sample::ran(), &plans::capped(5));
        assert_eq!((&told["caps"][0]["of"], &told["caps"][0]["limit"]), (&"campaign".into(), &"5".into()));
        assert!(told["refusals"][0].as_str().is_some_and(|why| why.contains("above the campaign's cap")), "{}", told["refusals"]);
    }

    #[test]
    fn a_sum_of_which_nothing_is_known_is_null_and_never_0() {
        let ran = sample::ran();
        let book = ran.quotes.book();
        let unknown = |micros| Figure::of(Sum { micros, certainty: Certainty::Unknown }, book);
        assert_eq!((unknown(Micros::ZERO).amount, unknown(Micros::ZERO).usd), (None, None));
        assert_eq!((unknown(Micros::units(6)).amount.as_deref(), unknown(Micros::units(6)).certainty), (Some("6"), "unknown"));
        let free = Figure::of(Sum::default(), book);
        assert_eq!((free.amount.as_deref(), free.certainty), (Some("0"), "exact"));
    }
}
