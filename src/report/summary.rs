//! What a run has done, as text for a terminal.
//!
//! In: [`RunReport`], what the plan had said, where the files are. Out: text. What the run paid and what the campaign has paid so far
//! stand in lines of their own. Never: a shot that waits for a failed one told as a failure of its own.

use std::fmt::Write as _;

use indexmap::IndexMap;

use super::next::next_after;
use super::rejects::{rejects, unmet};
use super::run_report::{RunReport, Shot};
use super::spending::Spending;
use super::status::{factor_words, per_final_words, so_far_words};
use super::text::{Notes, money, sum_words};
use super::told::{deviating_models, doubts, failure_words, has_several_models, open_words, quoted_words, waiting, waits_words, with_usd};
use crate::ledger::JobState;
use crate::plan::JobIx;
use crate::pricing::Estimate;
use crate::types::diagnostic::{counted, listed};
use crate::types::{Micros, RunId};

/// Why a run ended before it had tried all that it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// The user asked for it.
    Interrupted,
    /// The next reservation did not fit under a cap.
    Cap(CapStop),
    /// So many shots failed.
    Failures(usize),
    /// So many rounds of requests in a row got no clear answer.
    Doubts(u32),
    /// The account was refused: the provider's words.
    Account(String),
}

/// What is to be said of a run that a cap has stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapStop {
    /// What to know, each with its label.
    pub lines: Vec<(String, String)>,
    /// What to type next.
    pub next: String,
}

/// What the summary of a run shows besides the report.
#[derive(Debug, Clone)]
pub struct RunView<'a> {
    /// The report after the run, narrowed to the shots that were asked for.
    pub report: &'a RunReport<'a>,
    /// What the plan had said before the run.
    pub estimate: &'a Estimate,
    /// Shots whose local work failed in this run, and why.
    pub local_failures: &'a [(JobIx, String)],
    /// Why the run ended early, if it did.
    pub stopped: Option<Stopped>,
    /// The output folder, as the user would type it.
    pub out: &'a str,
    /// What follows `callsheet run` on the command line: the campaign's file and what changes its plan.
    pub campaign_file: &'a str,
    /// The command that settles what is in doubt.
    pub settle: &'a str,
    /// How batches stand that the run has sent or asked after, one sentence each.
    pub batches: &'a [String],
    /// The command that shows what there is to choose from.
    pub review: &'a str,
}

/// Most failures, and shots in doubt, that are told one by one.
const MOST_TOLD: usize = 10;

/// Most shots that are named of those that failed alike.
const MOST_NAMED: usize = 3;

/// Returns what a run has made, what it cost, what failed and what to do next.
pub fn run_summary(view: &RunView<'_>, width: usize, color: bool) -> String {
    let report = view.report;
    let mut lines = Notes { text: String::new(), width, color };
    lines.say("made", &made_words(report));
    this_run(view, &mut lines);
    reused(report, &mut lines);
    so_far(report, &mut lines);
    failures(report, view.local_failures, &mut lines);
    doubtful(report, &mut lines);
    rejected(report, &mut lines);
    to_pick(report, &mut lines);
    if let Some(stopped) = &view.stopped {
        for (label, sentence) in stopped_lines(stopped) {
            lines.warn(&label, &sentence);
        }
    }
    if let Some(sentence) = report.without_price() {
        lines.warn("no price", &sentence);
    }
    for (place, batch) in view.batches.iter().enumerate() {
        lines.say(if place == 0 { "batch" } else { "" }, batch);
    }
    lines.say("files", view.out);
    lines.say("next", &next_after(view, "this run"));
    lines.text
}

fn made_words(report: &RunReport<'_>) -> String {
    let of_run = |run: &RunId| report.rows.iter().filter(|row| row.is_ours && row.attempt.run == *run && row.attempt.artifact.is_some()).count();
    let made = report.last_run.as_ref().map_or(0, of_run);
    let how = if report.is_rehearsal { "drawn, none bought" } else { "bought" };
    let (done, all) = report.done();
    let left_out: usize = report.steps.iter().map(|step| step.left_out).sum();
    let rest = if left_out == 0 { String::new() } else { format!(", {left_out} more not asked for") };
    format!("{} {how}; {done} of {} done{rest}", counted(made, "picture"), counted(all, "shot"))
}

/// Tells what this run alone was charged, and how that stands to what the plan had said.
fn this_run(view: &RunView<'_>, lines: &mut Notes) {
    let report = view.report;
    let said = sum_words(&view.estimate.book.currency, view.estimate.totals.floor);
    for (place, spent) in report.last_spending.iter().enumerate().filter(|(place, spent)| *place == 0 || spent.attempts > 0) {
        let mut parts = vec![charged_words(report, spent)];
        parts.extend(open_words(spent));
        if place == 0 {
            parts.push(format!("the floor was {said}"));
        }
        lines.say(if place == 0 { "this run" } else { "" }, &parts.join("; "));
        let ceiling = &view.estimate.totals.ceiling;
        if place == 0 && ceiling.is_exact() && spent.charged > ceiling.micros {
            let limit = money(&spent.currency, ceiling.micros);
            lines.warn("", &format!("this is above the ceiling of {limit}: the provider charged more than its price book says"));
        }
    }
    for model in deviating_models(&report.last_groups).iter().filter(|_| has_several_models(&report.last_groups)) {
        lines.warn("quoted", model);
    }
}

fn charged_words(report: &RunReport<'_>, spent: &Spending) -> String {
    let amount = with_usd(report, &spent.currency, spent.charged);
    let how = quoted_words(spent).map(|how| format!(", {how}")).unwrap_or_default();
    if report.is_rehearsal { format!("nothing spent; a real run would have been charged {amount}{how}") } else { format!("{amount} charged{how}") }
}

/// Tells what this run did not pay, because it was there.
fn reused(report: &RunReport<'_>, lines: &mut Notes) {
    let Ok(all) = report.reused.total() else { return };
    if all.pictures == 0 {
        return;
    }
    let saved = sum_words(&report.quotes.book().currency, all.saved);
    let (verb, them) = if all.pictures == 1 { ("was", "it") } else { ("were", "them") };
    let pictures = counted(all.pictures, "picture");
    let mut sentence = match report.reused.fetched {
        0 => format!("{pictures} {verb} there before this run; to make {them} again would cost {saved}"),
        fetched => {
            format!("{pictures} {verb} paid for before this run, which has fetched {fetched} of them; to make {them} again would cost {saved}")
        }
    };
    let whose = [(report.reused.others.pictures, "paid by other campaigns"), (report.reused.twins.pictures, "the same as another shot's")];
    for (count, who) in whose.into_iter().filter(|(count, _)| *count > 0) {
        let _ = write!(sentence, "; {count} of them {who}");
    }
    lines.say("reused", &sentence);
}

/// Tells what all runs of the campaign have paid, where that is another thing than this run.
fn so_far(report: &RunReport<'_>, lines: &mut Notes) {
    let as_if = if report.is_rehearsal { "as if paid: " } else { "" };
    if report.runs.iter().any(|run| report.last_run.as_ref() != Some(&run.run)) {
        for (place, spent) in report.spending.iter().enumerate().filter(|(_, spent)| spent.attempts > 0) {
            lines.say(if place == 0 { "so far" } else { "" }, &format!("{as_if}{}", so_far_words(report, spent)));
        }
    }
    if let Some(each) = report.per_final {
        lines.say("per final", &format!("{as_if}{}", per_final_words(&report.quotes.book().currency, each, report.finals.0)));
    }
    if let Some(factor) = report.factor_seen.filter(|factor| *factor != Micros::units(1)) {
        lines.say("factor", &factor_words(factor));
    }
}

/// Tells every failure once, and how many shots wait for it.
pub(super) fn failures(report: &RunReport<'_>, local: &[(JobIx, String)], lines: &mut Notes) {
    let waiting = waiting(report);
    let mut causes: Vec<(JobIx, String)> = local.to_vec();
    for ix in report.plan.indices() {
        if let (Shot::Failed, JobState::Failed { attempt, failure }) = (report.shot(ix), report.history.state(&report.plan.job(ix).key)) {
            causes.push((ix, failure_words(failure, attempt.0)));
        }
    }
    causes.sort_by_key(|(ix, _)| *ix);
    // Forty shots that failed alike are one thing to mend.
    let mut alike: IndexMap<&str, Vec<JobIx>> = IndexMap::new();
    for (ix, why) in &causes {
        alike.entry(why).or_default().push(*ix);
    }
    for (why, shots) in alike.iter().take(MOST_TOLD) {
        let waits = waits_words(&waiting, shots);
        match shots.as_slice() {
            [one] => lines.warn("failed", &format!("{}: {why}{waits}", report.plan.id(*one))),
            many => {
                let named = listed(many.iter().map(|ix| report.plan.id(*ix).to_string()), MOST_NAMED);
                lines.warn("failed", &format!("{} ({named}): {why}{waits}", counted(many.len(), "shot")));
            }
        }
    }
    let told: usize = alike.values().take(MOST_TOLD).map(Vec::len).sum();
    if causes.len() > told {
        lines.warn("", &format!("and {} more; `callsheet why` tells of each", counted(causes.len() - told, "shot")));
    }
}

/// Tells every doubt by name, and what it holds.
pub(super) fn doubtful(report: &RunReport<'_>, lines: &mut Notes) {
    let waiting = waiting(report);
    let mut doubtful = doubts(report);
    for (ix, held) in doubtful.by_ref().take(MOST_TOLD) {
        let waits = waits_words(&waiting, &[ix]);
        lines.warn("in doubt", &format!("{}: {} held until it is settled{waits}", report.plan.id(ix), money(&held.currency, held.micros)));
    }
    let more = doubtful.count();
    if more > 0 {
        lines.warn("", &format!("and {more} more in doubt"));
    }
}

/// Tells every shot whose pictures were all turned down, and what its last one failed at.
pub(super) fn rejected(report: &RunReport<'_>, lines: &mut Notes) {
    let waiting = waiting(report);
    let unmet = unmet(report);
    for one in unmet.iter().take(MOST_TOLD) {
        let waits = waits_words(&waiting, &[one.job]);
        let left = match one.left {
            0 => "no reroll left".to_owned(),
            1 => "the next run pays for another".to_owned(),
            left => format!("the next run pays for up to {left} more"),
        };
        lines.warn("rejected", &format!("{}: {} ({} looked at, {left}){waits}", one.address, one.why, counted(one.pictures, "picture")));
    }
    if unmet.len() > MOST_TOLD {
        lines.warn("", &format!("and {} more; `callsheet why SHOT` tells each", unmet.len() - MOST_TOLD));
    }
    let kept = rejects(report);
    if let Some(first) = kept.first() {
        let by_you = kept.iter().filter(|reject| reject.by_person).count();
        let whose = if by_you > 0 { format!(", {by_you} of them by you") } else { String::new() };
        lines.say("kept", &format!("{} turned down{whose}, paid for and kept: {} ...", counted(kept.len(), "picture"), first.path));
    }
}

/// Tells how many choices are to be made, and what waits for them.
pub(super) fn to_pick(report: &RunReport<'_>, lines: &mut Notes) {
    let (cells, behind) = picks_open(report);
    if cells > 0 {
        let waits = match behind {
            0 => String::new(),
            1 => "; 1 shot waits for it".to_owned(),
            behind => format!("; {behind} shots wait for that"),
        };
        let (now, come) = (ready_picks(report), if cells == 1 { "it comes" } else { "they come" });
        let when = match now {
            0 => format!("{} to make, once the pictures that {come} from are there", counted(cells, "choice")),
            now if now == cells => format!("{} to make", counted(cells, "choice")),
            now => format!("{} to make, for {now} of them pictures are there", counted(cells, "choice")),
        };
        lines.warn("to pick", &format!("{when}{waits}"));
    }
    let automatic = automatic_picks(report);
    if automatic > 0 {
        lines.say("picked", &format!("{} made by `--auto-pick`: nobody has looked", counted(automatic, "choice")));
    }
}

/// Returns how many choices `--auto-pick` has made.
pub(super) fn automatic_picks(report: &RunReport<'_>) -> usize {
    report.plan.picks.values().filter(|cell| cell.chosen.as_ref().is_some_and(|picked| picked.automatic.is_some())).count()
}

/// Returns for how many of the open choices a picture is there.
pub(super) fn ready_picks(report: &RunReport<'_>) -> usize {
    let is_open = |ix: JobIx| report.shot(ix) == Shot::ToPick;
    let is_ready = |cell: &crate::plan::PickCell| cell.candidates.iter().any(|candidate| report.shot(*candidate) == Shot::Done);
    report.plan.picks.iter().filter(|(ix, cell)| is_open(**ix) && is_ready(cell)).count()
}

/// Returns how many choices are open, and how many shots wait for them, later choices included.
pub(super) fn picks_open(report: &RunReport<'_>) -> (usize, usize) {
    let open = report.plan.indices().filter(|ix| report.shot(*ix) == Shot::ToPick);
    let waits = |ix: JobIx| report.plan.inputs(ix).iter().any(|input| report.shot(input.from) == Shot::ToPick);
    open.fold((0, 0), |(cells, behind), ix| if waits(ix) { (cells, behind + 1) } else { (cells + 1, behind) })
}

fn stopped_lines(stopped: &Stopped) -> Vec<(String, String)> {
    let why = match stopped {
        Stopped::Cap(stop) => return stop.lines.clone(),
        Stopped::Interrupted => "interrupted: no new shots, what was under way is finished".to_owned(),
        Stopped::Failures(count) => format!("after {}, as the campaign or `--fail-fast` asks for", counted(*count, "failed shot")),
        Stopped::Doubts(count) => format!("after {count} rounds of requests in a row without a clear answer: each of them may have been charged"),
        Stopped::Account(words) => format!("the account was refused: {words}"),
    };
    vec![("stopped".to_owned(), why)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::Budget;
    use crate::ledger::{AttemptStatus, History};
    use crate::pricing::{Committed, estimate, quotes, sample as plans};
    use crate::report::sample;

    fn summary(ran: &sample::Ran, is_rehearsal: bool, local: &[(JobIx, String)]) -> String {
        screen(ran, is_rehearsal, local, None, 80)
    }

    fn screen(ran: &sample::Ran, is_rehearsal: bool, local: &[(JobIx, String)], stopped: Option<Stopped>, width: usize) -> String {
        let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, Some(sample::run_id())).expect("small sums");
        let report = if is_rehearsal { report.rehearsed() } else { report };
        let work = plans::all_work(&ran.plan, &History::default());
        let estimate = estimate(&ran.plan, &work, &ran.quotes, &Budget::default(), 2, &Committed::default()).expect("small sums");
        let view = RunView {
            report: &report,
            estimate: &estimate,
            local_failures: local,
            stopped,
            out: "out/spring-drop",
            campaign_file: "campaigns/spring-drop.yaml",
            settle: "callsheet reconcile campaigns/spring-drop.yaml",
            batches: &[],
            review: "callsheet review campaigns/spring-drop.yaml",
        };
        run_summary(&view, width, false)
    }

    /// The sample with all of it done in one run: eight pictures for 6 each.
    fn all_done() -> sample::Ran {
        let mut ran = sample::ran();
        ran.attempts = (0..8).map(|ix| sample::attempt(&ran.plan, JobIx(ix), 1, AttemptStatus::Done)).collect();
        for ix in ran.plan.indices() {
            plans::done(&mut ran.history, &ran.plan, ix);
        }
        ran
    }

    #[test]
    fn a_whole_campaign_in_one_run_is_a_calm_screen() {
        insta::assert_snapshot!(screen(&all_done(), false, &[], None, 80), @"
        made       8 pictures bought; 14 of 14 shots done
        this run   48 credits ($0.24) charged, as quoted; the floor was 48 credits
        per final  8 credits for each of 6 finals done, all that was paid so far
                   included
        files      out/spring-drop
        next       open out/spring-drop/index.html
        ");
    }

    #[test]
    fn what_an_earlier_run_had_ordered_is_fetched_and_not_made() {
        let ran = all_done();
        let last = Some(RunId::new("the next"));
        let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, last).expect("small sums");
        let said = |report: &RunReport<'_>| {
            let mut lines = Notes { text: String::new(), width: 140, color: false };
            reused(report, &mut lines);
            lines.text
        };
        insta::assert_snapshot!(said(&report), @"reused     8 pictures were there before this run; to make them again would cost 48 credits");
        let report = report.fetched(|ix, _| ix.index() < 5);
        insta::assert_snapshot!(said(&report), @"reused     8 pictures were paid for before this run, which has fetched 5 of them; to make them again would cost 48 credits");
    }

    #[test]
    fn a_wide_terminal_and_dollars() {
        let mut ran = all_done();
        plans::set(&mut ran.plan, 0, |paid| paid.settings.quality = Some("low".into()));
        plans::set(&mut ran.plan, 1, |paid| paid.settings.quality = Some("low".into()));
        ran.quotes = quotes(&ran.plan, &plans::catalog("openai"));
        for row in &mut ran.attempts {
            row.quoted = crate::types::Amount::new(crate::types::Currency::Usd, "0.0182".parse().expect("a number"));
            row.charged = Some("0.0183".parse().expect("a number"));
        }
        insta::assert_snapshot!(screen(&ran, false, &[], None, 140), @"
        made       8 pictures bought; 14 of 14 shots done
        this run   $0.1464 charged, 8 of 8 paid tries were charged other than quoted: $0.0008 above; the floor was $0.1035
        per final  $0.0244 for each of 6 finals done, all that was paid so far included
        files      out/spring-drop
        next       open out/spring-drop/index.html
        ");
    }

    #[test]
    fn prices_that_are_lower_bounds_stay_so_to_the_end() {
        let mut ran = sample::ran();
        let book = "book: kie\ncurrency: credits\nas-of: 2026-11-22\nmodels: { gpt-image-2: { price: { flat: 6, certainty: lower-bound } } }";
        ran.quotes = quotes(&ran.plan, &plans::priced(book));
        let screen = screen(&ran, false, &[], None, 140);
        assert!(screen.contains("the floor was at least 48 credits"), "{screen}");
        assert!(screen.contains("to make it again would cost at least 6 credits"), "{screen}");
    }

    #[test]
    fn every_way_to_stop_has_a_reason_and_a_next_command() {
        let mut ran = all_done();
        ran.attempts.truncate(5);
        for ix in [5, 6, 7, 11, 12, 13] {
            ran.history.jobs.remove(&ran.plan.job(JobIx(ix)).key);
        }
        let stops = [Stopped::Interrupted, Stopped::Failures(3), Stopped::Account("no credits left (402)".to_owned())];
        let ends = stops.map(|stopped| {
            let screen = screen(&ran, false, &[], Some(stopped), 100);
            screen.lines().skip_while(|line| !line.starts_with("stopped")).map(|line| format!("{line}\n")).collect::<String>()
        });
        insta::assert_snapshot!(ends.join("\n"), @"
        stopped    interrupted: no new shots, what was under way is finished
        files      out/spring-drop
        next       callsheet run campaigns/spring-drop.yaml (takes up where this run stopped; what is paid
                   is not paid again)

        stopped    after 3 failed shots, as the campaign or `--fail-fast` asks for
        files      out/spring-drop
        next       callsheet run campaigns/spring-drop.yaml (takes up where this run stopped; what is paid
                   is not paid again)

        stopped    the account was refused: no credits left (402)
        files      out/spring-drop
        next       callsheet run campaigns/spring-drop.yaml (once key and credits are in order; what is paid
                   is not paid again)
        ");
    }

    #[test]
    fn what_was_refused_is_not_sent_again_as_it_is() {
        let mut ran = sample::ran();
        plans::done(&mut ran.history, &ran.plan, JobIx(4));
        ran.attempts[4] = sample::attempt(&ran.plan, JobIx(4), 1, AttemptStatus::Done);
        let screen = screen(&ran, false, &[], None, 200);
        assert!(screen.contains("next       callsheet run campaigns/spring-drop.yaml (once the prompts are changed"), "{screen}");
    }

    #[test]
    fn a_run_is_summed_up_with_every_cause_named_once() {
        insta::assert_snapshot!(summary(&sample::ran(), false, &[]), @r"
        made       2 pictures bought; 5 of 14 shots done
        this run   12 credits ($0.06) charged, as quoted; 12 credits refunded; 6 credits
                   in doubt; the floor was 48 credits
        reused     1 picture was there before this run; to make it again would cost 6
                   credits
        so far     18 credits ($0.09) charged for 6 tries in 2 runs; as quoted; 12
                   credits refunded; 6 credits in doubt
        per final  9 credits for each of 2 finals done, all that was paid so far
                   included
        failed     hero[sku=mug]: refused (moderation) after 1 try: not allowed:
                   \u{1b}[31mred; 6 shots wait for it
        in doubt   surface[sku=teapot,surface=linen]: 6 credits held until it is
                   settled; 1 shot waits for it
        files      out/spring-drop
        next       callsheet reconcile campaigns/spring-drop.yaml (ends doubt by
                   evidence or by your word), or else callsheet run
                   campaigns/spring-drop.yaml --on-doubt resend (counts it as spent and
                   makes it again)
        ");
    }

    #[test]
    fn a_rehearsal_says_that_nothing_was_spent() {
        let mut ran = sample::ran();
        for (place, ix) in [(4, JobIx(4)), (5, JobIx(1))] {
            plans::done(&mut ran.history, &ran.plan, ix);
            ran.attempts[place] = sample::attempt(&ran.plan, ix, 1, AttemptStatus::Done);
        }
        insta::assert_snapshot!(summary(&ran, true, &[(JobIx(10), "`deliver`: no space left".to_owned())]), @"
        made       4 pictures drawn, none bought; 7 of 14 shots done
        this run   nothing spent; a real run would have been charged 24 credits ($0.12),
                   as quoted; 6 credits refunded; the floor was 48 credits
        reused     1 picture was there before this run; to make it again would cost 6
                   credits
        so far     as if paid: 30 credits ($0.15) charged for 6 tries in 2 runs; as
                   quoted; 6 credits refunded
        per final  as if paid: 15 credits for each of 2 finals done, all that was paid
                   so far included
        failed     deliver[sku=teapot,surface=linen]: `deliver`: no space left
        files      out/spring-drop
        next       callsheet run campaigns/spring-drop.yaml (takes up where this run
                   stopped; what is paid is not paid again)
        ");
    }

    #[test]
    fn no_control_character_of_a_vendor_reaches_the_terminal() {
        let ran = sample::ran();
        let text = summary(&ran, false, &[(JobIx(9), "\u{9b}2J\r\u{202e}".to_owned())]);
        assert!(!text.contains(['\u{1b}', '\u{9b}', '\r', '\u{202e}']), "{text}");
    }
}
