//! How long it takes to count a failed login, apart from the hash.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A moving average of the time that counting a failure takes. A throttled login does not count for the throttle, and must
/// not be faster for it.
#[derive(Debug, Default)]
pub struct Counting(AtomicU64);

impl Counting {
    /// The average.
    pub fn typical(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }

    /// Includes another one. If two do at once, one of them may be left out.
    pub fn note(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let average = match self.0.load(Ordering::Relaxed) {
            0 => took,
            before => before - before / 8 + took / 8,
        };
        self.0.store(average, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_average_follows_slowly() {
        let counting = Counting::default();
        assert_eq!(counting.typical(), Duration::ZERO);
        counting.note(Duration::from_micros(800));
        assert_eq!(counting.typical(), Duration::from_micros(800));
        counting.note(Duration::from_micros(1_600));
        assert_eq!(counting.typical(), Duration::from_micros(900));
    }
}
