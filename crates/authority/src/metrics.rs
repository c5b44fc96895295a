//! Counters. The server renders them at `/metrics`; no label contains a name, an address or a token.

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

/// The last value of something.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// Sets the value.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that is kept elsewhere.
#[derive(Default)]
pub struct Reading(OnceLock<Box<dyn Fn() -> u64 + Send + Sync>>);

impl Reading {
    /// Sets where to read it. Only the first call counts.
    pub fn read_from(&self, read: impl Fn() -> u64 + Send + Sync + 'static) {
        let _ = self.0.set(Box::new(read));
    }

    /// The number; 0 if [`Reading::read_from`] was not called.
    pub fn get(&self) -> u64 {
        self.0.get().map_or(0, |read| read())
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reading").field(&self.get()).finish()
    }
}

/// All counters.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Successful logins.
    pub logins: Counter,
    /// Failed logins, for any reason.
    pub login_failures: Counter,
    /// Failed logins that were throttled: the password was not checked.
    pub logins_throttled: Counter,
    /// Logins refused because the hashing queue was full.
    pub logins_busy: Counter,
    /// Refreshes that rotated the token.
    pub refreshes: Counter,
    /// Refreshes that were retries of the last one.
    pub refresh_retries: Counter,
    /// Refresh tokens that were replayed after the grace.
    pub refresh_replays: Counter,
    /// Refresh tokens of a generation that the database never issued: it was restored from a backup. Anything but 0 is an
    /// alarm.
    pub future_generations: Counter,
    /// How often the database had another history than before: a failover or a restore.
    pub history_changes: Counter,
    /// Tokens that clients obtained for themselves.
    pub client_tokens: Counter,
    /// Revoked sessions and tokens.
    pub revocations: Counter,
    /// Revocations of something that can't be a token.
    pub revocations_malformed: Counter,
    /// Failed client authentications.
    pub client_failures: Counter,
    /// Polls of the denylist that were answered.
    pub feed_polls: Counter,
    /// Answered polls whose cursor was unknown.
    pub feed_resets: Counter,
    /// Background tasks that ended and were started again. Anything but 0 is a bug.
    pub task_restarts: Counter,
    /// Log lines that could not be written, as counted by the log's writer.
    pub log_lost: Reading,
    /// Events that could not be written to standard output, as counted by their writer. The database has them.
    pub event_lines_lost: Reading,
    /// The number of the newest event.
    pub events_number: Gauge,
    /// The first 48 bits of its hash.
    pub events_hash: Gauge,
    /// Polls that were refused because too many were held.
    pub feed_refused: Counter,
}
