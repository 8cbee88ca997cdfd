//! The plan on a terminal: what there is to do, what it costs, what to look at.
//!
//! In: a [`PlanView`]. Out: text that reads at 80 columns. Never: a total that hides what has no price.

use std::fmt::Write as _;

use anstyle::Style;

use super::text::{Notes, Table, count, money, number, numbers, styled, sum, sum_words, unit, words};
use crate::catalog::Certainty;
use crate::pricing::{CapOf, CeilingBy, Estimate, Refusal, StepLine, Sum, Unit, Verdict};
use crate::types::diagnostic::counted;
use crate::types::{JobId, Micros, visible};

/// Everything that the views of a plan show.
#[derive(Debug, Clone)]
pub struct PlanView<'a> {
    /// The campaign's name.
    pub campaign: &'a str,
    /// Who would make the pictures; `None` can be planned and rehearsed.
    pub provider: Option<&'a str>,
    /// The profile.
    pub profile: Option<&'a str>,
    /// What it costs.
    pub estimate: &'a Estimate,
    /// What the gate would say to a run.
    pub verdict: &'a Verdict,
    /// The first changed jobs, each with its reason.
    pub changed: &'a [(JobId, String)],
    /// Further sentences.
    pub notes: &'a [String],
}

/// Most changed jobs that are shown with their reason.
const MOST_CHANGED: usize = 5;

/// Returns the plan for a terminal of `width` columns.
pub fn plan_table(view: &PlanView<'_>, width: usize, color: bool) -> String {
    let mut text = heading(view, color);
    text.push('\n');
    text.push_str(&steps(view.estimate).render(width, color));
    text.push('\n');
    let mut notes = Notes { text, width, color };
    totals(view.estimate, &mut notes);
    caps(view.estimate, &mut notes);
    remarks(view, &mut notes);
    notes.text
}

fn heading(view: &PlanView<'_>, color: bool) -> String {
    let book = &view.estimate.book;
    let mut line = styled(&visible(view.campaign), Style::new().bold(), color);
    if let Some(profile) = view.profile {
        let _ = write!(line, ", profile {}", visible(profile));
    }
    match view.provider {
        Some(provider) => write!(line, " on {}", visible(provider)),
        None => write!(line, ", no provider"),
    }
    .expect("writing to a string succeeds");
    let date = book.as_of.map_or("undated".to_owned(), |date| format!("of {date}"));
    let _ = writeln!(line, ", prices `{}` {date}, in {}", visible(&book.name), book.currency);
    line
}

fn steps(estimate: &Estimate) -> Table {
    let mut table = Table::new(vec![
        words("step", Some(8)),
        words("what", Some(8)),
        numbers("jobs"),
        numbers("new"),
        numbers("changed"),
        numbers("again"),
        numbers("reused"),
        numbers("resumed"),
        numbers("in doubt"),
        numbers("left out"),
        numbers("unit"),
        numbers("floor"),
        numbers("expected"),
        numbers("ceiling"),
    ]);
    let row = |name: String, what: String, counts: &crate::pricing::Counts, unit: String, sums: [String; 3]| {
        let [floor, expected, ceiling] = sums;
        let expected = if estimate.factor.is_some() { expected } else { "-".to_owned() };
        let again = count(counts.lost + counts.again);
        let numbers = [count(counts.jobs()), count(counts.new), count(counts.changed), again, count(counts.reused), count(counts.resumed)];
        let held = [count(counts.in_doubt), count(counts.excluded + counts.twin)];
        [name, what].into_iter().chain(numbers).chain(held).chain([unit, floor, expected, ceiling]).collect::<Vec<_>>()
    };
    for line in &estimate.lines {
        table.row(row(line.name.to_string(), what(line), &line.counts, shown_unit(line), sums(line)));
    }
    let all = &estimate.totals;
    let sums = [sum(all.floor), sum(all.expected), sum(all.ceiling)];
    table.totals(row("total".to_owned(), String::new(), &all.counts, String::new(), sums));
    table.drop_if_empty(&["new", "changed", "again", "reused", "resumed", "in doubt", "left out", "expected"]);
    table
}

/// Returns what a step does, in few words: kind and model.
pub(super) fn what(line: &StepLine) -> String {
    match &line.model {
        Some(model) => format!("{} {model}", line.kind),
        None => line.kind.to_owned(),
    }
}

fn shown_unit(line: &StepLine) -> String {
    if line.counts.jobs() == 0 { "-".to_owned() } else { unit(line.unit) }
}

fn sums(line: &StepLine) -> [String; 3] {
    if line.unit == Unit::Free {
        return ["-", "-", "-"].map(str::to_owned);
    }
    let shown = |of: Sum| match (of.certainty, of.micros) {
        (Certainty::Unknown, Micros::ZERO) => "?".to_owned(),
        _ => sum(of),
    };
    let ceiling = shown(line.ceiling);
    [shown(line.floor), shown(line.expected), if line.capped { format!("{ceiling} cap") } else { ceiling }]
}

fn totals(estimate: &Estimate, notes: &mut Notes) {
    let currency = &estimate.book.currency;
    let with_usd = |of: Sum| match estimate.usd(of).filter(|_| *currency != crate::types::Currency::Usd) {
        Some(usd) => format!("{} ({})", sum_words(currency, of), sum_words(&crate::types::Currency::Usd, usd)),
        None => sum_words(currency, of),
    };
    let all = &estimate.totals;
    notes.say("floor", &format!("{}: every outstanding shot once", with_usd(all.floor)));
    match &estimate.factor {
        Some((name, factor)) => notes.say("expected", &format!("{}: floor x {}", with_usd(all.expected), factor_words(name, *factor))),
        None => notes.say("expected", "the floor; the campaign names no `iteration` factor"),
    }
    let why = match &estimate.ceiling_by {
        CeilingBy::Attempts(1) => "1 try a shot".to_owned(),
        CeilingBy::Attempts(attempts) => format!("up to {attempts} tries a shot"),
        CeilingBy::Cap(CapOf::Profile) => "all that is left under the profile's cap".to_owned(),
        CeilingBy::Cap(_) => "all that is left under the cap".to_owned(),
        CeilingBy::StepCaps(attempts) => format!("up to {attempts} tries a shot, less where a step has a cap"),
    };
    notes.say("ceiling", &format!("{}: {why}", with_usd(all.ceiling)));
    if all.saved != Sum::default() {
        notes.say("saved", &format!("{}: {} reused", with_usd(all.saved), counted(paid_reused(estimate), "picture")));
    }
    if let (Some(floor), Some(expected)) = (estimate.finals.floor_each, estimate.finals.expected_each) {
        let finals = format!("{} of {}", counted(estimate.finals.count, "final"), step_names(estimate));
        let expected = if estimate.factor.is_some() { format!(", {} expected", sum_words(currency, expected)) } else { String::new() };
        notes.say("per final", &format!("{} floor{expected}, over {finals}", sum_words(currency, floor)));
    }
}

fn paid_reused(estimate: &Estimate) -> usize {
    estimate.lines.iter().filter(|line| line.unit != Unit::Free).map(|line| line.counts.reused).sum()
}

fn step_names(estimate: &Estimate) -> String {
    crate::types::diagnostic::listed(estimate.finals.steps.iter(), 4)
}

/// Returns the factor as the author called it, with its number.
pub(super) fn factor_words(name: &str, factor: Micros) -> String {
    let number = number(factor);
    if name == number { number } else { format!("{number} ({name})") }
}

fn caps(estimate: &Estimate, notes: &mut Notes) {
    let currency = &estimate.book.currency;
    for cap in &estimate.caps {
        let (what, floor, ceiling) = match &cap.of {
            CapOf::Campaign => ("cap".to_owned(), estimate.totals.floor.micros, estimate.totals.ceiling.micros),
            CapOf::Profile => ("cap".to_owned(), estimate.totals.floor.micros, estimate.totals.ceiling.micros),
            CapOf::Step(name) => match estimate.lines.iter().find(|line| line.name == *name) {
                Some(line) => ("cap".to_owned(), line.floor.micros, line.ceiling.micros),
                None => continue,
            },
        };
        let whose = match &cap.of {
            CapOf::Campaign => String::new(),
            CapOf::Profile => " for the profile".to_owned(),
            CapOf::Step(name) => format!(" for step `{name}`"),
        };
        let room = cap.room().get();
        let before = if cap.committed > Micros::ZERO { format!(", {} already committed", money(currency, cap.committed)) } else { String::new() };
        let limit = money(currency, cap.limit);
        if floor.get() > room {
            let over = money(currency, Micros::new(floor.get().saturating_sub(room)));
            notes.refuse(&what, &format!("{limit}{whose}{before}: floor is above the cap by {over}"));
        } else if room == ceiling.get() {
            notes.say(&what, &format!("{limit}{whose}{before}: nothing left after the ceiling"));
        } else {
            let left = money(currency, Micros::new(room.saturating_sub(ceiling.get())));
            notes.say(&what, &format!("{limit}{whose}{before}: {left} left after the ceiling"));
        }
    }
}

fn remarks(view: &PlanView<'_>, notes: &mut Notes) {
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
    for group in &estimate.unpriced {
        notes.refuse("no price", &format!("{}: {} ({})", counted(group.jobs.count, "shot"), group.reason, group.jobs.listed()));
    }
    if estimate.in_doubt.count > 0 {
        let sentence =
            format!("{} held until settled by `callsheet reconcile`: {}", counted(estimate.in_doubt.count, "shot"), estimate.in_doubt.listed());
        notes.warn("in doubt", &sentence);
    }
    for (job, reason) in view.changed.iter().take(MOST_CHANGED) {
        notes.say("changed", &format!("{job}: {reason}"));
    }
    let more = estimate.totals.counts.changed.saturating_sub(view.changed.len().min(MOST_CHANGED));
    if more > 0 && !view.changed.is_empty() {
        notes.say("", &format!("and {more} more; `callsheet why JOB` tells each"));
    }
    for refusal in &view.verdict.refusals {
        // Caps and unpriced shots are told above, each with its figures.
        if let Refusal::Balance { .. } = refusal {
            notes.refuse("balance", &refusal.to_string());
        }
    }
    for warning in &view.verdict.warnings {
        notes.warn("warning", &warning.to_string());
    }
    for note in view.notes {
        notes.say("note", note);
    }
}
