use super::*;
use crate::campaign::Budget;
use crate::ledger::History;
use crate::pricing::{Committed, estimate, quotes, sample};
use crate::report::{RunReport, sample as ran};

fn estimated(plan: &Plan, history: &History) -> Estimate {
    let quotes = quotes(plan, &sample::catalog("kie"));
    let work = sample::all_work(plan, history);
    estimate(plan, &work, &quotes, &Budget::default(), 1, &Committed::default()).expect("small sums")
}

#[test]
fn a_drawing_tells_steps_counts_and_cost() {
    let plan = sample::plan(2);
    let drawing = Drawing::new(&plan, &estimated(&plan, &History::default()), None);
    insta::assert_snapshot!(mermaid(&drawing), @r#"
    ---
    title: "spring-drop: 14 shots, to buy 48 credits, in one run at most 48"
    ---
    flowchart LR
      accTitle: spring-drop: 14 shots, to buy 48 credits, in one run at most 48
      accDescr: hero: generate, gpt-image-2, 2 shots: 2 sku, 6 each, 12 to buy. surface from hero: edit, gpt-image-2, 6 shots: 2 sku × 3 surface, 6 each, 36 to buy. deliver from surface: transform, local and free, 6 shots: 2 sku × 3 surface
      s0["<b>hero</b><br/>generate, gpt-image-2<br/>2 shots#58; 2 sku<br/>6 each, 12 to buy"]:::paid
      s1["<b>surface</b><br/>edit, gpt-image-2<br/>6 shots#58; 2 sku × 3 surface<br/>6 each, 36 to buy"]:::paid
      s2(["<b>deliver</b><br/>transform, local and free<br/>6 shots#58; 2 sku × 3 surface"])
      s0 --> s1
      s1 --> s2
      classDef paid stroke:#2b62c4,stroke-width:2px
      %% square: paid; round: local and free; six corners: a person chooses
    "#);
    insta::assert_snapshot!(dot(&drawing), @r##"
    digraph campaign {
      rankdir=LR;
      labelloc=t;
      label="spring-drop\n14 shots; to buy 48 credits, in one run at most 48";
      node [shape=box, fontname="sans-serif", fontsize=11];
      graph [fontname="sans-serif"];
      s0 [label="hero\ngenerate, gpt-image-2\n2 shots: 2 sku\n6 each, 12 to buy", color="#2b62c4", penwidth=1.5];
      s1 [label="surface\nedit, gpt-image-2\n6 shots: 2 sku × 3 surface\n6 each, 36 to buy", color="#2b62c4", penwidth=1.5];
      s2 [label="deliver\ntransform, local and free\n6 shots: 2 sku × 3 surface", style=rounded];
      s0 -> s1;
      s1 -> s2;
    }
    "##);
    let drawn = svg(&drawing);
    assert!(drawn.contains(">6 shots: 2 sku × 3 surface</text>") && drawn.contains(">6 each, 36 to buy</text>"), "{drawn}");
    assert_eq!((drawn.matches("class=\"box paid\"").count(), drawn.matches("class=\"line\"").count()), (3, 2), "two steps and the legend");
    assert!(drawn.contains("role=\"img\"") && drawn.contains("surface from hero: edit, gpt-image-2; 6 shots"), "{drawn}");
    assert!(!drawn.contains("class=\"bar\""), "nothing has run");
}

#[test]
fn once_something_has_run_each_box_tells_where_it_stands() {
    let ran = ran::ran();
    let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, None).expect("small sums");
    let drawing = Drawing::new(&ran.plan, &estimated(&ran.plan, &ran.history), Some(&report.steps));
    let drawn = svg(&drawing);
    assert!(drawn.contains(">1 of 2 done, 1 failed</text>") && drawn.contains("class=\"wrong\""), "{drawn}");
    assert!(mermaid(&drawing).contains("1 of 2 done, 1 failed"));
}

#[test]
fn a_hostile_name_stays_text() {
    let mut plan = sample::plan(1);
    plan.campaign = "x\"\n---\nflowchart TD; click s0 \"javascript:alert(1)\"".into();
    plan.steps[0].name = "<script>\"]\\\u{1b}[2J".into();
    let drawing = Drawing::new(&plan, &estimated(&plan, &History::default()), None);
    let text = mermaid(&drawing);
    assert!(text.contains("#60;script#62;#34;#93;#92;") && !text.contains("<script"), "{text}");
    assert_eq!((text.matches("\n---\n").count(), text.matches("click").count(), text.matches('"').count() % 2), (1, 2, 0), "{text}");
    assert!(text.lines().all(|line| !line.trim_start().starts_with("click")), "{text}");
    assert!(dot(&drawing).contains(r#"<script>\"]\\"#));
    let drawn = svg(&drawing);
    assert!(drawn.contains("&lt;script&gt;&quot;]") && !drawn.contains('\u{1b}') && !drawn.contains("<script"));
}
