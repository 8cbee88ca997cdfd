//! Pictures that are looked at: turned down, taken for good later, bought anew; and what all that costs.

use super::stage::judged;
use super::*;
use crate::types::AttemptNo;

pub(super) async fn a_picture_that_is_turned_down_stays_paid_and_known(stage: Stage) {
    stage.granted(intent("hero", 1)).await;
    stage.take("hero", [done(1, 4)]).await;
    let state = stage.take("hero", [judged(1, false)]).await;
    assert_eq!(state, JobState::Rejected { attempt: Some(AttemptNo(1)), artifact: picture(1) });
    stage.expect_money("spent 4, reserved 0, in doubt 0");
    assert_eq!(stage.only_attempt("hero").status, AttemptStatus::Done, "it was delivered and paid for");
    let history = stage.ledger.history("spring", &[key("hero"), key("side")]).expect("history can be read");
    assert_eq!(history.artifact(&key("hero")), None, "nobody may use it");
    assert_eq!(history.judged(&key("side")), []);
    let [known] = history.judged(&key("hero")) else { panic!("{:?}", history.judged) };
    assert_eq!((known.of, known.artifact, known.accepted), (Some(AttemptNo(1)), picture(1), false));
    assert_eq!(known.findings[0].value, 3, "the figure is kept");
    assert_eq!(stage.ledger.judgements(key("hero")).expect("judgements can be read"), history.judged(&key("hero")));
    stage.sums_equal_the_fold();
}

pub(super) async fn a_reroll_is_a_new_try_and_every_cap_counts_it(stage: Stage) {
    let ask = |attempt| SubmitIntent { caps: vec![cap("campaign:spring", Some(8))], ..intent("hero", attempt) };
    for attempt in 1..=2 {
        stage.granted(ask(attempt)).await;
        stage.take("hero", [done(attempt, 4), judged(attempt, false)]).await;
    }
    stage.expect_money("spent 8, reserved 0, in doubt 0");
    assert!(matches!(stage.submit(ask(3)).await, Grant::OverCap { .. }), "a third picture is over the cap");
    assert!(matches!(stage.submit(ask(2)).await, Grant::Taken(JobState::Rejected { .. })), "the second was bought already");
    let known = stage.ledger.judgements(key("hero")).expect("judgements can be read");
    assert_eq!(known.iter().map(|known| known.of).collect::<Vec<_>>(), [Some(AttemptNo(1)), Some(AttemptNo(2))]);
    stage.sums_equal_the_fold();
}

pub(super) async fn an_earlier_picture_is_taken_for_good_for_nothing_and_the_tries_go_on_counting(stage: Stage) {
    for attempt in 1..=2 {
        stage.granted(intent("hero", attempt)).await;
        stage.take("hero", [done(attempt, 4), judged(attempt, false)]).await;
    }
    let state = stage.take("hero", [judged(1, true)]).await;
    assert_eq!(state, JobState::Done { attempt: Some(AttemptNo(2)), artifact: picture(1) }, "the picture of the first try, after two tries");
    stage.expect_money("spent 8, reserved 0, in doubt 0");
    let known = stage.ledger.judgements(key("hero")).expect("judgements can be read");
    assert_eq!(known.iter().map(|known| known.accepted).collect::<Vec<_>>(), [true, false], "the latest word about each");
    stage.granted(intent("hero", 3)).await;
    stage.sums_equal_the_fold();
}

pub(super) async fn a_kept_picture_is_judged_again_after_a_reroll_failed(stage: Stage) {
    stage.granted(intent("hero", 1)).await;
    stage.take("hero", [done(1, 4), judged(1, false)]).await;
    stage.granted(intent("hero", 2)).await;
    let failure = stage.take("hero", [failed(2, 0, 4)]).await;
    assert_eq!(stage.take("hero", [judged(1, false)]).await, failure, "what was measured is written down, and it stays a failure");
    let known = stage.ledger.judgements(key("hero")).expect("judgements can be read");
    assert_eq!(known.iter().map(|known| (known.of, known.accepted)).collect::<Vec<_>>(), [(Some(AttemptNo(1)), false)]);
    let state = stage.take("hero", [judged(1, true)]).await;
    assert_eq!(state, JobState::Done { attempt: Some(AttemptNo(2)), artifact: picture(1) });
    stage.expect_money("spent 4, reserved 0, in doubt 0");
    stage.sums_equal_the_fold();
}

pub(super) async fn local_work_is_turned_down_and_taken_again_for_nothing(stage: Stage) {
    let made = |n| Record::Made { job: JobId::new("sheet"), artifact: picture(n) };
    stage
        .take("sheet", [made(1), Record::Judged { job: JobId::new("sheet"), of: None, artifact: picture(1), accepted: false, findings: Vec::new() }])
        .await;
    assert_eq!(stage.state("sheet"), JobState::Rejected { attempt: None, artifact: picture(1) });
    let known = stage.ledger.judgements(key("sheet")).expect("judgements can be read");
    assert_eq!((known[0].of, known[0].accepted), (None, false));
    assert_eq!(stage.take("sheet", [made(2)]).await, JobState::Done { attempt: None, artifact: picture(2) });
    assert_eq!(stage.money(), None, "nothing was ever paid");
    stage.sums_equal_the_fold();
}
