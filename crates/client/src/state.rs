//! A token source's state between calls.

use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::Instant;

use crate::error::Error;
use crate::tokens::{AccessToken, Tokens};

/// A token that a service rejects is replaced at most once in this time. A service may reject new tokens as well.
const FORCED_PAUSE: Duration = Duration::from_secs(10);

/// After the first failure. It doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

const MAX_PAUSE: Duration = Duration::from_secs(30);

/// A longer `Retry-After` is cut to this.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);

/// How long a caller waits for a refresh while the current token has not expired.
const MAX_CALLER_WAIT: Duration = Duration::from_millis(1_500);

/// Pauses are measured with the monotonic clock, and only expiry with the wall clock.
#[derive(Default)]
pub(crate) struct State {
    /// The token that callers get. It has been saved.
    pub current: Option<AccessToken>,
    /// Tokens from the server that the store failed to save.
    pub unsaved: Option<Unsaved>,
    pub refresh: Option<Refresh>,
    failed: Option<Failed>,
    /// When the last attempt to replace a token that a service rejected ended.
    pub forced_at: Option<Instant>,
    /// When a service's rejection of a token that cannot be replaced was last reported as the end of the session.
    gave_up_at: Option<Instant>,
}

/// Tokens that replace `previous`, and are not stored yet.
#[derive(Clone)]
pub(crate) struct Unsaved {
    pub tokens: Tokens,
    pub previous: Option<Tokens>,
}

/// A refresh under way, in a task of its own.
#[derive(Clone)]
pub(crate) struct Refresh {
    pub started: Instant,
    /// The result, once there is one, or the error that delays it.
    pub result: watch::Receiver<Option<Result<AccessToken, Error>>>,
}

impl Refresh {
    /// False once its task has ended, or was stopped with its runtime.
    pub fn is_under_way(&self) -> bool {
        self.result.has_changed().is_ok()
    }
}

/// A failed request to the server, and the pause after it.
struct Failed {
    until: Instant,
    error: Error,
    times: u32,
}

impl State {
    /// The current token, unless it should be replaced first.
    pub fn usable(&self, now: SystemTime, rejected: Option<&AccessToken>) -> Option<AccessToken> {
        let token = self.current.as_ref()?;
        let forced_recently = self.forced_at.is_some_and(|at| at.elapsed() < FORCED_PAUSE);
        // A refresh under way may already have a new token that is still being saved.
        let may_be_replaced = self.under_way().is_some() || !forced_recently;
        if is_same(rejected, token) && may_be_replaced {
            return None;
        }
        let tokens = token.tokens();
        let waits = || self.recent_failure().is_some_and(|error| !error.needs_login());
        let is_usable = !tokens.is_due(now) || (waits() && !tokens.is_expired(now));
        is_usable.then(|| token.clone())
    }

    /// The refresh under way, if there is one.
    pub fn under_way(&self) -> Option<&Refresh> {
        self.refresh.as_ref().filter(|refresh| refresh.is_under_way())
    }

    /// The current token if it has not expired, even if it is due for a refresh.
    pub fn unexpired(&self, now: SystemTime) -> Option<AccessToken> {
        self.current.clone().filter(|token| !token.tokens().is_expired(now))
    }

    /// How long a caller waits for a refresh before it takes the current token: never until that token expires.
    pub fn caller_wait(&self, now: SystemTime) -> Duration {
        let left = self.current.as_ref().and_then(|token| token.expires_at().duration_since(now).ok());
        left.map_or(MAX_CALLER_WAIT, |left| MAX_CALLER_WAIT.min(left / 2))
    }

    /// The last failure, while the server should not be asked again.
    pub fn recent_failure(&self) -> Option<&Error> {
        self.failed.as_ref().filter(|failed| Instant::now() < failed.until).map(|failed| &failed.error)
    }

    /// Starts a pause: as long as the server asks for, or else longer with each failure.
    pub fn record_failure(&mut self, error: &Error) {
        let times = self.failed.as_ref().map_or(0, |failed| failed.times);
        let until = Instant::now() + pause_after(error, times);
        self.failed = Some(Failed { until, error: error.clone(), times: times.saturating_add(1) });
    }

    pub fn record_success(&mut self) {
        self.failed = None;
    }

    /// Called when a service rejects a token that cannot be replaced. True the first time in a token's lifetime, since
    /// a login may help. If the new token is rejected as well, another login would not help.
    pub fn gives_up(&mut self, tokens: &Tokens) -> bool {
        let recently = self.gave_up_at.is_some_and(|at| at.elapsed() < tokens.lifetime());
        if !recently {
            self.gave_up_at = Some(Instant::now());
        }
        !recently
    }
}

pub(crate) fn is_same(rejected: Option<&AccessToken>, token: &AccessToken) -> bool {
    rejected.is_some_and(|rejected| rejected.secret() == token.secret())
}

/// How long the server is not asked again after `error` and `times` earlier failures in a row.
fn pause_after(error: &Error, times: u32) -> Duration {
    match error {
        Error::Busy { retry_after: Some(wait) } => (*wait).clamp(FIRST_PAUSE, MAX_RETRY_AFTER),
        _ => FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(times)).min(MAX_PAUSE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::NetworkError;

    #[test]
    fn the_pause_doubles_with_each_failure_up_to_a_limit() {
        let mut state = State::default();
        let error = Error::from(NetworkError::new("gone"));
        for (times, seconds) in [1, 2, 4, 8, 16, 30, 30].into_iter().enumerate() {
            assert_eq!(state.failed.as_ref().map_or(0, |failed| failed.times), times as u32);
            assert_eq!(pause_after(&error, times as u32).as_secs(), seconds);
            state.record_failure(&error);
            assert!(state.recent_failure().is_some());
        }
        assert_eq!(pause_after(&error, u32::MAX).as_secs(), 30);
        state.record_success();
        assert!(state.recent_failure().is_none());
    }

    #[test]
    fn retry_after_is_respected_within_limits() {
        for (asked, seconds) in [(0, 1), (17, 17), (100_000, 300)] {
            let error = Error::Busy { retry_after: Some(Duration::from_secs(asked)) };
            assert_eq!(pause_after(&error, 3).as_secs(), seconds);
        }
    }
}
