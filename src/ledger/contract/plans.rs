//! Saved plans: begun once, spent once, known by name.

use super::*;
use crate::types::{Clock, Digest};

fn plan(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

pub(super) async fn a_plan_is_begun_by_the_first_run_and_taken_up_by_others(stage: Stage) {
    assert_eq!(stage.ledger.plan(plan("a")).expect("plans can be read"), None);
    let began = stage.clock.now();
    let first = stage.ledger.begin_plan(plan("a"), "spring", run("r1")).await.expect("noted");
    assert_eq!(first, PlanRecord { campaign: "spring".to_owned(), begun_by: run("r1"), begun_at: began, spent: None });
    stage.clock.advance(Duration::from_secs(60));
    let again = stage.ledger.begin_plan(plan("a"), "spring", run("r2")).await.expect("noted");
    assert_eq!(again, first, "the first run stays the first");
    assert_eq!(stage.ledger.plan(plan("a")).expect("plans can be read"), Some(first));
    assert_eq!(stage.ledger.plan(plan("b")).expect("plans can be read"), None);
    assert_eq!(stage.ledger.last_seq().expect("the ledger can be read"), 0, "it is no record about a shot");
}

pub(super) async fn a_plan_is_spent_once(stage: Stage) {
    assert_eq!(stage.ledger.end_plan(plan("a"), run("r1")).await.expect("answered"), None, "a plan that never began");
    assert_eq!(stage.ledger.plan(plan("a")).expect("plans can be read"), None);
    stage.ledger.begin_plan(plan("a"), "spring", run("r1")).await.expect("noted");
    stage.clock.advance(Duration::from_secs(60));
    let at = stage.clock.now();
    let spent = stage.ledger.end_plan(plan("a"), run("r2")).await.expect("noted").expect("it was begun");
    assert_eq!(spent.spent, Some((run("r2"), at)));
    stage.clock.advance(Duration::from_secs(60));
    let again = stage.ledger.end_plan(plan("a"), run("r3")).await.expect("noted");
    assert_eq!(again.as_ref(), Some(&spent));
    let begun_again = stage.ledger.begin_plan(plan("a"), "spring", run("r3")).await.expect("answered");
    assert_eq!(begun_again, spent, "who begins is told that it is spent");
    assert_eq!(stage.ledger.plan(plan("a")).expect("plans can be read"), Some(spent));
}
