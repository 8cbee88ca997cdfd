//! Where a campaign stands, and what it has cost so far, as text for a terminal.
//!
//! In: [`RunReport`]. Out: text. Never: a run told apart from the campaign; that is the summary of a run.

use anstyle::Style;

use super::outlook::Ahead;
use super::preparations;
use super::run_report::RunReport;
use super::spending::{Group, Spending};
use super::summary::{doubtful, failures, rejected, to_pick};
use super::text::{Notes, Table, count, money, number, numbers, styled, sum_words, words};
use super::told::{deviating_models, has_several_models, open_words, quoted_words, with_usd};
use crate::types::diagnostic::counted;
use crate::types::{Currency, Micros, MoneyError, visible};

/// Returns where a campaign stands: shots by step, money beside the estimate, what is left and what to type.
pub fn status(report: &RunReport<'_>, ahead: Option<&Ahead<'_>>, width: usize, color: bool) -> String {
    let mut table = Table::new(vec![
        words("step", Some(8)),
        numbers("shots"),
        numbers("done"),
        numbers("failed"),
        numbers("rejected"),
        numbers("in doubt"),
        numbers("under way"),
        numbers("waiting"),
        numbers("to pick"),
        numbers("to do"),
        numbers("left out"),
    ]);
    let mut sums = [0; 10];
    for step in &report.steps {
        let held = [step.failed, step.rejected, step.in_doubt, step.under_way, step.blocked, step.to_pick];
        let counts: Vec<usize> = [step.jobs, step.done].into_iter().chain(held).chain([step.to_do, step.left_out]).collect();
        sums.iter_mut().zip(&counts).for_each(|(sum, count)| *sum += count);
        table.row(std::iter::once(step.name.to_string()).chain(counts.into_iter().map(count)).collect());
    }
    table.totals(std::iter::once("total".to_owned()).chain(sums.map(count)).collect());
    table.drop_if_empty(&["failed", "rejected", "in doubt", "under way", "waiting", "to pick", "left out"]);
    let mut lines = Notes { text: heading(report, color), width, color };
    lines.text.push_str(&table.render(width, color));
    lines.text.push('\n');
    for (heading, line) in preparations::lines_so_far(report) {
        lines.say(heading, &line);
    }
    if let Some(ahead) = ahead {
        ahead.estimated(&mut lines);
    }
    money_notes(report, &mut lines);
    failures(report, &[], &mut lines);
    doubtful(report, &mut lines);
    rejected(report, &mut lines);
    to_pick(report, &mut lines);
    if let Some(ahead) = ahead {
        ahead.left(&mut lines);
    }
    lines.text
}

/// Returns what a campaign has cost so far: by step, by model, and in all.
///
/// # Errors
/// [`MoneyError::Overflow`] if a share does not fit.
pub fn costs_table(report: &RunReport<'_>, width: usize, color: bool) -> Result<String, MoneyError> {
    let mut lines = Notes { text: heading(report, color), width, color };
    let spending = || report.spending.iter().filter(|spent| spent.attempts > 0);
    for (by, heading) in [("step", "step"), ("model", "model")] {
        let mut table = Table::new(vec![
            words(heading, Some(8)),
            numbers("tries"),
            numbers("in use"),
            numbers("quoted"),
            numbers("charged"),
            numbers("refunded"),
            numbers("released"),
            numbers("in doubt"),
            numbers("each"),
            numbers("factor"),
        ]);
        for group in report.groups.iter().filter(|group| group.by == by) {
            for spent in &group.spending {
                table.row(cost_cells(&named(group, spent, report), spent)?);
            }
        }
        for spent in spending().filter(|_| by == "step") {
            table.totals(cost_cells("total", spent)?);
        }
        table.drop_if_empty(&["refunded", "released", "in doubt"]);
        lines.text.push_str(&table.render(width, color));
        lines.text.push('\n');
    }
    money_notes(report, &mut lines);
    lines.say("", "quoted and charged count all tries; each: what was charged for each picture in use; factor: paid tries for each of them");
    Ok(lines.text)
}

/// Returns a group's name, with the currency where the campaign has more than one.
fn named(group: &Group, spent: &Spending, report: &RunReport<'_>) -> String {
    if report.spending.iter().filter(|spent| spent.attempts > 0).count() > 1 {
        format!("{} ({})", group.name, spent.currency)
    } else {
        group.name.clone()
    }
}

fn cost_cells(name: &str, spent: &Spending) -> Result<Vec<String>, MoneyError> {
    let shown = |micros: Micros| if micros == Micros::ZERO { "-".to_owned() } else { number(micros) };
    let optional = |micros: Option<Micros>| micros.map_or("-".to_owned(), number);
    Ok(vec![
        name.to_owned(),
        count(spent.attempts),
        count(spent.in_use),
        shown(spent.quoted),
        shown(spent.charged),
        shown(spent.refunded),
        shown(spent.released),
        shown(spent.in_doubt),
        optional(spent.per_picture()?),
        optional(spent.factor()?),
    ])
}

fn heading(report: &RunReport<'_>, color: bool) -> String {
    let name = styled(&visible(&report.plan.campaign), Style::new().bold(), color);
    let stage = if report.is_rehearsal { ", rehearsed: nothing was spent, amounts are as if paid" } else { "" };
    format!("{name}{stage}\n\n")
}

/// Tells the money of the campaign so far.
fn money_notes(report: &RunReport<'_>, lines: &mut Notes) {
    if report.rows.is_empty() {
        let done =
            if report.done().0 > 0 { "nothing was paid for: what is done was made here, or bought by another campaign" } else { "nothing has run" };
        return lines.say("so far", done);
    }
    for (place, spent) in report.spending.iter().enumerate().filter(|(place, spent)| *place == 0 || spent.attempts > 0) {
        lines.say(if place == 0 { "so far" } else { "" }, &so_far_words(report, spent));
    }
    if let Some(sentence) = report.without_price() {
        lines.warn("no price", &sentence);
    }
    for model in deviating_models(&report.groups).iter().filter(|_| has_several_models(&report.groups)) {
        lines.warn("quoted", model);
    }
    let book = &report.quotes.book().currency;
    if let Ok(never_paid) = report.reused.never_paid()
        && never_paid.pictures > 0
    {
        let saved = sum_words(book, never_paid.saved);
        lines.say("saved", &format!("{} that this campaign never paid for; they would cost {saved}", counted(never_paid.pictures, "picture")));
    }
    if let Some(each) = report.per_final {
        lines.say("per final", &per_final_words(book, each, report.finals.0));
    }
    if let Some(factor) = report.factor_seen {
        lines.say("factor", &factor_words(factor));
    }
}

/// Returns what the campaign has paid so far in one currency.
pub(super) fn so_far_words(report: &RunReport<'_>, spent: &Spending) -> String {
    let attempts = super::told::counted_tries(spent.attempts, "");
    let mut parts = vec![format!(
        "{} charged for {attempts} in {}",
        with_usd(report, &spent.currency, spent.charged),
        counted(runs_in(report, &spent.currency), "run")
    )];
    parts.extend(quoted_words(spent));
    parts.extend(open_words(spent));
    parts.join("; ")
}

fn runs_in(report: &RunReport<'_>, currency: &Currency) -> usize {
    report.runs.iter().filter(|run| run.spending.iter().any(|spent| spent.currency == *currency)).count()
}

/// Returns what each final has cost.
pub(super) fn per_final_words(currency: &Currency, each: Micros, finals: usize) -> String {
    format!("{} for each of {} done, all that was paid so far included", money(currency, each), counted(finals, "final"))
}

/// Returns the factor that was seen.
pub(super) fn factor_words(factor: Micros) -> String {
    let tries = if factor == Micros::units(1) { "try" } else { "tries" };
    format!("{} paid {tries} for each picture in use", number(factor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn status_counts_shots_by_step_and_money() {
        let ran = sample::ran();
        let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, None).expect("small sums");
        insta::assert_snapshot!(status(&report, None, 80, false), @r"
        spring-drop

        step     shots  done  failed  in doubt  waiting  to do
        hero         2     1       1         -        -      -
        surface      6     2       -         1        3      -
        deliver      6     2       -         -        4      -
        total       14     5       1         1        7      -

        so far     18 credits ($0.09) charged for 6 tries in 2 runs; as quoted; 12
                   credits refunded; 6 credits in doubt
        per final  9 credits for each of 2 finals done, all that was paid so far
                   included
        factor     1 paid try for each picture in use
        failed     hero[sku=mug]: refused (moderation) after 1 try: not allowed:
                   \u{1b}[31mred; 6 shots wait for it
        in doubt   surface[sku=teapot,surface=linen]: 6 credits held until it is
                   settled; 1 shot waits for it
        ");
        let narrowed = report.narrowed(|ix| ran.plan.job(ix).step < 2);
        insta::assert_snapshot!(status(&narrowed, None, 80, false).lines().take(7).collect::<Vec<_>>().join("\n"), @"
        spring-drop

        step     shots  done  failed  in doubt  waiting  to do  left out
        hero         2     1       1         -        -      -         -
        surface      6     2       -         1        3      -         -
        deliver      -     -       -         -        -      -         6
        total        8     3       1         1        3      -         6
        ");
    }

    #[test]
    fn costs_stand_by_step_and_by_model() {
        let ran = sample::ran();
        let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, None).expect("small sums").rehearsed();
        insta::assert_snapshot!(costs_table(&report, 80, false).expect("small sums"), @"
        spring-drop, rehearsed: nothing was spent, amounts are as if paid

        step     tries  in use  quoted  charged  refunded  in doubt  each  factor
        hero         3       1      18        6        12         -     6       1
        surface      3       2      18       12         -         6     6       1
        total        6       3      36       18        12         6     6       1

        model        tries  in use  quoted  charged  refunded  in doubt  each  factor
        gpt-image-2      6       3      36       18        12         6     6       1

        so far     18 credits ($0.09) charged for 6 tries in 2 runs; as quoted; 12
                   credits refunded; 6 credits in doubt
        per final  9 credits for each of 2 finals done, all that was paid so far
                   included
        factor     1 paid try for each picture in use
                   quoted and charged count all tries; each: what was charged for each
                   picture in use; factor: paid tries for each of them
        ");
    }
}
