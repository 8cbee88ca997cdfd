//! A run that a cap has stopped: which cap, what is left in which order, what it takes to go on.
//!
//! In: what became of the run, and where the campaign stands after it. Out: lines for the summary and the command to go on with.
//! Never: a figure that the next run's gate would not find too.

use indexmap::IndexMap;

use super::context::Opened;
use super::error::Outcome;
use super::memory::Memory;
use super::standing::{Standing, campaign_scope, profile_scope, provider_scope, step_scope};
use crate::engine::RunOutcome;
use crate::ledger::Scope;
use crate::plan::JobIx;
use crate::pricing::{CapLine, CapOf};
use crate::report::CapStop;
use crate::types::diagnostic::counted;
use crate::types::{Amount, Currency, Micros};

/// Most shots that are named.
const MOST_NAMED: usize = 3;

/// Returns what to say of a run that a cap has stopped. `standing` is that after the run, `again` the words that
/// follow `callsheet run` when the same is wanted again, without a cap.
///
/// # Errors
/// A ledger that cannot be read, sums that do not fit.
pub fn cap_stop(opened: &Opened, memory: &Memory, outcome: &RunOutcome, standing: &Standing, again: &str) -> Outcome<CapStop> {
    let mut lines = Vec::new();
    let (mut keys, mut campaign) = (Vec::new(), None);
    for cap in &standing.estimate.caps {
        let floor = floor_under(standing, &cap.of);
        let wanted = cap.committed.checked_add(floor)?.checked_add(margin(opened, standing, &cap.of))?;
        if floor == Micros::ZERO || wanted <= cap.limit {
            continue;
        }
        lines.push(("cap".to_owned(), reached(opened, memory, standing, cap)?));
        match &cap.of {
            CapOf::Campaign => campaign = Some(wanted),
            CapOf::Profile => keys.push((profile_key(opened), amount(standing, wanted))),
            CapOf::Step(name) => keys.push((format!("budget.steps.{name}"), amount(standing, wanted))),
            CapOf::Provider(_) => {}
        }
    }
    for line in &standing.estimate.by_provider {
        let Some(cap) = line.cap.filter(|cap| line.floor.micros > cap.room()) else { continue };
        let (limit, amount) = (line.book.amount(cap.limit), |micros| line.book.amount(micros));
        lines.push((
            "cap".to_owned(),
            format!("the cap at {} of {limit} does not pay for the rest: {} committed", line.provider, amount(cap.committed)),
        ));
        keys.push((format!("providers.{}.cap", line.provider), amount(cap.committed.checked_add(line.floor.micros)?)));
    }
    lines.push(("left".to_owned(), left(opened, &outcome.left)));
    let floor = standing.estimate.totals.floor;
    lines.push(("to finish".to_owned(), format!("{} at one try for each shot{}", amount(standing, floor.micros), others(standing, &outcome.left))));
    let cap = campaign.map_or(String::new(), |wanted| match &standing.estimate.book.currency {
        Currency::Usd => format!(" --cap \"USD {wanted}\""),
        Currency::Credits(_) => format!(" --cap {wanted}"),
    });
    let raise: Vec<String> = keys.iter().map(|(key, wanted)| format!("`{key}` to {wanted}")).collect();
    let raise = if raise.is_empty() { String::new() } else { format!("raise {} in the campaign, then ", raise.join(" and ")) };
    Ok(CapStop { lines, next: format!("{raise}callsheet run {again}{cap} (what is paid is not paid again)") })
}

fn amount(standing: &Standing, micros: Micros) -> Amount {
    standing.estimate.book.amount(micros)
}

fn profile_key(opened: &Opened) -> String {
    format!("profiles.{}.budget.cap", opened.campaign.profile.as_deref().unwrap_or_default())
}

/// Returns what the outstanding shots under a cap cost at one try each.
fn floor_under(standing: &Standing, of: &CapOf) -> Micros {
    match of {
        CapOf::Campaign | CapOf::Profile => standing.estimate.totals.floor.micros,
        CapOf::Step(name) => standing.estimate.lines.iter().find(|line| line.name == *name).map_or(Micros::ZERO, |line| line.floor.micros),
        CapOf::Provider(_) => Micros::ZERO,
    }
}

/// Returns by how much the reservation of an outstanding shot under a cap passes its quote, at most: the last one must fit as well.
fn margin(opened: &Opened, standing: &Standing, of: &CapOf) -> Micros {
    let is_under = |ix: &JobIx| match of {
        CapOf::Campaign | CapOf::Profile => true,
        CapOf::Step(name) => opened.plan.step_of(*ix).name == *name,
        CapOf::Provider(_) => false,
    };
    let outstanding = standing.work.iter().filter(|(_, work)| work.is_outstanding()).map(|(ix, _)| ix).filter(is_under);
    let margins = outstanding.filter_map(|ix| standing.quotes.price(ix)).filter_map(|quote| quote.highest.checked_sub(quote.amount.micros).ok());
    margins.max().unwrap_or(Micros::ZERO).max(Micros::ZERO)
}

/// Says how much of a cap is used up and by what.
fn reached(opened: &Opened, memory: &Memory, standing: &Standing, cap: &CapLine) -> Outcome<String> {
    let campaign = &opened.campaign;
    let (whose, scope) = match &cap.of {
        CapOf::Campaign => ("the campaign's cap".to_owned(), Some(campaign_scope(campaign))),
        CapOf::Profile => ("the profile's cap".to_owned(), profile_scope(campaign)),
        CapOf::Step(name) => (format!("the cap of step `{name}`"), Some(step_scope(campaign, name))),
        CapOf::Provider(name) => (format!("the cap at {name}"), Some(provider_scope(campaign, name))),
    };
    let parts = scope.map(|scope| parts(memory, &scope)).transpose()?.unwrap_or_default();
    let above = above(&amount(standing, cap.limit), &amount(standing, cap.committed));
    Ok(format!("{whose} of {} does not pay for the rest: {parts}{above}", amount(standing, cap.limit)))
}

/// Says by how much a cap is passed, as the end of a sentence; only charges above what was held can do that.
fn above(limit: &Amount, committed: &Amount) -> String {
    match committed.micros.checked_sub(limit.micros) {
        Ok(over) if over > Micros::ZERO => {
            let over = Amount::new(limit.currency.clone(), over);
            format!("; that is {over} above it: the provider charged more than was held for a shot")
        }
        _ => String::new(),
    }
}

/// Tells the money under a scope, currency by currency.
fn parts(memory: &Memory, scope: &Scope) -> Outcome<String> {
    let mut told = Vec::new();
    for totals in memory.totals(scope)? {
        for (micros, what) in [(totals.spent, "spent"), (totals.reserved, "held"), (totals.in_doubt, "in doubt")] {
            if micros > Micros::ZERO {
                told.push(format!("{} {what}", Amount::new(totals.currency.clone(), micros)));
            }
        }
    }
    Ok(if told.is_empty() { "nothing is spent".to_owned() } else { told.join(", ") })
}

/// Says how many shots are in the floor besides those that the cap has left undone, as the end of a sentence.
fn others(standing: &Standing, left: &[JobIx]) -> String {
    let outstanding = standing.work.iter().filter(|(ix, work)| work.is_outstanding() && !left.contains(ix)).map(|(ix, _)| ix);
    match outstanding.filter(|ix| standing.quotes.price(*ix).is_some()).count() {
        0 => String::new(),
        1 => ", also for 1 that failed or waits for one that did".to_owned(),
        many => format!(", also for {many} that failed or wait for one that did"),
    }
}

/// Tells what is left undone: how many shots of which step, and the first few, in the order in which the next run does them.
fn left(opened: &Opened, left: &[JobIx]) -> String {
    let plan = &opened.plan;
    let mut steps: IndexMap<&str, usize> = IndexMap::new();
    for ix in left {
        *steps.entry(&*plan.step_of(*ix).name).or_default() += 1;
    }
    let steps: Vec<String> = steps.iter().map(|(step, count)| format!("{count} of {step}")).collect();
    let first: Vec<String> = left.iter().take(MOST_NAMED).map(|ix| plan.id(*ix).to_string()).collect();
    let more = if left.len() > MOST_NAMED { ", …" } else { "" };
    format!("{}: {}; first {}{more}", counted(left.len(), "shot"), steps.join(", "), first.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_above_a_cap_is_called_so() {
        let credits = |units| Amount::new(Currency::credits("kie"), Micros::units(units));
        assert_eq!(above(&credits(48), &credits(48)), "");
        assert_eq!(above(&credits(48), &credits(3)), "");
        let told = above(&credits(48), &credits(51));
        assert_eq!(told, "; that is 3 credits above it: the provider charged more than was held for a shot");
    }
}
