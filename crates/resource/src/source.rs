//! What somebody else supplies: the keys, and what has been denied.
//!
//! The authorization server answers both from its own memory, a resource server from what it has fetched. Neither may
//! wait here: these are called on every request.

use std::time::Duration;

use ficha_token::{DenyId, VerifyingKey};

/// The answer to "which key is that?".
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum KeyLookup {
    /// The key, with the one algorithm that it is for.
    Found(VerifyingKey),
    /// The set is known, and no such key is in it.
    Unknown,
    /// Nobody can say now: the set has not been read yet, or is being read again for this very key.
    Unavailable {
        /// When to ask again.
        retry_after: Duration,
    },
}

/// Where verification keys come from.
pub trait KeySource: Send + Sync + 'static {
    /// The key that has this `kid`. It does not wait; a source that fetches does so beside.
    fn find(&self, kid: &str) -> KeyLookup;

    /// A number that is raised whenever the set changes, so that caches drop what a vanished key verified. It is
    /// raised after the change can be seen through [`KeySource::find`], and read on every request.
    fn generation(&self) -> u64;
}

/// The answer to "is one of these denied?".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DenyVerdict {
    /// None is, as far as a list that is fresh enough goes.
    Clear,
    /// One is.
    Denied,
    /// The list is too old to say that nothing is denied.
    Stale {
        /// When to ask again.
        retry_after: Duration,
    },
}

/// Where the denylist comes from.
pub trait DenySource: Send + Sync + 'static {
    /// Looks the ids of a token up: its `jti`, its `sid` and its key. `now` is in Unix seconds; an entry whose `until`
    /// it has reached no longer counts. What is denied may be called denied on a stale list too, for nothing is ever
    /// taken off before its time.
    fn check(&self, ids: &[DenyId], now: i64) -> DenyVerdict;

    /// False until the whole list has been read once. Until then even [`OnStale::Accept`] accepts nothing: a list that
    /// was never read says nothing at all, and a service that is started anew would forget every revocation.
    fn is_complete(&self) -> bool {
        true
    }

    /// The time that has come for certain, in Unix seconds: no token is judged by an earlier one, since entries may have
    /// been dropped by then, and a wall clock that is put back would make their tokens good again. It is read on every
    /// request.
    ///
    /// `None`, as it is unless said otherwise, leaves it to the verifier, which goes by the latest time that it has seen
    /// for as long as a token of then may be good: a day. A source that drops nothing says `Some(i64::MIN)`.
    fn reached(&self) -> Option<i64> {
        None
    }

    /// When to ask again, where the wall clock was set and nobody can say yet which time is right. A token that looks
    /// expired is then refused as on a stale list, and not for good. It is asked about such tokens only.
    fn doubts_clock(&self) -> Option<Duration> {
        None
    }

    /// The same of a token that says that it was issued later than it is now.
    fn doubts_start(&self) -> Option<Duration> {
        self.doubts_clock()
    }

    /// The same of a token that looks expired and ends at `exp`, for a source that knows by how much the clock may be wrong.
    fn doubts_end(&self, exp: i64) -> Option<Duration> {
        let _ = exp;
        self.doubts_clock()
    }
}

/// What to do with a token that is good but for a denylist that is too old to vouch for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnStale {
    /// Refuse it: 503 with `Retry-After`.
    #[default]
    Refuse,
    /// Accept it. A token that is revoked while the list can't be read then gets in for as long as that lasts; what is on
    /// the list stays refused. It does not help before the list has been read once.
    Accept,
}
