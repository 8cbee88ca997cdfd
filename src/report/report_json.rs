//! What a campaign has cost and made so far, for programs.
//!
//! In: [`RunReport`]. Out: JSON, format [`REPORT_FORMAT`]; amounts are decimal text. Never: 0 for what is not known; that is null.

use serde_json::{Value, json};

use super::run_report::{RunReport, Shot};
use super::spending::Spending;
use super::status_json::Spent;
use super::told::{causes, doubts, mend};
use crate::catalog::Certainty;
use crate::plan::JobIx;
use crate::pricing::Sum;
use crate::types::MoneyError;

/// Version of the form; a reader refuses a higher one. Since 2, `released` is no part of `refunded`.
pub const REPORT_FORMAT: u32 = 2;

/// Returns the report as JSON.
///
/// # Errors
/// [`MoneyError::Overflow`] if a share or a sum does not fit.
pub fn report_json(report: &RunReport<'_>) -> Result<Value, MoneyError> {
    let (done, all) = report.done();
    let all_of = |spending: &[Spending]| {
        spending.iter().filter(|spent| spent.attempts > 0).map(|spent| Spent::of(report, spent)).collect::<Result<Vec<_>, _>>()
    };
    let group = |group: &super::Group| -> Result<Value, MoneyError> {
        Ok(json!({ "by": group.by, "name": group.name, "value": group.value, "spending": all_of(&group.spending)? }))
    };
    let run = |run: &super::RunLine| -> Result<Value, MoneyError> {
        Ok(json!({ "run": run.run, "first-try": run.started_at.to_string(), "spending": all_of(&run.spending)? }))
    };
    let reuse = |reuse: super::Reuse| json!({ "pictures": reuse.pictures, "saved": sum_json(reuse.saved) });
    let steps = report.steps.iter().map(|step| {
        json!({
            "step": step.name, "shots": step.jobs, "done": step.done, "failed": step.failed, "in-doubt": step.in_doubt,
            "under-way": step.under_way, "waiting": step.blocked, "to-do": step.to_do,
        })
    });
    let id = |ix: &JobIx| report.plan.id(*ix).to_string();
    let failures = causes(report).into_iter().map(|cause| {
        json!({
            "class": cause.failure.class, "code": cause.failure.code, "billed": cause.failure.billed, "mend": mend(cause.failure.class),
            "shots": cause.shots.iter().map(id).collect::<Vec<_>>(), "waiting": cause.waiting,
        })
    });
    let doubtful = doubts(report).map(|(ix, held)| json!({ "shot": id(&ix), "held": held.micros, "currency": held.currency }));
    let book = report.quotes.book();
    Ok(json!({
        "callsheet-report": REPORT_FORMAT,
        "campaign": report.plan.campaign,
        "rehearsal": report.is_rehearsal,
        "book": { "name": book.name, "as-of": book.as_of, "currency": book.currency, "usd-per-credit": book.usd_per_credit },
        "shots": { "done": done, "all": all, "failed": count(report, Shot::Failed), "in-doubt": count(report, Shot::InDoubt), "rejected": count(report, Shot::Rejected), "to-pick": count(report, Shot::ToPick) },
        "finals": { "done": report.finals.0, "all": report.finals.1, "charged-each": report.per_final },
        "factor-seen": report.factor_seen,
        "spending": all_of(&report.spending)?,
        "never-paid": reuse(report.reused.never_paid()?),
        "steps": steps.collect::<Vec<_>>(),
        "groups": report.groups.iter().map(group).collect::<Result<Vec<_>, _>>()?,
        "runs": report.runs.iter().map(run).collect::<Result<Vec<_>, _>>()?,
        "prepared": super::preparations::json(report.plan),
        "failures": failures.collect::<Vec<_>>(),
        "in-doubt": doubtful.collect::<Vec<_>>(),
    }))
}

fn count(report: &RunReport<'_>, wanted: Shot) -> usize {
    report.shots.iter().filter(|shot| **shot == wanted).count()
}

fn sum_json(sum: Sum) -> Value {
    let certainty = match sum.certainty {
        Certainty::Exact => "exact",
        Certainty::LowerBound => "lower-bound",
        Certainty::Unknown => "unknown",
    };
    json!({ "amount": sum.micros, "certainty": certainty })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn programs_read_amounts_as_decimal_text() {
        let ran = sample::ran();
        let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, None).expect("small sums");
        let json = report_json(&report).expect("small sums");
        assert_eq!(json["spending"][0]["charged"], "18");
        assert_eq!((&json["finals"]["charged-each"], &json["shots"]["done"], &json["shots"]["all"]), (&"9".into(), &5.into(), &14.into()));
        assert_eq!(json["failures"][0]["shots"][0], "hero[sku=mug]");
        assert_eq!(json["in-doubt"][0]["held"], "6");
        assert_eq!(json["runs"].as_array().map(Vec::len), Some(2));
    }
}
