//! Saying what goes wrong, without filling the log.

use std::fmt::Display;
use std::time::Duration;

use super::lease::Moment;

/// The same trouble is said again after this time.
const AGAIN_AFTER: Duration = Duration::from_secs(60);

/// What has been said last.
pub(super) struct FailureLog {
    last: Option<(String, Moment)>,
}

impl FailureLog {
    pub(super) fn new() -> Self {
        Self { last: None }
    }

    /// Something failed. What was said within the last minute is said again for debugging only.
    pub(super) fn failed(&mut self, now: Moment, what: &str, url: &str, why: &dyn Display, advice: &str) {
        let why = why.to_string();
        if let Some((last, when)) = &self.last
            && *last == why
            && now.since(*when) < AGAIN_AFTER
        {
            tracing::debug!(url, %why, "{what} failed again");
            return;
        }
        if advice.is_empty() {
            tracing::warn!(url, %why, "{what} failed");
        } else {
            tracing::error!(url, %why, advice, "{what} failed");
        }
        self.last = Some((why, now));
    }

    /// It works again.
    pub(super) fn recovered(&mut self) {
        self.last = None;
    }
}
