//! The database's clock. Servers that share a database agree on it, whatever their own clocks say: it decides the grace
//! of a refresh token and every expiry.
//!
//! It may jump: [`IssuerClock`](crate::IssuerClock) is between it and the code that issues or checks tokens.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use ficha_store::{DatabaseKind, Store, StoreError};
use ficha_token::Clock;
use time::OffsetDateTime;

/// The clock of the database. SQLite has none of its own: there it is the local clock.
pub struct DatabaseClock {
    local: Arc<dyn Clock>,
    /// What is added to the elapsed time to get PostgreSQL's time, in milliseconds. The local wall clock plays no part
    /// in it.
    offset: Option<AtomicI64>,
}

/// An answer that took longer, in milliseconds, says little about the time.
const SLOW_ANSWER: i64 = 250;

impl DatabaseClock {
    /// Asks the database for its time.
    pub async fn measure(local: Arc<dyn Clock>, store: &Store) -> Result<Self, StoreError> {
        let offset = match store.kind() {
            DatabaseKind::Sqlite => None,
            DatabaseKind::Postgres => Some(AtomicI64::new(ask(&*local, store).await?.0)),
        };
        Ok(Self { local, offset })
    }

    /// Asks again: clocks drift. A measurement with a slow answer is discarded.
    pub async fn measure_again(&self, store: &Store) -> Result<(), StoreError> {
        if let Some(offset) = &self.offset {
            let (measured, travel) = ask(&*self.local, store).await?;
            if travel <= SLOW_ANSWER {
                offset.store(measured, Ordering::Release);
            }
        }
        Ok(())
    }
}

/// How far the database's time is ahead of the elapsed time here, and how long the answer took, in milliseconds. Half
/// of that is assumed for the way back, as in NTP.
async fn ask(local: &dyn Clock, store: &Store) -> Result<(i64, i64), StoreError> {
    let before = local.elapsed();
    let theirs = store.database_time().await?;
    let travel = (local.elapsed() - before).as_millis() as i64;
    Ok((theirs - travel / 2 - before.as_millis() as i64, travel))
}

impl Clock for DatabaseClock {
    fn now(&self) -> OffsetDateTime {
        match &self.offset {
            None => self.local.now(),
            Some(offset) => {
                let ahead = time::Duration::milliseconds(offset.load(Ordering::Acquire));
                OffsetDateTime::UNIX_EPOCH + self.local.elapsed() + ahead
            }
        }
    }

    fn elapsed(&self) -> Duration {
        self.local.elapsed()
    }
}
