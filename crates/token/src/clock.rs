//! Clocks, passed in by the caller. Only the binaries use the operating system's, so a test moves the clock and never
//! sleeps.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;

/// A source of time.
pub trait Clock: Send + Sync + 'static {
    /// The wall-clock time, UTC. It decides about expiry and is written into tokens and rows.
    fn now(&self) -> OffsetDateTime;

    /// Time since some fixed moment in the past. It never runs backwards, goes on while the machine is suspended, and
    /// decides about leases and time limits.
    fn elapsed(&self) -> Duration;

    /// [`Clock::now`] as whole seconds since 1970, the unit of `exp` (RFC 7519 §2, NumericDate) and of every stored
    /// time.
    fn unix_now(&self) -> i64 {
        self.now().unix_timestamp()
    }

    /// The same in milliseconds, for events.
    fn unix_millis(&self) -> i64 {
        i64::try_from(self.now().unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
    }
}

/// The machine's own clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the operating system")]
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    fn elapsed(&self) -> Duration {
        // Not std's Instant: it stops while a machine is suspended, and a lease must not.
        #[cfg(target_os = "linux")]
        let id = rustix::time::ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        let id = rustix::time::ClockId::Monotonic;
        let now = rustix::time::clock_gettime(id);
        Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
    }
}

/// A clock for tests, which moves only when a test moves it.
#[derive(Debug)]
pub struct ManualClock {
    state: Mutex<(OffsetDateTime, Duration)>,
}

impl ManualClock {
    /// A clock that shows `now`.
    pub fn new(now: OffsetDateTime) -> Self {
        Self { state: Mutex::new((now, Duration::ZERO)) }
    }

    /// Lets time pass: both the wall clock and the elapsed time advance by `by`.
    pub fn advance(&self, by: Duration) {
        let mut state = self.lock();
        state.0 += by;
        state.1 += by;
    }

    /// Sets the wall clock alone, as an administrator or a time service would.
    pub fn set_wall(&self, now: OffsetDateTime) {
        self.lock().0 = now;
    }

    fn lock(&self) -> MutexGuard<'_, (OffsetDateTime, Duration)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> OffsetDateTime {
        self.lock().0
    }

    fn elapsed(&self) -> Duration {
        self.lock().1
    }
}
