use std::sync::Arc;

use super::stage::{Act, CAMPAIGN, Stage, Step, chains, credits, failure, outcomes, terms};
use crate::engine::{EngineError, RunRequest, StopReason};
use crate::event::EventKind;
use crate::ledger::{Cap, Scope};
use crate::plan::Plan;
use crate::provider::manifest::Known;
use crate::types::{FailureClass, Micros, Operation, Paid};

const CHAIN: [Step; 2] = [Step("hero", true, None), Step("surface", true, Some("hero"))];

fn capped(limit: i64) -> impl FnOnce(&mut RunRequest) {
    move |request| request.caps[0].limit = Some(credits(limit))
}

#[tokio::test(start_paused = true)]
async fn the_cap_stops_before_the_call_and_keeps_what_is_paid() {
    let stage = Stage::new(chains(10, &CHAIN));
    let outcome = stage.run(capped(45)).await;
    // Four at 10 are 40; a fifth would hold 12.
    assert_eq!(outcome.stats.done, 4);
    assert_eq!(stage.submits().len(), 4);
    assert_eq!(stage.money(), (40, 0, 0));
    let stopped = StopReason::OverCap { scope: Scope(CAMPAIGN.to_owned()), limit: Micros::units(45), committed: Micros::units(40) };
    assert_eq!(outcome.stopped, Some(stopped));
    assert_eq!(outcome.left.len(), 16);
    assert_eq!(stage.told().iter().filter(|told| told.starts_with("cap ")).count(), 1);
}

/// Returns the addresses of what was bought, in the plan's order.
fn bought(stage: &Stage, outcome: &crate::engine::RunOutcome) -> String {
    let is_bought = |ix: &crate::plan::JobIx| matches!(outcome.jobs[ix.index()], crate::engine::JobOutcome::Bought { .. });
    stage.plan.indices().filter(is_bought).map(|ix| stage.plan.id(ix).to_string()).collect::<Vec<_>>().join(" ")
}

/// Prices without a margin: what is quoted is held and charged.
fn flat(request: &mut RunRequest) {
    for price in request.prices.iter_mut().flatten() {
        price.reserved = price.quoted.clone();
    }
}

#[tokio::test(start_paused = true)]
async fn money_for_ten_of_twenty_makes_five_whole_chains() {
    for concurrency in [1, 4, 10, 100] {
        let stage = Stage::new(chains(10, &CHAIN));
        let outcome = stage
            .run(|request| {
                flat(request);
                request.concurrency = concurrency;
                request.caps[0].limit = Some(credits(100));
            })
            .await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(bought(&stage, &outcome), @"hero[row=0] hero[row=1] hero[row=2] hero[row=3] hero[row=4] surface[row=0] surface[row=1] surface[row=2] surface[row=3] surface[row=4]");
        }
        assert_eq!(stage.money(), (100, 0, 0), "{concurrency} at once");
        let left: Vec<String> = outcome.left.iter().take(3).map(|ix| stage.plan.id(*ix).to_string()).collect();
        assert_eq!(left, ["hero[row=5]", "surface[row=5]", "hero[row=6]"], "in the order in which the next run does them");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_not_short_of_money_starts_all_at_once() {
    let stage = Stage::new(chains(10, &CHAIN));
    stage
        .run(|request| {
            flat(request);
            request.concurrency = 10;
            request.caps[0].limit = Some(credits(200));
        })
        .await;
    assert!(stage.submits()[..10].iter().all(|submit| submit.starts_with("hero")), "{:?}", stage.submits());
}

#[tokio::test(start_paused = true)]
async fn a_chain_that_has_failed_leaves_its_money_to_the_next() {
    let stage = Stage::new(chains(6, &CHAIN));
    stage.provider.will("hero[row=1]", [Act::Refuse(failure(FailureClass::Invalid, "422"))]);
    stage.provider.will("surface[row=0]", [Act::FailLater(failure(FailureClass::Failed, "501"))]);
    let outcome = stage
        .run(|request| {
            flat(request);
            request.concurrency = 6;
            // Nothing is given back: one of six tries is lost on `surface[row=0]`, and it gets no second one.
            request.terms.charge.refund_on_failure = Known::No;
            request.caps[0].limit = Some(credits(60));
        })
        .await;
    insta::assert_snapshot!(bought(&stage, &outcome), @"hero[row=0] hero[row=2] hero[row=3] surface[row=2] surface[row=3]");
    assert_eq!(stage.money(), (60, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_further_try_is_not_bought_with_the_money_of_a_chain_that_can_be_whole() {
    let stage = Stage::new(chains(3, &CHAIN));
    stage.provider.will("hero[row=0]", [Act::FailLater(failure(FailureClass::Failed, "501"))]);
    let outcome = stage
        .run(|request| {
            flat(request);
            (request.concurrency, request.rules.attempts) = (3, 2);
            request.terms.charge.refund_on_failure = Known::No;
            request.caps[0].limit = Some(credits(60));
        })
        .await;
    // Three heroes were begun before the first was lost; what is left pays two surfaces or one more hero and one surface.
    insta::assert_snapshot!(bought(&stage, &outcome), @"hero[row=0] hero[row=1] hero[row=2] surface[row=1] surface[row=2]");
    assert_eq!(stage.money(), (60, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn no_chain_is_begun_for_a_step_whose_own_cap_cannot_pay_it() {
    let stage = Stage::new(chains(6, &CHAIN));
    let outcome = stage
        .run(|request| {
            flat(request);
            let scope = Scope(format!("{CAMPAIGN}/step:surface"));
            request.step_caps = vec![None, Some(Cap::new(scope, Some(credits(20))))];
            request.caps[0].limit = Some(credits(55));
            request.concurrency = 1;
        })
        .await;
    // Two whole chains; only then a half one, with what is left.
    let order: Vec<String> = stage.submits().iter().map(|submit| submit.replace(" 1", "")).collect();
    assert_eq!(order, ["hero[row=0]", "surface[row=0]", "hero[row=1]", "surface[row=1]", "hero[row=2]"]);
    assert_eq!(outcome.left.len(), 7);
}

/// Has the surfaces of a plan made by a provider of its own.
fn surfaces_elsewhere(plan: &mut Plan) {
    for ix in plan.steps[1].jobs.clone() {
        if let Operation::Paid(paid) = &mut plan.jobs[ix as usize].operation {
            *paid = Arc::new(Paid { provider: "fal".into(), ..(**paid).clone() });
        }
    }
}

#[tokio::test(start_paused = true)]
async fn chains_that_a_providers_own_cap_cannot_pay_leave_the_money_to_others() {
    for concurrency in [1, 8] {
        let mut plan = chains(4, &[CHAIN[0], CHAIN[1], Step("base", true, None), Step("poster", true, Some("base"))]);
        surfaces_elsewhere(&mut plan);
        let stage = Stage::new(plan);
        let outcome = stage
            .run(|request| {
                flat(request);
                request.further.terms.insert("fal".into(), terms());
                let scope = Scope(format!("{CAMPAIGN}/provider:fal"));
                request.further.caps.insert("fal".into(), Cap::new(scope, Some(credits(10))));
                request.caps[0].limit = Some(credits(80));
                request.concurrency = concurrency;
            })
            .await;
        // One surface is all that the further provider may be paid for; the rest makes whole posters and no heroes for nothing.
        insta::allow_duplicates! {
            insta::assert_snapshot!(bought(&stage, &outcome), @"hero[row=0] surface[row=0] base[row=0] base[row=1] base[row=2] poster[row=0] poster[row=1] poster[row=2]");
        }
        assert_eq!(stage.money(), (80, 0, 0), "{concurrency} at once");
    }
}

#[tokio::test(start_paused = true)]
async fn what_settles_below_its_reservation_makes_room_again() {
    let stage = Stage::new(chains(10, &CHAIN[..1]));
    // 12 are held for each and 10 are charged: five fit into 52 in the end, though only four at once.
    let outcome = stage.run(capped(52)).await;
    assert_eq!(outcome.stats.done, 5);
    assert_eq!(stage.money(), (50, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn at_no_moment_is_more_committed_than_the_cap() {
    let stage = Stage::new(chains(30, &CHAIN));
    for row in 0..30 {
        let act = match row % 5 {
            0 => Act::FailLater(failure(FailureClass::Failed, "501")),
            1 => Act::Refuse(failure(FailureClass::Transient, "reset")),
            2 => Act::Hang,
            _ => continue,
        };
        stage.provider.will(&format!("hero[row={row}]"), [act]);
    }
    stage
        .run(|request| {
            request.caps[0].limit = Some(credits(200));
            (request.concurrency, request.rules.attempts) = (16, 3);
        })
        .await;
    for event in stage.events.lock().unwrap().iter() {
        let committed = event.stats.spent.get() + event.stats.reserved.get() + event.stats.doubted.get();
        assert!(committed <= 200_000_000, "{event:?}");
    }
    let (spent, reserved, in_doubt) = stage.money();
    assert!(spent + reserved + in_doubt <= 200 && reserved == 0 && in_doubt > 0);
    let last = stage.events.lock().unwrap().last().cloned().unwrap();
    assert_eq!(last.kind, EventKind::RunFinished);
    assert_eq!((last.stats.spent, last.stats.doubted), (Micros::units(spent), Micros::units(in_doubt)));
}

#[tokio::test(start_paused = true)]
async fn the_cap_of_one_step_leaves_the_others_alone() {
    let stage = Stage::new(chains(3, &CHAIN));
    let outcome = stage
        .run(|request| {
            let scope = Scope(format!("{CAMPAIGN}/step:surface"));
            request.step_caps = vec![None, Some(Cap::new(scope, Some(credits(12))))];
        })
        .await;
    insta::assert_snapshot!(outcomes(&stage.plan, &outcome), @r"
    hero[row=0] bought at attempt 1 for 10 credits
    hero[row=1] bought at attempt 1 for 10 credits
    hero[row=2] bought at attempt 1 for 10 credits
    surface[row=0] bought at attempt 1 for 10 credits
    surface[row=1] undone: OverCap
    surface[row=2] undone: OverCap
    ");
}

#[tokio::test(start_paused = true)]
async fn a_failed_try_is_released_or_kept_as_the_provider_charges() {
    for (refunds, spent) in [(Known::Yes, 10), (Known::Unknown, 20), (Known::No, 20)] {
        let stage = Stage::new(chains(1, &CHAIN[..1]));
        stage.provider.will("hero[row=0]", [Act::FailLater(failure(FailureClass::Failed, "501"))]);
        let outcome = stage.run(|request| (request.terms.charge.refund_on_failure, request.rules.attempts) = (refunds, 2)).await;
        assert_eq!(outcome.stats.done, 1);
        assert_eq!(stage.money(), (spent, 0, 0), "{refunds:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn tries_that_may_cost_something_are_limited() {
    let stage = Stage::new(chains(1, &CHAIN[..1]));
    stage.provider.will("hero[row=0]", std::iter::repeat_n(Act::FailLater(failure(FailureClass::Failed, "501")), 9));
    let outcome = stage.run(|request| request.rules.attempts = 3).await;
    assert_eq!(stage.submits().len(), 3);
    insta::assert_snapshot!(outcomes(&stage.plan, &outcome), @"hero[row=0] failed: 501");
}

#[tokio::test(start_paused = true)]
async fn a_shot_without_a_price_is_refused_before_anything_is_sent() {
    let stage = Stage::new(chains(2, &CHAIN));
    let refused = stage.try_run(stage.ports(), |request| request.prices[1] = None).await;
    assert!(matches!(refused, Err(EngineError::Unpriced { job }) if job.as_str() == "hero[row=1]"));
    assert!(stage.submits().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_highest_price_is_held_while_a_shot_is_under_way() {
    let stage = Stage::new(chains(1, &CHAIN[..1]));
    stage.run(|_| {}).await;
    let started = stage.events.lock().unwrap().iter().find(|event| matches!(event.kind, EventKind::JobStarted { .. })).cloned().unwrap();
    assert_eq!(started.stats.reserved, credits(12).micros);
}
