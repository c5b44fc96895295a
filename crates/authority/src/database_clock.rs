//! The database's time. Servers that share a database agree on it, whatever their own clocks say: the grace of a
//! refresh token and every expiry go by it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use ficha_store::{Store, StoreError};
use ficha_token::Clock;
use time::OffsetDateTime;

/// A local clock, corrected by how far the database's is ahead.
pub struct DatabaseClock {
    local: Arc<dyn Clock>,
    ahead_milliseconds: AtomicI64,
}

impl DatabaseClock {
    /// Asks the database for its time. The answer's travel is halved, as NTP does it.
    pub async fn measure(local: Arc<dyn Clock>, store: &Store) -> Result<Self, StoreError> {
        let clock = Self { local, ahead_milliseconds: AtomicI64::new(0) };
        clock.measure_again(store).await?;
        Ok(clock)
    }

    /// Asks again: clocks drift, and servers are suspended.
    pub async fn measure_again(&self, store: &Store) -> Result<(), StoreError> {
        let before = self.local.elapsed();
        let theirs = store.database_time().await?;
        let travel = (self.local.elapsed() - before).as_millis() as i64;
        let ours = (self.local.now().unix_timestamp_nanos() / 1_000_000) as i64;
        self.ahead_milliseconds.store(theirs + travel / 2 - ours, Ordering::Release);
        Ok(())
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
