//! Time, handed in.

use std::time::SystemTime;

/// Where the time comes from. A test hands in one that it moves; everybody else has [`SystemClock`].
pub trait Clock: Send + Sync + 'static {
    /// The wall-clock time. Expiry is kept in it, since it must be understood after a restart and by other processes.
    fn now(&self) -> SystemTime;
}

/// The machine's own clock.
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
