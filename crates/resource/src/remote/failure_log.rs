//! Logs failures without filling the log.

use std::fmt::Display;
use std::time::Duration;

use super::lease::Moment;

/// The same failure is logged again after this time.
const REPEAT_AFTER: Duration = Duration::from_secs(60);

/// The failure that was logged last.
pub(super) struct FailureLog {
    last: Option<(String, Moment)>,
}

impl FailureLog {
    pub(super) fn new() -> Self {
        Self { last: None }
    }

    /// Logs a failure. If it is the same as the last one, logged less than a minute ago, it goes to the debug level.
    pub(super) fn failed(&mut self, now: Moment, what: &str, url: &str, why: &dyn Display, advice: &str) {
        let why = why.to_string();
        if let Some((last, when)) = &self.last
            && *last == why
            && now.since(*when) < REPEAT_AFTER
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

    /// Called when it works again: the next failure is then logged in any case.
    pub(super) fn recovered(&mut self) {
        self.last = None;
    }
}
