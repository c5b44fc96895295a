//! What is known of the database's willingness to take changes, and to keep them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sea_orm::sqlx::pool::PoolConnectionMetadata;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::StoreError;

/// Whether changes are taken, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Writes {
    /// They are, and another connection sees them.
    #[default]
    Kept,
    /// They are refused: a full disk, a file that may only be read, a lock that is never given up.
    Refused(StoreError),
    /// One was acknowledged and then not found by another connection. Nothing is taken until that works again.
    Lost(StoreError),
}

/// Shared by everything that writes through one store.
#[derive(Default)]
pub(crate) struct Health {
    writes: watch::Sender<Writes>,
    /// Calls that failed because of the database, and not because of what was asked.
    failures: AtomicU64,
    /// Changes that were acknowledged and not found.
    lost: AtomicU64,
    /// Wakes the task that checks whether changes are accepted.
    suspected: Notify,
}

impl Health {
    pub(crate) fn writes(&self) -> watch::Receiver<Writes> {
        self.writes.subscribe()
    }

    /// Takes up what a call came to: a failure of the database is a reason to try whether it takes changes.
    pub(crate) fn note<T>(&self, outcome: &Result<T, StoreError>) {
        if let Err(error) = outcome
            && error.is_outage()
        {
            self.count_failure();
            self.suspected.notify_one();
        }
    }

    /// Counts a call that failed.
    pub(crate) fn count_failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Something is wrong, and the next heartbeat should come at once.
    pub(crate) fn suspect(&self) {
        self.suspected.notify_one();
    }

    /// An acknowledged change is not there.
    pub(crate) fn note_lost(&self, error: &StoreError) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        self.writes.send_replace(Writes::Lost(error.clone()));
        self.suspected.notify_one();
    }

    /// Takes up what came of trying it.
    pub(crate) fn tried(&self, outcome: &Result<(), StoreError>) {
        let now = match outcome {
            Ok(()) => Writes::Kept,
            Err(error @ StoreError::Lost(_)) => Writes::Lost(error.clone()),
            // A change that was lost is not forgotten because the next one is refused.
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

    /// [`StoreError::Lost`] while nothing is to be believed.
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

    /// Returns once something has failed since the last time.
    pub(crate) async fn suspected(&self) {
        self.suspected.notified().await;
    }
}

/// Connections that are not to be used again: those that were open at a certain moment.
#[derive(Clone)]
pub(crate) struct Condemned {
    begin: Instant,
    /// Microseconds since `begin`; 0: none are.
    before: Arc<AtomicU64>,
}

impl Default for Condemned {
    fn default() -> Self {
        Self { begin: Instant::now(), before: Arc::default() }
    }
}

impl Condemned {
    /// Every connection that is open now is closed before it is used again.
    pub(crate) fn all_open(&self) {
        self.before.fetch_max(self.elapsed().max(1), Ordering::AcqRel);
    }

    /// True if a connection is among them.
    pub(crate) fn holds(&self, connection: &PoolConnectionMetadata) -> bool {
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
