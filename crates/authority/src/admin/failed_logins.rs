//! Why a right password is refused: the failed logins of a user.

use ficha_store::{AccountFailures, LoginHistory, UserRecord};

use super::powers::{Access, Area};
use super::{Actor, Admin, AdminError};
use crate::authn::throttle::{is_blocked, is_delayed};

/// The failed logins of a user since the last successful one, or since they were cleared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FailedLogins {
    /// How many there were, of these sources together.
    pub failures: u64,
    /// From how many sources; at most a thousand are counted.
    pub sources: u64,
    /// When the last one was.
    pub last_at: Option<i64>,
    /// How many of these sources are refused at the moment, whatever password they send.
    pub throttled: u64,
    /// True if all sources that never logged in to this account are.
    pub blocked: bool,
}

impl Admin {
    /// The failed logins of a user.
    pub async fn failed_logins(&self, actor: &Actor, user: &UserRecord) -> Result<FailedLogins, AdminError> {
        actor.require(Access::Read, Area::Users)?;
        let Some(account) = self.account(&user.name)? else { return Ok(FailedLogins::default()) };
        Ok(FailedLogins::of(&self.base.store.failures_of_account(account).await?, self.now()))
    }
}

impl FailedLogins {
    fn of(counted: &AccountFailures, now: i64) -> Self {
        let AccountFailures { whole, sources } = counted;
        let throttled = |source: &&LoginHistory| is_delayed(source, now);
        Self {
            failures: sources.iter().map(|source| source.source_failures.unsigned_abs()).sum(),
            sources: sources.len() as u64,
            last_at: sources.iter().map(|source| source.source_last_failure).max(),
            throttled: sources.iter().filter(throttled).count() as u64,
            blocked: is_blocked(whole, now),
        }
    }
}
