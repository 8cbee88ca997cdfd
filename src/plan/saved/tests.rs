//! What a saved plan looks like, what is refused as one, what is found to have moved.

use proptest::prelude::*;

use super::*;
use crate::plan::saved::moved::{Moved, Standpoint};
use crate::types::{Diagnostics, DocId};

const DOC: DocId = DocId(0);

fn digest(of: &str) -> Digest {
    Digest::of(of.as_bytes())
}

fn job(id: &str, step: &str, price: SavedPrice, prompt: &str, inputs: &[&str]) -> SavedJob {
    SavedJob {
        id: JobId::new(id),
        step: step.to_owned(),
        work: SavedWork::New,
        price,
        path: format!("{id}.png"),
        inputs: inputs.iter().map(JobId::new).collect(),
        key: JobKey(digest(prompt)),
        fields: vec![("model".to_owned(), "gpt-image-2".to_owned()), ("prompt".to_owned(), prompt.to_owned())],
    }
}

fn exact(units: i64) -> SavedSum {
    SavedSum { amount: Micros::units(units), certainty: Certainty::Exact }
}

/// Two shots at 6, a free sheet of both.
fn sample() -> SavedPlan {
    let step = |name: &str, kind: &str, model: Option<&str>| SavedStep {
        name: name.to_owned(),
        kind: kind.to_owned(),
        operation: model.map(|_| "generate".to_owned()),
        model: model.map(str::to_owned),
    };
    let six = SavedPrice::Exactly(Micros::units(6));
    SavedPlan {
        version: SAVED_PLAN_VERSION,
        campaign: "spring".to_owned(),
        file: "campaigns/spring.yaml".to_owned(),
        stage: SavedStage::Real,
        asked: Asked { profile: Some("draft".to_owned()), only: vec!["hero[sku=teapot]".to_owned()], ..Asked::default() },
        inputs: vec![
            SavedInput { kind: InputKind::Campaign, name: "spring.yaml".to_owned(), as_of: None, digest: digest("yaml") },
            SavedInput { kind: InputKind::Prices, name: "kie".to_owned(), as_of: Some("2026-06-30".to_owned()), digest: digest("book") },
        ],
        digest: digest("plan"),
        history: SavedHistory { known: 0, digest: digest("nothing") },
        totals: SavedTotals { currency: Currency::credits("kie"), floor: exact(12), expected: exact(15), ceiling: exact(24) },
        caps: vec![SavedCap { of: "campaign".to_owned(), limit: Micros::units(100), committed: Micros::ZERO }],
        steps: vec![step("hero", "generate", Some("gpt-image-2")), step("overview", "sheet", None)],
        jobs: vec![
            job("hero[sku=teapot]", "hero", six, "a teapot", &[]),
            job("hero[sku=cup]", "hero", six, "a \"cup\"\n\u{1b}[2J", &[]),
            job("overview", "overview", SavedPrice::Free, "", &["hero[sku=teapot]", "hero[sku=cup]"]),
        ],
    }
}

/// Returns the mistakes as `code bytes: message (label; help)`, the place as the text that stands there.
fn mistakes(text: &str) -> String {
    let found: Diagnostics = SavedPlan::read(DOC, text).expect_err("a mistake");
    let told = found.iter().map(|one| {
        let (start, end) = one.at.inside.expect("each mistake has a place");
        assert!(one.at.segments.is_empty() && one.at.doc == DOC);
        let line = text[..start.min(text.len())].matches('\n').count() + 1;
        let there: String = text.get(start..end).unwrap_or_default().chars().take(24).collect();
        format!("{} line {line} {there:?}: {} | {} | {}", one.code, one.message, one.label, one.help.as_deref().unwrap_or_default())
    });
    told.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_saved_plan_has_one_shot_a_line() {
    insta::assert_snapshot!(sample().to_text(), @r###"
    {
      "callsheet-plan": 1,
      "campaign": "spring",
      "file": "campaigns/spring.yaml",
      "stage": "real",
      "asked": {"profile":"draft","only":["hero[sku=teapot]"],"on-doubt":"hold"},
      "inputs": [
        {"kind":"campaign","name":"spring.yaml","digest":"c5d2125b688bea453b6b041c253b8d5320b061dada4c0c8c5ee5cb7833dab92c"},
        {"kind":"prices","name":"kie","as-of":"2026-06-30","digest":"d1dbd53d90d29c6d416b69179a6916a1fc90e80b35d32de690e469acc9e949bf"}
      ],
      "digest": "29fde71e3ef298312227db745efc78ceb1c4e97c3a45f8e1f3f8680fa8a8f9ac",
      "history": {"known":0,"digest":"c9ed5d89e1fa7c646d733ef2f07215ecf3e5431787dc4ccf095363a2b90fb605"},
      "totals": {"currency":"credits:kie","floor":{"amount":"12","certainty":"exact"},"expected":{"amount":"15","certainty":"exact"},"ceiling":{"amount":"24","certainty":"exact"}},
      "caps": [
        {"of":"campaign","limit":"100","committed":"0"}
      ],
      "steps": [
        {"name":"hero","kind":"generate","operation":"generate","model":"gpt-image-2"},
        {"name":"overview","kind":"sheet"}
      ],
      "jobs": [
        {"id":"hero[sku=teapot]","step":"hero","work":"new","price":"6","path":"hero[sku=teapot].png","key":"2d9467458460fd231965872ead550e317cfe354ea83f4e4edc481d2f5adb36d0","fields":[["model","gpt-image-2"],["prompt","a teapot"]]},
        {"id":"hero[sku=cup]","step":"hero","work":"new","price":"6","path":"hero[sku=cup].png","key":"6e1a6d6cb8731ad80608153ad52aebee8926c99751821d70e7e0ce09415a2265","fields":[["model","gpt-image-2"],["prompt","a \"cup\"\n\u001b[2J"]]},
        {"id":"overview","step":"overview","work":"new","price":"free","path":"overview.png","inputs":["hero[sku=teapot]","hero[sku=cup]"],"key":"af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262","fields":[["model","gpt-image-2"],["prompt",""]]}
      ]
    }
    "###);
}

#[test]
fn what_is_written_is_what_the_types_say_and_reads_back_the_same() {
    let plan = sample();
    let text = plan.to_text();
    assert_eq!(SavedPlan::read(DOC, &text).expect("our own text"), plan);
    let written: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(written, serde_json::to_value(&plan).expect("plain data"));
    assert_eq!(plan.name(), Digest::of(text.as_bytes()));
    let schema = jsonschema::validator_for(&SavedPlan::schema().to_value()).expect("a schema");
    assert!(schema.is_valid(&written));
    let mut wrong = written;
    wrong["jobs"][0]["price"] = "twelve".into();
    assert!(!schema.is_valid(&wrong));
}

#[test]
fn a_plan_without_shots_reads_back_too() {
    let plan = SavedPlan { jobs: Vec::new(), steps: Vec::new(), caps: Vec::new(), inputs: Vec::new(), ..sample() };
    assert_eq!(SavedPlan::read(DOC, &plan.to_text()).expect("our own text"), plan);
}

#[test]
fn a_reformatted_copy_has_the_same_name() {
    let plan = sample();
    let value: serde_json::Value = serde_json::from_str(&plan.to_text()).expect("it is JSON");
    let copy = SavedPlan::read(DOC, &format!("{value:#}")).expect("the same plan");
    assert_eq!(copy.name(), plan.name());
}

#[test]
fn each_malformed_plan_is_refused_at_its_place() {
    let text = sample().to_text();
    let with = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    };
    let broken = [
        String::new(),
        "{}".to_owned(),
        "[1, 2".to_owned(),
        "callsheet: 1\ncampaign: x\n".to_owned(),
        text[..text.len() / 2].to_owned(),
        with("\"callsheet-plan\": 1", "\"callsheet-plan\": 2"),
        with("\"callsheet-plan\": 1", "\"callsheet-plan\": 0"),
        "{\"callsheet-plan\": 3, \"shots\": []}".to_owned(),
        "{\"callsheet-plan\": 1, \"ceiling-by\": {}, \"steps\": []}".to_owned(),
        with("\"stage\": \"real\"", "\"stage\": \"real\", \"stage\": \"real\""),
        with("\"stage\": \"real\"", "\"stage\": \"dress\""),
        with("\"price\":\"6\"", "\"price\":6"),
        with("\"price\":\"6\"", "\"price\":\"-6\""),
        with("\"price\":\"6\"", "\"cost\":\"6\""),
        with("\"amount\":\"12\"", "\"amount\":\"12.0000001\""),
        with("\"known\":0", "\"known\":-1"),
        with("\"hero[sku=cup]\"", "\"hero[sku=teapot]\""),
        with("\"step\":\"overview\"", "\"step\":\"deliver\""),
        with("\"inputs\":[\"hero[sku=teapot]\"", "\"inputs\":[\"hero[sku=pan]\""),
        format!("{text} more"),
        "[".repeat(100_000),
        "{\"callsheet-plan\":".repeat(100_000),
    ];
    insta::assert_snapshot!(broken.map(|text| mistakes(&text)).join("\n"), @r###"
    plan-syntax line 1 "": the file is empty |  | save a plan with `callsheet plan CAMPAIGN --out plan.json`
    plan-content line 1 "{": this is not a saved plan: it has no `callsheet-plan` |  | save a plan with `callsheet plan CAMPAIGN --out plan.json`
    plan-syntax line 1 "[": this is not a saved plan: those begin with `{` |  | save a plan with `callsheet plan CAMPAIGN --out plan.json`
    plan-syntax line 1 "c": this is not a saved plan: those begin with `{` |  | save a plan with `callsheet plan CAMPAIGN --out plan.json`
    plan-syntax line 16 "\n": the file ends too early: EOF while parsing a value |  | save the plan again; it is not made to be edited
    plan-version line 2 "\"callsheet-plan\"": the saved plan has version 2, this callsheet reads version 1 |  | install a newer callsheet, or save the plan again
    plan-version line 2 "\"callsheet-plan\"": the saved plan has version 0, this callsheet reads version 1 |  | save the plan again
    plan-version line 1 "\"callsheet-plan\"": the saved plan has version 3, this callsheet reads version 1 |  | install a newer callsheet, or save the plan again
    plan-content line 1 "{": this is a plan as `--format json` prints it, not a saved one |  | save a plan with `callsheet plan CAMPAIGN --out plan.json`
    plan-content line 5 "\"": duplicate field `stage` |  | save the plan again; it is not made to be edited
    plan-content line 5 "\"": unknown variant `dress`, expected `real` or `rehearsal` | at `stage` | save the plan again; it is not made to be edited
    plan-content line 22 "6": invalid type: integer `6`, expected a price: `free`, `unpriced`, `12` or `at least 12`, in quotes | at `jobs[0].price` | save the plan again; it is not made to be edited
    plan-content line 22 "\"": invalid value: string "-6", expected a price: `free`, `unpriced`, `12` or `at least 12`, in quotes | at `jobs[0].price` | save the plan again; it is not made to be edited
    plan-content line 22 "\"": unknown field `cost`, expected one of `id`, `step`, `work`, `price`, `path`, `inputs`, `key`, `fields` | at `jobs[0].cost` | save the plan again; it is not made to be edited
    plan-content line 13 "\"": `12.0000001` has more than 6 decimals; amounts are kept in millionths | at `totals.floor.amount` | save the plan again; it is not made to be edited
    plan-content line 12 "1": invalid value: integer `-1`, expected usize | at `history.known` | save the plan again; it is not made to be edited
    plan-content line 23 "{\"id\":\"hero[sku=teapot]\"": shot `hero[sku=teapot]` stands there twice |  | save the plan again; it is not made to be edited
    plan-content line 24 "{\"id\":\"overview\",\"step\":": shot `overview` takes the picture of `hero[sku=cup]`, which does not stand before it |  | save the plan again; it is not made to be edited
    plan-content line 24 "{\"id\":\"overview\",\"step\":": shot `overview` belongs to step `deliver`, which is not among `steps` |  | save the plan again; it is not made to be edited
    plan-content line 24 "{\"id\":\"overview\",\"step\":": shot `overview` takes the picture of `hero[sku=pan]`, which does not stand before it |  | save the plan again; it is not made to be edited
    plan-syntax line 27 "m": this is not JSON: trailing characters |  | save the plan again; it is not made to be edited
    plan-syntax line 1 "[": this is not a saved plan: those begin with `{` |  | save a plan with `callsheet plan CAMPAIGN --out plan.json`
    plan-content line 1 ":": invalid type: map, expected u32 | at `callsheet-plan` | save the plan again; it is not made to be edited
    "###);
}

fn moves(saved: &SavedPlan, now: &SavedPlan) -> Moves {
    saved.moves(now, Standpoint::Untouched).expect("something has moved")
}

#[test]
fn a_plan_that_is_made_again_the_same_holds() {
    assert_eq!(sample().moves(&sample(), Standpoint::Untouched), None);
    assert_eq!(sample().moves(&sample(), Standpoint::Begun), None);
}

#[test]
fn a_file_that_moved_is_named_with_what_it_changed() {
    let mut now = sample();
    now.inputs[0].digest = digest("other yaml");
    let only_a_comment = moves(&sample(), &now);
    assert_eq!(only_a_comment.inputs, [(InputKind::Campaign, "spring.yaml".to_owned(), Moved::Changed)]);
    assert!(!only_a_comment.edited && !only_a_comment.has_shots());

    now.jobs[0] = job("hero[sku=teapot]", "hero", SavedPrice::Exactly(Micros::units(10)), "a blue teapot", &[]);
    now.jobs[1].id = JobId::new("hero[sku=mug]");
    now.totals.floor = exact(16);
    let found = moves(&sample(), &now);
    let (changed, field) = found.changed.clone().expect("another prompt");
    assert_eq!((changed.count, changed.first.as_str()), (1, "hero[sku=teapot]"));
    assert_eq!(field, Some(("prompt".to_owned(), Some("a teapot".to_owned()), Some("a blue teapot".to_owned()))));
    assert_eq!(found.added.as_ref().map(|count| count.first.as_str()), Some("hero[sku=mug]"));
    assert_eq!(found.gone.as_ref().map(|count| count.first.as_str()), Some("hero[sku=cup]"));
    assert_eq!(found.repriced.len(), 1);
    assert_eq!(found.totals, [("floor", exact(12), exact(16))]);
    assert!(!found.edited);
}

#[test]
fn a_price_or_a_total_that_nothing_explains_was_edited() {
    let edits: [fn(&mut SavedPlan); 8] = [
        |plan| plan.jobs[0].price = SavedPrice::Exactly(Micros::units(1)),
        |plan| plan.totals.ceiling = exact(1_000),
        |plan| plan.jobs[0].fields[1].1 = "a red teapot".to_owned(),
        |plan| plan.jobs[0].work = SavedWork::Reused,
        |plan| plan.digest = digest("other"),
        |plan| plan.steps[0].kind = "edit".to_owned(),
        |plan| plan.campaign = "autumn".to_owned(),
        |plan| drop(plan.jobs.pop()),
    ];
    for (place, edit) in edits.into_iter().enumerate() {
        let mut edited = sample();
        edit(&mut edited);
        assert!(moves(&edited, &sample()).edited, "edit {place}");
    }
}

#[test]
fn history_that_moved_is_no_edit() {
    let mut now = sample();
    now.jobs[0].work = SavedWork::Reused;
    now.history = SavedHistory { known: 1, digest: digest("one bought") };
    now.totals.floor = exact(6);
    let found = moves(&sample(), &now);
    assert!(found.history && !found.edited);
    assert_eq!(found.work.iter().map(|(was, is, count)| (*was, *is, count.count)).collect::<Vec<_>>(), [(SavedWork::New, SavedWork::Reused, 1)]);

    let mut tried_once_more = sample();
    tried_once_more.history.digest = digest("another try");
    assert!(moves(&sample(), &tried_once_more).history);
}

#[test]
fn a_plan_that_was_begun_may_find_its_own_shots_bought_but_buys_no_others() {
    let mut saved = sample();
    saved.jobs[1].work = SavedWork::Reused;
    let mut now = saved.clone();
    now.jobs[0].work = SavedWork::Again;
    now.history = SavedHistory { known: 1, digest: digest("one tried") };
    (now.totals.floor, now.caps[0].committed) = (exact(6), Micros::units(6));
    assert_eq!(saved.moves(&now, Standpoint::Begun), None);
    now.jobs[1].work = SavedWork::Lost;
    let found = saved.moves(&now, Standpoint::Begun).expect("a picture is gone that the plan was not going to buy");
    assert_eq!(found.work.iter().map(|(was, is, _)| (*was, *is)).collect::<Vec<_>>(), [(SavedWork::Reused, SavedWork::Lost)]);
    assert!(!found.edited);
    now.jobs[1].work = SavedWork::Reused;
    now.caps[0].limit = Micros::units(200);
    assert!(saved.moves(&now, Standpoint::Begun).is_some(), "another cap");
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        let _ = SavedPlan::read(DOC, &text);
    }

    #[test]
    fn a_plan_with_a_hole_or_a_splinter_is_read_or_refused_with_a_place(cut in any::<prop::sample::Index>(), length in 0usize..40, splinter in "[\\[\\]{}\",:a-z0-9é\u{0}\n]{0,6}") {
        let text: Vec<char> = sample().to_text().chars().collect();
        let start = cut.index(text.len());
        let end = (start + length).min(text.len());
        let text: String = text[..start].iter().copied().chain(splinter.chars()).chain(text[end..].iter().copied()).collect();
        if let Err(found) = SavedPlan::read(DOC, &text) {
            for one in found.iter() {
                let (start, end) = one.at.inside.expect("a place");
                prop_assert!(start <= end && start <= text.len());
            }
        }
    }
}
