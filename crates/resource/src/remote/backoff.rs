//! How long to wait before a retry.

use std::time::Duration;

use ficha_token::{Entropy, SystemEntropy};

const FIRST: Duration = Duration::from_millis(100);

/// Pauses that double after each failure, up to a bound. They are randomized, so that the followers of a server that
/// comes back do not all return at the same moment.
pub(crate) struct Backoff {
    failures: u32,
    most: Duration,
}

impl Backoff {
    pub(crate) fn new(most: Duration) -> Self {
        Self { failures: 0, most }
    }

    /// The next pause: between half and all of what the number of failures calls for.
    pub(crate) fn next(&mut self) -> Duration {
        let longest = FIRST.saturating_mul(1 << self.failures.min(16)).min(self.most);
        self.failures = self.failures.saturating_add(1);
        jittered(longest)
    }

    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failures > 0
    }
}

/// A random duration between half of `longest` and all of it.
pub(crate) fn jittered(longest: Duration) -> Duration {
    let mut random = [0; 2];
    SystemEntropy.fill(&mut random);
    longest / 2 + longest.mul_f64(f64::from(u16::from_le_bytes(random)) / f64::from(u16::MAX) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_bound_and_differ() {
        let most = Duration::from_secs(5);
        let mut backoff = Backoff::new(most);
        for expected in [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000] {
            let pause = backoff.next();
            let expected = Duration::from_millis(expected);
            assert!(expected / 2 <= pause && pause <= expected, "{pause:?} for {expected:?}");
        }
        let pauses: std::collections::HashSet<_> = (0..20).map(|_| backoff.next()).collect();
        assert!(pauses.len() > 10);
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }
}
