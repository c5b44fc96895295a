//! The database's time. Servers that share a database agree on it, whatever their own clocks say: the grace of a
//! refresh token and every expiry go by it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use ficha_store::{Store, StoreError};
use ficha_token::Clock;
use time::OffsetDateTime;

/// A local clock, corrected by how far the database's is ahead.
pub struct DatabaseClock {
    local: Arc<dyn Clock>,
    ahead_milliseconds: AtomicI64,
    /// True once there was a first measurement.
    measured: AtomicBool,
    /// How many measurements in a row have jumped.
    jumps: AtomicU32,
}

/// An answer that took longer, in milliseconds, says little about the time.
const SLOW_ANSWER: i64 = 250;
/// A difference that changes by more, in milliseconds, is a jump.
const JUMP: i64 = 30_000;

impl DatabaseClock {
    /// Asks the database for its time. The answer's travel is halved, as NTP does it.
    pub async fn measure(local: Arc<dyn Clock>, store: &Store) -> Result<Self, StoreError> {
        let clock = Self {
            local,
            ahead_milliseconds: AtomicI64::new(0),
            measured: AtomicBool::new(false),
            jumps: AtomicU32::new(0),
        };
        clock.measure_again(store).await?;
        Ok(clock)
    }

    /// Asks again: clocks drift, and servers are suspended.
    pub async fn measure_again(&self, store: &Store) -> Result<(), StoreError> {
        let before = self.local.elapsed();
        let theirs = store.database_time().await?;
        let travel = (self.local.elapsed() - before).as_millis() as i64;
        let ours = (self.local.now().unix_timestamp_nanos() / 1_000_000) as i64;
        self.take(theirs + travel / 2 - ours, travel);
        Ok(())
    }

    /// Takes up a difference, unless it was measured over a slow answer, or jumps: a database that failed over to a host
    /// with a wrong clock must not end every session. A jump that is seen three times in a row is believed.
    fn take(&self, ahead: i64, travel: i64) {
        let first = !self.measured.swap(true, Ordering::AcqRel);
        if travel > SLOW_ANSWER && !first {
            return;
        }
        let jump = (ahead - self.ahead_milliseconds.load(Ordering::Acquire)).abs();
        if jump > JUMP && !first && self.jumps.fetch_add(1, Ordering::AcqRel) < 2 {
            tracing::error!(jump_ms = jump, "the database's clock jumped; the time before is kept until that is sure");
            return;
        }
        self.jumps.store(0, Ordering::Release);
        self.ahead_milliseconds.store(ahead, Ordering::Release);
    }
}

impl Clock for DatabaseClock {
    fn now(&self) -> OffsetDateTime {
        let ahead = time::Duration::milliseconds(self.ahead_milliseconds.load(Ordering::Acquire));
        self.local.now() + ahead
    }

    fn elapsed(&self) -> Duration {
        self.local.elapsed()
    }
}
