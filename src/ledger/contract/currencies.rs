//! Two currencies under one scope, and prices that are known later: what every ledger must do with them.

use std::time::Duration;

use super::stage::{Stage, accepted, credits, done, failed, failure, intent, key, picture, run, settled};
use crate::ledger::*;
use crate::types::{Failure, FailureClass, Rates};

/// An intent of so many dollars.
fn dollars(job: &str, units: i64) -> SubmitIntent {
    let price = Amount::new(Currency::Usd, Micros::units(units));
    SubmitIntent { quoted: price.clone(), reserved: price, ..intent(job, 1) }
}

/// Tells the money under the campaign's scope, currency by currency.
fn every_currency(stage: &Stage) -> Vec<String> {
    let totals = stage.ledger.totals(&Scope("campaign:spring".into())).expect("totals can be read");
    let told = |totals: &ScopeTotals| format!("{}: {} {} {}", totals.currency, totals.spent, totals.reserved, totals.in_doubt);
    totals.iter().map(told).collect()
}

pub(super) async fn each_currency_is_counted_by_itself(stage: Stage) {
    stage.granted(intent("hero", 1)).await;
    stage.granted(dollars("side", 3)).await;
    stage.take("hero", [accepted(1, "t"), done(1, 4)]).await;
    assert_eq!(every_currency(&stage), ["USD: 0 3 0", "credits:test: 4 0 0"]);
    let charged = Amount::new(Currency::Usd, Micros::units(2));
    stage.take("side", [Record::Done { attempt: AttemptNo(1), artifact: picture(1), charged, settled: true }]).await;
    assert_eq!(every_currency(&stage), ["USD: 2 0 0", "credits:test: 4 0 0"]);
    stage.sums_equal_the_fold();
}

pub(super) async fn one_try_is_counted_in_one_currency(stage: Stage) {
    let mixed = SubmitIntent { reserved: dollars("hero", 1).reserved, ..intent("hero", 1) };
    let refused = stage.ledger.begin_submit(mixed).await;
    assert!(matches!(&refused, Err(LedgerError::Currency { of, .. }) if of == "hero"), "{refused:?}");

    stage.granted(intent("hero", 1)).await;
    let other = Record::Done { attempt: AttemptNo(1), artifact: picture(1), charged: Amount::new(Currency::Usd, Micros::units(1)), settled: true };
    let refused = stage.ledger.append(run("r1"), key("hero"), vec![accepted(1, "t"), other], None).await;
    assert!(matches!(refused, Err(LedgerError::Currency { .. })), "{refused:?}");
    assert!(matches!(stage.state("hero"), JobState::Submitting { .. }), "nothing of the batch was written");
    stage.sums_equal_the_fold();
}

pub(super) async fn a_cap_weighs_another_currency_only_by_a_stated_rate(stage: Stage) {
    stage.granted(intent("hero", 1)).await;
    stage.take("hero", [accepted(1, "t"), done(1, 4)]).await;
    let capped = |job, rates: &Rates| {
        let scope = Scope("campaign:spring".into());
        let limit = Some(Amount::new(Currency::Usd, Micros::units(3)));
        SubmitIntent { caps: vec![Cap { rates: rates.clone(), ..Cap::new(scope, limit) }], ..dollars(job, 1) }
    };
    let refused = stage.ledger.begin_submit(capped("side", &Rates::default())).await;
    assert!(matches!(&refused, Err(LedgerError::NoRate { amount, .. }) if *amount == credits(4)), "{refused:?}");
    assert_eq!(stage.state("side"), JobState::Untried);

    // Four credits at half a dollar leave one dollar of three.
    let rates = Rates::of([(credits(0).currency, Micros::new(500_000))]);
    stage.granted(capped("side", &rates)).await;
    let over = Grant::OverCap { scope: Scope("campaign:spring".into()), limit: Micros::units(3), committed: Micros::units(3) };
    assert_eq!(stage.submit(capped("back", &rates)).await, over);
    let mut in_credits = intent("back", 1);
    in_credits.caps = vec![Cap { rates, ..Cap::new(Scope("campaign:spring".into()), Some(credits(9))) }];
    let over = Grant::OverCap { scope: Scope("campaign:spring".into()), limit: Micros::units(9), committed: Micros::units(6) };
    assert_eq!(stage.submit(in_credits).await, over, "and the other way round");
    stage.sums_equal_the_fold();
}

pub(super) async fn a_failure_of_unknown_price_is_settled_once(stage: Stage) {
    stage.granted(intent("hero", 1)).await;
    let unknown = Failure { billed: crate::types::Billed::Maybe, ..failure(FailureClass::Failed, "500") };
    let counted = Record::Failed { attempt: AttemptNo(1), failure: unknown, charged: Micros::units(4), refunded: Micros::ZERO };
    stage.take("hero", [accepted(1, "t"), counted]).await;
    stage.expect_money("spent 4, reserved 0, in doubt 0");
    stage.clock.advance(Duration::from_secs(60));
    let ended = stage.only_attempt("hero").finished_at;
    stage.take("hero", [settled(1, 0, 4)]).await;
    stage.expect_money("spent 0, reserved 0, in doubt 0");
    let row = stage.only_attempt("hero");
    assert_eq!((row.status, row.charged, row.refunded, row.finished_at), (AttemptStatus::Failed, Some(Micros::ZERO), Micros::units(4), ended));
    let again = stage.ledger.append(run("r1"), key("hero"), vec![settled(1, 2, 2)], None).await;
    assert!(matches!(again, Err(LedgerError::Illegal(_))), "evidence is heard once: {again:?}");

    // Of a failure whose price is known there is nothing to settle.
    stage.granted(intent("side", 1)).await;
    stage.take("side", [failed(1, 1, 3)]).await;
    let known = stage.ledger.append(run("r1"), key("side"), vec![settled(1, 0, 4)], None).await;
    assert!(matches!(known, Err(LedgerError::Illegal(_))), "{known:?}");
    stage.sums_equal_the_fold();
}

pub(super) async fn a_failure_without_a_price_cost_nothing_only_if_somebody_says_so(stage: Stage) {
    use crate::types::Billed;
    for (job, unpriced, billed, known) in [
        ("hero", true, Billed::Maybe, None),
        ("side", true, Billed::Yes(Micros::ZERO), None),
        ("back", true, Billed::No, Some(Micros::ZERO)),
        ("free", false, Billed::Maybe, Some(Micros::ZERO)),
    ] {
        let mut asked = intent(job, 1);
        (asked.card.unpriced, asked.quoted, asked.reserved) = (unpriced, credits(0), credits(0));
        stage.granted(asked).await;
        let failure = Failure { billed, ..failure(FailureClass::Failed, "500") };
        let ended = Record::Failed { attempt: AttemptNo(1), failure, charged: Micros::ZERO, refunded: Micros::ZERO };
        stage.take(job, [accepted(1, "t"), ended]).await;
        assert_eq!(stage.only_attempt(job).known_charge(), known, "{job} {billed:?}");
    }
    // What a later look at the account says is known.
    stage.take("hero", [settled(1, 2, 0)]).await;
    assert_eq!(stage.only_attempt("hero").known_charge(), Some(Micros::units(2)));
    stage.expect_money("spent 2, reserved 0, in doubt 0");
    stage.sums_equal_the_fold();
}
