//! Whether the database accepts changes and keeps them, as far as is known.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sea_orm::sqlx::pool::PoolConnectionMetadata;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::StoreError;

/// Whether the database accepts changes and keeps them, as far as is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Writes {
    /// Changes are accepted, and another connection sees them.
    #[default]
    Kept,
    /// Changes are refused: a full disk, a read-only file, a lock that is never released.
    Refused(StoreError),
    /// A change was acknowledged, but another connection did not find it. No changes are accepted until that works
    /// again.
    Lost(StoreError),
}

/// Shared by everything that writes through one store.
#[derive(Default)]
pub(crate) struct Health {
    writes: watch::Sender<Writes>,
    /// Calls that failed because of the database.
    failures: AtomicU64,
    /// Changes that were acknowledged but not found.
    lost: AtomicU64,
    /// Wakes the task that checks whether changes are accepted.
    suspected: Notify,
}

impl Health {
    pub(crate) fn writes(&self) -> watch::Receiver<Writes> {
        self.writes.subscribe()
    }

    /// Records the outcome of a call: a failure of the database triggers a check whether it accepts changes.
    pub(crate) fn note<T>(&self, outcome: &Result<T, StoreError>) {
        if let Err(error) = outcome
            && error.is_outage()
        {
            self.count_failure();
            self.suspected.notify_one();
        }
    }

    pub(crate) fn count_failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Requests the next heartbeat at once, because something is wrong.
    pub(crate) fn suspect(&self) {
        self.suspected.notify_one();
    }

    /// Records that an acknowledged change is missing.
    pub(crate) fn note_lost(&self, error: &StoreError) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        self.writes.send_replace(Writes::Lost(error.clone()));
        self.suspected.notify_one();
    }

    /// Records the outcome of a heartbeat.
    pub(crate) fn note_heartbeat(&self, outcome: &Result<(), StoreError>) {
        let now = match outcome {
            Ok(()) => Writes::Kept,
            Err(error @ StoreError::Lost(_)) => Writes::Lost(error.clone()),
            // A refused change does not mean that an earlier one is no longer lost.
            Err(error) => match &*self.writes.borrow() {
                Writes::Lost(_) => return,
                Writes::Kept | Writes::Refused(_) => Writes::Refused(error.clone()),
            },
        };
        self.writes.send_if_modified(|writes| {
            let changed = std::mem::discriminant(writes) != std::mem::discriminant(&now);
            *writes = now;
            changed
        });
    }

    /// [`StoreError::Lost`] while the database can't be trusted.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        match &*self.writes.borrow() {
            Writes::Lost(error) => Err(error.clone()),
            Writes::Kept | Writes::Refused(_) => Ok(()),
        }
    }

    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Returns once something has failed since the last call.
    pub(crate) async fn suspected(&self) {
        self.suspected.notified().await;
    }
}

/// Connections that must not be used again: those that were open at a certain moment.
#[derive(Clone)]
pub(crate) struct Condemned {
    begin: Instant,
    /// Microseconds since `begin`; 0 if no connection is condemned.
    before: Arc<AtomicU64>,
}

impl Default for Condemned {
    fn default() -> Self {
        Self { begin: Instant::now(), before: Arc::default() }
    }
}

impl Condemned {
    /// Condemns every connection that is open now: it is closed before it is used again.
    pub(crate) fn condemn_open(&self) {
        self.before.fetch_max(self.elapsed().max(1), Ordering::AcqRel);
    }

    pub(crate) fn contains(&self, connection: &PoolConnectionMetadata) -> bool {
        match self.before.load(Ordering::Acquire) {
            0 => false,
            before => self.elapsed().saturating_sub(micros(connection.age)) <= before,
        }
    }

    fn elapsed(&self) -> u64 {
        micros(self.begin.elapsed())
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
