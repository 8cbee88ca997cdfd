//! The sentences under the plan's table: sums and what they rest on, caps, and what to look at before anything is bought.
//!
//! In: a [`PlanView`], its estimate. Out: notes, each under a heading of its own.
//! Never: a refusal that is told twice, a sum without its certainty.

use super::super::preparations;
use super::super::text::{Notes, money, number, sum_words};
use super::PlanView;
use crate::catalog::Certainty;
use crate::pricing::{CapOf, CeilingBy, Estimate, Factors, Learned, Refusal, Sum, Unit, Warning};
use crate::types::Micros;
use crate::types::diagnostic::counted;

/// Most reasons that are shown.
const MOST_CHANGED: usize = 5;

pub(super) fn totals(estimate: &Estimate, notes: &mut Notes) {
    let currency = &estimate.book.currency;
    let with_usd = |of: Sum| match estimate.usd(of).filter(|_| *currency != crate::types::Currency::Usd) {
        Some(usd) => format!("{} ({})", sum_words(currency, of), money(&crate::types::Currency::Usd, usd.micros)),
        None => sum_words(currency, of),
    };
    let all = &estimate.totals;
    notes.say("floor", &format!("{}: every outstanding shot once", with_usd(all.floor)));
    match &estimate.factor {
        Some((name, factor)) => notes.say("expected", &format!("{}: floor x {}", with_usd(all.expected), factor_words(name, *factor))),
        None => notes.say("expected", "the floor; the campaign names no `iteration` factor"),
    }
    for learned in learned_words(&estimate.factors) {
        notes.say("learned", &learned);
    }
    let rerolls = if estimate.rerolls > 0 { format!(" and {}", counted(estimate.rerolls, "reroll")) } else { String::new() };
    let why = match &estimate.ceiling_by {
        CeilingBy::Attempts(1) => format!("1 try a shot{rerolls}"),
        CeilingBy::Attempts(attempts) => format!("up to {attempts} tries a shot{rerolls}"),
        CeilingBy::Cap(CapOf::Profile) => "all that is left under the profile's cap".to_owned(),
        CeilingBy::Cap(_) => "all that is left under the cap".to_owned(),
        CeilingBy::ProviderCaps => "up to what is left under the caps at single providers".to_owned(),
        CeilingBy::StepCaps(attempts) => format!("up to {attempts} tries a shot{rerolls}, less where a step has a cap"),
    };
    notes.say("ceiling", &format!("{}: {why}", with_usd(all.ceiling)));
    if all.counts.waiting > 0 {
        let cost =
            if all.later == Sum::default() { String::new() } else { format!("; {} more once they are picked, in no sum above", with_usd(all.later)) };
        notes.say("to pick", &format!("{} for somebody's choice{cost}", waiting(all.counts.waiting)));
    }
    if all.counts.rejected > 0 {
        notes.say(
            "rejected",
            &format!("{} turned down by their checks, rerolls used up; `callsheet status` names them", counted(all.counts.rejected, "shot")),
        );
    }
    if all.saved != Sum::default() {
        notes.say("saved", &format!("{}: {} reused", with_usd(all.saved), counted(paid_reused(estimate), "picture")));
    }
    if let (Some(floor), Some(expected)) = (estimate.finals.floor_each, estimate.finals.expected_each) {
        let finals = format!("{} of {}", counted(estimate.finals.count, "final"), step_names(estimate));
        let expected = if estimate.factor.is_some() { format!(", {} expected", sum_words(currency, expected)) } else { String::new() };
        let sentence = match floor.certainty {
            Certainty::Unknown => format!("unknown while shots have no price, over {finals}"),
            _ => format!("{} floor{expected}, over {finals}", sum_words(currency, floor)),
        };
        notes.say("per final", &sentence);
    }
}

fn waiting(count: usize) -> String {
    if count == 1 { "1 shot waits".to_owned() } else { format!("{count} shots wait") }
}

fn paid_reused(estimate: &Estimate) -> usize {
    estimate.lines.iter().filter(|line| line.unit != Unit::Free).map(|line| line.counts.reused).sum()
}

fn step_names(estimate: &Estimate) -> String {
    crate::types::diagnostic::listed(estimate.finals.steps.iter(), 4)
}

/// Returns the factor as the author called it, with its number.
pub(in super::super) fn factor_words(name: &str, factor: Micros) -> String {
    let number = number(factor);
    if name == number { number } else { format!("{number} ({name})") }
}

/// Returns what was learned of each baseline, and from how many finals; nothing when the author named a factor.
pub(in super::super) fn learned_words(factors: &Factors) -> Vec<String> {
    let stand_in =
        factors.named.as_ref().map(|(name, factor)| if *name == number(*factor) { name.clone() } else { format!("{name} {}", number(*factor)) });
    let sentence = |learned: &Learned| {
        let whose = learned.baseline.as_ref().map_or("prompts without a baseline".to_owned(), |name| format!("baseline `{name}`"));
        match (learned.factor, &stand_in) {
            (Some(factor), _) => format!(
                "{whose}: {} from {} of this campaign ({} paid for {})",
                number(factor),
                counted(learned.finals, "final"),
                tries(learned.attempts),
                counted(learned.pictures, "picture")
            ),
            (None, Some(stand_in)) => format!("{whose}: too few finals ({}), {stand_in} stands in", learned.finals),
            (None, None) => format!("{whose}: too few finals ({})", learned.finals),
        }
    };
    factors.learned.iter().map(sentence).collect()
}

fn tries(count: usize) -> String {
    if count == 1 { "1 try".to_owned() } else { format!("{count} tries") }
}

pub(super) fn caps(estimate: &Estimate, notes: &mut Notes) {
    let currency = &estimate.book.currency;
    let all = (estimate.totals.floor, estimate.totals.ceiling);
    for cap in &estimate.caps {
        let (whose, (floor, ceiling)) = match &cap.of {
            CapOf::Campaign => (String::new(), all),
            CapOf::Profile => (" for the profile".to_owned(), all),
            CapOf::Step(name) => match estimate.lines.iter().find(|line| line.name == *name) {
                Some(line) => (format!(" for step `{name}`"), (line.floor, line.ceiling)),
                None => continue,
            },
            CapOf::Provider(_) => continue,
        };
        let room = cap.room();
        let before = if cap.committed > Micros::ZERO { format!(", {} already committed", money(currency, cap.committed)) } else { String::new() };
        let cap = format!("{}{whose}{before}", money(currency, cap.limit));
        let beyond = |sum: Sum| Micros::new(room.get().saturating_sub(sum.micros.get()));
        if floor.micros > room {
            let over = money(currency, Micros::new(beyond(floor).get().saturating_neg()));
            notes.refuse("cap", &format!("{cap}: floor is above the cap by {over}"));
        } else if ceiling.certainty == Certainty::Unknown {
            notes.say("cap", &format!("{cap}: {} left after the floor for what has no price", money(currency, beyond(floor))));
        } else if beyond(ceiling) == Micros::ZERO {
            notes.say("cap", &format!("{cap}: nothing left after the ceiling"));
        } else {
            notes.say("cap", &format!("{cap}: {} left after the ceiling", money(currency, beyond(ceiling))));
        }
    }
}

pub(super) fn remarks(view: &PlanView<'_>, notes: &mut Notes) {
    let estimate = view.estimate;
    let unsure: Vec<&str> = estimate
        .lines
        .iter()
        .filter(|line| matches!(line.unit, Unit::Priced { certainty: Certainty::LowerBound, .. }))
        .map(|line| &*line.name)
        .collect();
    if !unsure.is_empty() {
        notes.say("at least", &format!("the book gives only a lower bound for {}", crate::types::diagnostic::listed(unsure, 8)));
    }
    // What the user lets pass does not stop a run; it is marked all the same.
    let is_let_pass = !view.verdict.refusals.iter().any(|refusal| matches!(refusal, Refusal::Unpriced { .. }));
    for group in &estimate.unpriced {
        let say = if is_let_pass { Notes::warn } else { Notes::refuse };
        say(notes, "no price", &format!("{}: {} ({})", counted(group.jobs.count, "shot"), group.reason, group.jobs.listed()));
    }
    if estimate.in_doubt.count > 0 {
        let sentence = format!(
            "{} held, counted as spent and not sent again: {}; `callsheet reconcile` settles it, `run --on-doubt resend` buys it again",
            counted(estimate.in_doubt.count, "shot"),
            estimate.in_doubt.listed()
        );
        notes.warn("in doubt", &sentence);
    }
    for change in view.changed.iter().take(MOST_CHANGED) {
        let alike = if change.jobs > 1 { format!(" and {} alike", change.jobs - 1) } else { String::new() };
        notes.say("changed", &format!("{}{alike}: {}", change.first, change.reason));
    }
    let told: usize = view.changed.iter().take(MOST_CHANGED).map(|change| change.jobs).sum();
    let more = estimate.totals.counts.changed.saturating_sub(told);
    if more > 0 && told > 0 {
        notes.say("", &format!("and {more} more; `callsheet why CAMPAIGN SHOT` tells each"));
    }
    for (heading, line) in preparations::lines(view.plan) {
        notes.say(heading, &line);
    }
    for refusal in &view.verdict.refusals {
        // Caps and unpriced shots are told above, each with its figures.
        match refusal {
            Refusal::Balance { .. } => notes.refuse("balance", &refusal.to_string()),
            Refusal::NoRate { .. } => notes.refuse("cap", &refusal.to_string()),
            Refusal::Policy(verdict) => notes.refuse("denied", &verdict.to_string()),
            Refusal::OverCap { of: CapOf::Provider(_), .. } => notes.refuse("cap", &refusal.to_string()),
            Refusal::OverCap { .. } | Refusal::Unpriced { .. } => {}
        }
    }
    for warning in &view.verdict.warnings {
        notes.warn(if matches!(warning, Warning::Unpriced { .. }) { "no price" } else { "warning" }, &warning.to_string());
    }
    for note in view.notes {
        notes.say("note", note);
    }
}
