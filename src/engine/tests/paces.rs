//! Rates: those that the manifest tells, and those that the server really has.

use std::time::Duration;

use tokio::time::Instant;

use super::stage::{Act, Stage, Step, chains, failure, fans};
use crate::ledger::RateWindow;
use crate::types::{Failure, FailureClass};

const ONE: [Step; 1] = [Step("hero", true, None)];
const TEN_SECONDS: Duration = Duration::from_secs(10);

#[tokio::test(start_paused = true)]
async fn several_windows_and_places_hold_at_once_by_the_servers_own_books() {
    let stage = Stage::new(chains(300, &ONE));
    let started = Instant::now();
    let outcome = stage.run(|request| {
        request.concurrency = 200;
        request.terms.limits.places = Some(100);
        let window = |count, secs| RateWindow { count, span: Duration::from_secs(secs) };
        request.terms.limits.windows = vec![window(20, 10), window(100, 60)];
    });
    assert_eq!(outcome.await.stats.done, 300);
    let books = stage.provider.books.lock().unwrap();
    let most = (books.most_taken_in(TEN_SECONDS), books.most_taken_in(Duration::from_secs(60)), books.most_under_way);
    println!("most in 10 s, in 60 s, under way: {most:?}; 300 shots in {:?}", started.elapsed());
    assert!(most.0 <= 20 && most.1 <= 100 && most.2 <= 100, "{most:?}");
    assert!(most.0 == 20 && most.1 == 100, "what is allowed is used: {most:?}");
}

/// Buys 400 shots where the manifest tells 20 in 10 s and the server takes 10, and checks what was refused after the first window.
async fn learned(told: Option<Duration>) {
    let stage = Stage::new(chains(400, &ONE));
    *stage.provider.rate.lock().unwrap() = Some((10, TEN_SECONDS, told));
    let started = Instant::now();
    let outcome = stage.run(|request| {
        request.concurrency = 100;
        request.terms.limits.windows = vec![RateWindow { count: 20, span: TEN_SECONDS }];
    });
    assert_eq!(outcome.await.stats.done, 400);
    let books = stage.provider.books.lock().unwrap();
    let later = |moments: &[Instant]| moments.iter().filter(|at| at.duration_since(started) > TEN_SECONDS).count();
    let (taken, refused) = (later(&books.taken), later(&books.refused));
    println!(
        "told {told:?}: {refused} refusals for {taken} accepted after the first window, {} in all; {:?}",
        books.refused.len(),
        started.elapsed()
    );
    assert!(refused * 50 <= taken, "{refused} refusals for {taken} accepted");
    assert!(started.elapsed() < Duration::from_secs(400 * 2), "it is not half as fast as it may be: {:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_rate_below_the_manifests_is_learned_from_refusals_that_tell_no_wait() {
    learned(None).await;
}

#[tokio::test(start_paused = true)]
async fn a_rate_below_the_manifests_is_learned_from_refusals_that_tell_a_wait() {
    learned(Some(Duration::from_secs(3))).await;
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_told_is_kept_to_the_letter_and_nonsense_is_cut_to_an_hour() {
    for (told, least, most) in [(0, 0, 1), (17, 17, 18), (1_000_000_000, 3600, 3601)] {
        let stage = Stage::new(chains(1, &ONE));
        let refusal = Failure { retry_after: Some(Duration::from_secs(told)), ..failure(FailureClass::Throttled, "429") };
        stage.provider.will("hero[row=0]", [Act::Refuse(refusal)]);
        assert_eq!(stage.run(|_| {}).await.stats.done, 1);
        let came = stage.provider.books.lock().unwrap().came.clone();
        let waited = came[1].duration_since(came[0]);
        assert!((Duration::from_secs(least)..=Duration::from_secs(most)).contains(&waited), "told {told} s, waited {waited:?}");
    }
}

/// Buys a hero and 200 surfaces of it where the server takes what the manifest tells, and refuses the hero so often for no reason.
async fn after_strays(strays: usize) -> Duration {
    let stage = Stage::new(fans(&[200]));
    stage.provider.will("hero[row=0]", std::iter::repeat_n(Act::Refuse(failure(FailureClass::Throttled, "429")), strays));
    let started = Instant::now();
    let outcome = stage.run(|request| {
        request.concurrency = 100;
        request.terms.limits.windows = vec![RateWindow { count: 20, span: TEN_SECONDS }];
    });
    assert_eq!(outcome.await.stats.done, 201);
    assert!(stage.provider.books.lock().unwrap().most_taken_in(TEN_SECONDS) <= 20);
    started.elapsed()
}

#[tokio::test(start_paused = true)]
async fn refusals_that_were_not_for_the_rate_slow_the_run_for_a_minute_and_not_for_an_hour() {
    let alone = after_strays(0).await;
    for strays in [1, 6] {
        let took = after_strays(strays).await;
        println!("{strays} strays: {took:?} instead of {alone:?}");
        assert!(took < alone + Duration::from_secs(90), "{strays} strays: {took:?} instead of {alone:?}");
    }
}
