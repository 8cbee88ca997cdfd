//! The plan on a terminal: what there is to do, what it costs, what to look at.
//!
//! In: a [`PlanView`]. Out: text that reads at 80 columns. Never: a total that hides what has no price.

use std::fmt::Write as _;

use anstyle::Style;

use super::by_provider::provider_table;
use super::preparations;
use super::text::{Notes, Table, count, money, number, numbers, styled, sum, sum_words, unit, words};
use crate::catalog::Certainty;
use crate::plan::Plan;
use crate::pricing::{CapOf, CeilingBy, Estimate, Factors, Learned, Refusal, StepLine, Sum, Unit, Verdict, Warning};
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
    /// The plan itself.
    pub plan: &'a Plan,
    /// What it costs.
    pub estimate: &'a Estimate,
    /// What the gate would say to a run.
    pub verdict: &'a Verdict,
    /// Changed jobs, those with one reason together.
    pub changed: &'a [Change],
    /// Further sentences.
    pub notes: &'a [String],
}

/// Jobs of one step that have changed for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The first of them.
    pub first: JobId,
    /// How many there are, itself included.
    pub jobs: usize,
    /// Why.
    pub reason: String,
}

/// Most reasons that are shown.
const MOST_CHANGED: usize = 5;

/// Returns the plan for a terminal of `width` columns.
pub fn plan_table(view: &PlanView<'_>, width: usize, color: bool) -> String {
    let mut text = heading(view, color);
    text.push('\n');
    text.push_str(&steps(view.estimate).render(width, color));
    text.push('\n');
    if !view.estimate.by_provider.is_empty() {
        text.push_str(&provider_table(&view.estimate.by_provider).render(width, color));
        text.push('\n');
    }
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
    let several: Vec<&str> = view.estimate.by_provider.iter().map(|line| &*line.provider).collect();
    match view.provider {
        Some(_) if several.len() > 1 => write!(line, " on {}", visible(&crate::types::diagnostic::listed(&several, 6).replace('`', ""))),
        Some(provider) => write!(line, " on {}", visible(provider)),
        None => write!(line, ", no provider"),
    }
    .expect("writing to a string succeeds");
    let date = book.as_of.map_or("undated".to_owned(), |date| format!("of {date}"));
    let unit = if book.currency == crate::types::Currency::Usd { "USD" } else { "credits" };
    let _ = writeln!(line, ", prices `{}` {date}, in {unit}", visible(&book.name));
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
        numbers("twin"),
        numbers("to check"),
        numbers("rejected"),
        numbers("to pick"),
        numbers("left out"),
        numbers("unit"),
        numbers("floor"),
        numbers("expected"),
        numbers("ceiling"),
    ]);
    let row = |name: String, what: String, counts: &crate::pricing::Counts, unit: String, sums: [String; 3]| {
        let [floor, expected, ceiling] = sums;
        let expected = if estimate.factor.is_some() { expected } else { "-".to_owned() };
        let again = count(counts.lost + counts.again + counts.reroll);
        let numbers = [count(counts.jobs()), count(counts.new), count(counts.changed), again, count(counts.reused), count(counts.resumed)];
        let looked_at = [count(counts.look), count(counts.rejected), count(counts.waiting)];
        let held = [count(counts.in_doubt), count(counts.twin)].into_iter().chain(looked_at).chain([count(counts.excluded)]);
        [name, what].into_iter().chain(numbers).chain(held).chain([unit, floor, expected, ceiling]).collect::<Vec<_>>()
    };
    for line in &estimate.lines {
        table.row(row(line.name.to_string(), what(line), &line.counts, shown_unit(line), sums(line)));
    }
    let all = &estimate.totals;
    let sums = [sum(all.floor), sum(all.expected), sum(all.ceiling)];
    table.totals(row("total".to_owned(), String::new(), &all.counts, String::new(), sums));
    table.drop_if_empty(&[
        "new", "changed", "again", "reused", "resumed", "in doubt", "twin", "to check", "rejected", "to pick", "left out", "expected",
    ]);
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
    // What stands behind an open choice is told below the table: no run can buy it, and 0 would say that it costs nothing.
    let only_later = line.floor == Sum::default() && line.ceiling == Sum::default() && line.later.micros > Micros::ZERO;
    if line.unit == Unit::Free || only_later {
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
pub(super) fn factor_words(name: &str, factor: Micros) -> String {
    let number = number(factor);
    if name == number { number } else { format!("{number} ({name})") }
}

/// Returns what was learned of each baseline, and from how many finals; nothing when the author named a factor.
pub(super) fn learned_words(factors: &Factors) -> Vec<String> {
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

fn caps(estimate: &Estimate, notes: &mut Notes) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::Budget;
    use crate::ledger::{History, JobState};
    use crate::plan::JobIx;
    use crate::pricing::{Committed, Gate, estimate, gate, quotes, sample};
    use crate::report::{plan_csv, plan_json, plan_markdown};
    use crate::types::{Amount, AttemptNo, Currency, Failure, FailureClass};

    struct Case {
        plan: Plan,
        history: History,
        budget: Budget,
        book: &'static str,
        attempts: u32,
    }

    impl Case {
        fn new() -> Self {
            let budget = Budget { iteration: Some(("explore".to_owned(), Micros::new(1_800_000))), ..sample::capped(1300) };
            Self { plan: sample::plan(4), history: History::default(), budget, book: "kie", attempts: 2 }
        }

        fn view<T>(&self, show: impl Fn(&PlanView<'_>) -> T) -> T {
            let catalog = sample::catalog(self.book);
            let quotes = quotes(&self.plan, &catalog);
            let work = sample::all_work(&self.plan, &self.history);
            let estimate = estimate(&self.plan, &work, &quotes, &self.budget, self.attempts, &Committed::default()).expect("small sums");
            let verdict = gate(&estimate, Gate::default());
            let changed = [Change { first: self.plan.id(JobIx(2)), jobs: 1, reason: "prompt: `a cup` is now `a vase`".to_owned() }];
            let changed = if estimate.totals.counts.changed > 0 { &changed[..] } else { &[] };
            show(&PlanView {
                campaign: "spring-drop",
                provider: Some("kie"),
                profile: None,
                plan: &self.plan,
                estimate: &estimate,
                verdict: &verdict,
                changed,
                notes: &[],
            })
        }

        fn table(&self) -> String {
            let text = self.view(|view| plan_table(view, 80, false));
            for line in text.lines() {
                assert!(line.chars().count() <= 80, "wider than the terminal: {line}");
            }
            text
        }
    }

    #[test]
    fn a_fresh_plan_reads_calmly() {
        insta::assert_snapshot!(Case::new().table(), @r"
        spring-drop on kie, prices `kie` of 2026-06-30, in credits

        step     what                  jobs  new  unit  floor  expected  ceiling
        hero     generate gpt-image-2     4    4     6     24      43.2       48
        surface  edit gpt-image-2        12   12     6     72     129.6      144
        deliver  transform               12   12  free      -         -        -
        total                            28   28           96     172.8      192

        floor      96 credits ($0.48): every outstanding shot once
        expected   172.8 credits ($0.864): floor x 1.8 (explore)
        ceiling    192 credits ($0.96): up to 2 tries a shot
        per final  8 credits floor, 14.4 credits expected, over 12 finals of `deliver`
        cap        1300 credits: 1108 credits left after the ceiling
        ");
    }

    #[test]
    fn a_plan_with_history_tells_what_is_reused_changed_and_in_doubt() {
        let mut case = Case::new();
        for ix in [0, 4, 5, 6] {
            sample::done(&mut case.history, &case.plan, JobIx(ix));
        }
        let reserved = Amount::new(Currency::credits("kie"), Micros::units(6));
        let failure = Failure::new(FailureClass::Ambiguous, "timeout", "");
        sample::knows(&mut case.history, &case.plan, JobIx(1), JobState::InDoubt { attempt: AttemptNo(1), reserved, failure });
        case.history.addresses.insert(case.plan.id(JobIx(2)), case.plan.job(JobIx(0)).key);
        case.budget = sample::capped(50);
        insta::assert_snapshot!(case.table(), @r"
        spring-drop on kie, prices `kie` of 2026-06-30, in credits

        step     what         jobs  new  changed  reused  in doubt  unit  floor  ceiling
        hero     generate g…     4    1        1       1         1     6     12       24
        surface  edit gpt-i…    12    9        -       3         -     6     54      108
        deliver  transform      12   12        -       -         -  free      -        -
        total                   28   22        1       4         1           66       50

        floor      66 credits ($0.33): every outstanding shot once
        expected   the floor; the campaign names no `iteration` factor
        ceiling    50 credits ($0.25): all that is left under the cap
        saved      24 credits ($0.12): 4 pictures reused
        per final  5.5 credits floor, over 12 finals of `deliver`
        cap        50 credits: floor is above the cap by 16 credits
        in doubt   1 shot held, counted as spent and not sent again: `hero[sku=mug]`;
                   `callsheet reconcile` settles it, `run --on-doubt resend` buys it
                   again
        changed    hero[sku=vase]: prompt: `a cup` is now `a vase`
        ");
    }

    #[test]
    fn what_has_no_price_is_never_hidden_in_a_total() {
        let mut case = Case::new();
        sample::set(&mut case.plan, 1, |paid| paid.model = "nano-banana-2-lite".into());
        insta::assert_snapshot!(case.table(), @r"
        spring-drop on kie, prices `kie` of 2026-06-30, in credits

        step     what                  jobs  new      unit   floor  expected  ceiling
        hero     generate gpt-image-2     4    4         6      24      43.2       48
        surface  edit gpt-image-2        12   12  no price       ?         ?        ?
        deliver  transform               12   12      free       -         -        -
        total                            28   28            24 + ?  43.2 + ?   48 + ?

        floor      24 credits and what has no price ($0.12): every outstanding shot once
        expected   43.2 credits and what has no price ($0.216): floor x 1.8 (explore)
        ceiling    48 credits and what has no price ($0.24): up to 2 tries a shot
        per final  unknown while shots have no price, over 12 finals of `deliver`
        cap        1300 credits: 1276 credits left after the floor for what has no price
        no price   12 shots: the price of `nano-banana-2-lite` is unknown to book `kie`:
                   not in the list of 2026-06-30
                   (`surface[sku=teapot,surface=travertine]`,
                   `surface[sku=teapot,surface=oak]`,
                   `surface[sku=teapot,surface=linen]`,
                   `surface[sku=mug,surface=travertine]`, `surface[sku=mug,surface=oak]`
                   and 7 more)
        ");
    }

    #[test]
    fn markdown_is_for_pull_requests() {
        let mut case = Case::new();
        case.plan.steps[0].name = "he|ro<b>@team".into();
        insta::assert_snapshot!(case.view(plan_markdown), @r"
        ### spring-drop

        Prices `kie` of 2026-06-30. Floor **96 credits**, ceiling **192 credits**.

        | step | what | jobs | new | changed | reused | unit | floor | expected | ceiling |
        |---|---|--:|--:|--:|--:|--:|--:|--:|--:|
        | he\|ro&lt;b&gt;@&#8203;team | generate gpt-image-2 | 4 | 4 | - | - | 6 | 24 | 43.2 | 48 |
        | surface | edit gpt-image-2 | 12 | 12 | - | - | 6 | 72 | 129.6 | 144 |
        | deliver | transform | 12 | 12 | - | - | free | - | - | - |
        | **total** | | 28 | 28 | - | - | | **96** | **172.8** | **192** |

        - expected is the floor x 1.8 (explore)
        - cap of campaign: 1300 credits, 1300 credits not committed
        ");
    }

    #[test]
    fn csv_has_a_row_for_each_step() {
        insta::assert_snapshot!(Case::new().view(|view| plan_csv(view).expect("plain cells")), @"
        campaign,step,kind,model,jobs,new,changed,lost,again,resumed,reused,twin,in_doubt,excluded,unit_low,unit_high,floor,expected,ceiling,saved,currency,certainty,unpriced
        spring-drop,hero,generate,gpt-image-2,4,4,0,0,0,0,0,0,0,0,6,6,24,43.2,48,0,credits:kie,exact,0
        spring-drop,surface,edit,gpt-image-2,12,12,0,0,0,0,0,0,0,0,6,6,72,129.6,144,0,credits:kie,exact,0
        spring-drop,deliver,transform,,12,12,0,0,0,0,0,0,0,0,0,0,0,0,0,0,credits:kie,exact,0
        ");
    }

    #[test]
    fn json_has_exact_amounts_as_text() {
        let json = Case::new().view(plan_json);
        assert_eq!(json["totals"]["floor"], serde_json::json!({ "amount": "96", "usd": "0.48", "certainty": "exact" }));
        assert_eq!(json["totals"]["expected"]["amount"], "172.8");
        assert_eq!(json["steps"][1]["unit"], serde_json::json!({ "low": "6", "high": "6" }));
        assert_eq!(json["by-axis"][0]["values"][0]["name"], "teapot");
        assert_eq!(json["caps"][0]["room"], "1300");
        let mut case = Case::new();
        sample::set(&mut case.plan, 0, |paid| paid.model = "nano-banana-2-lite".into());
        let json = case.view(plan_json);
        assert_eq!(json["steps"][0]["unit"], serde_json::json!({ "low": null, "high": null }));
        assert_eq!(json["totals"]["floor"]["certainty"], "unknown");
    }

    #[test]
    fn colour_only_repeats_what_the_words_say() {
        let plain = Case::new().table();
        let coloured = Case::new().view(|view| plan_table(view, 80, true));
        assert!(coloured.contains('\u{1b}'));
        assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
    }
}
