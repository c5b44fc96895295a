//! What a token source knows between two calls.

use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::Instant;

use crate::error::Error;
use crate::tokens::{AccessToken, Tokens};

/// A service that refuses even a new token is not answered with another one each time.
const FORCED_PAUSE: Duration = Duration::from_secs(10);

/// After one failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A server that asks for more than this is asked again all the same.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(300);

/// How long a caller whose token is good waits for a better one.
const COURTESY: Duration = Duration::from_millis(1_500);

/// All pauses are measured by a clock that nobody sets; only expiry is by the wall clock.
#[derive(Default)]
pub(crate) struct State {
    /// What is handed out. It has been saved.
    pub current: Option<AccessToken>,
    /// What the server gave and the store did not take.
    pub unsaved: Option<Unsaved>,
    pub flight: Option<Flight>,
    failed: Option<Failed>,
    /// When a token was last to be replaced because a service refused it.
    pub forced_at: Option<Instant>,
    /// When a token that could not be replaced was last refused by a service.
    given_up_at: Option<Instant>,
}

/// Tokens that replace `previous`, and are not stored yet.
#[derive(Clone)]
pub(crate) struct Unsaved {
    pub tokens: Tokens,
    pub previous: Option<Tokens>,
}

/// A renewal under way, in a task of its own.
#[derive(Clone)]
pub(crate) struct Flight {
    pub began: Instant,
    /// Its outcome, once it is there, or what keeps it from one.
    pub outcome: watch::Receiver<Option<Result<AccessToken, Error>>>,
}

impl Flight {
    /// A flight whose task has ended, or was stopped with its runtime, is none.
    pub fn is_under_way(&self) -> bool {
        self.outcome.has_changed().is_ok()
    }
}

/// The server did not give what it was asked for.
struct Failed {
    until: Instant,
    error: Error,
    times: u32,
}

impl State {
    pub fn to_hand_out(&self, now: SystemTime, rejected: Option<&AccessToken>) -> Option<AccessToken> {
        let token = self.current.as_ref()?;
        let forced_lately = self.forced_at.is_some_and(|at| at.elapsed() < FORCED_PAUSE);
        if is_same(rejected, token) && !forced_lately {
            return None;
        }
        let tokens = token.tokens();
        let is_good = !tokens.is_due(now) || (self.has_failed_lately().is_some() && !tokens.is_expired(now));
        is_good.then(|| token.clone())
    }

    /// One that has not expired, though it may be due.
    pub fn still_good(&self, now: SystemTime) -> Option<AccessToken> {
        self.current.clone().filter(|token| !token.tokens().is_expired(now))
    }

    /// How long a caller waits for a flight before it takes the old token: not long, and never until that one expires.
    pub fn courtesy(&self, now: SystemTime) -> Duration {
        let left = self.current.as_ref().and_then(|token| token.expires_at().duration_since(now).ok());
        left.map_or(COURTESY, |left| COURTESY.min(left / 2))
    }

    /// What the server said, while it should be left alone.
    pub fn has_failed_lately(&self) -> Option<&Error> {
        self.failed.as_ref().filter(|failed| Instant::now() < failed.until).map(|failed| &failed.error)
    }

    /// The server is left alone for as long as it asks, or else for longer each time.
    pub fn has_failed(&mut self, error: &Error) {
        let times = self.failed.as_ref().map_or(0, |failed| failed.times);
        let until = Instant::now() + pause_after(error, times);
        self.failed = Some(Failed { until, error: error.clone(), times: times.saturating_add(1) });
    }

    pub fn has_succeeded(&mut self) {
        self.failed = None;
    }

    /// True once in the life of a token that can't be replaced, when a service refuses it: then a login may help. If
    /// that one's token is refused as well, another password would not.
    pub fn gives_up(&mut self, tokens: &Tokens) -> bool {
        let lately = self.given_up_at.is_some_and(|at| at.elapsed() < tokens.life());
        if !lately {
            self.given_up_at = Some(Instant::now());
        }
        !lately
    }
}

pub(crate) fn is_same(rejected: Option<&AccessToken>, token: &AccessToken) -> bool {
    rejected.is_some_and(|rejected| rejected.secret() == token.secret())
}

/// How long the server is left alone, with so many failures before.
fn pause_after(error: &Error, times: u32) -> Duration {
    match error {
        Error::Busy { retry_after: Some(wait) } => (*wait).clamp(FIRST_PAUSE, LONGEST_RETRY_AFTER),
        _ => FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(times)).min(LONGEST_PAUSE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_fails_is_left_alone_for_longer_each_time() {
        let mut state = State::default();
        let error = Error::Network("gone".into());
        for (times, seconds) in [1, 2, 4, 8, 16, 30, 30].into_iter().enumerate() {
            assert_eq!(state.failed.as_ref().map_or(0, |failed| failed.times), times as u32);
            assert_eq!(pause_after(&error, times as u32).as_secs(), seconds);
            state.has_failed(&error);
            assert!(state.has_failed_lately().is_some());
        }
        assert_eq!(pause_after(&error, u32::MAX).as_secs(), 30);
        state.has_succeeded();
        assert!(state.has_failed_lately().is_none());
    }

    #[test]
    fn a_server_that_says_how_long_is_left_alone_so_long_but_not_for_ever() {
        for (asked, seconds) in [(0, 1), (17, 17), (100_000, 300)] {
            let error = Error::Busy { retry_after: Some(Duration::from_secs(asked)) };
            assert_eq!(pause_after(&error, 3).as_secs(), seconds);
        }
    }
}
