//! What is counted. The server renders it at `/metrics`; no label ever holds a name, an address or a token.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds `count`.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// The number.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that somebody else keeps.
#[derive(Default)]
pub struct Reading(OnceLock<Box<dyn Fn() -> u64 + Send + Sync>>);

impl Reading {
    /// Says where to read it; the first one to say so is asked.
    pub fn read_from(&self, read: impl Fn() -> u64 + Send + Sync + 'static) {
        let _ = self.0.set(Box::new(read));
    }

    /// The number; 0 where nobody keeps it.
    pub fn get(&self) -> u64 {
        self.0.get().map_or(0, |read| read())
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reading").field(&self.get()).finish()
    }
}

/// Everything that is counted.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Logins that succeeded.
    pub logins: Counter,
    /// Logins that failed, whatever the reason.
    pub login_failures: Counter,
    /// Of those, the ones that were throttled unseen.
    pub logins_throttled: Counter,
    /// Logins turned away because the hashing queue was full.
    pub logins_busy: Counter,
    /// Refreshes that rotated a session.
    pub refreshes: Counter,
    /// Refreshes that were retries of the last one.
    pub refresh_retries: Counter,
    /// Refresh tokens that were used again past the grace.
    pub refresh_replays: Counter,
    /// Refresh tokens of a generation that the database never issued: it was put back. Anything but 0 is an alarm.
    pub future_generations: Counter,
    /// Tokens that clients obtained for themselves.
    pub client_tokens: Counter,
    /// Sessions and tokens revoked.
    pub revocations: Counter,
    /// Clients that failed to authenticate.
    pub client_failures: Counter,
    /// Polls of the denylist that were answered.
    pub feed_polls: Counter,
    /// Of those, the ones whose cursor was not known.
    pub feed_resets: Counter,
    /// Background tasks that ended and were started again. Anything but 0 is a bug.
    pub task_restarts: Counter,
    /// Log lines that could not be written, as whoever writes the log counts them.
    pub log_lost: Reading,
    /// Audit events that could not be stored; they are in the log only.
    pub audit_lost: Counter,
    /// Polls that were refused because too many were waiting.
    pub feed_refused: Counter,
}
