//! How fast a run asks: how many shots are under way at once, and what the account's rate really is.
//!
//! ```text
//! accepted           ─▶ one more place for each full round of successes, up to the ceiling; a learned rate is tried a little higher
//! throttled          ─▶ half the places; the shortest window holds what was accepted in its span, and no more
//! more accepted since ─▶ it was not for that rate: one more with each success, unless a higher try was refused before
//! no clear answer    ─▶ half the places; after several in a row, a growing pause before the next submit
//! ```
//!
//! In: what became of submits, with the moments at which they were sent and answered. Out: places, windows, moments to wait for.
//! Never: a clock, a sleep, a random number; a rate above what the manifest says; less than one place.

use std::collections::VecDeque;
use std::time::Duration;

use crate::ledger::RateWindow;
use crate::types::Timestamp;

/// A place in thousandths, so that successes can add parts of one.
const PLACE: u64 = 1000;

/// Accepted submits after which a learned rate is tried one higher. One refusal for so many successes is at most 1 in 64.
const TRY_HIGHER_AFTER: u32 = 64;

/// Longest patience before a learned rate is tried higher again; it doubles with each time that this was a mistake.
const TRY_HIGHER_AT_LAST: u32 = 4096;

/// Bursts without a clear answer that are let pass before submits pause.
const UNCLEAR_BURSTS: u32 = 2;

/// Bursts in a row without a clear answer after which nothing more is sent: about a quarter of an hour, as long as a refused submit waits.
const HOPELESS: u32 = 20;

/// Longest pause between submits to a service that gives no clear answers.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The pace of one account in one run.
#[derive(Debug)]
pub(super) struct Pace {
    ceiling: u64,
    places: u64,
    /// When the pace was last slowed down. What was sent before says nothing new.
    slowed_at: Option<Timestamp>,
    /// When submits were accepted, no longer ago than the longest window.
    accepted: VecDeque<Timestamp>,
    windows: Vec<Learned>,
    /// Bursts in a row that got no clear answer.
    unclear: u32,
}

/// A window as the manifest tells it, and as it proved to be.
#[derive(Debug)]
struct Learned {
    told: RateWindow,
    count: u32,
    /// Accepted submits since the first refusal, or since a higher try was refused.
    good: u32,
    /// Accepted submits since the count last moved.
    tested: u32,
    /// Accepted submits after which it is tried higher.
    patience: u32,
    tightened_at: Option<Timestamp>,
    /// How many were accepted in the span when one more was last refused.
    refused_at: u32,
    /// Whether it was tried higher since then.
    raised: bool,
}

impl Pace {
    /// Starts at the ceiling and at the rates that the manifest tells.
    pub(super) fn new(ceiling: usize, windows: &[RateWindow]) -> Self {
        let ceiling = u64::try_from(ceiling.max(1)).unwrap_or(u64::MAX / PLACE).saturating_mul(PLACE);
        let windows = windows.iter().map(|told| Learned::new(*told)).collect();
        Self { ceiling, places: ceiling, slowed_at: None, accepted: VecDeque::new(), windows, unclear: 0 }
    }

    /// Returns how many paid shots may be under way at once; at least 1.
    pub(super) fn places(&self) -> usize {
        usize::try_from(self.places / PLACE).unwrap_or(usize::MAX).max(1)
    }

    /// Returns the windows that hold now: never wider than the manifest's.
    pub(super) fn windows(&self) -> Vec<RateWindow> {
        self.windows.iter().map(|window| RateWindow { count: window.count, span: window.told.span }).collect()
    }

    /// A submit was accepted.
    pub(super) fn accepted(&mut self, sent: Timestamp, now: Timestamp) {
        self.unclear = 0;
        self.places = (self.places + PLACE * PLACE / self.places).min(self.ceiling);
        let longest = self.windows.iter().map(|window| window.told.span).max().unwrap_or_default();
        self.accepted.push_back(now);
        while self.accepted.front().is_some_and(|at| now.since(*at) >= longest) {
            self.accepted.pop_front();
        }
        for window in &mut self.windows {
            window.accepted(sent, within(&self.accepted, window.told.span, now));
        }
    }

    /// A submit was refused for its rate; `told` is how long the provider says to wait, if it says so.
    pub(super) fn throttled(&mut self, sent: Timestamp, now: Timestamp, told: Option<Duration>) {
        self.slow_down(sent, now);
        // Which window it was nobody says. The shortest one is the cheapest to be wrong about.
        if let Some(shortest) = self.windows.iter_mut().min_by_key(|window| window.told.span) {
            let accepted = within(&self.accepted, shortest.told.span, now);
            // Where nothing was accepted somebody else has used the rate up, and what it is cannot be seen. And a wait that is shorter than
            // what was accepted would leave between two submits is about no such window. Either way to wait as told is enough.
            let speaks_of_rate = |wait| accepted > 0 && wait >= shortest.told.span / (accepted + 1);
            if told.is_none_or(speaks_of_rate) {
                shortest.tighten(sent, now, accepted);
            }
        }
    }

    /// A submit got no clear answer: it timed out, or its answer was of no use. Returns until when no other may go.
    pub(super) fn unclear(&mut self, sent: Timestamp, now: Timestamp) -> Option<Timestamp> {
        if !self.slow_down(sent, now) {
            return None;
        }
        self.unclear = self.unclear.saturating_add(1);
        let beyond = self.unclear.checked_sub(UNCLEAR_BURSTS + 1)?;
        Some(now.after(Duration::from_secs(1 << beyond.min(6)).min(LONGEST_PAUSE)))
    }

    /// Returns how many bursts in a row got no clear answer, if they are so many that nothing more should be sent: each may have been charged.
    pub(super) fn hopeless(&self) -> Option<u32> {
        (self.unclear >= HOPELESS).then_some(self.unclear)
    }

    /// Halves the places, once for all that was sent before.
    fn slow_down(&mut self, sent: Timestamp, now: Timestamp) -> bool {
        if self.slowed_at.is_some_and(|at| sent < at) {
            return false;
        }
        self.places = (self.places / 2).max(PLACE);
        self.slowed_at = Some(now);
        true
    }
}

impl Learned {
    fn new(told: RateWindow) -> Self {
        Self { told, count: told.count, good: 0, tested: 0, patience: TRY_HIGHER_AFTER, tightened_at: None, refused_at: 0, raised: false }
    }

    fn accepted(&mut self, sent: Timestamp, in_span: u32) {
        if self.count == self.told.count {
            return;
        }
        if self.tightened_at.is_some_and(|at| sent < at) {
            // The answers of one burst come in any order: what is accepted after the first refusal belongs to the same rate.
            self.count = self.count.max(in_span).min(self.told.count);
            self.refused_at = self.refused_at.max(in_span);
            return;
        }
        self.good = self.good.saturating_add(1);
        self.tested = self.tested.saturating_add(1);
        // Each rate is used before the next one is tried, so that a mistake costs one refusal.
        let is_tested = in_span >= self.count || self.tested >= self.count;
        if is_tested && (self.is_disproved(in_span) || self.good >= self.patience) {
            self.count += 1;
            (self.tested, self.raised) = (0, true);
        }
    }

    /// Whether the last refusal was for something else: more than it has let through went through since. Believed until a higher try is refused.
    fn is_disproved(&self, in_span: u32) -> bool {
        in_span > self.refused_at && self.patience == TRY_HIGHER_AFTER
    }

    fn tighten(&mut self, sent: Timestamp, now: Timestamp, in_span: u32) {
        if self.tightened_at.is_some_and(|at| sent < at) {
            return;
        }
        // Refusals while nothing higher is tried are no mistake of ours: somebody else is busy, or the service is.
        if self.raised {
            self.patience = self.patience.saturating_mul(2).min(TRY_HIGHER_AT_LAST);
            self.good = 0;
        }
        self.count = self.count.saturating_sub(1).min(in_span).max(1);
        (self.tested, self.raised) = (0, false);
        (self.refused_at, self.tightened_at) = (in_span, Some(now));
    }
}

/// Counts what was accepted within the last `span`.
fn within(accepted: &VecDeque<Timestamp>, span: Duration, now: Timestamp) -> u32 {
    let count = accepted.iter().rev().take_while(|at| now.since(**at) < span).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEN_SECONDS: Duration = Duration::from_secs(10);

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn pace(ceiling: usize, windows: &[(u32, u64)]) -> Pace {
        let windows: Vec<RateWindow> = windows.iter().map(|(count, secs)| RateWindow { count: *count, span: Duration::from_secs(*secs) }).collect();
        Pace::new(ceiling, &windows)
    }

    #[test]
    fn places_are_halved_by_a_refusal_and_come_back_one_by_one() {
        let mut pace = pace(16, &[]);
        pace.throttled(at(0), at(10), None);
        assert_eq!(pace.places(), 8);
        let mut rounds = Vec::new();
        for now in 0..100 {
            pace.accepted(at(20 + now), at(30 + now));
            rounds.push(pace.places());
        }
        // One more place costs a round of about as many successes as there are places.
        assert_eq!(rounds.iter().filter(|places| **places == 8).count(), 8, "{rounds:?}");
        assert_eq!(rounds.last(), Some(&16), "{rounds:?}");
        assert!(rounds.is_sorted());
    }

    #[test]
    fn a_refusal_that_tells_the_wait_says_nothing_about_the_rate_while_nothing_was_accepted() {
        let mut pace = pace(4, &[(5, 60)]);
        pace.throttled(at(0), at(10), Some(Duration::from_millis(50)));
        assert_eq!((pace.windows()[0].count, pace.places()), (5, 2), "a wait of 50 ms that is told is not made a minute");
        pace.accepted(at(60), at(80));
        pace.throttled(at(90), at(100), Some(Duration::from_secs(30)));
        assert_eq!(pace.windows()[0].count, 1);
    }

    #[test]
    fn a_wait_that_is_shorter_than_what_was_accepted_would_leave_between_two_says_nothing_about_the_rate() {
        let mut pace = pace(4, &[(20, 10)]);
        for now in [10, 20, 30] {
            pace.accepted(at(0), at(now));
        }
        pace.throttled(at(0), at(40), Some(Duration::from_millis(2_499)));
        assert_eq!((pace.windows()[0].count, pace.places()), (20, 2), "3 in 10 s would be one every 2.5 s");
        pace.throttled(at(50), at(60), Some(Duration::from_millis(2_500)));
        assert_eq!(pace.windows()[0].count, 3);
    }

    #[test]
    fn a_burst_that_is_refused_slows_down_once() {
        let mut pace = pace(64, &[]);
        for _ in 0..40 {
            pace.throttled(at(0), at(10), None);
        }
        assert_eq!(pace.places(), 32);
        pace.throttled(at(11), at(20), None);
        assert_eq!(pace.places(), 16);
    }

    #[test]
    fn there_is_always_one_place_and_never_more_than_the_ceiling() {
        let mut pace = pace(3, &[]);
        for burst in 0..10 {
            pace.throttled(at(burst * 10 + 1), at(burst * 10 + 5), None);
            assert!(pace.places() >= 1);
        }
        for now in 200..500 {
            pace.accepted(at(now), at(now));
        }
        assert_eq!(pace.places(), 3);
        assert_eq!(self::pace(0, &[]).places(), 1);
    }

    #[test]
    fn the_rate_is_learned_from_what_was_accepted_whatever_order_the_answers_come_in() {
        for refused_after in 0..=10 {
            let mut pace = pace(20, &[(20, 10), (300, 60)]);
            for answer in 0..10 {
                if answer == refused_after {
                    (0..10).for_each(|_| pace.throttled(at(0), at(5), None));
                }
                pace.accepted(at(0), at(6));
            }
            if refused_after == 10 {
                pace.throttled(at(0), at(7), None);
            }
            let counts: Vec<u32> = pace.windows().iter().map(|window| window.count).collect();
            assert_eq!(counts, [10, 300], "refused after {refused_after} answers");
        }
    }

    #[test]
    fn a_learned_rate_is_tried_higher_rarely_and_more_rarely_after_each_mistake() {
        let mut pace = pace(20, &[(20, 10)]);
        (0..10).for_each(|_| pace.accepted(at(0), at(1)));
        pace.throttled(at(0), at(2), None);
        let (mut accepted, mut refused, mut now) = (0, 0, 20_000);
        // A server that takes 10 in 10 s, asked as fast as the learned windows let us.
        while accepted < 1000 {
            for place in 0..pace.windows()[0].count {
                if place < 10 {
                    pace.accepted(at(now), at(now + 1));
                    accepted += 1;
                } else {
                    pace.throttled(at(now), at(now + 1), None);
                    refused += 1;
                }
            }
            now += 20_000;
        }
        assert!(refused * 50 <= accepted, "{refused} refusals for {accepted} accepted");
        assert!(refused > 0, "a rate that is never tried higher stays low for good");
        assert_eq!(pace.windows()[0].span, TEN_SECONDS);
    }

    #[test]
    fn a_refusal_that_is_disproved_by_what_is_accepted_since_is_forgotten_soon() {
        let mut pace = pace(20, &[(20, 10)]);
        // Six in a row, and none because of a rate: nothing was ever accepted.
        for burst in 0..6 {
            pace.throttled(at(burst * 10), at(burst * 10 + 1), None);
        }
        assert_eq!(pace.windows()[0].count, 1);
        for now in 100..120 {
            pace.accepted(at(now), at(now));
        }
        assert_eq!(pace.windows()[0].count, 20, "one more with each success");
    }

    #[test]
    fn a_rate_that_was_wrongly_learned_comes_back_after_one_higher_try() {
        let mut pace = pace(20, &[(20, 10)]);
        (0..3).for_each(|_| pace.accepted(at(0), at(1)));
        pace.throttled(at(2), at(3), None);
        let mut now = 20_000;
        let mut counts = Vec::new();
        while pace.windows()[0].count < 20 {
            counts.push(pace.windows()[0].count);
            (0..pace.windows()[0].count).for_each(|_| pace.accepted(at(now), at(now + 1)));
            now += 20_000;
        }
        assert_eq!(counts.iter().filter(|count| **count == 3).count(), 22, "64 successes at 3 each: {counts:?}");
        assert_eq!(counts.len(), 22 + 16, "then one more each time: {counts:?}");
    }

    /// What a server takes in 10 s, and at which of its answers it refuses one for no reason.
    struct Server {
        takes: usize,
        stray: Option<usize>,
    }

    impl Server {
        /// Asks as fast as a ledger lets us, `abreast` at once, until so many are accepted; returns those and the refusals for the rate, after
        /// the first window.
        fn asked(&self, pace: &mut Pace, abreast: usize, until: usize) -> (usize, usize) {
            let span = TEN_SECONDS;
            let (mut now, mut answers) = (0, 0);
            let (mut taken, mut busy): (Vec<Timestamp>, Vec<Timestamp>) = (Vec::new(), Vec::new());
            let (mut accepted, mut refused) = (0, 0);
            while accepted < until {
                // Slots are busy from the send until the answer and the span after it.
                busy.retain(|answered| at(now).since(*answered) < span);
                let free = (pace.windows()[0].count as usize).saturating_sub(busy.len()).min(abreast);
                let (sent, answered) = (at(now), at(now + 200));
                let counts = |total: &mut usize| *total += usize::from(now > 10_000);
                for _ in 0..free {
                    answers += 1;
                    busy.push(answered);
                    let is_stray = self.stray == Some(answers);
                    if is_stray || taken.iter().filter(|at| sent.since(**at) < span).count() >= self.takes {
                        if !is_stray {
                            counts(&mut refused);
                        }
                        pace.throttled(sent, answered, None);
                    } else {
                        taken.push(sent);
                        counts(&mut accepted);
                        pace.accepted(sent, answered);
                    }
                }
                taken.retain(|at| sent.since(*at) < span);
                now += if free == 0 { 100 } else { 250 };
                assert!(now < 40_000_000, "it never comes to {until}: {pace:?}");
            }
            (accepted, refused)
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn refusals_are_few_whatever_the_server_takes(takes in 1_usize..30, stray in prop::option::of(1_usize..100), abreast in 1_usize..40) {
            let mut pace = pace(40, &[(20, 10)]);
            let (accepted, refused) = Server { takes, stray }.asked(&mut pace, abreast, 400);
            prop_assert!(refused * 50 <= accepted, "{} refusals for {} accepted", refused, accepted);
            let count = pace.windows()[0].count as usize;
            prop_assert!(count <= takes.min(20) + 1, "{} of {}", count, takes);
        }
    }

    #[test]
    fn a_service_without_clear_answers_is_asked_ever_more_rarely_until_one_comes() {
        let mut pace = pace(64, &[]);
        let mut now = 0;
        let mut pauses = Vec::new();
        for _ in 0..11 {
            let hold = (0..pace.places()).filter_map(|_| pace.unclear(at(now + 1), at(now + 2))).last();
            pauses.push(hold.map_or(0, |until| until.since(at(now + 2)).as_secs()));
            now += 1000;
        }
        assert_eq!(pauses, [0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(pace.places(), 1);
        pace.accepted(at(now), at(now));
        assert_eq!(pace.unclear(at(now + 1), at(now + 2)), None, "an answer forgives");
    }
}
