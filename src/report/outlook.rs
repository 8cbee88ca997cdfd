//! What is ahead of a campaign: what it was to cost, what is left to buy, what to type next.
//!
//! In: [`RunReport`], the estimate of what is left, that of the whole. Out: lines of a terminal. Never: a command that would be refused
//! without a word of why.

use super::run_report::{RunReport, Shot};
use super::summary::{RunView, next_after};
use super::text::{Notes, sum, sum_words};
use crate::pricing::{Verdict, Whole};
use crate::types::Micros;

/// What stands behind the lines.
pub struct Ahead<'a> {
    /// The report, what is left to buy, and the words of commands.
    pub view: RunView<'a>,
    /// Every shot once, made or not.
    pub whole: Whole,
    /// What the gate would say to a run now.
    pub verdict: &'a Verdict,
}

impl Ahead<'_> {
    /// Tells what the whole was to cost, beside what was paid so far.
    pub(super) fn estimated(&self, lines: &mut Notes) {
        if self.whole.floor.micros == Micros::ZERO {
            return;
        }
        let estimate = self.view.estimate;
        let currency = &estimate.book.currency;
        let expected = match &estimate.factor {
            Some((name, _)) if self.whole.expected != self.whole.floor => format!("; {} expected ({name})", sum(self.whole.expected)),
            _ => String::new(),
        };
        lines.say("estimate", &format!("{} for every shot once{expected}", sum_words(currency, self.whole.floor)));
    }

    /// Tells what is left and what to type.
    pub(super) fn left(&self, report: &RunReport<'_>, lines: &mut Notes) {
        let totals = &self.view.estimate.totals;
        let currency = &self.view.estimate.book.currency;
        if totals.floor.micros > Micros::ZERO {
            let later = if totals.later.micros > Micros::ZERO { format!("; {} more once it is chosen", sum(totals.later)) } else { String::new() };
            let floor = sum_words(currency, totals.floor);
            lines.say("to finish", &format!("{floor} at one try for each shot, in one run at most {}{later}", sum(totals.ceiling)));
        } else if totals.later.micros > Micros::ZERO {
            lines.say("to finish", &format!("{} at one try for each shot, once it is chosen what from", sum_words(currency, totals.later)));
        }
        let has_work = report.shots.iter().any(|shot| !matches!(shot, Shot::Done | Shot::LeftOut));
        for refusal in self.verdict.refusals.iter().filter(|_| has_work) {
            lines.refuse("refused", &format!("a run would send nothing: {refusal}"));
        }
        lines.say("next", &self.next(report, has_work));
    }

    fn next(&self, report: &RunReport<'_>, has_work: bool) -> String {
        let run = format!("callsheet run {}", self.view.campaign_file);
        let is_doubtful = report.shots.contains(&Shot::InDoubt);
        if has_work && !self.verdict.refusals.is_empty() {
            let first = if is_doubtful { format!("{} (ends doubt by evidence or by your word), then ", self.view.settle) } else { String::new() };
            return format!("{first}{run}, once what refuses it is mended: a higher cap (`--cap`), a price, or fewer shots (`--only`, `--until`)");
        }
        if report.rows.is_empty() && report.done().0 == 0 {
            return run;
        }
        if !is_doubtful && report.shots.contains(&Shot::UnderWay) {
            return format!("{run} (asks after what is under way and fetches it, for nothing; then goes on)");
        }
        next_after(&self.view, "the last run")
    }
}
