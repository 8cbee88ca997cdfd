//! The plan on a terminal: what there is to do, what it costs, what to look at.
//!
//! In: a [`PlanView`]. Out: text that reads at 80 columns. Never: a total that hides what has no price.

mod notes;

use std::fmt::Write as _;

use anstyle::Style;

pub(super) use notes::{factor_words, learned_words};

use super::by_provider::provider_table;
use super::text::{Notes, Table, count, numbers, styled, sum, unit, words};
use crate::catalog::Certainty;
use crate::plan::Plan;
use crate::pricing::{Estimate, StepLine, Sum, Unit, Verdict};
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
    let mut told = Notes { text, width, color };
    notes::totals(view.estimate, &mut told);
    notes::caps(view.estimate, &mut told);
    notes::remarks(view, &mut told);
    told.text
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
