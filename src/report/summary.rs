//! What a run has done, and where a campaign stands, as text for a terminal.
//!
//! In: [`RunReport`], what the plan had said, where the files are. Out: text.
//! Never: a shot that waits for a failed one told as a failure of its own.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anstyle::Style;

use super::run_report::{RunReport, Shot, Spending};
use super::text::{Notes, Table, count, money, number, numbers, styled, sum_words, words};
use crate::ledger::JobState;
use crate::plan::JobIx;
use crate::pricing::Estimate;
use crate::types::diagnostic::counted;
use crate::types::{Currency, Failure, Micros, visible};

/// What the summary of a run shows besides the report.
#[derive(Debug, Clone)]
pub struct RunView<'a> {
    /// The report after the run.
    pub report: &'a RunReport<'a>,
    /// What the plan had said before the run.
    pub estimate: &'a Estimate,
    /// Shots whose local work failed in this run, and why.
    pub local_failures: &'a [(JobIx, String)],
    /// Whether the run ended before it had tried all that it was asked for.
    pub is_cut_short: bool,
    /// What to say when a cap has ended it.
    pub cap_stop: Option<&'a CapStop>,
    /// The output folder, as the user would type it.
    pub out: &'a str,
    /// What follows `callsheet run` on the command line: the campaign's file and what changes its plan.
    pub campaign_file: &'a str,
}

/// A run that a cap has stopped before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapStop {
    /// What to know, each with its label.
    pub lines: Vec<(String, String)>,
    /// What to type next.
    pub next: String,
}

/// Most failures, and shots in doubt, that are told one by one.
const MOST_TOLD: usize = 10;

/// Returns what a run has made, what it cost, what failed and what to do next.
pub fn run_summary(view: &RunView<'_>, width: usize, color: bool) -> String {
    let report = view.report;
    let mut lines = Notes { text: String::new(), width, color };
    let (done, all) = totals(report);
    let made = report
        .last_run
        .as_ref()
        .map_or(0, |run| report.rows.iter().filter(|row| row.is_ours && row.attempt.run == *run && row.attempt.artifact.is_some()).count());
    let drawn = if view.report.is_rehearsal { "drawn, none bought" } else { "bought" };
    lines.say("made", &format!("{} {drawn}; {done} of {} done", counted(made, "picture"), counted(all, "shot")));
    cost(view, &mut lines);
    if let Some(sentence) = report.without_price() {
        lines.warn("no price", &sentence);
    }
    if report.reused > 0 {
        let saved = sum_words(&report.quotes.book().currency, report.saved);
        lines.say("reused", &format!("{}, which would cost {saved}", counted(report.reused, "picture")));
    }
    if let (Some(each), false) = (report.per_final, view.report.is_rehearsal) {
        let each = money(&report.quotes.book().currency, each);
        lines.say("per final", &format!("{each} for each of {} done, all tries so far included", counted(report.finals.0, "final")));
    }
    failures(report, view.local_failures, &mut lines);
    doubts(report, &mut lines);
    for (label, sentence) in view.cap_stop.map_or(&[][..], |stop| &stop.lines) {
        lines.warn(label, sentence);
    }
    lines.say("files", view.out);
    lines.say("next", &view.cap_stop.map_or_else(|| next(view), |stop| stop.next.clone()));
    lines.text
}

fn totals(report: &RunReport<'_>) -> (usize, usize) {
    report.steps.iter().fold((0, 0), |(done, all), step| (done + step.done, all + step.jobs))
}

fn cost(view: &RunView<'_>, lines: &mut Notes) {
    let report = view.report;
    let said = sum_words(&view.estimate.book.currency, view.estimate.totals.floor);
    for (place, spent) in report.last_spending.iter().enumerate().filter(|(place, spent)| *place == 0 || spent.attempts > 0) {
        let mut sentence = if view.report.is_rehearsal {
            format!("nothing; a real run would have been charged {}", money(&spent.currency, spent.charged))
        } else {
            format!("{} charged", with_usd(report, &spent.currency, spent.charged))
        };
        if place == 0 {
            let _ = write!(sentence, "; the floor was {said}");
        }
        if spent.refunded > Micros::ZERO {
            let _ = write!(sentence, "; {} held and given back", money(&spent.currency, spent.refunded));
        }
        lines.say("cost", &sentence);
        let ceiling = &view.estimate.totals.ceiling;
        if place == 0 && ceiling.is_exact() && spent.charged > ceiling.micros {
            lines.warn(
                "cost",
                &format!(
                    "this is above the ceiling of {}: the provider charged more than its price book says",
                    money(&spent.currency, ceiling.micros)
                ),
            );
        }
    }
}

fn with_usd(report: &RunReport<'_>, currency: &Currency, micros: Micros) -> String {
    let amount = crate::types::Amount::new(currency.clone(), micros);
    match report.quotes.book().usd(&amount).filter(|_| *currency != Currency::Usd) {
        Some(usd) => format!("{} ({})", money(currency, micros), money(&Currency::Usd, usd)),
        None => money(currency, micros),
    }
}

/// Tells every failure once, and how many shots wait for it.
fn failures(report: &RunReport<'_>, local: &[(JobIx, String)], lines: &mut Notes) {
    let waiting = waiting(report);
    let mut causes: Vec<(JobIx, String)> = local.to_vec();
    for ix in report.plan.indices() {
        if let (Shot::Failed, JobState::Failed { attempt, failure }) = (report.shot(ix), report.history.state(&report.plan.job(ix).key)) {
            causes.push((ix, failure_words(failure, attempt.0)));
        }
    }
    causes.sort_by_key(|(ix, _)| *ix);
    for (ix, why) in causes.iter().take(MOST_TOLD) {
        let waits = waits_words(&waiting, *ix);
        lines.warn("failed", &format!("{}: {why}{waits}", report.plan.id(*ix)));
    }
    if causes.len() > MOST_TOLD {
        lines.warn("", &format!("and {} more; `callsheet why SHOT` tells each", causes.len() - MOST_TOLD));
    }
}

/// Returns how many shots wait for each failed or doubtful one.
fn waiting(report: &RunReport<'_>) -> BTreeMap<JobIx, usize> {
    let mut waiting = BTreeMap::new();
    for shot in &report.shots {
        if let Shot::Blocked(cause) = shot {
            *waiting.entry(*cause).or_insert(0) += 1;
        }
    }
    waiting
}

fn failure_words(failure: &Failure, attempts: u32) -> String {
    let tries = if attempts == 1 { "1 try".to_owned() } else { format!("{attempts} tries") };
    let message = if failure.message.is_empty() { String::new() } else { format!(": {}", failure.message) };
    format!("{} ({}) after {tries}{message}", failure.class.as_str(), failure.code)
}

/// Returns how many shots wait for one, as the end of a sentence.
fn waits_words(waiting: &BTreeMap<JobIx, usize>, ix: JobIx) -> String {
    match waiting.get(&ix) {
        Some(1) => "; 1 shot waits for it".to_owned(),
        Some(count) => format!("; {count} shots wait for it"),
        None => String::new(),
    }
}

fn doubts(report: &RunReport<'_>, lines: &mut Notes) {
    let waiting = waiting(report);
    let mut doubtful = report.plan.indices().filter(|ix| report.shot(*ix) == Shot::InDoubt);
    for ix in doubtful.by_ref().take(MOST_TOLD) {
        let JobState::InDoubt { reserved, .. } = report.history.state(&report.plan.job(ix).key) else { continue };
        let waits = waits_words(&waiting, ix);
        lines.warn("in doubt", &format!("{}: {} held until it is settled{waits}", report.plan.id(ix), money(&reserved.currency, reserved.micros)));
    }
    let more = doubtful.count();
    if more > 0 {
        lines.warn("", &format!("and {more} more in doubt"));
    }
}

/// Returns what to type next.
fn next(view: &RunView<'_>) -> String {
    let has = |wanted: fn(&Shot) -> bool| view.report.shots.iter().any(wanted);
    let file = view.campaign_file;
    let failed = !view.local_failures.is_empty() || has(|shot| *shot == Shot::Failed);
    if has(|shot| *shot == Shot::InDoubt) {
        format!("callsheet run {file} --on-doubt resend (counts what is in doubt as spent and makes it again; without it, it stays held)")
    } else if failed || view.is_cut_short || !view.report.is_rehearsal && has(|shot| *shot != Shot::Done) {
        format!("callsheet run {file} (takes up where this run stopped; what is paid is not paid again)")
    } else {
        format!("open {}/index.html", view.out.trim_end_matches('/'))
    }
}

/// Returns where a campaign stands: shots by step, and money.
pub fn status(report: &RunReport<'_>, width: usize, color: bool) -> String {
    let mut table = Table::new(vec![
        words("step", Some(8)),
        numbers("shots"),
        numbers("done"),
        numbers("failed"),
        numbers("in doubt"),
        numbers("under way"),
        numbers("waiting"),
        numbers("to do"),
    ]);
    let mut sums = [0; 7];
    for step in &report.steps {
        let counts = [step.jobs, step.done, step.failed, step.in_doubt, step.under_way, step.blocked, step.to_do];
        sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        table.row(std::iter::once(step.name.to_string()).chain(counts.map(count)).collect());
    }
    table.totals(std::iter::once("total".to_owned()).chain(sums.map(count)).collect());
    table.drop_if_empty(&["failed", "in doubt", "under way", "waiting"]);
    let mut text = styled(&visible(&report.plan.campaign), Style::new().bold(), color);
    text.push_str("\n\n");
    text.push_str(&table.render(width, color));
    text.push('\n');
    let mut lines = Notes { text, width, color };
    for (place, spent) in report.spending.iter().enumerate().filter(|(place, spent)| *place == 0 || spent.attempts > 0) {
        lines.say(if place == 0 { "spent" } else { "" }, &spending_words(report, spent));
    }
    if let Some(sentence) = report.without_price() {
        lines.warn("no price", &sentence);
    }
    if let Some(each) = report.per_final {
        lines.say("per final", &format!("{}, over {} done", money(&report.quotes.book().currency, each), counted(report.finals.0, "final")));
    }
    if let Some(factor) = report.factor_seen {
        lines.say("factor", &format!("{} paid tries a picture", number(factor)));
    }
    failures(report, &[], &mut lines);
    doubts(report, &mut lines);
    lines.text
}

fn spending_words(report: &RunReport<'_>, spent: &Spending) -> String {
    let mut sentence = format!("{} in {}", with_usd(report, &spent.currency, spent.charged), counted(spent.attempts, "attempt"));
    for (micros, what) in [(spent.reserved, "reserved"), (spent.in_doubt, "in doubt"), (spent.refunded, "given back")] {
        if micros > Micros::ZERO {
            let _ = write!(sentence, ", {} {what}", money(&spent.currency, micros));
        }
    }
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::Budget;
    use crate::ledger::History;
    use crate::pricing::{Committed, estimate, sample as plans};
    use crate::report::sample;

    fn summary(ran: &sample::Ran, is_rehearsal: bool, local: &[(JobIx, String)]) -> String {
        let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, Some(sample::run_id())).expect("small sums");
        let report = if is_rehearsal { report.rehearsed() } else { report };
        let work = plans::all_work(&ran.plan, &History::default());
        let estimate = estimate(&ran.plan, &work, &ran.quotes, &Budget::default(), 2, &Committed::default()).expect("small sums");
        let view = RunView {
            report: &report,
            estimate: &estimate,
            local_failures: local,
            is_cut_short: false,
            cap_stop: None,
            out: "out/spring-drop",
            campaign_file: "campaigns/spring-drop.yaml",
        };
        run_summary(&view, 80, false)
    }

    #[test]
    fn a_run_is_summed_up_with_every_cause_named_once() {
        insta::assert_snapshot!(summary(&sample::ran(), false, &[]), @r"
        made       2 pictures bought; 5 of 14 shots done
        cost       12 credits ($0.06) charged; the floor was 48 credits; 12 credits held
                   and given back
        reused     1 picture, which would cost 6 credits
        per final  9 credits for each of 2 finals done, all tries so far included
        failed     hero[sku=mug]: refused (moderation) after 1 try: not allowed:
                   \u{1b}[31mred; 6 shots wait for it
        in doubt   surface[sku=teapot,surface=linen]: 6 credits held until it is
                   settled; 1 shot waits for it
        files      out/spring-drop
        next       callsheet run campaigns/spring-drop.yaml --on-doubt resend (counts
                   what is in doubt as spent and makes it again; without it, it stays
                   held)
        ");
    }

    #[test]
    fn a_rehearsal_says_that_nothing_was_spent() {
        let mut ran = sample::ran();
        plans::done(&mut ran.history, &ran.plan, JobIx(1));
        plans::done(&mut ran.history, &ran.plan, JobIx(4));
        insta::assert_snapshot!(summary(&ran, true, &[(JobIx(10), "`deliver`: no space left".to_owned())]), @r"
        made       2 pictures drawn, none bought; 7 of 14 shots done
        cost       nothing; a real run would have been charged 12 credits; the floor was
                   48 credits; 12 credits held and given back
        reused     3 pictures, which would cost 18 credits
        failed     deliver[sku=teapot,surface=linen]: `deliver`: no space left
        files      out/spring-drop
        next       callsheet run campaigns/spring-drop.yaml (takes up where this run
                   stopped; what is paid is not paid again)
        ");
    }

    #[test]
    fn status_counts_shots_by_step_and_money() {
        let ran = sample::ran();
        let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, None).expect("small sums");
        insta::assert_snapshot!(status(&report, 80, false), @r"
        spring-drop

        step     shots  done  failed  in doubt  waiting  to do
        hero         2     1       1         -        -      -
        surface      6     2       -         1        3      -
        deliver      6     2       -         -        4      -
        total       14     5       1         1        7      -

        spent      18 credits ($0.09) in 6 attempts, 6 credits in doubt, 12 credits
                   given back
        per final  9 credits, over 2 finals done
        factor     1 paid tries a picture
        failed     hero[sku=mug]: refused (moderation) after 1 try: not allowed:
                   \u{1b}[31mred; 6 shots wait for it
        in doubt   surface[sku=teapot,surface=linen]: 6 credits held until it is
                   settled; 1 shot waits for it
        ");
    }

    #[test]
    fn no_control_character_of_a_vendor_reaches_the_terminal() {
        let ran = sample::ran();
        let text = summary(&ran, false, &[(JobIx(9), "\u{9b}2J\r\u{202e}".to_owned())]);
        assert!(!text.contains(['\u{1b}', '\u{9b}', '\r', '\u{202e}']), "{text}");
    }
}
