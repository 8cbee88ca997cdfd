use std::collections::BTreeSet;

use proptest::prelude::*;

use super::sample::Hand;
use super::*;

/// Two heroes and the surfaces of each, on texts that can be changed.
fn spring(hero: &str, surfaces: &[(&str, &str)]) -> Hand {
    let mut plan = Hand::new();
    for sku in ["teapot", "mug"] {
        plan = plan.job(&format!("hero[sku={sku}]"), &format!("a {sku} {hero}"), &[]);
    }
    for sku in ["teapot", "mug"] {
        for (surface, text) in surfaces {
            let prompt = format!("the product stands {text}, nothing else changes");
            plan = plan.job(&format!("surface[sku={sku},surface={surface}]"), &prompt, &[&format!("hero[sku={sku}]")]);
        }
    }
    plan
}

const OAK: (&str, &str) = ("oak", "on a pale oak tabletop");
const WALNUT: (&str, &str) = ("oak", "on a dark walnut tabletop");
const LINEN: (&str, &str) = ("linen", "on washed linen");

/// Tells a diff in lines, as plainly as possible.
fn told(base: &Hand, current: &Hand) -> String {
    let diff = diff(base, current);
    let mut lines = Vec::new();
    for group in &diff.groups {
        lines.push(format!("{} x {}: {:?}, first {}", group.pairs.len(), group.step, group.change, group.first));
        for variant in &group.variants {
            let fields = variant.fields.iter().map(|change| format!("{}: {:?} -> {:?}", change.name, change.was, change.is));
            lines.push(format!("  {} from pair {}: {}", variant.jobs, variant.first, fields.collect::<Vec<_>>().join("; ")));
        }
        if group.uncompared > 0 {
            lines.push(format!("  {} uncompared", group.uncompared));
        }
    }
    for step in &diff.steps {
        lines.push(format!("{}: {} -> {}, +{} ~{} ->{} -{}", step.name, step.before, step.after, step.added, step.changed, step.moved, step.removed));
    }
    lines.push(format!("{} unchanged", diff.unchanged));
    lines.join("\n")
}

#[test]
fn jobs_with_one_change_of_words_stand_together() {
    insta::assert_snapshot!(told(&spring("on white", &[OAK, LINEN]), &spring("on white", &[WALNUT, LINEN])), @r#"
    2 x surface: Changed { own: ["prompt"], follows: [] }, first surface[sku=teapot,surface=oak]
      2 from pair 0: prompt: Some(Text("the product stands on a pale oak tabletop, nothing else changes")) -> Some(Text("the product stands on a dark walnut tabletop, nothing else changes"))
    hero: 2 -> 2, +0 ~0 ->0 -0
    surface: 4 -> 4, +0 ~2 ->0 -0
    4 unchanged
    "#);
}

#[test]
fn what_only_follows_is_told_by_the_step_that_it_follows_from() {
    insta::assert_snapshot!(told(&spring("on white", &[OAK, LINEN]), &spring("on a white sweep", &[WALNUT, LINEN])), @r#"
    2 x hero: Changed { own: ["prompt"], follows: [] }, first hero[sku=teapot]
      2 from pair 0: prompt: Some(Text("a teapot on white")) -> Some(Text("a teapot on a white sweep"))
    2 x surface: Changed { own: ["prompt"], follows: ["hero"] }, first surface[sku=teapot,surface=oak]
      2 from pair 0: prompt: Some(Text("the product stands on a pale oak tabletop, nothing else changes")) -> Some(Text("the product stands on a dark walnut tabletop, nothing else changes"))
    2 x surface: Changed { own: [], follows: ["hero"] }, first surface[sku=teapot,surface=linen]
    hero: 2 -> 2, +0 ~2 ->0 -0
    surface: 4 -> 4, +0 ~4 ->0 -0
    0 unchanged
    "#);
}

#[test]
fn added_and_removed_jobs_are_told_by_step() {
    insta::assert_snapshot!(told(&spring("on white", &[OAK]), &spring("on white", &[LINEN])), @r"
    2 x surface: Added, first surface[sku=teapot,surface=linen]
    2 x surface: Removed, first surface[sku=teapot,surface=oak]
    hero: 2 -> 2, +0 ~0 ->0 -0
    surface: 2 -> 2, +2 ~0 ->0 -2
    2 unchanged
    ");
}

#[test]
fn a_renamed_step_or_value_moves_its_pictures_and_changes_nothing_after_it() {
    let base = spring("on white", &[OAK]);
    let renamed = Hand::new()
        .job("master[sku=teapot]", "a teapot on white", &[])
        .job("master[sku=mug]", "a mug on white", &[])
        .job("surface[sku=teapot,surface=oak]", "the product stands on a pale oak tabletop, nothing else changes", &["master[sku=teapot]"])
        .job("surface[sku=mug,surface=table]", "the product stands on a pale oak tabletop, nothing else changes", &["master[sku=mug]"])
        .filed("mug/table.png");
    insta::assert_snapshot!(told(&base, &renamed), @r#"
    2 x master: Moved { from: "hero" }, first master[sku=teapot]
    1 x surface: Moved { from: "surface" }, first surface[sku=mug,surface=table]
    master: 0 -> 2, +0 ~0 ->2 -0
    surface: 2 -> 2, +0 ~0 ->1 -0
    hero: 2 -> 0, +0 ~0 ->0 -0
    1 unchanged
    "#);
}

#[test]
fn a_file_that_stands_elsewhere_is_the_same_picture() {
    let base = Hand::new().job("hero", "a mug", &[]);
    insta::assert_snapshot!(told(&base, &base.clone().filed("shop/mug.png")), @r"
    1 x hero: Refiled, first hero
    hero: 1 -> 1, +0 ~0 ->1 -0
    0 unchanged
    ");
}

#[test]
fn another_step_as_the_source_is_a_change_of_its_own() {
    let plan = |source| Hand::new().job("hero", "a mug", &[]).job("close-up", "a mug, near", &[]).job("evening", "at dusk", &[source]);
    insta::assert_snapshot!(told(&plan("hero"), &plan("close-up")), @r#"
    1 x evening: Changed { own: ["image"], follows: [] }, first evening
      1 from pair 0: image: Some(Picture(JobId("hero"))) -> Some(Picture(JobId("close-up")))
    hero: 1 -> 1, +0 ~0 ->0 -0
    close-up: 1 -> 1, +0 ~0 ->0 -0
    evening: 1 -> 1, +0 ~1 ->0 -0
    2 unchanged
    "#);
}

#[test]
fn ingredients_that_come_and_go_are_told_with_their_side() {
    let plan = |takes: &[&str]| Hand::new().job("hero", "a mug", &[]).job("logo", "a logo", &[]).job("card", "both", takes);
    insta::assert_snapshot!(told(&plan(&["hero"]), &plan(&["hero", "logo"])), @r#"
    1 x card: Changed { own: ["reference"], follows: [] }, first card
      1 from pair 0: reference 1: None -> Some(Picture(JobId("logo")))
    hero: 1 -> 1, +0 ~0 ->0 -0
    logo: 1 -> 1, +0 ~0 ->0 -0
    card: 1 -> 1, +0 ~1 ->0 -0
    2 unchanged
    "#);
}

#[test]
fn texts_of_their_own_are_counted_when_there_are_too_many() {
    let plan = |word: &str| (0..4_500).fold(Hand::new(), |plan, row| plan.job(&format!("hero[sku={row}]"), &format!("{word}{row} mug"), &[]));
    let diff = diff(&plan("red"), &plan("blue"));
    let group = &diff.groups[0];
    assert_eq!((diff.groups.len(), group.pairs.len(), group.variants.len(), group.uncompared), (1, 4_500, 4_000, 500));
}

#[test]
fn a_sheet_of_many_cells_is_compared_in_no_time() {
    let sheet = |cells: usize| {
        let mut plan = Hand::new();
        let ids: Vec<String> = (0..cells).map(|cell| format!("hero[sku={cell}]")).collect();
        for id in &ids {
            plan = plan.job(id, id, &[]);
        }
        plan.job("overview", "", &ids.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let diff = diff(&sheet(3_000), &sheet(3_001));
    assert_eq!(diff.count(|change| *change == Change::Added), 1);
    let group = &diff.groups[0];
    assert_eq!((group.step.as_str(), group.change.clone()), ("overview", Change::Changed { own: vec!["reference".to_owned()], follows: vec![] }));
}

/// Some heroes with one of three prompts, some surfaces of those.
fn any_plan() -> impl Strategy<Value = Hand> {
    proptest::collection::btree_map(0..6_u8, (0..3_u8, 0..4_u8), 0..6).prop_map(|heroes| {
        let mut plan = Hand::new();
        for (sku, (prompt, _)) in &heroes {
            plan = plan.job(&format!("hero[sku={sku}]"), &format!("prompt {prompt} of {}", sku / 2), &[]);
        }
        for (sku, (_, surfaces)) in &heroes {
            for surface in 0..*surfaces {
                plan = plan.job(&format!("surface[sku={sku},surface={surface}]"), &format!("on {surface}"), &[&format!("hero[sku={sku}]")]);
            }
        }
        plan
    })
}

fn addresses(diff: &Diff, wanted: &Change, base: &Hand, current: &Hand) -> BTreeSet<String> {
    let groups = diff.groups.iter().filter(|group| group.change == *wanted);
    let pairs = groups.flat_map(|group| &group.pairs);
    let id = |side: &Hand, place: Option<u32>| place.map(|place| side.id(place as usize).to_string());
    pairs.filter_map(|pair| id(current, pair.current).or(id(base, pair.base))).collect()
}

proptest! {
    #[test]
    fn a_plan_does_not_differ_from_itself(plan in any_plan()) {
        let diff = diff(&plan, &plan);
        prop_assert!(diff.groups.is_empty(), "{:?}", diff.groups);
        prop_assert_eq!(diff.unchanged, plan.len());
    }

    #[test]
    fn what_is_added_one_way_is_removed_the_other(base in any_plan(), current in any_plan()) {
        let (there, back) = (diff(&base, &current), diff(&current, &base));
        prop_assert_eq!(addresses(&there, &Change::Added, &base, &current), addresses(&back, &Change::Removed, &current, &base));
        prop_assert_eq!(addresses(&there, &Change::Removed, &base, &current), addresses(&back, &Change::Added, &current, &base));
        prop_assert_eq!(there.unchanged, back.unchanged);
    }

    #[test]
    fn every_job_is_told_once(base in any_plan(), current in any_plan()) {
        let diff = diff(&base, &current);
        let told = diff.groups.iter().flat_map(|group| &group.pairs);
        let now: Vec<u32> = told.clone().filter_map(|pair| pair.current).collect();
        let before: Vec<u32> = told.filter_map(|pair| pair.base).collect();
        prop_assert_eq!(now.len() + diff.unchanged, current.len());
        prop_assert_eq!(before.len() + diff.unchanged, base.len());
        for step in &diff.steps {
            prop_assert_eq!(step.before + step.added - step.removed + moved_in(&diff, &step.name) - moved_out(&diff, &step.name), step.after);
        }
        for group in diff.groups.iter().filter(|group| !group.variants.is_empty()) {
            prop_assert_eq!(group.variants.iter().map(|variant| variant.jobs).sum::<usize>() + group.uncompared, group.pairs.len());
        }
    }
}

fn moved_in(diff: &Diff, step: &str) -> usize {
    let groups = diff.groups.iter().filter(|group| group.step == step);
    groups.filter(|group| matches!(&group.change, Change::Moved { from } if from != step)).map(|group| group.pairs.len()).sum()
}

fn moved_out(diff: &Diff, step: &str) -> usize {
    let groups = diff.groups.iter().filter(|group| group.step != step);
    groups.filter(|group| matches!(&group.change, Change::Moved { from } if from == step)).map(|group| group.pairs.len()).sum()
}
