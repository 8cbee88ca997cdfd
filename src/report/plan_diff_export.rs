//! Two plans side by side for programs: JSON with everything, CSV with one row a job that differs.
//!
//! In: a [`DiffView`]. Out: text. Amounts are decimal text and exact; what is not known is null or an empty cell, never 0.

use serde_json::{Value, json};

use super::ReportError;
use super::changes::{Piece, address, pieces};
use super::plan_diff::{DiffView, values};
use super::spreadsheet::neutral;
use crate::catalog::Certainty;
use crate::plan::{Change, Group, Pair, Side, SidePrice};
use crate::pricing::delta::Unpriced;
use crate::pricing::{Judged, PolicyVerdict, Sum};
use crate::types::{JobId, Micros};

/// Version of the JSON form.
const DIFF_FORMAT: u32 = 1;

/// Returns the comparison as JSON.
///
/// # Errors
/// A difference that does not fit.
pub fn diff_json(view: &DiffView<'_>) -> Result<Value, ReportError> {
    let delta = view.delta;
    let grown = |sums: &crate::pricing::BeforeAfter| -> Result<Value, ReportError> {
        Ok(if delta.has_one_currency() { sum(sums.delta()?) } else { Value::Null })
    };
    let mut steps = Vec::with_capacity(view.diff.steps.len());
    for (step, sums) in view.diff.steps.iter().zip(&delta.steps) {
        let line = view.estimate.lines.iter().find(|line| *line.name == *step.name);
        steps.push(json!({
            "step": step.name,
            "jobs": { "before": step.before, "after": step.after, "added": step.added, "changed": step.changed, "moved": step.moved, "removed": step.removed },
            "before": sum(sums.before), "after": sum(sums.after), "delta": grown(sums)?,
            "to-buy": line.map(|line| sum(line.floor)), "reused": line.map(|line| line.counts.reused),
        }));
    }
    let usd = match delta.usd() {
        Some(usd) => json!({ "before": sum(usd.before), "after": sum(usd.after), "delta": sum(usd.delta()?) }),
        None => Value::Null,
    };
    let unpriced = |of: &Unpriced| json!({ "count": of.count, "first": of.first });
    Ok(json!({
        "callsheet-diff": DIFF_FORMAT,
        "campaign": view.campaign,
        "against": view.against,
        "profile": view.profile,
        "is-changed": !view.is_nothing(),
        "currency": { "before": delta.base.currency, "after": delta.current.currency },
        "steps": steps,
        "totals": {
            "before": sum(delta.total.before), "after": sum(delta.total.after), "delta": grown(&delta.total)?, "usd": usd,
            "to-buy": sum(view.estimate.totals.floor), "reused": view.estimate.totals.counts.reused, "unchanged": view.diff.unchanged,
        },
        "unpriced": { "before": unpriced(&delta.unpriced_before), "after": unpriced(&delta.unpriced_after) },
        "groups": view.diff.groups.iter().map(|each| group(view, each)).collect::<Vec<_>>(),
        "policy": view.policy.iter().map(policy).collect::<Vec<_>>(),
        "refusals": view.verdict.refusals.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "notes": view.notes,
    }))
}

fn sum(of: Sum) -> Value {
    let certainty = match of.certainty {
        Certainty::Exact => "exact",
        Certainty::LowerBound => "lower-bound",
        Certainty::Unknown => "unknown",
    };
    json!({ "amount": of.micros, "certainty": certainty })
}

fn group(view: &DiffView<'_>, group: &Group) -> Value {
    let (own, follows) = match &group.change {
        Change::Changed { own, follows } => (Some(own), Some(follows)),
        _ => (None, None),
    };
    let variants = group.variants.iter().map(|variant| {
        let fields = variant.fields.iter().map(|change| {
            let (was, is) = values(change);
            let words = pieces(change, usize::MAX / 4).into_iter().map(|piece| match piece {
                Piece::Same(text) => json!({ "same": text }),
                Piece::Old(text) => json!({ "was": text }),
                Piece::New(text) => json!({ "is": text }),
            });
            json!({ "field": change.name, "was": was, "is": is, "words": words.collect::<Vec<_>>() })
        });
        let first = address(group, variant.first, view.base, view.current);
        json!({ "jobs": variant.jobs, "first": first, "fields": fields.collect::<Vec<_>>() })
    });
    json!({
        "change": group.change.as_str(),
        "step": group.step,
        "fields": own,
        "follows": follows,
        "count": group.pairs.len(),
        "jobs": group.pairs.iter().map(|pair| job(view, pair)).collect::<Vec<_>>(),
        "variants": variants.collect::<Vec<_>>(),
        "not-compared": group.uncompared,
    })
}

/// Returns a job by its address, and by the old one where that differs.
fn job(view: &DiffView<'_>, pair: &Pair) -> Value {
    let (was, is) = ids(view, pair);
    match (was, is) {
        (Some(was), Some(is)) if was != is => json!({ "job": is, "was": was }),
        (was, is) => json!({ "job": is.or(was) }),
    }
}

fn ids(view: &DiffView<'_>, pair: &Pair) -> (Option<JobId>, Option<JobId>) {
    (pair.base.map(|place| view.base.id(place as usize)), pair.current.map(|place| view.current.id(place as usize)))
}

fn policy(verdict: &PolicyVerdict) -> Value {
    let (outcome, measured) = match &verdict.judged {
        Judged::Kept(measured) => ("kept", measured),
        Judged::Broken(measured) => ("broken", measured),
        Judged::Open(why) => ("not-judged", why),
    };
    json!({
        "action": verdict.line.action.as_str(), "limit": verdict.limit, "outcome": outcome, "measured": measured, "because": verdict.line.because,
    })
}

/// Returns one row a job that differs, as CSV.
///
/// # Errors
/// [`ReportError::Csv`] if a row does not take.
pub fn diff_csv(view: &DiffView<'_>) -> Result<String, ReportError> {
    let failed = |source| ReportError::Csv { file: "diff.csv", source };
    let mut writer = csv::Writer::from_writer(Vec::new());
    let headings = "campaign,change,step,job,was,fields,follows,path,path_before,price_before,currency_before,price_after,currency_after";
    writer.write_record(headings.split(',')).map_err(failed)?;
    for group in &view.diff.groups {
        let (own, follows) = match &group.change {
            Change::Changed { own, follows } => (own.join(" "), follows.join(" ")),
            _ => (String::new(), String::new()),
        };
        for pair in &group.pairs {
            let (was, is) = ids(view, pair);
            let (before, after) = (side(view.base, pair.base), side(view.current, pair.current));
            let moved_from = was.as_ref().filter(|was| is.as_ref().is_some_and(|is| is != *was)).map(JobId::to_string).unwrap_or_default();
            let id = is.or(was).map(|id| id.to_string()).unwrap_or_default();
            let cells = [
                view.campaign.to_owned(),
                group.change.as_str().to_owned(),
                group.step.clone(),
                id,
                moved_from,
                own.clone(),
                follows.clone(),
                after.path,
                before.path,
                before.price,
                before.currency,
                after.price,
                after.currency,
            ];
            writer.write_record(cells.map(|cell| neutral(&cell).into_owned())).map_err(failed)?;
        }
    }
    let bytes = writer.into_inner().map_err(|error| failed(error.into_error().into()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What a row shows of one side.
#[derive(Default)]
struct Shown {
    path: String,
    price: String,
    currency: String,
}

fn side(side: &dyn Side, place: Option<u32>) -> Shown {
    let Some(place) = place.map(|place| place as usize) else { return Shown::default() };
    let price = match side.price(place) {
        SidePrice::Free => Micros::ZERO.to_string(),
        SidePrice::Priced(micros, _) => micros.to_string(),
        SidePrice::Unpriced => String::new(),
    };
    Shown { path: side.path(place).to_owned(), price, currency: side.currency().to_string() }
}
