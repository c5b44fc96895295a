//! How often a request is sent again, and after how long.

use std::time::Duration;

use oauth2::{ErrorResponse, RequestTokenError};
use tokio::time::Instant;

use crate::transport::Failure;

/// How often a request is sent that may be sent again, if the server can't have got the first one.
const ATTEMPTS: usize = 3;

/// A server may have used a refresh token although nobody saw its answer. It repeats that answer for its grace (30 s
/// unless set); after it, the same token would end the session. So no attempt begins later than this.
const WINDOW: Duration = Duration::from_secs(25);

const PAUSES: [Duration; 6] = [
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

/// Nobody waits for a server that asks for more retry than this.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// The longest time from the first attempt to the beginning of the last one.
pub(crate) const LONGEST: Duration = WINDOW;

/// What came of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setback {
    /// The server was not reached.
    Unsent,
    /// The server may have done it.
    Lost,
    /// The server asks for a while, for so long if it says so.
    Busy { retry_after: Option<Duration>, may_be_done: bool },
    /// Something in between answered, most likely.
    Odd,
    /// The server said no.
    Refused,
}

impl Setback {
    pub fn of<T: ErrorResponse + 'static>(error: &RequestTokenError<Failure, T>) -> Self {
        match error {
            RequestTokenError::Request(Failure::Network { was_sent: false, .. }) => Self::Unsent,
            RequestTokenError::Request(Failure::Network { was_sent: true, .. }) => Self::Lost,
            RequestTokenError::Request(Failure::Busy { retry_after, may_be_done }) => {
                Self::Busy { retry_after: *retry_after, may_be_done: *may_be_done }
            }
            RequestTokenError::Request(Failure::BadAnswer(_))
            | RequestTokenError::Parse(..)
            | RequestTokenError::Other(_) => Self::Odd,
            RequestTokenError::ServerResponse(_) => Self::Refused,
        }
    }
}

/// What is left of it, for one request.
pub(crate) struct Retry {
    began: Instant,
    failures: usize,
    /// The request can be done once, and its answer may be lost.
    once: bool,
    is_in_doubt: bool,
}

impl Retry {
    /// For a request that may be done twice.
    pub fn new() -> Self {
        Self { began: Instant::now(), failures: 0, once: false, is_in_doubt: false }
    }

    /// For a request that uses something up. Once it may have reached the server it is sent until the window closes,
    /// whatever comes in between.
    pub fn once() -> Self {
        Self { once: true, ..Self::new() }
    }

    /// The pause before the next attempt; `None` if there should be none.
    pub fn after(&mut self, setback: Setback) -> Option<Duration> {
        self.next(setback, self.began.elapsed())
    }

    /// `elapsed` since the first attempt.
    fn next(&mut self, setback: Setback, elapsed: Duration) -> Option<Duration> {
        let pause = PAUSES[self.failures.min(PAUSES.len() - 1)];
        self.failures += 1;
        let may_be_done = matches!(setback, Setback::Lost | Setback::Busy { may_be_done: true, .. });
        self.is_in_doubt |= self.once && may_be_done;
        if self.is_in_doubt {
            in_doubt(setback, pause, WINDOW.saturating_sub(elapsed))
        } else {
            self.not_done(setback, pause)
        }
    }

    fn not_done(&self, setback: Setback, pause: Duration) -> Option<Duration> {
        match setback {
            Setback::Unsent | Setback::Lost => Some(pause),
            Setback::Busy { retry_after, .. } => {
                retry_after.filter(|wait| *wait <= LONGEST_WAIT).map(|wait| wait.max(pause))
            }
            Setback::Odd | Setback::Refused => None,
        }
        .filter(|_| self.failures < ATTEMPTS)
    }

    /// True if whoever waits should be told that it takes long, with `pause` next.
    pub fn is_worn(&self, pause: Duration) -> bool {
        self.failures >= ATTEMPTS || pause > LONGEST_WAIT
    }
}

/// With `left` until the window closes.
fn in_doubt(setback: Setback, pause: Duration, left: Duration) -> Option<Duration> {
    let pause = match setback {
        Setback::Refused => None,
        Setback::Busy { retry_after: Some(wait), .. } if wait > left => None,
        Setback::Busy { retry_after: Some(wait), .. } => Some(wait.max(pause).min(left)),
        _ => Some(pause.min(left)),
    };
    pause.filter(|pause| !pause.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When the attempts begin, in milliseconds, if each fails alike and at once.
    fn attempts(mut retry: Retry, setback: Setback) -> Vec<u128> {
        let mut elapsed = Duration::ZERO;
        let mut times = vec![0];
        while let Some(pause) = retry.next(setback, elapsed) {
            elapsed += pause;
            times.push(elapsed.as_millis());
        }
        times
    }

    fn busy(seconds: Option<u64>, may_be_done: bool) -> Setback {
        Setback::Busy { retry_after: seconds.map(Duration::from_secs), may_be_done }
    }

    #[test]
    fn what_may_have_been_done_is_sent_until_the_window_closes() {
        let expected = [0, 200, 700, 1_700, 3_700, 7_700, 15_700, 23_700, 25_000];
        assert_eq!(attempts(Retry::once(), Setback::Lost), expected);
        assert_eq!(attempts(Retry::once(), busy(None, true)), expected);
        assert_eq!(attempts(Retry::once(), busy(Some(10), true)), [0, 10_000, 20_000]);
        assert_eq!(attempts(Retry::once(), busy(Some(60), true)), [0]);
    }

    #[test]
    fn what_was_not_done_or_may_be_done_twice_is_sent_three_times() {
        for retry in [Retry::new, Retry::once] {
            assert_eq!(attempts(retry(), Setback::Unsent), [0, 200, 700]);
            assert_eq!(attempts(retry(), busy(Some(2), false)), [0, 2_000, 4_000]);
            assert_eq!(attempts(retry(), busy(Some(3), false)), [0]);
            assert_eq!(attempts(retry(), Setback::Odd), [0]);
            assert_eq!(attempts(retry(), Setback::Refused), [0]);
        }
        assert_eq!(attempts(Retry::new(), Setback::Lost), [0, 200, 700]);
    }

    #[test]
    fn a_doubt_stays_until_the_server_itself_has_spoken() {
        let mut retry = Retry::once();
        for setback in [Setback::Lost, Setback::Unsent, Setback::Odd, Setback::Unsent, Setback::Unsent] {
            assert!(retry.next(setback, Duration::ZERO).is_some(), "{setback:?}");
        }
        assert_eq!(retry.next(Setback::Refused, Duration::ZERO), None);
    }
}
