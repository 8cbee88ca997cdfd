//! How long to wait: full jitter from a seed, and a run-wide budget for retries.
//!
//! In: a seed, a count, a moment. Out: spans.
//! Never: sleep, a clock, a random number that a seed does not decide.

use std::time::Duration;

use crate::types::{JobKey, Timestamp};

/// A curve of waits: the longest wait doubles with each failure up to `cap`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Curve {
    pub(super) base: Duration,
    pub(super) cap: Duration,
}

/// Broken before acceptance.
pub(super) const TRANSIENT: Curve = Curve { base: Duration::from_millis(500), cap: Duration::from_secs(20) };
/// Over the rate, and not told how long.
pub(super) const THROTTLED: Curve = Curve { base: Duration::from_secs(1), cap: Duration::from_secs(20) };
/// Down for maintenance.
pub(super) const MAINTENANCE: Curve = Curve { base: Duration::from_secs(15), cap: Duration::from_secs(60) };
/// A free exchange, poll or fetch, that broke.
pub(super) const FREE: Curve = Curve { base: Duration::from_millis(250), cap: Duration::from_secs(10) };

/// Longest wait that we accept from a provider, 1 hour: more is taken for nonsense.
pub(super) const LONGEST_TOLD: Duration = Duration::from_secs(3600);

impl Curve {
    /// Returns a wait between half a millisecond and the curve's value after `failures` failures, decided by seed and job.
    ///
    /// Full jitter: jobs that fail together do not come back together.
    pub(super) fn wait(self, failures: u32, seed: u64, key: &JobKey) -> Duration {
        let doubled = self.base.saturating_mul(1 << failures.min(16)).min(self.cap);
        let longest = u64::try_from(doubled.as_micros()).unwrap_or(u64::MAX).max(1);
        let drawn = mix(seed ^ key.0.seed() ^ (u64::from(failures) << 40)) % longest;
        Duration::from_micros(drawn.max(500))
    }
}

/// Mixes 64 bits so that neighbours part (splitmix64).
fn mix(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The run-wide retry budget: a bucket of retries, refilled by one a second and by each success.
///
/// While a service is down, all jobs together send at most the bucket and then one request a second.
#[derive(Debug)]
pub struct RetryBudget {
    /// Retries that may go at once.
    tokens: u32,
    most: u32,
    /// When the next retry past the bucket may go.
    next: Option<Timestamp>,
}

/// What refills one retry.
const REFILL: Duration = Duration::from_secs(1);

impl RetryBudget {
    /// Starts full, with room for `most` retries.
    pub fn new(most: u32) -> Self {
        Self { tokens: most, most, next: None }
    }

    /// Takes one retry and returns how long it must wait beyond its own backoff.
    pub fn take(&mut self, now: Timestamp) -> Duration {
        if self.tokens > 0 {
            self.tokens -= 1;
            return Duration::ZERO;
        }
        let at = self.next.map_or(now, |next| next.max(now)).after(REFILL);
        self.next = Some(at);
        at.since(now)
    }

    /// Gives back one retry: the service answers.
    pub fn succeed(&mut self) {
        self.tokens = (self.tokens + 1).min(self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Digest;

    fn key(name: &str) -> JobKey {
        JobKey(Digest::of(name.as_bytes()))
    }

    #[test]
    fn a_seed_decides_every_wait() {
        let wait = |seed, failures, name| TRANSIENT.wait(failures, seed, &key(name));
        assert_eq!(wait(7, 3, "a"), wait(7, 3, "a"));
        assert_ne!(wait(7, 3, "a"), wait(8, 3, "a"));
        assert_ne!(wait(7, 3, "a"), wait(7, 3, "b"));
    }

    #[test]
    fn waits_grow_to_the_cap_and_never_pass_it() {
        for failures in 0..40 {
            let longest = (0..200).map(|seed| TRANSIENT.wait(failures, seed, &key("a"))).max();
            let limit = TRANSIENT.base.saturating_mul(1 << failures.min(16)).min(TRANSIENT.cap);
            assert!(longest <= Some(limit), "{failures}: {longest:?}");
            assert!(longest > Some(limit / 2), "{failures}: {longest:?} uses less than half of {limit:?}");
        }
    }

    #[test]
    fn past_the_bucket_one_retry_a_second_goes() {
        let now = Timestamp::from_millis(0);
        let mut budget = RetryBudget::new(2);
        let waits: Vec<u64> = (0..5).map(|_| budget.take(now).as_secs()).collect();
        assert_eq!(waits, [0, 0, 1, 2, 3]);
        budget.succeed();
        assert_eq!(budget.take(now), Duration::ZERO);
    }
}
