//! When a request is retried.

use std::time::Duration;

use oauth2::{ErrorResponse, RequestTokenError};
use tokio::time::Instant;

use crate::transport::Failure;

/// How often a request is sent in all, unless it may have used up a refresh token (see [`WINDOW`]).
const ATTEMPTS: u32 = 3;

/// If the response to a refresh is lost, the server may have used up the refresh token. It returns the same successor
/// during its grace period (30 s by default); after that, the same token would end the session. So no attempt starts
/// later than this.
const WINDOW: Duration = Duration::from_secs(25);

const PAUSES: [Duration; 6] = [
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

/// A longer `Retry-After` is not waited for, unless the request is in doubt.
const MAX_WAIT: Duration = Duration::from_secs(2);

/// The longest time from the first attempt to the start of the last one.
pub(crate) const MAX_ELAPSED: Duration = WINDOW;

/// The longest time that all attempts take if no refresh token is used up, and each takes `limit` at most.
pub(crate) fn longest(limit: Duration) -> Duration {
    limit.saturating_mul(ATTEMPTS).saturating_add(MAX_WAIT.saturating_mul(ATTEMPTS - 1))
}

/// Why one attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// The server was not reached.
    Unsent,
    /// The response was lost, so the server may have carried out the request.
    Lost,
    /// The server asks to be given time, perhaps with a duration.
    Busy { retry_after: Option<Duration>, may_be_done: bool },
    /// Not a response of an authorization server, so most likely from something in between.
    Unexpected,
    /// The server rejected the request.
    Refused,
}

impl FailureKind {
    pub fn of<T: ErrorResponse + 'static>(error: &RequestTokenError<Failure, T>) -> Self {
        match error {
            RequestTokenError::Request(failure) => failure.into(),
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => Self::Unexpected,
            RequestTokenError::ServerResponse(_) => Self::Refused,
        }
    }
}

impl From<&Failure> for FailureKind {
    fn from(failure: &Failure) -> Self {
        match failure {
            Failure::Network { was_sent: false, .. } => Self::Unsent,
            Failure::Network { was_sent: true, .. } => Self::Lost,
            Failure::Busy { retry_after, may_be_done } => {
                Self::Busy { retry_after: *retry_after, may_be_done: *may_be_done }
            }
            Failure::BadAnswer(_) => Self::Unexpected,
        }
    }
}

/// The attempts of one request.
pub(crate) struct Retry {
    started: Instant,
    failures: u32,
    /// The server carries out the request only once.
    once: bool,
    /// The server may have carried it out.
    is_in_doubt: bool,
}

impl Retry {
    /// For a request that may be carried out twice.
    pub fn new() -> Self {
        Self { started: Instant::now(), failures: 0, once: false, is_in_doubt: false }
    }

    /// For a request that uses something up. Once it may have reached the server, it is retried until the window closes
    /// or the server rejects it.
    pub fn once() -> Self {
        Self { once: true, ..Self::new() }
    }

    /// The pause before the next attempt, or `None` if there should be no further attempt.
    pub fn after(&mut self, failure: FailureKind) -> Option<Duration> {
        self.next(failure, self.started.elapsed())
    }

    /// `elapsed` since the first attempt.
    fn next(&mut self, failure: FailureKind, elapsed: Duration) -> Option<Duration> {
        let pause = PAUSES[(self.failures as usize).min(PAUSES.len() - 1)];
        self.failures += 1;
        let may_be_done = matches!(failure, FailureKind::Lost | FailureKind::Busy { may_be_done: true, .. });
        self.is_in_doubt |= self.once && may_be_done;
        if self.is_in_doubt {
            in_doubt(failure, pause, WINDOW.saturating_sub(elapsed))
        } else {
            self.not_done(failure, pause)
        }
    }

    fn not_done(&self, failure: FailureKind, pause: Duration) -> Option<Duration> {
        match failure {
            FailureKind::Unsent | FailureKind::Lost => Some(pause),
            FailureKind::Busy { retry_after, .. } => {
                retry_after.filter(|wait| *wait <= MAX_WAIT).map(|wait| wait.max(pause))
            }
            FailureKind::Unexpected | FailureKind::Refused => None,
        }
        .filter(|_| self.failures < ATTEMPTS)
    }

    /// True if callers should no longer wait for the result, with `pause` next.
    pub fn is_long_delay(&self, pause: Duration) -> bool {
        self.failures >= ATTEMPTS || pause > MAX_WAIT
    }
}

/// `left` is the time until the window closes.
fn in_doubt(failure: FailureKind, pause: Duration, left: Duration) -> Option<Duration> {
    let pause = match failure {
        FailureKind::Refused => None,
        FailureKind::Busy { retry_after: Some(wait), .. } if wait > left => None,
        FailureKind::Busy { retry_after: Some(wait), .. } => Some(wait.max(pause).min(left)),
        _ => Some(pause.min(left)),
    };
    pause.filter(|pause| !pause.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When the attempts start, in milliseconds, if each fails immediately and in the same way.
    fn attempts(mut retry: Retry, failure: FailureKind) -> Vec<u128> {
        let mut elapsed = Duration::ZERO;
        let mut times = vec![0];
        while let Some(pause) = retry.next(failure, elapsed) {
            elapsed += pause;
            times.push(elapsed.as_millis());
        }
        times
    }

    fn busy(seconds: Option<u64>, may_be_done: bool) -> FailureKind {
        FailureKind::Busy { retry_after: seconds.map(Duration::from_secs), may_be_done }
    }

    #[test]
    fn a_request_that_may_have_been_carried_out_is_retried_until_the_window_closes() {
        let expected = [0, 200, 700, 1_700, 3_700, 7_700, 15_700, 23_700, 25_000];
        assert_eq!(attempts(Retry::once(), FailureKind::Lost), expected);
        assert_eq!(attempts(Retry::once(), busy(None, true)), expected);
        assert_eq!(attempts(Retry::once(), busy(Some(10), true)), [0, 10_000, 20_000]);
        assert_eq!(attempts(Retry::once(), busy(Some(60), true)), [0]);
    }

    #[test]
    fn a_request_not_carried_out_or_safe_to_repeat_is_sent_three_times() {
        for retry in [Retry::new, Retry::once] {
            assert_eq!(attempts(retry(), FailureKind::Unsent), [0, 200, 700]);
            assert_eq!(attempts(retry(), busy(Some(2), false)), [0, 2_000, 4_000]);
            assert_eq!(attempts(retry(), busy(Some(3), false)), [0]);
            assert_eq!(attempts(retry(), FailureKind::Unexpected), [0]);
            assert_eq!(attempts(retry(), FailureKind::Refused), [0]);
        }
        assert_eq!(attempts(Retry::new(), FailureKind::Lost), [0, 200, 700]);
    }

    #[test]
    fn the_longest_time_covers_all_attempts() {
        // The pauses, and three attempts without an answer.
        let pauses = attempts(Retry::new(), busy(Some(2), false));
        assert_eq!(longest(Duration::from_secs(9)).as_millis(), pauses[2] + 27_000);
    }

    #[test]
    fn a_request_stays_in_doubt_until_the_server_itself_answers() {
        let mut retry = Retry::once();
        for failure in
            [FailureKind::Lost, FailureKind::Unsent, FailureKind::Unexpected, FailureKind::Unsent, FailureKind::Unsent]
        {
            assert!(retry.next(failure, Duration::ZERO).is_some(), "{failure:?}");
        }
        assert_eq!(retry.next(FailureKind::Refused, Duration::ZERO), None);
    }
}
