//! Throttling of wrong client secrets.
//!
//! A secret has 256 random bits and can't be guessed; this only limits the load of guessing. It is kept in memory:
//! nothing is lost when a server forgets it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How many failures of a source are answered without a delay.
const FREE: u32 = 10;
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(2);
/// After this time without a failure a source starts over, in seconds.
const FORGET: i64 = 300;
/// The most sources in memory.
const MOST: usize = 10_000;

/// Counts failures by source.
#[derive(Default)]
pub(crate) struct SecretFailures {
    sources: Mutex<HashMap<[u8; 16], (u32, i64)>>,
}

impl SecretFailures {
    /// True if `source` has failed so often that the database is not read again for its wrong secrets.
    pub(crate) fn is_over(&self, source: [u8; 16], now: i64) -> bool {
        let sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.get(&source).is_some_and(|(failures, at)| *failures >= FREE && now - *at < FORGET)
    }

    /// Counts a failure of `source` and returns how long to wait before answering.
    pub(crate) fn failed(&self, source: [u8; 16], now: i64) -> Duration {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if sources.len() >= MOST {
            sources.retain(|_, (_, at)| now - *at < FORGET);
            if sources.len() >= MOST {
                sources.clear();
            }
        }
        let (failures, at) = sources.entry(source).or_insert((0, now));
        *failures = if now - *at >= FORGET { 1 } else { failures.saturating_add(1) };
        *at = now;
        match failures.checked_sub(FREE) {
            None | Some(0) => Duration::ZERO,
            Some(over) => LONGEST.min(Duration::from_millis(50) * 2_u32.saturating_pow(over.min(10))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a28_only_the_source_that_guesses_secrets_waits_longer_and_longer() {
        let failures = SecretFailures::default();
        for _ in 0..FREE {
            assert_eq!(failures.failed([1; 16], 0), Duration::ZERO);
        }
        assert_eq!(failures.failed([1; 16], 0), Duration::from_millis(100));
        assert_eq!(failures.failed([1; 16], 0), Duration::from_millis(200));
        assert_eq!(failures.failed([2; 16], 0), Duration::ZERO);
        assert_eq!(failures.failed([1; 16], FORGET), Duration::ZERO);
    }
}
