//! What every ledger must do, run on every implementation.
//!
//! Each case is told on a [`Stage`]; at its end the sums that the ledger keeps are compared with a fold of its records.

mod balances;
mod batches;
mod caps;
mod crash;
mod currencies;
mod judgements;
mod pace;
mod plans;
mod random;
pub(super) mod stage;

use std::time::Duration;

use currencies::*;
use stage::{Stage, accepted, cap, credits, done, doubt, failed, failure, intent, key, picture, run, settled};

use balances::balances_are_kept_in_order_by_account_and_are_no_records;
use batches::a_batch_is_noted_before_it_is_asked_for_and_its_id_holds_for_all_its_shots;
use judgements::*;
use pace::*;
use plans::{a_plan_is_begun_by_the_first_run_and_taken_up_by_others, a_plan_is_spent_once};

use super::*;
use crate::types::FailureClass;

macro_rules! contract {
    ($($case:ident),* $(,)?) => {
        mod in_memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(super::Stage::in_memory()).await;
            })*
        }
        mod on_disk {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(super::Stage::on_disk()).await;
            })*
        }
    };
}

contract! {
    a_picture_costs_what_was_charged_and_frees_the_rest,
    a_charge_above_the_reservation_is_spent_in_full,
    a_failure_gives_back_what_was_not_charged,
    doubt_is_held_until_it_is_settled,
    a_late_answer_ends_doubt_and_moves_the_money_back,
    a_late_failure_ends_doubt,
    a_picture_that_was_lost_is_bought_again_and_both_are_paid,
    all_caps_hold_or_nothing_is_reserved,
    each_currency_is_counted_by_itself,
    one_try_is_counted_in_one_currency,
    a_cap_weighs_another_currency_only_by_a_stated_rate,
    a_failure_of_unknown_price_is_settled_once,
    a_failure_without_a_price_cost_nothing_only_if_somebody_says_so,
    money_that_cannot_be_counted_is_refused,
    a_second_intent_for_the_same_try_is_told_who_has_it,
    an_illegal_record_writes_nothing_of_its_batch,
    an_intent_cannot_pass_by_the_caps,
    saying_the_same_again_is_harmless,
    local_work_is_made_for_nothing_and_may_be_made_again,
    places_are_freed_by_the_end_of_a_try,
    places_of_a_dead_run_come_back,
    a_run_does_not_wait_for_ever_for_its_own_places,
    places_taken_under_a_clock_that_was_ahead_come_back,
    a_rate_slot_is_busy_until_the_answer_plus_the_window,
    every_window_holds_and_the_wait_is_exact,
    an_intent_that_nobody_follows_up_frees_its_slot_after_its_deadline,
    a_clock_that_was_set_back_stops_nobody,
    history_knows_states_addresses_and_recipes,
    attempts_are_told_in_ledger_order_with_those_of_others_on_our_keys,
    caps_and_places_hold_under_sixty_four_tasks,
    a_job_asked_for_by_many_is_granted_once,
    a_plan_is_begun_by_the_first_run_and_taken_up_by_others,
    a_plan_is_spent_once,
    balances_are_kept_in_order_by_account_and_are_no_records,
    a_batch_is_noted_before_it_is_asked_for_and_its_id_holds_for_all_its_shots,
    a_picture_that_is_turned_down_stays_paid_and_known,
    a_reroll_is_a_new_try_and_every_cap_counts_it,
    an_earlier_picture_is_taken_for_good_for_nothing_and_the_tries_go_on_counting,
    local_work_is_turned_down_and_taken_again_for_nothing,
    a_kept_picture_is_judged_again_after_a_reroll_failed,
}

async fn a_picture_costs_what_was_charged_and_frees_the_rest(stage: Stage) {
    stage.granted(intent("hero", 1)).await;
    stage.expect_money("spent 0, reserved 4, in doubt 0");
    stage.take("hero", [accepted(1, "t1")]).await;
    stage.expect_money("spent 0, reserved 4, in doubt 0");
    stage.take("hero", [done(1, 3)]).await;
    stage.expect_money("spent 3, reserved 0, in doubt 0");

    let row = stage.only_attempt("hero");
    assert_eq!((row.status, row.charged, row.refunded), (AttemptStatus::Done, Some(Micros::units(3)), Micros::ZERO));
    assert_eq!((row.task.as_ref().map(ToString::to_string), row.artifact), (Some("t1".to_owned()), Some(picture(1))));
    stage.sums_equal_the_fold();
}

async fn a_charge_above_the_reservation_is_spent_in_full(stage: Stage) {
    let mut dear = intent("hero", 1);
    dear.caps = vec![cap("campaign:spring", Some(5))];
    stage.granted(dear).await;
    stage.take("hero", [accepted(1, "t1"), done(1, 9)]).await;
    stage.expect_money("spent 9, reserved 0, in doubt 0");

    let mut next = intent("side", 1);
    next.caps = vec![cap("campaign:spring", Some(5))];
    let over = Grant::OverCap { scope: Scope("campaign:spring".into()), limit: Micros::units(5), committed: Micros::units(9) };
    assert_eq!(stage.submit(next).await, over);
    stage.sums_equal_the_fold();
}

async fn a_failure_gives_back_what_was_not_charged(stage: Stage) {
    stage.granted(intent("hero", 1)).await;
    stage.take("hero", [failed(1, 0, 4)]).await;
    stage.expect_money("spent 0, reserved 0, in doubt 0");
    stage.granted(intent("hero", 2)).await;
    stage.take("hero", [accepted(2, "t2"), failed(2, 1, 3)]).await;
    stage.expect_money("spent 1, reserved 0, in doubt 0");

    let rows = stage.ledger.attempts("spring", &[]).expect("attempts can be read");
    let told: Vec<_> = rows.iter().map(|row| (row.attempt.0, row.charged, row.refunded, row.error_code.clone())).collect();
    let code = Some("failed/500".to_owned());
    let expected = [(1, Some(Micros::ZERO), Micros::units(4), code.clone()), (2, Some(Micros::units(1)), Micros::units(3), code)];
    assert_eq!(told, expected);
    stage.sums_equal_the_fold();
}

async fn doubt_is_held_until_it_is_settled(stage: Stage) {
    stage.granted(intent("hero", 1)).await;
    stage.take("hero", [doubt(1)]).await;
    stage.expect_money("spent 0, reserved 0, in doubt 4");
    assert_eq!(stage.only_attempt("hero").charged, None, "nobody knows");
    stage.granted(intent("side", 1)).await;
    stage.take("side", [doubt(1)]).await;

    stage.take("hero", [settled(1, 0, 4)]).await;
    stage.expect_money("spent 0, reserved 0, in doubt 4");
    stage.take("side", [settled(1, 4, 0)]).await;
    stage.expect_money("spent 4, reserved 0, in doubt 0");
    assert_eq!(stage.only_attempt("side").status, AttemptStatus::Failed);
    stage.sums_equal_the_fold();
}

async fn a_late_answer_ends_doubt_and_moves_the_money_back(stage: Stage) {
    for job in ["hero", "side"] {
        stage.granted(intent(job, 1)).await;
        stage.take(job, [doubt(1)]).await;
    }
    let state = stage.take("hero", [accepted(1, "t1")]).await;
    assert!(matches!(state, JobState::Running { .. }), "{state:?}");
    stage.expect_money("spent 0, reserved 4, in doubt 4");
    let state = stage.take("side", [done(1, 4)]).await;
    assert!(matches!(state, JobState::Done { .. }), "{state:?}");
    stage.expect_money("spent 4, reserved 4, in doubt 0");
    assert_eq!(stage.only_attempt("hero").error_code, None, "the doubt is over");
    stage.sums_equal_the_fold();
}

async fn a_late_failure_ends_doubt(stage: Stage) {
    stage.granted(intent("hero", 1)).await;
    stage.take("hero", [doubt(1), failed(1, 0, 4)]).await;
    stage.expect_money("spent 0, reserved 0, in doubt 0");
    assert_eq!(stage.only_attempt("hero").error_code.as_deref(), Some("failed/500"));
    stage.sums_equal_the_fold();
}

async fn a_picture_that_was_lost_is_bought_again_and_both_are_paid(stage: Stage) {
    for attempt in [1, 2] {
        stage.granted(intent("hero", attempt)).await;
        stage.take("hero", [accepted(attempt, "t"), done(attempt, 4)]).await;
    }
    stage.expect_money("spent 8, reserved 0, in doubt 0");
    stage.sums_equal_the_fold();
}

async fn all_caps_hold_or_nothing_is_reserved(stage: Stage) {
    let ask = |job| {
        let mut ask = intent(job, 1);
        ask.caps = vec![cap("campaign:spring", Some(12)), cap("campaign:spring/step:hero", Some(8)), cap("everything", None)];
        ask
    };
    stage.granted(ask("a")).await;
    stage.granted(ask("b")).await;
    let over = Grant::OverCap { scope: Scope("campaign:spring/step:hero".into()), limit: Micros::units(8), committed: Micros::units(8) };
    assert_eq!(stage.submit(ask("c")).await, over);
    assert_eq!(stage.submit(ask("c")).await, over, "asking again changes nothing");
    stage.expect_money("spent 0, reserved 8, in doubt 0");

    // Exactly up to the cap is within it, and a scope that is named twice is charged once.
    stage.take("a", [failed(1, 0, 4)]).await;
    let mut twice = ask("c");
    twice.caps.push(cap("campaign:spring", Some(12)));
    stage.granted(twice).await;
    stage.expect_money("spent 0, reserved 8, in doubt 0");
    assert_eq!(stage.ledger.totals(&Scope("never:used".into())).expect("totals can be read"), []);
    stage.sums_equal_the_fold();
}

async fn money_that_cannot_be_counted_is_refused(stage: Stage) {
    let mut negative = intent("hero", 1);
    negative.reserved = credits(-1);
    assert!(matches!(stage.ledger.begin_submit(negative).await, Err(LedgerError::Amount { .. })));
    stage.granted(intent("hero", 1)).await;
    let refused = stage.ledger.append(run("r1"), key("hero"), vec![done(1, -3)], None).await;
    assert!(matches!(refused, Err(LedgerError::Amount { .. })), "{refused:?}");

    let mut huge = intent("side", 1);
    huge.reserved = Amount::new(credits(0).currency, Micros::MAX);
    assert!(matches!(stage.ledger.begin_submit(huge).await, Err(LedgerError::Amount { .. })), "a sum past the largest amount");
    stage.expect_money("spent 0, reserved 4, in doubt 0");
    stage.sums_equal_the_fold();
}

async fn a_second_intent_for_the_same_try_is_told_who_has_it(stage: Stage) {
    stage.granted(intent("hero", 1)).await;
    for attempt in [1, 2, 7] {
        let answer = stage.submit(intent("hero", attempt)).await;
        assert_eq!(answer, Grant::Taken(stage.state("hero")), "attempt {attempt}");
    }
    assert_eq!(stage.submit(intent("side", 2)).await, Grant::Taken(JobState::Untried), "the first try is 1");
    stage.expect_money("spent 0, reserved 4, in doubt 0");
    assert_eq!(stage.ledger.last_seq().expect("the ledger can be read"), 1);
    stage.sums_equal_the_fold();
}

async fn an_illegal_record_writes_nothing_of_its_batch(stage: Stage) {
    stage.granted(intent("hero", 1)).await;
    let before = stage.ledger.last_seq().expect("the ledger can be read");
    for batch in [vec![accepted(1, "t1"), settled(1, 0, 4)], vec![accepted(2, "t1")], vec![done(1, 4), failed(1, 0, 4)]] {
        let refused = stage.ledger.append(run("r1"), key("hero"), batch, None).await;
        assert!(matches!(refused, Err(LedgerError::Illegal(_))), "{refused:?}");
    }
    assert_eq!(stage.ledger.last_seq().expect("the ledger can be read"), before);
    assert!(matches!(stage.state("hero"), JobState::Submitting { .. }));
    stage.expect_money("spent 0, reserved 4, in doubt 0");
    stage.sums_equal_the_fold();
}

async fn an_intent_cannot_pass_by_the_caps(stage: Stage) {
    let SubmitIntent { card, attempt, idempotency_key, quoted, reserved, .. } = intent("hero", 1);
    let deadline = Timestamp::from_millis(1);
    let smuggled = Record::Intent { card, attempt, idempotency_key, quoted, reserved, deadline };
    let refused = stage.ledger.append(run("r1"), key("hero"), vec![smuggled], None).await;
    insta::allow_duplicates! {
        insta::assert_snapshot!(refused.expect_err("intents are granted only"), @"a job that is untried cannot take the record `intent` of attempt 1");
    }
    assert_eq!(stage.state("hero"), JobState::Untried);
}

async fn saying_the_same_again_is_harmless(stage: Stage) {
    let endings: [(&str, Vec<Record>); 4] = [
        ("done", vec![accepted(1, "t1"), done(1, 4)]),
        ("failed", vec![accepted(1, "t1"), failed(1, 1, 3)]),
        ("doubt", vec![doubt(1)]),
        ("settled", vec![doubt(1), settled(1, 0, 4)]),
    ];
    for (job, records) in &endings {
        stage.granted(intent(job, 1)).await;
        let first = stage.take(job, records.clone()).await;
        let seq = stage.ledger.last_seq().expect("the ledger can be read");
        let last = records.last().cloned().expect("each case has records");
        assert_eq!(stage.take(job, [last]).await, first, "{job}");
        assert_eq!(stage.ledger.last_seq().expect("the ledger can be read"), seq, "{job}");
    }
    assert_eq!(stage.take("done", endings[0].1.clone()).await, stage.state("done"), "the whole batch again");
    stage.expect_money("spent 5, reserved 0, in doubt 4");

    let dearer = stage.ledger.append(run("r1"), key("done"), vec![done(1, 5)], None).await;
    assert!(matches!(dearer, Err(LedgerError::Illegal(_))), "another price is not the same: {dearer:?}");
    stage.sums_equal_the_fold();
}

async fn local_work_is_made_for_nothing_and_may_be_made_again(stage: Stage) {
    let made = |n| Record::Made { job: JobId::new("sheet"), artifact: picture(n) };
    let recipe: Recipe = vec![("op".into(), "sheet".into())];
    let state = stage.ledger.append(run("r1"), key("sheet"), vec![made(1)], Some(recipe.clone())).await.expect("made");
    assert_eq!(state, JobState::Done { attempt: None, artifact: picture(1) });
    stage.take("sheet", [made(1)]).await;
    assert_eq!(stage.ledger.last_seq().expect("the ledger can be read"), 1);
    assert_eq!(stage.take("sheet", [made(2)]).await, JobState::Done { attempt: None, artifact: picture(2) });
    assert_eq!(stage.state("sheet"), JobState::Done { attempt: None, artifact: picture(2) });
    assert_eq!(stage.ledger.recipe(key("sheet")).expect("recipes can be read"), Some(recipe));
    assert_eq!(stage.ledger.attempts("spring", &[key("sheet")]).expect("attempts can be read"), []);
    stage.sums_equal_the_fold();
}

async fn history_knows_states_addresses_and_recipes(stage: Stage) {
    let before = stage.ledger.history("spring", &[key("hero")]).expect("history can be read");
    assert!(before.jobs.is_empty() && before.addresses.is_empty());
    stage.granted(intent("hero", 1)).await;
    stage.granted(intent("side", 1)).await;
    stage.take("hero", [done(1, 4)]).await;
    stage.ledger.remember("spring", vec![(JobId::new("side"), key("renamed")), (JobId::new("local"), key("local"))]).await.expect("remembered");
    stage.ledger.remember("autumn", vec![(JobId::new("side"), key("other"))]).await.expect("remembered");

    for asked in [vec![key("hero"), key("never")], vec![key("hero")], (0..200).map(|n| key(&n.to_string())).chain([key("hero")]).collect()] {
        let history = stage.ledger.history("spring", &asked).expect("history can be read");
        assert_eq!(history.jobs.len(), 1, "only what was asked for");
        assert_eq!(history.artifact(&key("hero")), Some(&picture(1)));
        assert_eq!(history.state(&key("never")), &JobState::Untried);
        let expected = [("hero", "hero"), ("side", "renamed"), ("local", "local")];
        assert_eq!(history.addresses, expected.map(|(job, of)| (JobId::new(job), key(of))).into());
    }
    assert_eq!(stage.ledger.recipe(key("hero")).expect("recipes can be read"), Some(vec![("prompt".into(), "hero".into())]));
    assert_eq!(stage.ledger.recipe(key("never")).expect("recipes can be read"), None);
    stage.sums_equal_the_fold();
}

async fn attempts_are_told_in_ledger_order_with_those_of_others_on_our_keys(stage: Stage) {
    let of = |campaign: &str, job| {
        let mut ask = intent(job, 1);
        ask.card.campaign = campaign.to_owned();
        ask
    };
    stage.granted(of("autumn", "shared")).await;
    stage.granted(of("spring", "own")).await;
    stage.granted(of("autumn", "foreign")).await;
    stage.granted(of("winter", "shared-too")).await;
    stage.take("shared", [failed(1, 0, 4)]).await;
    stage.granted(SubmitIntent { attempt: AttemptNo(2), ..of("autumn", "shared") }).await;
    let many: Vec<JobKey> = (0..200).map(|n| key(&n.to_string())).collect();
    for more in [&[][..], &many] {
        let keys: Vec<JobKey> = [key("shared"), key("shared"), key("shared-too"), key("own")].iter().chain(more).copied().collect();
        let rows = stage.ledger.attempts("spring", &keys).expect("attempts can be read");
        let told: Vec<&str> = rows.iter().map(|row| row.card.job.as_str()).collect();
        assert_eq!(told, ["shared", "own", "shared-too", "shared"]);
    }
    let one = stage.ledger.attempts("spring", &[key("shared")]).expect("attempts can be read");
    let told: Vec<(&str, u32)> = one.iter().map(|row| (row.card.job.as_str(), row.attempt.0)).collect();
    assert_eq!(told, [("shared", 1), ("own", 1), ("shared", 2)], "a key looked up by itself");
}

async fn caps_and_places_hold_under_sixty_four_tasks(stage: Stage) {
    let stage = std::sync::Arc::new(stage);
    let watching = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let watch = {
        let (stage, watching) = (stage.clone(), watching.clone());
        tokio::task::spawn_blocking(move || {
            let mut looks = 0_u32;
            while watching.load(std::sync::atomic::Ordering::Relaxed) || looks == 0 {
                if let Some(totals) = stage.money() {
                    let sum = totals.spent.get() + totals.reserved.get() + totals.in_doubt.get();
                    assert!(sum <= Micros::units(100).get(), "{totals:?}");
                }
                looks += 1;
            }
        })
    };
    let tasks = (0..64_u32).map(|task| {
        let stage = stage.clone();
        tokio::spawn(async move {
            let mut granted = 0;
            for round in 0..8_u32 {
                let job = format!("{task}-{round}");
                let mut ask = with_places(&job, 10);
                ask.caps = vec![cap("campaign:spring", Some(100))];
                if !matches!(stage.submit(ask).await, Grant::Granted { .. }) {
                    tokio::task::yield_now().await;
                    continue;
                }
                granted += 1;
                let ending = [done(1, 4), failed(1, 0, 4), doubt(1), failed(1, 2, 2), done(1, 1)];
                let ending = ending[(task as usize * 7 + round as usize * 3) % 5].clone();
                stage.take(&job, [accepted(1, "t"), ending]).await;
            }
            granted
        })
    });
    let mut granted = 0;
    for task in tasks.collect::<Vec<_>>() {
        granted += task.await.expect("no task fails");
    }
    watching.store(false, std::sync::atomic::Ordering::Relaxed);
    watch.await.expect("the cap held at every look");
    assert!(granted >= 25, "100 credits pay for at least 25 tries of 4, {granted} were granted");
    stage.most_at_once(10);
    stage.sums_equal_the_fold();
}

async fn a_job_asked_for_by_many_is_granted_once(stage: Stage) {
    let stage = std::sync::Arc::new(stage);
    let asks = (0..64).map(|n| {
        let stage = stage.clone();
        tokio::spawn(async move { stage.submit(intent(&format!("job-{}", n % 4), 1)).await })
    });
    let mut granted = 0;
    for ask in asks.collect::<Vec<_>>() {
        granted += u32::from(matches!(ask.await.expect("no task fails"), Grant::Granted { .. }));
    }
    assert_eq!(granted, 4);
    stage.expect_money("spent 0, reserved 16, in doubt 0");
}

#[test]
fn errors_say_what_where_and_how() {
    let scope = Scope("campaign:spring".into());
    let told = [
        LedgerError::Amount { what: "the charge", attempt: AttemptNo(2), micros: Micros::units(-3) }.to_string(),
        LedgerError::Currency { of: "hero".into(), counted: credits(0).currency, asked: Currency::Usd }.to_string(),
        LedgerError::NoRate { scope: scope.0, cap: Currency::Usd, amount: credits(4) }.to_string(),
        LedgerError::Illegal(JobState::Untried.refuses(&done(1, 4))).to_string(),
        rules::error_code(&failure(FailureClass::Refused, "moderation_blocked")),
    ];
    insta::assert_snapshot!(told.join("\n"), @r"
    the charge of attempt 2 cannot be counted: -3 is negative or too large
    a try of `hero` is counted in `credits:test`, not in `USD`
    the cap of `campaign:spring` is in `USD`, and `credits:test` states no rate by which 4 credits could be weighed against it
    a job that is untried cannot take the record `done` of attempt 1
    refused/moderation_blocked
    ");
}
