//! Doubt and its end: nobody's guess, the user's word, its evidence in the ledger.

use callsheet::ledger::{Ledger as _, Record, Scope};

use crate::desk::{Desk, SPRING, Said, counted_by};

/// A desk on which every answer to a request for a hero of the teapot was lost: two shots in doubt.
fn doubtful() -> Desk {
    let desk = Desk::new();
    let words = ["run", SPRING, "--rehearse", "-q", "--only", "hero[sku=teapot]", "--sim", "size=64x64,lose=1"];
    assert_eq!(desk.say(&words).code, 7);
    desk
}

const FRONT: &str = "hero[sku=teapot,angle=front]";
const QUARTER: &str = "hero[sku=teapot,angle=quarter]";

fn reconcile(desk: &Desk, words: &[&str]) -> Said {
    desk.say(&[&["reconcile", SPRING, "--rehearse"], words].concat())
}

/// Returns what is spent and in doubt, in whole credits.
fn money(desk: &Desk) -> (i64, i64) {
    let totals = desk.ledger().totals(&Scope("campaign:spring-drop".to_owned()));
    let totals = totals.expect("the ledger can be read");
    let [totals] = totals.as_slice() else { panic!("one currency: {totals:?}") };
    (totals.spent.get() / 1_000_000, totals.in_doubt.get() / 1_000_000)
}

fn run_on(desk: &Desk) -> Said {
    desk.say(&["run", SPRING, "--rehearse", "-q", "--only", "hero[sku=teapot]", "--sim", "size=64x64"])
}

#[test]
fn doubts_are_listed_with_what_helps_to_find_out_and_nothing_is_changed() {
    let desk = doubtful();
    let records = desk.records();
    let said = reconcile(&desk, &[]);
    assert_eq!((said.code, desk.records()), (7, records));
    for known in [FRONT, QUARTER, "kie", "gpt-image-2", "attempt 1", "12 credits", "--not-charged", "--task ID"] {
        assert!(said.out.contains(known), "{known}: {}", said.out);
    }
    assert_eq!(money(&desk), (0, 24));
}

#[test]
fn what_was_not_charged_is_given_back_and_bought_by_the_next_run() {
    let desk = doubtful();
    let said = reconcile(&desk, &[FRONT, "--not-charged", "--because", "not in the log"]);
    assert_eq!(said.code, 7, "one is left: {}", said.all());
    assert_eq!(money(&desk), (0, 12));
    let entries = desk.ledger().entries(0).expect("every record can be read");
    let evidence = entries.iter().find_map(|entry| match &entry.record {
        Record::Settled { evidence, .. } => Some(evidence.clone()),
        _ => None,
    });
    assert_eq!(evidence.as_deref(), Some("not charged, by the user's word: not in the log"));
    assert_eq!(reconcile(&desk, &["--all", "--not-charged"]).code, 0);
    assert_eq!(money(&desk), (0, 0));
    assert_eq!(run_on(&desk).code, 0);
    assert_eq!(money(&desk), (24, 0), "both are bought, once");
}

#[test]
fn what_was_charged_stays_spent_and_its_picture_is_bought_anew() {
    let desk = doubtful();
    assert_eq!(reconcile(&desk, &["--all", "--charged"]).code, 0);
    assert_eq!(money(&desk), (24, 0));
    assert_eq!(run_on(&desk).code, 0);
    assert_eq!(money(&desk), (48, 0));
    assert_eq!(counted_by(&desk.costs("spring-drop"), "status")["done"], 2);
}

#[test]
fn a_word_that_fits_no_doubt_is_refused_and_changes_nothing() {
    let desk = doubtful();
    let records = desk.records();
    let near = reconcile(&desk, &["hero[sku=teapot,angle=fron]", "--charged"]);
    assert_eq!(near.code, 2);
    assert!(near.err.contains(&format!("did you mean `{FRONT}`?")), "{}", near.err);
    for words in [
        &["--charged"][..],
        &[FRONT, "--charged", "--not-charged"],
        &[FRONT, QUARTER, "--task", "t"],
        &[FRONT, "--task", " "],
        &["--all", "--task", "t"],
    ] {
        let said = reconcile(&desk, words);
        assert_eq!(said.code, 2, "{words:?}: {}", said.all());
    }
    assert_eq!(desk.records(), records);
    assert_eq!(reconcile(&Desk::new(), &[]).code, 2, "nothing was ever run there");
}
