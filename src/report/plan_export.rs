//! The plan for machines and for pull requests: JSON, CSV, Markdown.
//!
//! In: a [`PlanView`]. Out: text. Amounts are decimal text and exact; what is not known is null or an empty cell, never 0.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::by_provider::{provider_json, provider_markdown};
use super::markdown::{code, plain};
use super::plan_table::{PlanView, factor_words, learned_words, what};
use super::spreadsheet::neutral;
use super::text::{count, sum, sum_words, unit};
use super::{ReportError, preparations, text};
use crate::catalog::Certainty;
use crate::pricing::{CapOf, CeilingBy, Counts, GroupLine, Learned, Sum, Unit};
use crate::types::Micros;

/// Version of the JSON form.
const PLAN_FORMAT: u32 = 1;

/// Returns the plan as JSON.
pub fn plan_json(view: &PlanView<'_>) -> Value {
    let estimate = view.estimate;
    let of_sum = |of: Sum| json!({ "amount": of.micros, "usd": estimate.usd(of).map(|usd| usd.micros), "certainty": certainty(of.certainty) });
    let lines: Vec<Value> = estimate
        .lines
        .iter()
        .map(|line| {
            let (low, high) = unit_range(line.unit);
            json!({
                "step": line.name, "kind": line.kind, "model": line.model, "jobs": counts(&line.counts),
                "unit": { "low": low, "high": high }, "floor": of_sum(line.floor), "expected": of_sum(line.expected),
                "ceiling": of_sum(line.ceiling), "ceiling-is-step-cap": line.capped, "saved": of_sum(line.saved), "later": of_sum(line.later), "unpriced": line.unpriced,
            })
        })
        .collect();
    let group = |line: &GroupLine| json!({ "name": line.name, "jobs": counts(&line.counts), "floor": of_sum(line.floor) });
    let axes: Vec<Value> = estimate
        .by_axis
        .iter()
        .map(|axis| json!({ "axis": axis.axis, "values": axis.values.iter().map(group).collect::<Vec<_>>(), "without": group(&axis.without) }))
        .collect();
    let caps = estimate.caps.iter().map(|cap| json!({ "of": cap_name(&cap.of), "limit": cap.limit, "committed": cap.committed, "room": cap.room() }));
    let named = |jobs: &crate::pricing::NamedJobs| json!({ "count": jobs.count, "first": jobs.first });
    let all = &estimate.totals;
    json!({
        "callsheet-plan": PLAN_FORMAT,
        "campaign": view.campaign,
        "provider": view.provider,
        "profile": view.profile,
        "book": { "name": estimate.book.name, "as-of": estimate.book.as_of, "currency": estimate.book.currency, "usd-per-credit": estimate.book.usd_per_credit },
        "attempts": estimate.attempts,
        "rerolls": estimate.rerolls,
        "factor": estimate.factor.as_ref().map(|(name, factor)| json!({ "name": name, "value": factor })),
        "learned": estimate.factors.learned.iter().map(learned).collect::<Vec<_>>(),
        "steps": lines,
        "totals": {
            "jobs": counts(&all.counts), "floor": of_sum(all.floor), "expected": of_sum(all.expected), "ceiling": of_sum(all.ceiling), "saved": of_sum(all.saved),
            "later": of_sum(all.later),
        },
        "ceiling-by": ceiling_by(&estimate.ceiling_by),
        "finals": {
            "count": estimate.finals.count, "steps": estimate.finals.steps,
            "floor-each": estimate.finals.floor_each.map(of_sum), "expected-each": estimate.finals.expected_each.map(of_sum),
        },
        "caps": caps.collect::<Vec<_>>(),
        "by-provider": provider_json(&estimate.by_provider),
        "by-axis": axes,
        "by-model": estimate.by_model.iter().map(group).collect::<Vec<_>>(),
        "unpriced": estimate.unpriced.iter().map(|group| json!({ "reason": group.reason.to_string(), "jobs": named(&group.jobs) })).collect::<Vec<_>>(),
        "in-doubt": named(&estimate.in_doubt),
        "changed": view.changed.iter().map(|change| json!({ "job": change.first, "jobs": change.jobs, "reason": change.reason })).collect::<Vec<_>>(),
        "refusals": view.verdict.refusals.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "warnings": view.verdict.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "prepared": preparations::json(view.plan),
        "notes": view.notes,
    })
}

fn learned(learned: &Learned) -> Value {
    json!({
        "baseline": learned.baseline, "finals": learned.finals, "pictures": learned.pictures, "attempts": learned.attempts, "factor": learned.factor,
    })
}

fn counts(counts: &Counts) -> Value {
    json!({
        "all": counts.jobs(), "new": counts.new, "changed": counts.changed, "lost": counts.lost, "again": counts.again, "resumed": counts.resumed,
        "reused": counts.reused, "twin": counts.twin, "in-doubt": counts.in_doubt, "look": counts.look, "reroll": counts.reroll,
        "rejected": counts.rejected, "waiting": counts.waiting, "excluded": counts.excluded,
    })
}

fn unit_range(unit: Unit) -> (Option<Micros>, Option<Micros>) {
    match unit {
        Unit::Free => (Some(Micros::ZERO), Some(Micros::ZERO)),
        Unit::Priced { low, high, .. } => (Some(low), Some(high)),
        Unit::Unpriced => (None, None),
    }
}

pub(super) fn certainty(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Exact => "exact",
        Certainty::LowerBound => "lower-bound",
        Certainty::Unknown => "unknown",
    }
}

pub(super) fn cap_name(of: &CapOf) -> String {
    match of {
        CapOf::Campaign => "campaign".to_owned(),
        CapOf::Profile => "profile".to_owned(),
        CapOf::Step(name) => format!("step:{name}"),
        CapOf::Provider(name) => format!("provider:{name}"),
    }
}

fn ceiling_by(by: &CeilingBy) -> Value {
    match by {
        CeilingBy::Attempts(attempts) => json!({ "attempts": attempts }),
        CeilingBy::Cap(of) => json!({ "cap": cap_name(of) }),
        CeilingBy::ProviderCaps => "provider-caps".into(),
        CeilingBy::StepCaps(attempts) => json!({ "attempts": attempts, "cap": "steps" }),
    }
}

/// Returns the plan's steps as CSV, one row a step.
///
/// # Errors
/// [`ReportError::Csv`] if a row does not take.
pub fn plan_csv(view: &PlanView<'_>) -> Result<String, ReportError> {
    let failed = |source| ReportError::Csv { file: "plan.csv", source };
    let mut writer = csv::Writer::from_writer(Vec::new());
    let headings = "campaign,step,kind,model,jobs,new,changed,lost,again,resumed,reused,twin,in_doubt,excluded,unit_low,unit_high,floor,expected,ceiling,saved,currency,certainty,unpriced";
    writer.write_record(headings.split(',')).map_err(failed)?;
    for line in &view.estimate.lines {
        let (low, high) = unit_range(line.unit);
        let shown = |micros: Option<Micros>| micros.map(|micros| micros.to_string()).unwrap_or_default();
        // What has no price at all is an empty cell; what has one in part is told by the certainty.
        let sum = |of: Sum| shown((of.certainty != Certainty::Unknown || of.micros > Micros::ZERO).then_some(of.micros));
        let counts = &line.counts;
        let texts = [view.campaign, &line.name, line.kind, line.model.as_deref().unwrap_or("")].map(|text| neutral(text).into_owned());
        let numbers = [
            counts.jobs(),
            counts.new,
            counts.changed,
            counts.lost,
            counts.again,
            counts.resumed,
            counts.reused,
            counts.twin,
            counts.in_doubt,
            counts.excluded,
        ]
        .map(|count| count.to_string());
        let money = [shown(low), shown(high), sum(line.floor), sum(line.expected), sum(line.ceiling), sum(line.saved)];
        let last = [neutral(&view.estimate.book.currency.to_string()).into_owned(), certainty(line.floor.certainty).to_owned()];
        let last = last.into_iter().chain([line.unpriced.to_string()]);
        writer.write_record(texts.into_iter().chain(numbers).chain(money).chain(last)).map_err(failed)?;
    }
    let bytes = writer.into_inner().map_err(|error| failed(error.into_error().into()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns the plan for a pull request.
pub fn plan_markdown(view: &PlanView<'_>) -> String {
    let estimate = view.estimate;
    let currency = &estimate.book.currency;
    let all = &estimate.totals;
    let mut page = format!("### {}\n\n", plain(view.campaign));
    let date = estimate.book.as_of.map_or("undated".to_owned(), |date| format!("of {date}"));
    let _ = writeln!(
        page,
        "Prices `{}` {date}. Floor **{}**, ceiling **{}**.\n",
        code(&estimate.book.name),
        sum_words(currency, all.floor),
        sum_words(currency, all.ceiling)
    );
    page.push_str("| step | what | jobs | new | changed | reused | unit | floor | expected | ceiling |\n|---|---|--:|--:|--:|--:|--:|--:|--:|--:|\n");
    for line in &estimate.lines {
        let counts = &line.counts;
        let (floor, expected, ceiling) = match line.unit {
            Unit::Free => ("-".to_owned(), "-".to_owned(), "-".to_owned()),
            _ => (sum(line.floor), sum(line.expected), sum(line.ceiling)),
        };
        let cells = [
            plain(&line.name),
            plain(&what(line)),
            count(counts.jobs()),
            count(counts.new),
            count(counts.changed),
            count(counts.reused),
            unit(line.unit),
            floor,
            expected,
            ceiling,
        ];
        let _ = writeln!(page, "| {} |", cells.join(" | "));
    }
    let _ = writeln!(
        page,
        "| **total** | | {} | {} | {} | {} | | **{}** | **{}** | **{}** |\n",
        count(all.counts.jobs()),
        count(all.counts.new),
        count(all.counts.changed),
        count(all.counts.reused),
        sum(all.floor),
        sum(all.expected),
        sum(all.ceiling)
    );
    page.push_str(&provider_markdown(&estimate.by_provider));
    match &estimate.factor {
        Some((name, factor)) => {
            let _ = writeln!(page, "- expected is the floor x {}", plain(&factor_words(name, *factor)));
        }
        None => page.push_str("- expected is the floor: the campaign names no `iteration` factor\n"),
    }
    for learned in learned_words(&estimate.factors) {
        let _ = writeln!(page, "- learned: {}", plain(&learned));
    }
    for cap in &estimate.caps {
        let room = text::money(currency, cap.room());
        let _ = writeln!(page, "- cap of {}: {}, {room} not committed", plain(&cap_name(&cap.of)), text::money(currency, cap.limit));
    }
    for refusal in &view.verdict.refusals {
        let _ = writeln!(page, "- **refused**: {}", plain(&refusal.to_string()));
    }
    for warning in &view.verdict.warnings {
        let _ = writeln!(page, "- warning: {}", plain(&warning.to_string()));
    }
    if estimate.in_doubt.count > 0 {
        let _ = writeln!(page, "- in doubt: {}", plain(&estimate.in_doubt.listed()));
    }
    for change in view.changed.iter().take(20) {
        let alike = if change.jobs > 1 { format!(" and {} alike", change.jobs - 1) } else { String::new() };
        let _ = writeln!(page, "- changed: {}{alike}: {}", plain(change.first.as_str()), plain(&change.reason));
    }
    for (heading, line) in preparations::lines(view.plan) {
        let _ = writeln!(page, "- {heading}: {}", plain(&line));
    }
    for note in view.notes {
        let _ = writeln!(page, "- {}", plain(note));
    }
    page
}
