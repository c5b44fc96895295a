//! The source of the wall-clock time, which tests replace.

use std::time::SystemTime;

/// A source of the wall-clock time. Programs use [`SystemClock`], which is the default; tests pass a clock that they
/// control.
///
/// ```
/// use std::sync::Mutex;
/// use std::time::{Duration, SystemTime};
///
/// use ficha_client::Clock;
///
/// /// A clock that a test moves.
/// struct TestClock(Mutex<SystemTime>);
///
/// impl Clock for TestClock {
///     fn now(&self) -> SystemTime {
///         *self.0.lock().unwrap()
///     }
/// }
///
/// let clock = TestClock(Mutex::new(SystemTime::UNIX_EPOCH));
/// *clock.0.lock().unwrap() += Duration::from_secs(60);
/// assert_eq!(clock.now(), SystemTime::UNIX_EPOCH + Duration::from_secs(60));
/// ```
pub trait Clock: Send + Sync + 'static {
    /// The current wall-clock time. Expiry times are stored in it, because they must keep their meaning after a restart
    /// and in other processes.
    fn now(&self) -> SystemTime;
}

/// The system clock.
///
/// ```
/// use ficha_client::{Clock, SystemClock};
///
/// assert!(SystemClock.now() > std::time::SystemTime::UNIX_EPOCH);
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the operating system")]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

impl<T: Clock> Clock for std::sync::Arc<T> {
    fn now(&self) -> SystemTime {
        (**self).now()
    }
}
