//! What a change of the campaign buys again, and what it must not.

use std::collections::BTreeMap;

use crate::desk::{Desk, SPRING, counted_by};

/// Two products, up to the surfaces: 4 heroes and 12 surfaces.
const DRAFT: [&str; 3] = [SPRING, "--profile", "draft"];

/// A small campaign with takes.
const TAKES: &str = r#"
callsheet: 1
campaign: takes
provider: kie
prices: gptimage2-flat
defaults: { model: gpt-image-2, aspect: "1:1" }
axes: { cup: [red, blue] }
steps:
  cup:
    generate: { prompt: "a {{ cup }} cup", over: [cup], takes: 1 }
"#;

fn rehearsed() -> Desk {
    let desk = Desk::new();
    desk.rehearse(&[&DRAFT[..], &["-q"]].concat(), 0);
    desk
}

fn attempts(desk: &Desk) -> BTreeMap<String, usize> {
    counted_by(&desk.costs("spring-drop"), "step")
}

fn counts(heroes: usize, surfaces: usize) -> BTreeMap<String, usize> {
    [("hero".to_owned(), heroes), ("surface".to_owned(), surfaces)].into()
}

/// Asserts that a run buys nothing.
fn buys_nothing(desk: &Desk, words: &[&str]) {
    let before = desk.costs("spring-drop").len();
    let plan = desk.plan(&[&DRAFT[..], &["--rehearse"]].concat());
    let jobs = &plan["totals"]["jobs"];
    assert_eq!(
        (&jobs["new"], &jobs["changed"], &jobs["lost"], &plan["totals"]["floor"]["amount"]),
        (&0.into(), &0.into(), &0.into(), &"0".into()),
        "{jobs}"
    );
    desk.rehearse(&[&DRAFT[..], &["-q"], words].concat(), 0);
    assert_eq!(desk.costs("spring-drop").len(), before);
}

#[test]
fn another_rung_is_bought_again_and_nothing_else() {
    let desk = rehearsed();
    assert_eq!(attempts(&desk), counts(4, 12));
    let before = desk.snapshot("rehearsal/spring-drop");
    desk.edit("pale oak", "dark walnut");

    let plan = desk.say(&[&["plan"], &DRAFT[..], &["--rehearse"]].concat());
    assert!(plan.out.contains("changed    surface[sku=teapot,angle=front,surface=oak] and 3 alike: prompt:"), "{}", plan.out);
    assert!(plan.out.contains("[pale oak -> dark walnut]"), "{}", plan.out);
    let shot = "surface[sku=teapot,angle=front,surface=oak]";
    let why = desk.say(&["why", SPRING, shot, "--rehearse", "--profile", "draft"]);
    assert!(why.out.contains("state      changed") && why.out.contains("pale oak -> dark walnut"), "{}", why.out);

    desk.rehearse(&[&DRAFT[..], &["-q"]].concat(), 0);
    for (job, count) in counted_by(&desk.costs("spring-drop"), "job") {
        assert_eq!(count, if job.contains("surface=oak") { 2 } else { 1 }, "{job}");
    }
    let plan = desk.plan(&[&DRAFT[..], &["--rehearse"]].concat());
    assert_eq!(plan["totals"]["floor"]["amount"], "0", "nothing is left");
    let after = desk.snapshot("rehearsal/spring-drop");
    for (file, (_, bytes)) in before.iter().filter(|(file, _)| file.ends_with(".png")) {
        assert_eq!(after[file].1 != *bytes, file.contains("/oak/"), "{file}");
    }
    assert_eq!(attempts(&desk), counts(4, 12 + 4));
}

#[test]
fn another_slot_of_the_baseline_is_bought_again_with_all_that_is_made_from_it() {
    let desk = rehearsed();
    desk.edit("in {{ sku.material }}", "made of {{ sku.material }}");
    desk.rehearse(&[&DRAFT[..], &["-q", "--cap", "5000", "--until", "hero"]].concat(), 0);
    assert_eq!(attempts(&desk), counts(8, 12));
    let plan = desk.plan(&[&DRAFT[..], &["--rehearse"]].concat());
    assert_eq!(plan["totals"]["jobs"]["changed"], 12, "what is made from the heroes is made again: {}", plan["totals"]["jobs"]);
}

#[test]
fn another_product_buys_only_its_own_shots() {
    let desk = Desk::new();
    let csv = "campaigns/data/spring-skus.csv";
    desk.edit_file(csv, "carafe,Lume carafe,smoked borosilicate glass,ready", "carafe,Lume carafe,smoked borosilicate glass,draft");
    let heroes = [SPRING, "-q", "--until", "hero"];
    desk.rehearse(&heroes, 0);
    let before = desk.costs("spring-drop");
    desk.edit_file(csv, "carafe,Lume carafe,smoked borosilicate glass,draft", "carafe,Lume carafe,smoked borosilicate glass,ready");
    desk.rehearse(&heroes, 0);
    let mut after = counted_by(&desk.costs("spring-drop"), "sku");
    assert_eq!(after.remove("carafe"), Some(2), "two angles");
    assert_eq!(after, counted_by(&before, "sku"));
}

#[test]
fn order_paths_prices_and_concurrency_buy_nothing() {
    let desk = rehearsed();
    let csv = "campaigns/data/spring-skus.csv";
    let text = String::from_utf8(desk.read(csv)).expect("CSV is text");
    let mut lines: Vec<&str> = text.lines().collect();
    lines.swap(1, 2);
    desk.write(csv, lines.join("\n") + "\n");
    buys_nothing(&desk, &[]);

    desk.edit("concurrency: 16", "concurrency: 2");
    buys_nothing(&desk, &["--concurrency", "3"]);

    desk.edit(
        "generate: { baseline: pdp, over: [sku, angle] }",
        "generate: { baseline: pdp, over: [sku, angle], path: \"moved/{{ sku }}-{{ angle }}.{{ ext }}\" }",
    );
    buys_nothing(&desk, &[]);
    assert!(desk.path().join("rehearsal/spring-drop/moved/teapot-front.png").is_file());
    assert!(!desk.path().join("rehearsal/spring-drop/teapot/front/hero.png").exists(), "the old name is gone");

    desk.edit("prices: gptimage2-flat ", "prices: kie ");
    buys_nothing(&desk, &[]);
}

#[test]
fn further_takes_keep_the_first() {
    let desk = Desk::new();
    desk.write("campaigns/takes.yaml", TAKES);
    desk.rehearse(&["campaigns/takes.yaml", "-q"], 0);
    let first = desk.costs("takes");
    desk.edit_file("campaigns/takes.yaml", "takes: 1", "takes: 3");
    let plan = desk.plan(&["campaigns/takes.yaml", "--rehearse"]);
    assert_eq!((&plan["totals"]["jobs"]["reused"], &plan["totals"]["floor"]["amount"]), (&2.into(), &"48".into()), "{}", plan["totals"]["jobs"]);
    desk.rehearse(&["campaigns/takes.yaml", "-q"], 0);
    let rows = desk.costs("takes");
    assert_eq!(rows.len(), 6);
    for row in &first {
        let kept = rows.iter().find(|other| other["job_key"] == row["job_key"]).unwrap_or_else(|| panic!("take 1 of {} is gone", row["job"]));
        assert_eq!((&kept["task_id"], &kept["blake3"]), (&row["task_id"], &row["blake3"]));
    }
}

#[test]
fn a_file_that_was_deleted_is_restored_for_nothing() {
    let desk = rehearsed();
    let (file, records) = ("rehearsal/spring-drop/cup/quarter/linen/surface.png", desk.records());
    let bytes = desk.read(file);
    std::fs::remove_file(desk.path().join(file)).expect("the file is there");
    buys_nothing(&desk, &[]);
    assert!(desk.read(file) == bytes);
    assert_eq!(desk.records(), records);
}

#[test]
fn a_picture_lost_from_the_store_is_the_only_one_made_again() {
    let desk = rehearsed();
    let rows = desk.costs("spring-drop");
    let lost = rows.iter().find(|row| row["job"] == "surface[sku=cup,angle=front,surface=linen]").expect("it was made");
    std::fs::remove_file(desk.blob(&lost["blake3"])).expect("the picture is in the store");

    let plan = desk.plan(&[&DRAFT[..], &["--rehearse"]].concat());
    let jobs = &plan["totals"]["jobs"];
    assert_eq!((&jobs["lost"], &jobs["reused"], &plan["totals"]["floor"]["amount"]), (&1.into(), &15.into(), &"12".into()), "{jobs}");
    desk.rehearse(&[&DRAFT[..], &["-q"]].concat(), 0);
    let again = counted_by(&desk.costs("spring-drop"), "job");
    assert_eq!(again.iter().filter(|(_, count)| **count > 1).collect::<Vec<_>>(), [(&lost["job"], &2)]);
    assert_eq!(again.values().sum::<usize>(), 17);
    desk.picture("spring-drop", "cup/front/linen/surface.png");
}
