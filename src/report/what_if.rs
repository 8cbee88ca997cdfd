//! What a plan costs now beside what it would cost: for a terminal, for pull requests, for spreadsheets and for programs.
//!
//! In: a [`SupposedView`]. Out: text. Never: a difference between two sums of which one hides something without a price.

use std::fmt::Write as _;

use anstyle::Style;
use serde_json::{Value, json};

use super::ReportError;
use super::markdown::plain;
use super::plan_export::certainty;
use super::plan_table::{factor_words, what};
use super::spreadsheet::neutral;
use super::text::{Notes, Table, count, money, number, numbers, styled, sum, words};
use crate::catalog::Certainty;
use crate::pricing::{CapOf, Estimate, StepLine, Sum, Unit, Verdict};
use crate::types::diagnostic::counted;
use crate::types::{Micros, visible};

/// Version of the JSON form.
const FORMAT: u32 = 1;

/// Everything that the views show.
#[derive(Debug, Clone)]
pub struct SupposedView<'a> {
    /// The campaign's name.
    pub campaign: &'a str,
    /// The profile.
    pub profile: Option<&'a str>,
    /// What is supposed, in words.
    pub supposed: &'a [String],
    /// What the plan costs.
    pub now: &'a Estimate,
    /// What it would cost.
    pub then: &'a Estimate,
    /// What the gate would say to what is supposed.
    pub verdict: &'a Verdict,
    /// Further sentences.
    pub notes: &'a [String],
}

/// Returns the sums that are set against each other, by name.
fn sums<'a>(view: &SupposedView<'a>) -> Vec<(&'static str, Option<Sum>, Option<Sum>)> {
    let (now, then): (&'a Estimate, &'a Estimate) = (view.now, view.then);
    vec![
        ("floor", Some(now.totals.floor), Some(then.totals.floor)),
        ("expected", Some(now.totals.expected), Some(then.totals.expected)),
        ("ceiling", Some(now.totals.ceiling), Some(then.totals.ceiling)),
        ("floor per final", now.finals.floor_each, then.finals.floor_each),
        ("expected per final", now.finals.expected_each, then.finals.expected_each),
    ]
}

/// Returns how much more the second is; `None` where one of them holds something without a price.
fn more(now: Sum, then: Sum) -> Option<Micros> {
    let is_known = now.certainty != Certainty::Unknown && then.certainty != Certainty::Unknown;
    is_known.then(|| then.micros.checked_sub(now.micros).ok()).flatten()
}

/// Returns a difference with its sign.
fn signed(micros: Micros) -> String {
    if micros.get() < 0 { format!("-{}", number(Micros::new(micros.get().saturating_neg()))) } else { format!("+{}", number(micros)) }
}

fn difference(now: Sum, then: Sum) -> String {
    match more(now, then) {
        Some(Micros::ZERO) => "-".to_owned(),
        Some(micros) => signed(micros),
        None => "?".to_owned(),
    }
}

fn shown(line: &StepLine) -> String {
    match (line.unit, line.floor.certainty, line.floor.micros) {
        (Unit::Free, ..) => "-".to_owned(),
        (_, Certainty::Unknown, Micros::ZERO) => "?".to_owned(),
        _ => sum(line.floor),
    }
}

/// Returns both for a terminal of `width` columns.
pub fn supposed_table(view: &SupposedView<'_>, width: usize, color: bool) -> String {
    let book = &view.now.book;
    let mut text = styled(&visible(view.campaign), Style::new().bold(), color);
    if let Some(profile) = view.profile {
        let _ = write!(text, ", profile {}", visible(profile));
    }
    let date = book.as_of.map_or("undated".to_owned(), |date| format!("of {date}"));
    let _ = writeln!(text, ", prices `{}` {date}: now, and what if\n", visible(&book.name));
    let mut steps = Table::new(vec![
        words("step", Some(8)),
        words("what", Some(8)),
        numbers("jobs"),
        numbers("what if"),
        numbers("floor"),
        numbers("what if"),
        numbers("more"),
    ]);
    for (now, then) in view.now.lines.iter().zip(&view.then.lines) {
        let jobs = [now, then].map(|line| count(line.counts.jobs()));
        let [before, after] = jobs;
        let more = if now.unit == Unit::Free { "-".to_owned() } else { difference(now.floor, then.floor) };
        steps.row(vec![now.name.to_string(), what(now), before, after, shown(now), shown(then), more]);
    }
    let [before, after] = [view.now, view.then].map(|estimate| count(estimate.totals.counts.jobs()));
    let (now, then) = (view.now.totals.floor, view.then.totals.floor);
    steps.totals(vec!["total".to_owned(), String::new(), before, after, sum(now), sum(then), difference(now, then)]);
    text.push_str(&steps.render(width, color));
    text.push('\n');
    let mut totals = Table::new(vec![words("", None), numbers("now"), numbers("what if"), numbers("more")]);
    for (name, now, then) in sums(view) {
        let cell = |of: Option<Sum>| of.map_or("-".to_owned(), sum);
        let more = now.zip(then).map_or("-".to_owned(), |(now, then)| difference(now, then));
        totals.row(vec![name.to_owned(), cell(now), cell(then), more]);
    }
    text.push_str(&totals.render(width, color));
    text.push('\n');
    let mut notes = Notes { text, width, color };
    for supposed in view.supposed {
        notes.say("what if", supposed);
    }
    for sentence in sentences(view) {
        notes.say("note", &sentence);
    }
    for refusal in &view.verdict.refusals {
        notes.refuse("refused", &format!("then: {refusal}"));
    }
    for warning in &view.verdict.warnings {
        notes.warn("warning", &format!("then: {warning}"));
    }
    for note in view.notes {
        notes.say("note", note);
    }
    notes.text
}

fn sentences(view: &SupposedView<'_>) -> Vec<String> {
    let factor = |estimate: &Estimate| estimate.factor.as_ref().map_or("no factor".to_owned(), |(name, factor)| factor_words(name, *factor));
    let mut sentences = vec![format!(
        "{}, {} then; in {}",
        counted(view.now.finals.count, "final"),
        view.then.finals.count,
        if view.now.book.currency == crate::types::Currency::Usd { "USD" } else { "credits of the book" }
    )];
    let (now, then) = (factor(view.now), factor(view.then));
    sentences.push(if now == then { format!("expected is the floor x {now}") } else { format!("expected is the floor x {now}, then x {then}") });
    if let (Some(now), Some(then)) = (view.now.usd(view.now.totals.floor), view.then.usd(view.then.totals.floor))
        && view.now.book.currency != crate::types::Currency::Usd
    {
        let usd = |micros| money(&crate::types::Currency::Usd, micros);
        sentences.push(format!("the floor is {} by the book's rate, then {}", usd(now.micros), usd(then.micros)));
    }
    for cap in view.then.caps.iter().filter(|cap| matches!(cap.of, CapOf::Campaign | CapOf::Profile)) {
        sentences.push(format!("the cap of {} bounds both ceilings", money(&view.now.book.currency, cap.limit)));
    }
    sentences
}

/// Returns both as JSON.
pub fn supposed_json(view: &SupposedView<'_>) -> Value {
    let of = |estimate: &Estimate| {
        let sum = |of: Sum| json!({ "amount": of.micros, "usd": estimate.usd(of).map(|usd| usd.micros), "certainty": certainty(of.certainty) });
        let step = |line: &StepLine| json!({ "step": line.name, "jobs": line.counts.jobs(), "floor": sum(line.floor), "expected": sum(line.expected), "ceiling": sum(line.ceiling), "unpriced": line.unpriced });
        let all = &estimate.totals;
        json!({
            "factor": estimate.factor.as_ref().map(|(name, factor)| json!({ "name": name, "value": factor })),
            "steps": estimate.lines.iter().map(step).collect::<Vec<_>>(),
            "totals": { "jobs": all.counts.jobs(), "floor": sum(all.floor), "expected": sum(all.expected), "ceiling": sum(all.ceiling) },
            "finals": { "count": estimate.finals.count, "floor-each": estimate.finals.floor_each.map(sum), "expected-each": estimate.finals.expected_each.map(sum) },
        })
    };
    let book = &view.now.book;
    let delta = |(name, now, then): (&'static str, Option<Sum>, Option<Sum>)| {
        (name.replace(' ', "-"), json!(now.zip(then).and_then(|(now, then)| more(now, then))))
    };
    json!({
        "callsheet-what-if": FORMAT,
        "campaign": view.campaign,
        "profile": view.profile,
        "book": { "name": book.name, "as-of": book.as_of, "currency": book.currency, "usd-per-credit": book.usd_per_credit },
        "supposed": view.supposed,
        "now": of(view.now),
        "what-if": of(view.then),
        "more": sums(view).into_iter().map(delta).collect::<serde_json::Map<_, _>>(),
        "refusals": view.verdict.refusals.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "warnings": view.verdict.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "notes": view.notes,
    })
}

/// Returns both as CSV, one row a step and one for the total.
///
/// # Errors
/// [`ReportError::Csv`] if a row does not take.
pub fn supposed_csv(view: &SupposedView<'_>) -> Result<String, ReportError> {
    let failed = |source| ReportError::Csv { file: "plan.csv", source };
    let mut writer = csv::Writer::from_writer(Vec::new());
    let headings =
        "campaign,step,jobs,jobs_what_if,floor,floor_what_if,expected,expected_what_if,ceiling,ceiling_what_if,currency,certainty,certainty_what_if";
    writer.write_record(headings.split(',')).map_err(failed)?;
    let currency = neutral(&view.now.book.currency.to_string()).into_owned();
    let mut row = |name: &str, jobs: [usize; 2], sums: [[Sum; 2]; 3]| {
        // What is wholly unknown is an empty cell; what is known in part is told by the certainty.
        let cell = |of: Sum| if of.certainty == Certainty::Unknown && of.micros == Micros::ZERO { String::new() } else { of.micros.to_string() };
        let texts = [view.campaign, name].map(|text| neutral(text).into_owned());
        let [floor, ..] = sums;
        let cells = texts.into_iter().chain(jobs.map(|jobs| jobs.to_string())).chain(sums.into_iter().flatten().map(cell));
        writer.write_record(cells.chain([currency.clone()]).chain(floor.map(|of| certainty(of.certainty).to_owned())))
    };
    for (now, then) in view.now.lines.iter().zip(&view.then.lines) {
        let sums = [[now.floor, then.floor], [now.expected, then.expected], [now.ceiling, then.ceiling]];
        row(&now.name, [now.counts.jobs(), then.counts.jobs()], sums).map_err(failed)?;
    }
    let (now, then) = (&view.now.totals, &view.then.totals);
    let sums = [[now.floor, then.floor], [now.expected, then.expected], [now.ceiling, then.ceiling]];
    row("total", [now.counts.jobs(), then.counts.jobs()], sums).map_err(failed)?;
    let bytes = writer.into_inner().map_err(|error| failed(error.into_error().into()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns both for a pull request.
pub fn supposed_markdown(view: &SupposedView<'_>) -> String {
    let mut page = format!("### {}\n\n", plain(view.campaign));
    let _ = writeln!(page, "What if {}.\n", plain(&view.supposed.join("; ")));
    page.push_str("| | now | what if | more |\n|---|--:|--:|--:|\n");
    for (name, now, then) in sums(view) {
        let cell = |of: Option<Sum>| of.map_or("-".to_owned(), sum);
        let more = now.zip(then).map_or("-".to_owned(), |(now, then)| difference(now, then));
        let _ = writeln!(page, "| {name} | {} | {} | {more} |", cell(now), cell(then));
    }
    page.push('\n');
    for sentence in sentences(view) {
        let _ = writeln!(page, "- {}", plain(&sentence));
    }
    for refusal in &view.verdict.refusals {
        let _ = writeln!(page, "- **then refused**: {}", plain(&refusal.to_string()));
    }
    for warning in &view.verdict.warnings {
        let _ = writeln!(page, "- then warning: {}", plain(&warning.to_string()));
    }
    for note in view.notes {
        let _ = writeln!(page, "- {}", plain(note));
    }
    page
}
