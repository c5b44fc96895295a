//! A clock that keeps to the latest time that it has seen.

use std::sync::atomic::{AtomicI64, Ordering};

use ficha_token::{Clock, DENY_MARGIN_SECONDS};

/// How long to keep to a time that is later than the wall clock's, in seconds of elapsed time. Ficha's access tokens
/// live for a day at most. So the tokens of any entry that was dropped from a denylist at a wrong time have expired by
/// then, and a wrong time is not kept for ever.
const HELD_FOR: i64 = 86_400 + DENY_MARGIN_SECONDS;

/// The latest time that has been seen, for a verifier whose denylist has no better idea of the time.
pub(crate) struct HighWaterClock {
    /// Unix seconds.
    time: AtomicI64,
    /// When that was, in seconds of elapsed time.
    seen: AtomicI64,
}

impl HighWaterClock {
    pub(crate) fn new() -> Self {
        Self { time: AtomicI64::new(i64::MIN), seen: AtomicI64::new(0) }
    }

    /// The wall clock's time, or the latest that it has shown.
    pub(crate) fn now(&self, clock: &dyn Clock) -> i64 {
        // Read before the clock: a thread that was suspended in between finds it changed below, and changes nothing.
        let latest = self.time.load(Ordering::Acquire);
        let now = clock.unix_now();
        if now == latest {
            // Most calls only read.
            return now;
        }
        let elapsed = i64::try_from(clock.elapsed().as_secs()).unwrap_or(i64::MAX);
        if now < latest && elapsed - self.seen.load(Ordering::Acquire) < HELD_FOR {
            return latest;
        }
        if now > latest {
            // First, so that no thread takes the new time for one that was seen long ago.
            self.seen.store(elapsed, Ordering::Release);
        }
        let _ = self.time.compare_exchange(latest, now, Ordering::AcqRel, Ordering::Acquire);
        now
    }
}
