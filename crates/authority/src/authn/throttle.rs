//! Brute-force protection for logins.
//!
//! A *source* is a network address, across all public clients; the users of a confidential client are apart. Ten failures
//! in a row throttle that source for that account. A hundred failures on any accounts throttle it for all accounts to
//! which it never logged in. A hundred in a row for an account, from any sources, throttle all sources that never logged
//! in to it: together they get one attempt every 15 minutes, 96 a day (NIST SP 800-63B-4 §3.2.2 allows at most 100 in a
//! row). A source that has logged in before is never locked out by the failures of others.

use std::net::IpAddr;

use ficha_store::LoginHistory;

use crate::keys::master_key::MasterKey;
use crate::request_source::network_of;

/// Failures in a row of one source for one account before it is throttled.
pub const SLOW_AFTER: i64 = 10;
/// Failures of one source on all accounts together before it is throttled for those to which it never logged in. One is
/// forgiven every [`LoginHistory::FORGIVEN_EVERY`] seconds, so that it gets a hundred attempts an hour from then on.
pub const SPREAD_AFTER: i64 = 100;
/// Failures in a row for one account before sources that never logged in are blocked.
pub const BLOCK_AFTER: i64 = 100;
/// The longest wait between two attempts of a throttled source, in seconds.
const LONGEST_WAIT: i64 = 900;
/// How long unknown sources stay blocked after the last failure, in seconds. Then one attempt is checked again: 96 a day,
/// so that a right password from a new address gets through, and guessing stays hopeless.
const BLOCK_FOR: i64 = 900;

/// Pseudonyms of an account and a source that reveal nothing to a reader of the database: people type passwords into
/// the user name field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// The account.
    pub account: [u8; 16],
    /// The source.
    pub source: [u8; 16],
    /// False if the source is a confidential client that does not say for whom it acts: its failures on many accounts
    /// are those of many people.
    pub is_one_host: bool,
}

impl Attempt {
    /// Computes the pseudonyms.
    ///
    /// `client` is the id of a confidential client. Public clients share their sources: anybody can name another one,
    /// and would otherwise get the allowance of each.
    pub fn new(master: &MasterKey, username: &str, client: Option<&str>, address: Option<IpAddr>) -> Self {
        Self {
            is_one_host: client.is_none(),
            account: master.tag(&[b"account", username.as_bytes()]),
            source: source_tag(master, client, address),
        }
    }

    /// The key by which the hashing queue is shared fairly.
    pub fn share(&self) -> u64 {
        u64::from_be_bytes(self.source[..8].try_into().expect("16 bytes hold 8"))
    }
}

/// The pseudonym of a source.
pub fn source_tag(master: &MasterKey, client: Option<&str>, address: Option<IpAddr>) -> [u8; 16] {
    master.tag(&[b"source", client.unwrap_or_default().as_bytes(), &network_of(address)])
}

/// True if an attempt at `now` is refused without checking the password.
pub fn is_throttled(history: &LoginHistory, now: i64) -> bool {
    is_delayed(history, now) || is_blocked(history, now) || is_spread(history, now)
}

/// It has failed on many accounts.
fn is_spread(history: &LoginHistory, now: i64) -> bool {
    let forgiven = now.saturating_sub(history.all_last_failure) / LoginHistory::FORGIVEN_EVERY;
    history.source_succeeded == 0 && history.all_failures - forgiven >= SPREAD_AFTER
}

/// It has failed for this account.
pub fn is_delayed(history: &LoginHistory, now: i64) -> bool {
    let over = history.source_failures - SLOW_AFTER;
    if over < 0 {
        return false;
    }
    let wait = if over >= 10 { LONGEST_WAIT } else { (1 << over).min(LONGEST_WAIT) };
    now < history.source_last_failure.saturating_add(wait)
}

/// The account has failed from too many sources, and this one never logged in to it.
pub fn is_blocked(history: &LoginHistory, now: i64) -> bool {
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
    fn a28_a_hundred_failures_on_any_accounts_slow_a_source_where_it_never_logged_in() {
        let mut history = LoginHistory { all_failures: 100, all_last_failure: 1000, ..Default::default() };
        assert!(is_throttled(&history, 1000 + 35));
        assert!(!is_throttled(&history, 1000 + 36));
        history.all_failures = 99;
        assert!(!is_throttled(&history, 1000));
        history = LoginHistory { all_failures: 500, source_succeeded: 5, ..history };
        assert!(!is_throttled(&history, 1000));
    }

    #[test]
    fn an_ipv6_source_is_its_slash_64_and_an_ipv4_mapped_address_is_ipv4() {
        let network = |text: &str| network_of(Some(text.parse().unwrap()));
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
    }
}
