//! What several views tell in the same words: money, deviations, failures, doubts.
//!
//! In: [`RunReport`], [`Spending`]. Out: sentences without a full stop, not yet escaped for where they are going to stand.
//! Never: a shot that waits for a failed one told as a failure of its own.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::run_report::{RunReport, Shot};
use super::spending::{Group, Spending};
use super::text::money;
use crate::ledger::JobState;
use crate::plan::JobIx;
use crate::types::{Amount, Billed, Currency, Failure, FailureClass, Micros};

/// Returns an amount, and what it is in USD where the book states a rate.
pub(super) fn with_usd(report: &RunReport<'_>, currency: &Currency, micros: Micros) -> String {
    let amount = Amount::new(currency.clone(), micros);
    match report.quotes.book().usd(&amount).filter(|_| *currency != Currency::Usd) {
        Some(usd) => format!("{} ({})", money(currency, micros), money(&Currency::Usd, usd)),
        None => money(currency, micros),
    }
}

/// Returns how the charges stand to the quotes; `None` when nothing was paid for.
pub(super) fn quoted_words(spent: &Spending) -> Option<String> {
    if spent.paid == 0 {
        return None;
    }
    if spent.differing() == 0 {
        return Some("as quoted".to_owned());
    }
    let verb = if spent.differing() == 1 { "was" } else { "were" };
    Some(format!("{} of {} {verb} charged other than quoted: {}", spent.differing(), counted_tries(spent.paid, "paid "), sides(spent)))
}

fn sides(spent: &Spending) -> String {
    let sides = [(spent.above, "above"), (spent.below, "below")].into_iter().filter(|(side, _)| side.tries > 0);
    sides.map(|(side, word)| format!("{} {word}", money(&spent.currency, side.micros))).collect::<Vec<_>>().join(", ")
}

/// Returns, for each model that was charged other than quoted, on which side and by how much.
pub(super) fn deviating_models(groups: &[Group]) -> Vec<String> {
    let models = groups.iter().filter(|group| group.by == "model");
    let told = models.flat_map(|model| model.spending.iter().map(move |spent| (model, spent))).filter(|(_, spent)| spent.differing() > 0);
    told.map(|(model, spent)| format!("{}: {} in {}", model.name, sides(spent), counted_tries(spent.differing(), ""))).collect()
}

/// Returns whether tries of more than one model are among them: else the sum of all says it.
pub(super) fn has_several_models(groups: &[Group]) -> bool {
    groups.iter().filter(|group| group.by == "model").count() > 1
}

/// Returns "1 try" or "3 tries", with a word in front of the noun.
pub(super) fn counted_tries(count: usize, kind: &str) -> String {
    if count == 1 { format!("1 {kind}try") } else { format!("{count} {kind}tries") }
}

/// Returns what is not spent: refunded, released, in doubt, under way.
pub(super) fn open_words(spent: &Spending) -> Vec<String> {
    let parts =
        [(spent.refunded, "refunded"), (spent.released, "released"), (spent.in_doubt, "in doubt"), (spent.reserved, "held by tries under way")];
    parts
        .into_iter()
        .filter(|(micros, _)| *micros > Micros::ZERO)
        .map(|(micros, what)| format!("{} {what}", money(&spent.currency, micros)))
        .collect()
}

/// Returns how many shots wait for each failed or doubtful one.
pub(super) fn waiting(report: &RunReport<'_>) -> BTreeMap<JobIx, usize> {
    let mut waiting = BTreeMap::new();
    for shot in &report.shots {
        if let Shot::Blocked(cause) = shot {
            *waiting.entry(*cause).or_insert(0) += 1;
        }
    }
    waiting
}

/// Returns how many shots wait for these, as the end of a sentence.
pub(super) fn waits_words(waiting: &BTreeMap<JobIx, usize>, shots: &[JobIx]) -> String {
    let them = if shots.len() == 1 { "it" } else { "them" };
    match shots.iter().filter_map(|ix| waiting.get(ix)).sum() {
        0 => String::new(),
        1 => format!("; 1 shot waits for {them}"),
        count => format!("; {count} shots wait for {them}"),
    }
}

/// Returns a failure in words.
pub(super) fn failure_words(failure: &Failure, attempts: u32) -> String {
    let tries = counted_tries(attempts as usize, "");
    let message = if failure.message.is_empty() { String::new() } else { format!(": {}", failure.message) };
    format!("{} ({}) after {tries}{message}{}", failure.class.as_str(), failure.code, billed_words(failure))
}

/// Returns what is open about the cost of a failure, as the end of a sentence.
fn billed_words(failure: &Failure) -> &'static str {
    match failure.billed {
        Billed::Maybe => "; the provider has not said whether it charged",
        Billed::No | Billed::Yes(_) => "",
    }
}

/// Shots that failed for one reason.
pub(super) struct Cause<'a> {
    /// What the first of them met.
    pub failure: &'a Failure,
    /// The shots, in the plan's order.
    pub shots: Vec<JobIx>,
    /// How many shots wait for them.
    pub waiting: usize,
}

/// Returns the failures of a campaign, those with one class and code together, the most frequent first.
pub(super) fn causes<'a>(report: &RunReport<'a>) -> Vec<Cause<'a>> {
    let waiting = waiting(report);
    let mut causes: IndexMap<(FailureClass, &str), Cause<'a>> = IndexMap::new();
    for ix in report.plan.indices().filter(|ix| report.shot(*ix) == Shot::Failed) {
        let JobState::Failed { failure, .. } = report.history.state(&report.plan.job(ix).key) else { continue };
        let cause = causes.entry((failure.class, &failure.code)).or_insert_with(|| Cause { failure, shots: Vec::new(), waiting: 0 });
        cause.shots.push(ix);
        cause.waiting += waiting.get(&ix).copied().unwrap_or(0);
    }
    let mut causes: Vec<Cause<'a>> = causes.into_values().collect();
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.shots.len()));
    causes
}

/// Returns how a failure is mended.
pub(super) fn mend(class: FailureClass) -> &'static str {
    match class {
        FailureClass::Throttled => "run again; a lower `run.concurrency` asks for less at once",
        FailureClass::Transient | FailureClass::Maintenance => "the service was not well: run again later",
        FailureClass::Ambiguous => "nobody knows whether it was accepted: look at the provider's own list",
        FailureClass::Failed => "the provider could not make it: run again for another try",
        FailureClass::Refused => "change the prompt, or the picture that it is made from: the same is refused again",
        FailureClass::Invalid => "the request is malformed: change the step, or the provider's manifest",
        FailureClass::Account => "mend the key or the credits, then run again",
        FailureClass::BadResult => "what came was no whole picture: run again",
        FailureClass::Local => "mend the disk or the file, then run again",
    }
}

/// Returns the shots in doubt, in the plan's order, with what each holds.
pub(super) fn doubts<'a>(report: &RunReport<'a>) -> impl Iterator<Item = (JobIx, &'a Amount)> {
    let (plan, history) = (report.plan, report.history);
    let shots = report.shots.clone();
    plan.indices().filter(move |ix| shots[ix.index()] == Shot::InDoubt).filter_map(move |ix| match history.state(&plan.job(ix).key) {
        JobState::InDoubt { reserved, .. } => Some((ix, reserved)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn deviations_are_told_in_all_and_by_model() {
        let mut ran = sample::ran();
        ran.attempts[1].charged = Some(Micros::units(8));
        ran.attempts[2].charged = Some(Micros::units(5));
        let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, None).expect("small sums");
        assert_eq!(
            quoted_words(&report.spending[0]).as_deref(),
            Some("2 of 3 paid tries were charged other than quoted: 2 credits above, 1 credit below")
        );
        assert_eq!(deviating_models(&report.groups), ["gpt-image-2: 2 credits above, 1 credit below in 2 tries"]);
    }

    #[test]
    fn failures_of_one_kind_are_one_cause() {
        let ran = sample::ran();
        let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, None).expect("small sums");
        let causes = causes(&report);
        assert_eq!(causes.len(), 1);
        assert_eq!((causes[0].shots.as_slice(), causes[0].waiting), ([JobIx(1)].as_slice(), 6));
    }

    #[test]
    fn a_charge_that_the_provider_has_not_told_is_said_to_be_open() {
        let failure = Failure { billed: Billed::Maybe, ..Failure::new(FailureClass::Failed, "501", "") };
        assert_eq!(failure_words(&failure, 2), "failed (501) after 2 tries; the provider has not said whether it charged");
    }
}
