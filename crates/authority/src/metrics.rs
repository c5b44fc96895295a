//! What is counted. The server renders it at `/metrics`; no label ever holds a name, an address or a token.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// The number.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
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
    /// Polls that were refused because too many were waiting.
    pub feed_refused: Counter,
}
