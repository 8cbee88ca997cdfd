//! Places in flight and rate windows of an account: who may send now, who waits and until when.

use super::stage::{Stage, accepted, done, doubt, failed, intent, run};
use super::*;

/// An intent on an account that takes so many tries at once.
pub(super) fn with_places(job: &str, places: u32) -> SubmitIntent {
    let mut ask = intent(job, 1);
    ask.limits.places = Some(places);
    ask
}

pub(super) async fn places_are_freed_by_the_end_of_a_try(stage: Stage) {
    stage.granted(with_places("a", 2)).await;
    stage.granted(with_places("b", 2)).await;
    assert_eq!(stage.submit(with_places("c", 2)).await, Grant::Full);
    stage.take("a", [accepted(1, "t")]).await;
    assert_eq!(stage.submit(with_places("c", 2)).await, Grant::Full, "a running task keeps its place");

    let mut elsewhere = with_places("d", 2);
    elsewhere.limits.account = "other:KEY".into();
    stage.granted(elsewhere).await;

    stage.take("a", [done(1, 4)]).await;
    stage.granted(with_places("c", 2)).await;
    stage.take("b", [doubt(1)]).await;
    stage.granted(with_places("e", 2)).await;
    stage.take("c", [failed(1, 0, 4)]).await;
    stage.granted(with_places("f", 2)).await;
    assert_eq!(stage.submit(with_places("g", 2)).await, Grant::Full);
    stage.sums_equal_the_fold();
}

pub(super) async fn places_of_a_dead_run_come_back(stage: Stage) {
    stage.granted(with_places("a", 1)).await;
    stage.take("a", [accepted(1, "t")]).await;
    let mut later = with_places("b", 1);
    later.run = run("r2");
    assert_eq!(stage.submit(later.clone()).await, Grant::Full);
    stage.clock.advance(Duration::from_secs(15 * 60));
    stage.granted(later).await;
}

/// A task that never ends is asked after for a while and then left to a later run; the others of this run go on.
pub(super) async fn a_run_does_not_wait_for_ever_for_its_own_places(stage: Stage) {
    stage.granted(with_places("a", 1)).await;
    stage.take("a", [accepted(1, "t")]).await;
    stage.clock.advance(Duration::from_millis(15 * 60_000 - 1));
    assert_eq!(stage.submit(with_places("b", 1)).await, Grant::Full);
    stage.clock.advance(Duration::from_millis(1));
    stage.granted(with_places("b", 1)).await;
}

pub(super) async fn places_taken_under_a_clock_that_was_ahead_come_back(stage: Stage) {
    stage.granted(with_places("a", 1)).await;
    stage.take("a", [accepted(1, "t")]).await;
    stage.set_back(Duration::from_secs(60));
    assert_eq!(stage.submit(with_places("b", 1)).await, Grant::Full);
    stage.set_back(Duration::from_secs(10 * 365 * 86_400));
    stage.granted(with_places("b", 1)).await;
}

/// An intent on an account with so many submits in so many seconds, window by window.
fn with_windows(job: &str, windows: &[(u32, u64)]) -> SubmitIntent {
    let mut ask = intent(job, 1);
    ask.limits.windows = windows.iter().map(|(count, seconds)| RateWindow { count: *count, span: Duration::from_secs(*seconds) }).collect();
    ask
}

pub(super) async fn a_rate_slot_is_busy_until_the_answer_plus_the_window(stage: Stage) {
    let window = [(1, 10)];
    stage.granted(with_windows("a", &window)).await;
    stage.clock.advance(Duration::from_secs(30));
    // The answer is still out: not one moment before now + 10 s can be free.
    assert_eq!(stage.submit(with_windows("b", &window)).await, Grant::Wait { until: stage.after(10) });
    stage.take("a", [accepted(1, "t")]).await;
    let free = stage.after(10);
    stage.clock.advance(Duration::from_secs(4));
    stage.take("a", [done(1, 4)]).await;
    assert_eq!(stage.submit(with_windows("b", &window)).await, Grant::Wait { until: free }, "the first answer counts");
    stage.clock.advance(Duration::from_millis(5_999));
    assert_eq!(stage.submit(with_windows("b", &window)).await, Grant::Wait { until: free });
    stage.clock.advance(Duration::from_millis(1));
    stage.granted(with_windows("b", &window)).await;
    stage.sums_equal_the_fold();
}

pub(super) async fn every_window_holds_and_the_wait_is_exact(stage: Stage) {
    let windows = [(2, 1), (3, 60)];
    let start = stage.after(0);
    for job in ["a", "b"] {
        stage.granted(with_windows(job, &windows)).await;
        stage.take(job, [accepted(1, job)]).await;
        stage.clock.advance(Duration::from_millis(300));
    }
    assert_eq!(stage.submit(with_windows("c", &windows)).await, Grant::Wait { until: start.after(Duration::from_secs(1)) });
    stage.clock.advance(Duration::from_millis(400));
    stage.granted(with_windows("c", &windows)).await;
    stage.take("c", [accepted(1, "c")]).await;
    assert_eq!(stage.submit(with_windows("d", &windows)).await, Grant::Wait { until: start.after(Duration::from_secs(60)) });
    stage.clock.advance(Duration::from_secs(59));
    stage.granted(with_windows("d", &windows)).await;
    stage.sums_equal_the_fold();
}

pub(super) async fn an_intent_that_nobody_follows_up_frees_its_slot_after_its_deadline(stage: Stage) {
    let window = [(1, 10)];
    stage.granted(with_windows("a", &window)).await;
    stage.clock.advance(Duration::from_secs(65));
    assert_eq!(stage.submit(with_windows("b", &window)).await, Grant::Wait { until: stage.after(5) }, "deadline 60 s + 10 s");
    stage.clock.advance(Duration::from_secs(5));
    stage.granted(with_windows("b", &window)).await;
}

pub(super) async fn a_clock_that_was_set_back_stops_nobody(stage: Stage) {
    let window = [(1, 10)];
    stage.granted(with_windows("a", &window)).await;
    stage.take("a", [accepted(1, "t")]).await;
    stage.set_back(Duration::from_secs(3600));
    stage.granted(with_windows("b", &window)).await;
    stage.take("b", [accepted(1, "t")]).await;
    assert_eq!(stage.submit(with_windows("c", &window)).await, Grant::Wait { until: stage.after(10) });
    stage.sums_equal_the_fold();
}
