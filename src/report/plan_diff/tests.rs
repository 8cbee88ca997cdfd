use super::*;
use crate::campaign::{Budget, PolicyAction, PolicyLimit, PolicyLine};
use crate::ledger::History;
use crate::plan::sample::Hand;
use crate::plan::{JobIx, Plan, Selection, diff};
use crate::pricing::delta::CountedIn;
use crate::pricing::{Committed, Gate, LiveSide, Whole, estimate, gate, judge, quotes, sample};
use crate::report::{Reader, diff_csv, diff_json, diff_markdown};
use crate::types::{Digest, JobKey};

/// The plan of two products before and after an edit.
struct Case {
    before: Plan,
    after: Plan,
    history: History,
    policy: Vec<PolicyLine>,
    books: [&'static str; 2],
}

impl Case {
    fn new() -> Self {
        Self { before: sample::plan(2), after: sample::plan(2), history: History::default(), policy: Vec::new(), books: ["kie", "kie"] }
    }

    /// Gives a job another prompt, and all that is made from it other keys.
    fn edit(mut self, place: u32, prompt: &str) -> Self {
        self.after.jobs[place as usize].prompt = prompt.into();
        let mut touched = vec![JobIx(place)];
        while let Some(ix) = touched.pop() {
            let old = self.after.jobs[ix.index()].key;
            self.after.jobs[ix.index()].key = JobKey(Digest::of(format!("edited {old} {prompt}").as_bytes()));
            touched.extend(self.after.dependents(ix));
        }
        self
    }

    fn view<T>(&self, show: impl Fn(&DiffView<'_>) -> T) -> T {
        let [before, after] = self.books.map(sample::catalog);
        let (quotes_before, quotes_after) = (quotes(&self.before, &before), quotes(&self.after, &after));
        let all = Selection::all();
        let base = LiveSide::new(&self.before, &quotes_before, &all);
        let current = LiveSide::new(&self.after, &quotes_after, &all);
        let counted = |book: &crate::pricing::BookFacts| CountedIn { currency: book.currency.clone(), usd_per_credit: book.usd_per_credit };
        let found = diff(&base, &current);
        let delta = Delta::of(&found, (&base, counted(quotes_before.book())), (&current, counted(quotes_after.book()))).expect("small sums");
        let work = sample::all_work(&self.after, &self.history);
        let estimate = estimate(&self.after, &work, &quotes_after, &Budget::default(), 2, &Committed::default()).expect("small sums");
        let whole = Whole::of(&self.after, &quotes_after, &all, None, 2).expect("small sums");
        show(&DiffView {
            campaign: "spring-drop",
            against: "main (1a2b3c4d5e)",
            profile: None,
            base: &base,
            current: &current,
            diff: &found,
            delta: &delta,
            estimate: &estimate,
            verdict: &gate(&estimate, Gate::default()),
            policy: &judge(&self.policy, &whole, Some(&delta), &quotes_after.book().currency),
            notes: &[],
        })
    }

    fn table(&self) -> String {
        let text = self.view(|view| diff_table(view, 80, false)).expect("small sums");
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "wider than the terminal: {line}");
        }
        text
    }

    fn comment(&self) -> String {
        self.view(|view| diff_markdown(view, Reader::GitHub)).expect("small sums")
    }
}

fn edited() -> Case {
    let mut case = Case::new().edit(0, "a large teapot, off-white sweep").edit(3, "replace only the sky and the background");
    let deny = PolicyLine {
        action: PolicyAction::Deny,
        limit: PolicyLimit::Total { figure: crate::campaign::Figure::Floor, most: Micros::units(40) },
        because: Some("finance signs".to_owned()),
    };
    let warn = PolicyLine { action: PolicyAction::Warn, limit: PolicyLimit::Percent(500), because: None };
    case.policy = vec![deny, warn];
    sample::done(&mut case.history, &case.after, JobIx(1));
    case
}

#[test]
fn an_edit_is_told_with_its_words_and_what_follows_from_it() {
    insta::assert_snapshot!(edited().table(), @r"
    spring-drop against main (1a2b3c4d5e), prices `kie` of 2026-06-30

    step     jobs  changed  before  after  to buy
    hero        2        1      12     12       6
    surface     6        3      36     36      36
    deliver     6        3       -      -       -
    total      14        7      48     48      42

    total      48 credits -> 48 credits: the same; in dollars $0.24 -> $0.24: the
               same
    to buy     42 credits now in this workspace: 1 picture reused, 6 credits saved
    denied     the total is 48 credits: above 40 credits (finance signs)
    policy     the total changes by 0%, not above +5%
    changed    1 shot of `hero` in `prompt`; hero[sku=teapot]:
                 prompt: a {+large+} teapot, off-white sweep
    changed    1 shot of `surface` in `prompt`, and they follow from `hero`;
               surface[sku=teapot,surface=oak]:
                 prompt: replace only the {+sky and the+} background
    follows    2 shots of `surface` follow from `hero`; the first is
               surface[sku=teapot,surface=travertine]
    follows    3 shots of `deliver` follow from `surface`; the first is
               deliver[sku=teapot,surface=travertine]
    ");
}

#[test]
fn a_comment_holds_one_table_and_folds_the_rest() {
    insta::assert_snapshot!(edited().comment(), @r"
    <!-- callsheet plan spring-drop -->
    ### spring-drop: 48 credits, the same

    | step | jobs | before | after | delta | to buy now |
    |---|--:|--:|--:|--:|--:|
    | hero | 2 | 12 | 12 | - | 6 |
    | surface | 6 | 36 | 36 | - | 36 |
    | deliver | 6 | - | - | - | - |
    | **total** | **14** | **48** | **48** | **-** | **42** |

    Against main (1a2b3c4d5e): 48 credits -&gt; 48 credits: the same; in dollars \$0.24 -&gt; \$0.24: the same. To buy: 42 credits now in this workspace: 1 picture reused, 6 credits saved.

    - ⛔ **denied**: the total is 48 credits: above 40 credits (finance signs)
    - ✅ policy: the total changes by 0%, not above +5%

    <details><summary>7 changed, 7 unchanged</summary>

    - **changed** 1 shot of \`hero\` in \`prompt\`; hero\[sku=teapot\]
      - prompt: a **large** teapot, off-white sweep
    - **changed** 1 shot of \`surface\` in \`prompt\`, and they follow from \`hero\`; surface\[sku=teapot,surface=oak\]
      - prompt: replace only the **sky and the** background
    - **follows** 2 shots of \`surface\` follow from \`hero\`; the first is surface\[sku=teapot,surface=travertine\]
    - **follows** 3 shots of \`deliver\` follow from \`surface\`; the first is deliver\[sku=teapot,surface=travertine\]

    </details>
    ");
}

#[test]
fn unchanged_steps_have_a_row_so_that_all_rows_sum_up_to_the_total() {
    let comment = Case::new().edit(2, "another oak").comment();
    let table: Vec<&str> = comment.lines().filter(|line| line.starts_with('|')).collect();
    insta::assert_snapshot!(table.join("\n"), @"
    | step | jobs | before | after | delta | to buy now |
    |---|--:|--:|--:|--:|--:|
    | surface | 6 | 36 | 36 | - | 36 |
    | deliver | 6 | - | - | - | - |
    | *1 step unchanged* | 2 | 12 | 12 | - | 12 |
    | **total** | **14** | **48** | **48** | **-** | **48** |
    ");
}

#[test]
fn when_nothing_changed_a_comment_is_empty_and_a_person_is_told_so() {
    let case = Case::new();
    insta::assert_snapshot!(case.table(), @r"
    spring-drop against main (1a2b3c4d5e), prices `kie` of 2026-06-30
    nothing changed: 14 shots, 48 credits for the whole plan
    ");
    assert_eq!(case.comment(), "");
    assert_eq!(case.view(|view| diff_markdown(view, Reader::Plain)).expect("small"), "");
    assert_eq!(case.view(diff_csv).expect("rows").lines().count(), 1, "only the headings");
    assert_eq!(case.view(diff_json).expect("small")["is-changed"], false);
}

#[test]
fn other_prices_are_a_change_and_two_currencies_have_no_difference() {
    let case = Case { books: ["kie", "gptimage2-flat"], ..Case::new() };
    insta::assert_snapshot!(case.table(), @r"
    spring-drop against main (1a2b3c4d5e), prices `gptimage2-flat` of 2026-04-30

    step     jobs  before  after  to buy
    hero        2      12     24      24
    surface     6      36     72      72
    deliver     6       -      -       -
    total      14      48     96      96

    total      48 credits -> 96 credits: credits:kie before, credits:gptimage2-flat
               now; two currencies, so no difference
    to buy     96 credits now in this workspace: it has none of the pictures yet
    ");
    assert!(case.comment().contains("two currencies, so no difference"), "{}", case.comment());
    let json = case.view(diff_json).expect("small");
    assert_eq!((&json["totals"]["delta"], &json["is-changed"]), (&serde_json::Value::Null, &true.into()));
}

#[test]
fn programs_get_every_job_and_exact_amounts() {
    let case = edited();
    insta::assert_snapshot!(case.view(diff_csv).expect("rows"), @r#"
    campaign,change,step,job,was,fields,follows,path,path_before,price_before,currency_before,price_after,currency_after
    spring-drop,changed,hero,hero[sku=teapot],,prompt,,teapot/hero.png,teapot/hero.png,6,credits:kie,6,credits:kie
    spring-drop,changed,surface,"surface[sku=teapot,surface=oak]",,prompt,hero,teapot/oak/surface.png,teapot/oak/surface.png,6,credits:kie,6,credits:kie
    spring-drop,changed,surface,"surface[sku=teapot,surface=travertine]",,,hero,teapot/travertine/surface.png,teapot/travertine/surface.png,6,credits:kie,6,credits:kie
    spring-drop,changed,surface,"surface[sku=teapot,surface=linen]",,,hero,teapot/linen/surface.png,teapot/linen/surface.png,6,credits:kie,6,credits:kie
    spring-drop,changed,deliver,"deliver[sku=teapot,surface=travertine]",,,surface,teapot/travertine.jpg,teapot/travertine.jpg,0,credits:kie,0,credits:kie
    spring-drop,changed,deliver,"deliver[sku=teapot,surface=oak]",,,surface,teapot/oak.jpg,teapot/oak.jpg,0,credits:kie,0,credits:kie
    spring-drop,changed,deliver,"deliver[sku=teapot,surface=linen]",,,surface,teapot/linen.jpg,teapot/linen.jpg,0,credits:kie,0,credits:kie
    "#);
    let json = case.view(diff_json).expect("small");
    assert_eq!(json["groups"][0]["variants"][0]["fields"][0]["words"][1], serde_json::json!({ "is": "large" }));
    assert_eq!(json["totals"]["after"]["amount"], "48");
    assert_eq!(json["policy"][0]["outcome"], "broken");
}

#[test]
fn nothing_of_a_prompt_breaks_out() {
    let evil = "</details> <script>x</script> @team #1 | a | **b** ~~c~~ `d` [e](http://f.example) <!-- g \u{1b}[2J \u{202e} \n\n# h";
    let case = Case::new().edit(0, evil);
    let comment = case.comment();
    assert_eq!(comment.matches("</details>").count(), 1, "{comment}");
    assert_eq!(comment.matches("<!--").count(), 1, "only the marker: {comment}");
    for harmful in ["<script", "@team", "#1 ", "[e](", "\u{1b}", "\u{202e}", "\n# h", "`d`"] {
        assert!(!comment.contains(harmful), "{harmful}: {comment}");
    }
    let table = case.table();
    assert!(!table.contains(['\u{1b}', '\u{202e}']), "{table}");
    assert!(case.view(|view| diff_table(view, 80, true)).expect("small").contains("\u{1b}[32m"), "a terminal has colours");
}

#[test]
fn a_comment_is_never_longer_than_github_takes() {
    let plan = |word: &str| {
        (0..900).fold(Hand::new(), |plan, step| {
            let prompt = format!("a {word} mug {step} on a table with a long and quite boring description of everything that stands on it {word}");
            plan.job(&format!("step-{step}"), &prompt, &[])
        })
    };
    let (base, current) = (plan("red"), plan("blue"));
    let found = diff(&base, &current);
    Case::new().view(|view| {
        let counted = CountedIn { currency: base.currency().clone(), usd_per_credit: None };
        let delta = Delta::of(&found, (&base, counted.clone()), (&current, counted)).expect("small sums");
        let view = DiffView {
            base: &base,
            current: &current,
            diff: &found,
            delta: &delta,
            campaign: view.campaign,
            against: view.against,
            profile: None,
            estimate: view.estimate,
            verdict: view.verdict,
            policy: &[],
            notes: &[],
        };
        let comment = diff_markdown(&view, Reader::GitHub).expect("small");
        assert!((60_000..65_536).contains(&comment.len()), "{}", comment.len());
        let (rest, told) = comment.rsplit_once("- … and ").expect("it says how many more there are");
        let shown = rest.matches("- **changed**").count();
        assert!(told.starts_with(&format!("{} more groups of {} shots", 900 - shown, 900 - shown)), "{told}");
        assert!(told.ends_with("</details>\n"));
        let whole = diff_markdown(&view, Reader::Plain).expect("small");
        assert_eq!(whole.matches("- **changed**").count(), 900, "a file has no limit");
    });
}
