//! Brute-force protection for logins.
//!
//! A *source* is a client and a network address. Ten failures in a row throttle that source for that account. A hundred
//! in a row, from any sources, block the sources that never logged in to that account. A source that has logged in
//! before is never locked out by the failures of others (NIST SP 800-63B-4 §3.2.2 requires at most 100 in a row).

use std::net::IpAddr;

use ficha_store::LoginHistory;

use crate::keys::master_key::MasterKey;
use crate::request_source::network_of;

/// Failures in a row of one source for one account before it is throttled.
pub const SLOW_AFTER: i64 = 10;
/// Failures in a row for one account before sources that never logged in are blocked.
pub const BLOCK_AFTER: i64 = 100;
/// The longest wait between two attempts of a throttled source, in seconds.
const LONGEST_WAIT: i64 = 900;
/// How long unknown sources stay blocked after the last failure, in seconds. Then one attempt is checked again, so that
/// an account without any login is not locked for ever.
const BLOCK_FOR: i64 = 3_600;

/// Pseudonyms of an account and a source that reveal nothing to a reader of the database: people type passwords into
/// the user name field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// The account.
    pub account: [u8; 16],
    /// The source.
    pub source: [u8; 16],
}

impl Attempt {
    /// Computes the pseudonyms.
    pub fn new(master: &MasterKey, username: &str, client_id: &str, address: Option<IpAddr>) -> Self {
        let network = network_of(address);
        Self {
            account: master.tag(&[b"account", username.as_bytes()]),
            source: master.tag(&[b"source", client_id.as_bytes(), &network]),
        }
    }

    /// The key by which the hashing queue is shared fairly.
    pub fn share(&self) -> u64 {
        u64::from_be_bytes(self.source[..8].try_into().expect("16 bytes hold 8"))
    }
}

/// True if an attempt at `now` is refused without checking the password.
pub fn is_throttled(history: &LoginHistory, now: i64) -> bool {
    is_delayed(history, now) || is_blocked(history, now)
}

fn is_delayed(history: &LoginHistory, now: i64) -> bool {
    let over = history.source_failures - SLOW_AFTER;
    if over < 0 {
        return false;
    }
    let wait = if over >= 10 { LONGEST_WAIT } else { (1 << over).min(LONGEST_WAIT) };
    now < history.source_last_failure.saturating_add(wait)
}

fn is_blocked(history: &LoginHistory, now: i64) -> bool {
    history.account_failures >= BLOCK_AFTER
        && history.source_succeeded == 0
        && now < history.account_last_failure.saturating_add(BLOCK_FOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a28_after_ten_failures_a_source_waits_longer_each_time() {
        let mut history = LoginHistory { source_failures: 9, source_last_failure: 1000, ..Default::default() };
        assert!(!is_throttled(&history, 1000));
        for (failures, wait) in [(10, 1), (11, 2), (15, 32), (19, 512), (20, 900), (99, 900)] {
            history.source_failures = failures;
            assert!(is_throttled(&history, 1000 + wait - 1), "{failures}");
            assert!(!is_throttled(&history, 1000 + wait), "{failures}");
        }
    }

    #[test]
    fn a28_a_hundred_failures_block_only_sources_that_never_logged_in() {
        let mut history = LoginHistory { account_failures: 100, account_last_failure: 1000, ..Default::default() };
        assert!(is_throttled(&history, 1000 + BLOCK_FOR - 1));
        assert!(!is_throttled(&history, 1000 + BLOCK_FOR));
        history.source_succeeded = 5;
        assert!(!is_throttled(&history, 1001));
    }

    #[test]
    fn an_ipv6_source_is_its_slash_64_and_an_ipv4_mapped_address_is_ipv4() {
        let network = |text: &str| network_of(Some(text.parse().unwrap()));
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
    }
}
