//! Services that are down, slow, forgetful; clocks that jump.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::stage::{Act, CAMPAIGN, Outage, PausedClock, Stage, Step, chains, failure, outcomes};
use crate::engine::{Cancel, JobOutcome, OnDoubt, Ports, StopReason, Undone};
use crate::event::EventKind;
use crate::ledger::{Ledger, MemoryLedger, RateWindow, Scope};
use crate::types::{Clock, FailureClass, Timestamp};

const ONE: [Step; 1] = [Step("hero", true, None)];

const MINUTE: Duration = Duration::from_secs(60);

fn down(stage: &Stage, from: Duration, span: Duration, class: FailureClass) -> (Instant, Instant) {
    let (from, until) = (Instant::now() + from, Instant::now() + from + span);
    *stage.provider.outage.lock().unwrap() = Some(Outage { from, until, answer: failure(class, "down") });
    (from, until)
}

fn asked_between(stage: &Stage, (from, until): (Instant, Instant)) -> usize {
    stage.provider.books.lock().unwrap().came.iter().filter(|at| (from..until).contains(at)).count()
}

#[tokio::test(start_paused = true)]
async fn ten_minutes_without_the_service_end_in_patience_and_not_in_a_storm() {
    let stage = Stage::new(chains(1000, &ONE));
    let outage = down(&stage, Duration::from_secs(5), 10 * MINUTE, FailureClass::Transient);
    let started = Instant::now();
    let outcome = stage.run(|request| request.concurrency = 64).await;
    let asked = asked_between(&stage, outage);
    println!("{asked} requests in an outage of 600 s with 64 places; 1000 shots in {:?}", started.elapsed());
    assert!(asked <= 2 * 64 + 600, "{asked}");
    assert_eq!((outcome.stats.done, outcome.stats.failed, outcome.stats.in_doubt), (1000, 0, 0));
    assert_eq!(stage.money(), (10_000, 0, 0));
    assert!(started.elapsed() < 15 * MINUTE, "it does not dawdle afterwards: {:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_outage_that_gives_no_clear_answers_leaves_few_doubts() {
    let stage = Stage::new(chains(1000, &ONE));
    let outage = down(&stage, Duration::from_secs(5), 10 * MINUTE, FailureClass::Ambiguous);
    let outcome = stage.run(|request| request.concurrency = 64).await;
    let asked = asked_between(&stage, outage);
    println!("{asked} requests, {} doubts in an outage of 600 s that answers 500", outcome.stats.in_doubt);
    assert!(asked <= 2 * 64 + 20, "{asked}");
    assert_eq!(outcome.stats.in_doubt, asked, "each of them is held, none is sent again");
    assert_eq!(outcome.stats.done, 1000 - asked);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_never_answers_clearly_is_left_alone_after_a_quarter_of_an_hour() {
    let stage = Stage::new(chains(1000, &ONE));
    let outage = down(&stage, Duration::from_secs(5), 600 * MINUTE, FailureClass::Ambiguous);
    let started = Instant::now();
    let outcome = stage.run(|request| request.concurrency = 64).await;
    let asked = asked_between(&stage, outage);
    println!("{asked} doubts, {:?}", started.elapsed());
    assert!(matches!(outcome.stopped, Some(StopReason::Doubts(20))), "{:?}", outcome.stopped);
    assert!((10 * MINUTE..20 * MINUTE).contains(&started.elapsed()), "{:?}", started.elapsed());
    assert!(asked <= 2 * 64 + 25, "{asked}");
    assert_eq!((outcome.stats.in_doubt, outcome.stats.failed), (asked, 0));
    let told = stage.events.lock().unwrap().iter().filter(|event| matches!(event.kind, EventKind::TooManyDoubts { .. })).count();
    assert_eq!(told, 1);
    let later = stage.run(|request| request.concurrency = 64).await;
    assert_eq!(later.stopped, Some(StopReason::Doubts(20)), "the next run tries anew, and gives up as soon");
}

#[tokio::test(start_paused = true)]
async fn an_outage_longer_than_the_patience_fails_the_shots_that_met_it() {
    let stage = Stage::new(chains(4, &ONE));
    down(&stage, Duration::ZERO, 60 * MINUTE, FailureClass::Transient);
    let started = Instant::now();
    let outcome = stage.run(|_| {}).await;
    assert_eq!(outcome.stats.failed, 4);
    assert!((15 * MINUTE..17 * MINUTE).contains(&started.elapsed()), "{:?}", started.elapsed());
    assert_eq!(stage.money(), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_shot_that_was_never_let_in_is_left_undone_by_an_interrupt_and_has_not_failed() {
    let stage = Stage::new(chains(3, &ONE));
    down(&stage, Duration::ZERO, 60 * MINUTE, FailureClass::Transient);
    let interrupt = async {
        tokio::time::sleep(Duration::from_secs(30)).await;
        stage.cancel.send_replace(Cancel::Finish);
    };
    let (outcome, ()) = tokio::join!(stage.run(|_| {}), interrupt);
    assert_eq!(outcome.stopped, Some(StopReason::Cancelled));
    assert_eq!(outcome.jobs, vec![JobOutcome::Undone(Undone::Stopped); 3]);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_the_provider_does_not_know_is_told_in_doubt_after_a_minute_and_harms_nobody() {
    let stage = Stage::new(chains(3, &ONE));
    stage.provider.will("hero[row=0]", [Act::Forget(usize::MAX)]);
    stage.provider.will("hero[row=1]", [Act::Forget(3)]);
    let started = Instant::now();
    let outcome = stage.run(|request| (request.rules.on_doubt, request.rules.attempts) = (OnDoubt::Resend, 1)).await;
    insta::assert_snapshot!(outcomes(&stage.plan, &outcome), @r"
    hero[row=0] in doubt: unknown-task
    hero[row=1] bought at attempt 1 for 10 credits
    hero[row=2] bought at attempt 1 for 10 credits
    ");
    assert!((MINUTE..2 * MINUTE).contains(&started.elapsed()), "{:?}", started.elapsed());
    assert_eq!(stage.money(), (20, 0, 12), "held: nobody knows what it cost");
    let rows = stage.ledger.attempts("spring", &[]).unwrap();
    assert!(rows[0].task.as_ref().is_some_and(|task| task.as_str() == "hero[row=0] 1"), "its task stays known");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_never_ends_is_fetched_by_a_later_run_for_nothing() {
    let stage = Stage::new(chains(2, &ONE));
    stage.provider.will("hero[row=0]", [Act::Forever]);
    let outcome = stage.run(|_| {}).await;
    assert_eq!(outcome.jobs[0], JobOutcome::Undone(Undone::StillRunning));
    stage.provider.end_all();
    let later = stage.run(|_| {}).await;
    assert_eq!((later.stats.done, later.stats.undone), (1, 0));
    assert_eq!(stage.submits().len(), 2, "each was sent once");
    assert_eq!(stage.money(), (20, 0, 0));
}

/// A wall clock that somebody sets while a run is on.
struct Jumpy {
    steady: PausedClock,
    offset: AtomicI64,
}

impl Clock for Jumpy {
    fn now(&self) -> Timestamp {
        let now = self.steady.now().millis();
        Timestamp::from_millis(now + self.offset.load(Ordering::Relaxed))
    }
}

const TEN_YEARS: i64 = 10 * 365 * 86_400_000;

/// Runs 60 shots with a window of 20 in 10 s while the wall clock is set so, and returns how long it took.
async fn set_in_the_middle(offsets: [i64; 2]) -> Duration {
    let stage = Stage::new(chains(60, &ONE));
    let wall = Arc::new(Jumpy { steady: PausedClock::new(), offset: AtomicI64::new(0) });
    let ledger = Arc::new(MemoryLedger::new(Arc::clone(&wall) as Arc<dyn Clock>));
    let ports = Ports { ledger: Arc::clone(&ledger) as Arc<dyn Ledger>, clock: Arc::clone(&wall) as Arc<dyn Clock>, ..stage.ports() };
    stage.provider.will("hero[row=3]", [Act::Refuse(failure(FailureClass::Transient, "reset"))]);
    let set = async {
        for (offset, at) in offsets.into_iter().zip([2, 9]) {
            tokio::time::sleep(Duration::from_secs(at)).await;
            wall.offset.store(offset, Ordering::Relaxed);
        }
    };
    let started = Instant::now();
    let run = stage.try_run(ports, |request| {
        request.concurrency = 60;
        request.terms.limits.windows = vec![RateWindow { count: 20, span: Duration::from_secs(10) }];
    });
    let (outcome, ()) = tokio::join!(run, set);
    let took = started.elapsed();
    assert_eq!(outcome.unwrap().stats.done, 60);
    let seqs: Vec<u64> = ledger.entries().iter().map(|entry| entry.seq).collect();
    assert!(seqs.is_sorted() && seqs.len() > 180);
    assert_eq!(ledger.totals(&Scope(CAMPAIGN.to_owned())).unwrap()[0].spent, crate::types::Micros::units(600));
    let asked = stage.provider.books.lock().unwrap().came.len();
    assert_eq!(asked, 61, "60 shots and one that was refused");
    took
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_jumps_by_ten_years_makes_no_wait_longer() {
    let planned = set_in_the_middle([0, 0]).await;
    for offsets in [[TEN_YEARS, 0], [-TEN_YEARS, 0], [TEN_YEARS, -TEN_YEARS], [3_600_000, -3_600_000], [TEN_YEARS, TEN_YEARS]] {
        let took = set_in_the_middle(offsets).await;
        assert!(took <= planned + Duration::from_secs(11), "{offsets:?}: {took:?} instead of {planned:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn slowing_down_is_told_once_for_all_shots_that_it_holds_up() {
    let stage = Stage::new(chains(40, &ONE));
    *stage.provider.rate.lock().unwrap() = Some((10, Duration::from_secs(10), Some(Duration::from_secs(10))));
    let outcome = stage.run(|request| request.concurrency = 40).await;
    assert_eq!(outcome.stats.done, 40);
    let told = stage.events.lock().unwrap().iter().filter(|event| matches!(event.kind, EventKind::Throttled { .. })).count();
    let refused = stage.provider.books.lock().unwrap().refused.len();
    println!("{refused} refusals for rate, told {told} times");
    assert!(refused >= 30 && told <= 6, "{refused} refusals, told {told} times");
}
