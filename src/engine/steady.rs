//! A clock that cannot jump: the wall clock is read once, and from then on the machine's steady one counts.
//!
//! In: the wall clock's moment at the start of a run. Out: moments whose differences are time that has really passed.
//! Never: a second look at the wall clock. Somebody who sets it by ten years in the middle of a run makes no wait longer or shorter.

use tokio::time::Instant;

use crate::types::{Clock, Timestamp};

/// Tells the moment at which it was made, and what has passed since. In tests with paused time it stands still with it.
#[derive(Debug, Clone, Copy)]
pub struct SteadyClock {
    start: Timestamp,
    since: Instant,
}

impl SteadyClock {
    /// Reads `wall`, once.
    pub fn started(wall: &dyn Clock) -> Self {
        Self { start: wall.now(), since: Instant::now() }
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        self.start.after(self.since.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::types::ManualClock;

    #[tokio::test(start_paused = true)]
    async fn a_wall_clock_that_jumps_moves_nothing() {
        let wall = ManualClock::new(Timestamp::from_millis(1_000));
        let steady = SteadyClock::started(&wall);
        wall.advance(Duration::from_secs(10 * 365 * 86_400));
        tokio::time::advance(Duration::from_millis(250)).await;
        assert_eq!(steady.now(), Timestamp::from_millis(1_250));
    }
}
