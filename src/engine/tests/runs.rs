use std::time::Duration;

use super::stage::{Act, Stage, Step, chains, credits, failure, outcomes};
use crate::engine::{Cancel, JobOutcome, OnDoubt, StopReason, Undone};
use crate::ledger::RateWindow;
use crate::plan::JobIx;
use crate::types::FailureClass;

const CHAIN: [Step; 3] = [Step("hero", true, None), Step("surface", true, Some("hero")), Step("deliver", false, Some("surface"))];

#[tokio::test(start_paused = true)]
async fn every_shot_is_bought_once_and_a_second_run_buys_nothing() {
    let stage = Stage::new(chains(3, &CHAIN));
    let first = stage.run(|_| {}).await;
    assert_eq!((first.stats.done, first.stats.failed, first.stats.running, first.stats.waiting), (9, 0, 0, 0));
    assert_eq!(stage.money(), (60, 0, 0));
    assert_eq!(first.stats.spent.to_string(), "60");

    let second = stage.run(|_| {}).await;
    assert_eq!(second.stats.reused, 9);
    assert_eq!(stage.submits().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_chain_goes_on_as_soon_as_its_own_input_is_there() {
    let stage = Stage::new(chains(3, &CHAIN));
    stage.provider.will("hero[row=0]", [Act::Forever]);
    let run = tokio::time::timeout(Duration::from_secs(60), stage.run(|_| {})).await;
    assert!(run.is_err(), "the first hero never ends");
    let told = stage.told();
    assert!(told.contains(&"done deliver[row=1]".to_owned()) && told.contains(&"done deliver[row=2]".to_owned()), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn whole_chains_come_before_half_chains() {
    let stage = Stage::new(chains(3, &CHAIN[..2]));
    stage.run(|request| request.concurrency = 1).await;
    let order: Vec<String> = stage.submits().iter().map(|submit| submit.replace(" 1", "")).collect();
    assert_eq!(order, ["hero[row=0]", "surface[row=0]", "hero[row=1]", "surface[row=1]", "hero[row=2]", "surface[row=2]"]);
}

#[tokio::test(start_paused = true)]
async fn no_more_shots_than_allowed_are_under_way() {
    let stage = Stage::new(chains(40, &CHAIN[..1]));
    stage.run(|request| request.concurrency = 7).await;
    assert_eq!(stage.provider.books.lock().unwrap().most_under_way, 7);
}

#[tokio::test(start_paused = true)]
async fn places_and_windows_of_the_account_are_kept() {
    let stage = Stage::new(chains(9, &CHAIN[..1]));
    let started = tokio::time::Instant::now();
    let run = stage.run(|request| {
        request.concurrency = 9;
        request.terms.limits.places = Some(2);
        request.terms.limits.windows = vec![RateWindow { count: 3, span: Duration::from_secs(20) }];
    });
    assert_eq!(run.await.stats.done, 9);
    assert!(stage.provider.books.lock().unwrap().most_under_way <= 2);
    assert!(started.elapsed() >= Duration::from_secs(40), "nine submits need three windows");
}

#[tokio::test(start_paused = true)]
async fn a_failed_upstream_skips_its_dependents_once_and_is_named() {
    let stage = Stage::new(chains(2, &CHAIN));
    stage.provider.will("hero[row=0]", [Act::Refuse(failure(FailureClass::Refused, "moderation_blocked"))]);
    let outcome = stage.run(|_| {}).await;
    insta::assert_snapshot!(outcomes(&stage.plan, &outcome), @r"
    hero[row=0] failed: moderation_blocked
    hero[row=1] bought at attempt 1 for 10 credits
    surface[row=0] skipped because of hero[row=0]
    surface[row=1] bought at attempt 1 for 10 credits
    deliver[row=0] skipped because of hero[row=0]
    deliver[row=1] made
    ");
    assert_eq!((outcome.stats.failed, outcome.stats.skipped), (1, 2));
    let skips = stage.told().into_iter().filter(|told| told.starts_with("skipped")).count();
    assert_eq!(skips, 2);
    // The refusal may have been charged, so it counts until somebody knows.
    assert_eq!(stage.money(), (30, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn after_enough_failures_nothing_new_is_sent_and_what_is_paid_is_finished() {
    let stage = Stage::new(chains(20, &CHAIN[..1]));
    stage.provider.will("hero[row=1]", [Act::Refuse(failure(FailureClass::Invalid, "422"))]);
    let outcome = stage.run(|request| request.stop_after_failures = Some(1)).await;
    assert_eq!(outcome.stopped, Some(StopReason::Failures(1)));
    assert_eq!((outcome.stats.failed, outcome.stats.done, outcome.stats.undone), (1, 3, 16));
    assert_eq!(outcome.left.len(), 16);
    assert_eq!(stage.money(), (30, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_refused_account_stops_the_campaign_and_keeps_what_is_paid() {
    let stage = Stage::new(chains(20, &CHAIN[..1]));
    stage.provider.will("hero[row=3]", [Act::Refuse(failure(FailureClass::Account, "402"))]);
    let outcome = stage.run(|_| {}).await;
    assert!(matches!(&outcome.stopped, Some(StopReason::Account(failure)) if failure.code == "402"));
    assert_eq!((outcome.stats.failed, outcome.stats.done), (1, 3));
    assert_eq!(stage.told().iter().filter(|told| *told == "account refused").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_throttled_submit_waits_as_long_as_it_is_told_and_costs_nothing() {
    let stage = Stage::new(chains(1, &CHAIN[..1]));
    let told = crate::types::Failure { retry_after: Some(Duration::from_secs(17)), ..failure(FailureClass::Throttled, "429") };
    stage.provider.will("hero[row=0]", [Act::Refuse(told)]);
    let started = tokio::time::Instant::now();
    let outcome = stage.run(|_| {}).await;
    assert!(started.elapsed() >= Duration::from_secs(17));
    assert_eq!(stage.submits(), ["hero[row=0] 1", "hero[row=0] 2"]);
    insta::assert_snapshot!(outcomes(&stage.plan, &outcome), @"hero[row=0] bought at attempt 2 for 10 credits");
    assert_eq!(stage.money(), (10, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_outage_fails_nobody_and_is_not_stormed() {
    let stage = Stage::new(chains(100, &CHAIN[..1]));
    // Each of the 8 shots under way meets a dead service again and again.
    for row in 0..8 {
        stage.provider.will(&format!("hero[row={row}]"), std::iter::repeat_n(Act::Refuse(failure(FailureClass::Transient, "reset")), 6));
    }
    let started = tokio::time::Instant::now();
    let outcome = stage.run(|request| request.concurrency = 8).await;
    assert_eq!(outcome.stats.done, 100);
    let broken = 8 * 6;
    // A full bucket of 8 retries, then one a second.
    assert!(started.elapsed() >= Duration::from_secs(broken - 8 - 8), "{:?}", started.elapsed());
    assert_eq!(stage.money(), (1000, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_held_in_doubt_and_never_sent_again() {
    let stage = Stage::new(chains(2, &CHAIN));
    stage.provider.will("hero[row=0]", [Act::Hang]);
    let outcome = stage.run(|_| {}).await;
    insta::assert_snapshot!(outcomes(&stage.plan, &outcome), @r"
    hero[row=0] in doubt: timeout
    hero[row=1] bought at attempt 1 for 10 credits
    surface[row=0] skipped because of hero[row=0]
    surface[row=1] bought at attempt 1 for 10 credits
    deliver[row=0] skipped because of hero[row=0]
    deliver[row=1] made
    ");
    assert_eq!(stage.money(), (20, 0, 12));

    let again = stage.run(|_| {}).await;
    assert_eq!((again.stats.in_doubt, again.stats.skipped, again.stats.reused), (1, 2, 3));
    assert_eq!(stage.submits().len(), 3);
    assert_eq!(stage.money(), (20, 0, 12));
}

#[tokio::test(start_paused = true)]
async fn doubt_is_bought_anew_only_when_the_policy_says_so() {
    let stage = Stage::new(chains(1, &CHAIN[..1]));
    stage.provider.will("hero[row=0]", [Act::Hang]);
    let outcome = stage.run(|request| (request.rules.on_doubt, request.rules.attempts) = (OnDoubt::Resend, 2)).await;
    insta::assert_snapshot!(outcomes(&stage.plan, &outcome), @"hero[row=0] bought at attempt 2 for 10 credits");
    assert_eq!(stage.money(), (22, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_idempotent_provider_is_asked_again_under_the_same_key() {
    let stage = Stage::new(chains(1, &CHAIN[..1]));
    stage.provider.will("hero[row=0]", [Act::Hang]);
    let outcome = stage.run(|request| request.terms.idempotent = true).await;
    assert_eq!(stage.submits(), ["hero[row=0] 1", "hero[row=0] 1"]);
    insta::assert_snapshot!(outcomes(&stage.plan, &outcome), @"hero[row=0] bought at attempt 1 for 10 credits");
    assert_eq!(stage.money(), (10, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_doubt_is_repeated_under_its_key_only_while_the_provider_still_knows_that_key() {
    for (hours, on_doubt, sent) in [
        (22, OnDoubt::Hold, ["hero[row=0] 1", "hero[row=0] 1"].as_slice()),
        (24, OnDoubt::Hold, &["hero[row=0] 1"]),
        (24, OnDoubt::Resend, &["hero[row=0] 1", "hero[row=0] 2"]),
    ] {
        let stage = Stage::new(chains(1, &CHAIN[..1]));
        stage.provider.will("hero[row=0]", [Act::Hang]);
        assert_eq!(stage.run(|_| {}).await.stats.in_doubt, 1);
        tokio::time::advance(Duration::from_secs(hours * 3600)).await;
        let outcome = stage.run(|request| (request.terms.idempotent, request.rules.on_doubt) = (true, on_doubt)).await;
        assert_eq!(stage.submits(), sent, "{hours} hours later");
        assert_eq!((outcome.stats.in_doubt, outcome.stats.done), if sent.len() == 1 { (1, 0) } else { (0, 1) }, "{hours} hours later");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_picture_is_fetched_again_for_nothing() {
    let stage = Stage::new(chains(1, &CHAIN[..1]));
    stage.provider.will("hero[row=0]", [Act::CutOff(3)]);
    let outcome = stage.run(|_| {}).await;
    assert_eq!(outcome.stats.done, 1);
    assert_eq!(stage.provider.books.lock().unwrap().fetches, 4);
    assert_eq!(stage.submits().len(), 1);
    assert_eq!(stage.store.len(), 1, "nothing of the cut ones is kept");
}

#[tokio::test(start_paused = true)]
async fn a_picture_that_never_comes_whole_was_still_paid_for() {
    let stage = Stage::new(chains(1, &CHAIN[..1]));
    stage.provider.will("hero[row=0]", [Act::CutOff(100)]);
    let outcome = stage.run(|_| {}).await;
    insta::assert_snapshot!(outcomes(&stage.plan, &outcome), @"hero[row=0] failed: not-whole");
    assert_eq!(stage.money(), (10, 0, 0));
    assert!(stage.store.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_the_picture_needs_no_poll() {
    let stage = Stage::new(chains(2, &CHAIN[..1]));
    stage.provider.will("hero[row=0]", [Act::Answer]);
    stage.provider.will("hero[row=1]", [Act::AnswerCut]);
    let outcome = stage.run(|_| {}).await;
    insta::assert_snapshot!(outcomes(&stage.plan, &outcome), @r"
    hero[row=0] bought at attempt 1 for 10 credits
    hero[row=1] failed: not-whole
    ");
    assert_eq!(stage.money(), (20, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_never_ends_is_kept_for_a_later_run() {
    let stage = Stage::new(chains(2, &CHAIN[..1]));
    stage.provider.will("hero[row=0]", [Act::Forever]);
    let outcome = stage.run(|_| {}).await;
    assert_eq!(outcome.jobs[0], JobOutcome::Undone(Undone::StillRunning));
    assert_eq!(outcome.stats.done, 1);
    assert_eq!(stage.money(), (10, 12, 0));
}

#[tokio::test(start_paused = true)]
async fn shots_of_one_key_are_bought_once() {
    let mut plan = chains(3, &CHAIN[..2]);
    for (later, first) in [(1, 0), (2, 0), (4, 3), (5, 3)] {
        plan.jobs[later].key = plan.jobs[first].key;
        plan.twins.insert(JobIx(later as u32), JobIx(first as u32));
    }
    let stage = Stage::new(plan);
    let outcome = stage.run(|_| {}).await;
    insta::assert_snapshot!(outcomes(&stage.plan, &outcome), @r"
    hero[row=0] bought at attempt 1 for 10 credits
    hero[row=1] shared with hero[row=0]
    hero[row=2] shared with hero[row=0]
    surface[row=0] bought at attempt 1 for 10 credits
    surface[row=1] shared with surface[row=0]
    surface[row=2] shared with surface[row=0]
    ");
    assert_eq!(stage.submits(), ["hero[row=0] 1", "surface[row=0] 1"]);
    let again = stage.run(|_| {}).await;
    assert_eq!(again.stats.reused, 6);
}

#[tokio::test(start_paused = true)]
async fn the_first_interrupt_finishes_what_is_paid() {
    let stage = Stage::new(chains(10, &CHAIN));
    let interrupt = async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        stage.cancel.send_replace(Cancel::Finish);
    };
    let (outcome, ()) = tokio::join!(stage.run(|_| {}), interrupt);
    assert_eq!(outcome.stopped, Some(StopReason::Cancelled));
    assert_eq!(stage.submits().len(), 4);
    assert_eq!((outcome.stats.done, outcome.stats.undone), (4, 26));
    assert_eq!(stage.money(), (40, 0, 0));

    stage.cancel.send_replace(Cancel::No);
    assert_eq!(stage.run(|_| {}).await.stats.undone, 0);
    assert_eq!(stage.money(), (200, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_second_interrupt_leaves_at_once_and_loses_nothing() {
    let stage = Stage::new(chains(10, &CHAIN));
    let started = tokio::time::Instant::now();
    let interrupt = async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        stage.cancel.send_replace(Cancel::Finish);
        tokio::time::sleep(Duration::from_millis(1)).await;
        stage.cancel.send_replace(Cancel::Leave);
    };
    let (outcome, ()) = tokio::join!(stage.run(|_| {}), interrupt);
    assert_eq!(outcome.stats.done, 0);
    assert!(started.elapsed() < Duration::from_secs(2));
    assert_eq!(stage.money(), (0, 48, 0));

    stage.cancel.send_replace(Cancel::No);
    let resumed = stage.run(|_| {}).await;
    assert_eq!((resumed.stats.done, stage.submits().len()), (30, 20));
    assert_eq!(stage.money(), (200, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_last_chains_are_begun_before_the_first_ones_end_unless_the_money_may_run_out() {
    for (cap, wanted) in [(None, ["hero[row=3]", "surface[row=0]"]), (Some(90), ["surface[row=0]", "hero[row=3]"])] {
        let stage = Stage::new(chains(4, &CHAIN[..2]));
        let run = stage.run(|request| {
            request.concurrency = 3;
            request.caps[0].limit = cap.map(credits);
        });
        assert_eq!(run.await.stats.done, 8);
        let order: Vec<String> = stage.submits().iter().map(|submit| submit.replace(" 1", "")).collect();
        let place = |what: &str| order.iter().position(|submit| submit == what).expect("it was sent");
        assert!(place(wanted[0]) < place(wanted[1]), "{cap:?}: {order:?}");
    }
}
