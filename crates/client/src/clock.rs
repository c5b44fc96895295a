//! The source of the wall-clock time, which tests replace.

use std::time::SystemTime;

/// A source of the wall-clock time. Programs use [`SystemClock`], which is the default; tests pass a clock that they
/// control.
pub trait Clock: Send + Sync + 'static {
    /// The current wall-clock time. Expiry times are stored in it, because they must keep their meaning after a restart
    /// and in other processes.
    fn now(&self) -> SystemTime;
}

/// The system clock.
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
