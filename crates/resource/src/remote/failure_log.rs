//! Logs failures without filling the log.

use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::lease::Moment;

/// The same failure is logged again after this time.
const REPEAT_AFTER: Duration = Duration::from_secs(60);

/// The longest text of an error that is kept, in characters: a server may name anything in its metadata.
const MOST_CHARACTERS: usize = 300;

/// What went wrong the last time, for readiness and statistics. Empty once it works again.
#[derive(Debug, Default)]
pub(crate) struct LastError(Mutex<Option<String>>);

impl LastError {
    /// The error in words.
    pub(crate) fn text(&self) -> Option<String> {
        self.lock().clone()
    }

    fn set(&self, error: Option<String>) {
        *self.lock() = error;
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The failure that was logged last.
pub(super) struct FailureLog {
    last: Option<(String, Moment)>,
    error: Arc<LastError>,
}

impl FailureLog {
    /// Also keeps the last failure in `error`.
    pub(super) fn new(error: Arc<LastError>) -> Self {
        Self { last: None, error }
    }

    /// Logs a failure. If it is the same as the last one, logged less than a minute ago, it goes to the debug level.
    pub(super) fn failed(&mut self, now: Moment, what: &str, url: &str, why: &dyn Display, advice: &str) {
        let why = why.to_string();
        let separator = if advice.is_empty() { "" } else { "; " };
        let said = why.chars().chain(separator.chars()).chain(advice.chars());
        let said = said.map(|character| if character.is_control() { '?' } else { character });
        self.error.set(Some(said.take(MOST_CHARACTERS).collect()));
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
        self.error.set(None);
    }
}
