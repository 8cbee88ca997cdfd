//! What is ahead of a campaign: what it was to cost, what is left to buy, what to type next.
//!
//! In: [`RunReport`], the estimate of what is left, that of the whole. Out: lines of a terminal. Never: a command that would be refused
//! without a word of why.

use super::next::next_after;
use super::run_report::Shot;
use super::summary::RunView;
use super::text::{Notes, sum, sum_words};
use crate::pricing::{Refusal, Verdict, Whole};
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
    pub(super) fn left(&self, lines: &mut Notes) {
        let totals = &self.view.estimate.totals;
        let currency = &self.view.estimate.book.currency;
        if totals.floor.micros > Micros::ZERO {
            let later = if totals.later.micros > Micros::ZERO { format!("; {} more once it is chosen", sum(totals.later)) } else { String::new() };
            let floor = sum_words(currency, totals.floor);
            lines.say("to finish", &format!("{floor} at one try for each shot, in one run at most {}{later}", sum(totals.ceiling)));
        } else if totals.later.micros > Micros::ZERO {
            lines.say("to finish", &format!("{} at one try for each shot, once it is chosen what from", sum_words(currency, totals.later)));
        }
        for refusal in self.refusals() {
            lines.refuse("refused", &format!("a run would send nothing: {refusal}"));
        }
        lines.say("next", &self.next());
    }

    /// Returns why a run would send nothing; nothing where there is nothing to send.
    pub(super) fn refusals(&self) -> impl Iterator<Item = &Refusal> {
        let has_work = self.has_work();
        self.verdict.refusals.iter().filter(move |_| has_work)
    }

    fn has_work(&self) -> bool {
        self.view.report.shots.iter().any(|shot| !matches!(shot, Shot::Done | Shot::LeftOut))
    }

    /// Returns what to type next, and in parentheses what that does.
    pub(super) fn next(&self) -> String {
        let report = self.view.report;
        let run = format!("callsheet run {}", self.view.campaign_file);
        let is_doubtful = report.shots.contains(&Shot::InDoubt);
        if self.has_work() && !self.verdict.refusals.is_empty() {
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

#[cfg(test)]
mod tests {
    use crate::campaign::Budget;
    use crate::ledger::{AttemptStatus, History};
    use crate::plan::JobIx;
    use crate::pricing::sample as plans;
    use crate::report::{sample, status};

    /// What `status` says of the sample, under this budget.
    fn said(ran: &sample::Ran, budget: &Budget) -> String {
        let text = sample::ahead(ran, budget, |ahead| status(ahead.view.report, Some(ahead), 100, false));
        let wanted = ["estimate", "so far", "to finish", "refused", "next"];
        // Lines that go on begin with blanks.
        let mut is_wanted = false;
        let kept = text.lines().filter(|line| {
            is_wanted = wanted.iter().any(|word| line.starts_with(word)) || (is_wanted && line.starts_with(' '));
            is_wanted
        });
        kept.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_campaign_says_what_it_was_to_cost_what_is_left_and_what_to_type() {
        let mut ran = sample::ran();
        insta::assert_snapshot!(said(&ran, &Budget::default()), @r"
        estimate   48 credits for every shot once
        so far     18 credits ($0.09) charged for 6 tries in 2 runs; as quoted; 12 credits refunded; 6
                   credits in doubt
        to finish  24 credits at one try for each shot, in one run at most 48
        next       callsheet reconcile spring.yaml (ends doubt by evidence or by your word), or else
                   callsheet run spring.yaml --on-doubt resend (counts it as spent and makes it again)
        ");
        // With the doubt settled and a cap that does not pay for the rest.
        ran.history.jobs.retain(|_, known| !matches!(known.state, crate::ledger::JobState::InDoubt { .. }));
        insta::assert_snapshot!(said(&ran, &plans::capped(5)), @r"
        estimate   48 credits for every shot once
        so far     18 credits ($0.09) charged for 6 tries in 2 runs; as quoted; 12 credits refunded; 6
                   credits in doubt
        to finish  30 credits at one try for each shot, in one run at most 5
        refused    a run would send nothing: the floor of 30 credits is above the campaign's cap of 5
                   credits by 25 credits
        next       callsheet run spring.yaml, once what refuses it is mended: a higher cap (`--cap`), a
                   price, or fewer shots (`--only`, `--until`)
        ");
    }

    #[test]
    fn a_campaign_that_never_ran_or_is_done_is_told_so() {
        let mut ran = sample::ran();
        (ran.history, ran.attempts) = (History::default(), Vec::new());
        insta::assert_snapshot!(said(&ran, &Budget::default()), @r"
        estimate   48 credits for every shot once
        so far     nothing has run
        to finish  48 credits at one try for each shot, in one run at most 96
        next       callsheet run spring.yaml
        ");
        for ix in ran.plan.indices().collect::<Vec<JobIx>>() {
            plans::done(&mut ran.history, &ran.plan, ix);
        }
        ran.attempts = vec![sample::attempt(&ran.plan, JobIx(0), 1, AttemptStatus::Done)];
        insta::assert_snapshot!(said(&ran, &Budget::default()), @r"
        estimate   48 credits for every shot once
        so far     6 credits ($0.03) charged for 1 try in 1 run; as quoted
        next       open out/spring-drop/index.html
        ");
    }
}
