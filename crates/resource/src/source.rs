//! Sources of keys and of denied ids.
//!
//! The authorization server answers from its own memory, a resource server from what it has fetched. Neither may wait:
//! sources are called on every request.

use std::time::Duration;

use ficha_token::{DenyId, VerifyingKey};

/// The result of [`KeySource::find`].
///
/// See the example at [`Verifier`](crate::Verifier).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum KeyLookup {
    /// The key, which includes the one algorithm that it is used with.
    Found(VerifyingKey),
    /// The key set is known and does not contain the key.
    Unknown,
    /// The key can't be looked up now: the set has not been read yet, or could not be read again.
    Unavailable {
        /// How long to wait before trying again.
        retry_after: Duration,
    },
    /// The key is not known, and no key will ever be read again: what reads them has ended.
    Stopped,
}

/// Where verification keys come from.
///
/// See the example at [`Verifier`](crate::Verifier).
pub trait KeySource: Send + Sync + 'static {
    /// Looks up the key with this `kid`. This must not wait; a source that fetches keys does so in the background.
    fn find(&self, kid: &str) -> KeyLookup;

    /// A number that grows whenever the set changes, so that tokens verified with a removed key leave the cache. It
    /// must be raised only after [`KeySource::find`] shows the change. It is read on every request.
    fn generation(&self) -> u64;
}

/// The result of [`DenySource::look_up`].
///
/// See the example at [`Verifier`](crate::Verifier).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DenyVerdict {
    /// None of the ids is denied, and the list is fresh enough to say so.
    Clear,
    /// At least one of the ids is denied.
    Denied,
    /// The list is too old to say that none of the ids is denied.
    Stale {
        /// How long to wait before trying again.
        retry_after: Duration,
    },
    /// The list is too old, and will never be read again: what reads it has ended.
    Stopped,
}

/// Where the denylist comes from.
///
/// See the example at [`Verifier`](crate::Verifier).
pub trait DenySource: Send + Sync + 'static {
    /// Looks up the ids of a token: its `jti`, its `sid` and its key. `now` is in Unix seconds; entries whose `until`
    /// is not later than `now` no longer count.
    ///
    /// Even a stale list may report an id as denied, because no entry is ever removed before its time.
    fn look_up(&self, ids: &[DenyId], now: i64) -> DenyVerdict;

    /// Some part of the service goes on accepting tokens while the list is stale ([`OnStale::Accept`]): whoever asks this
    /// source for revocations must not be told that the service refuses everything then. Called often.
    fn note_accepts_stale(&self) {}

    /// False until the whole list has been read once. Until then even [`OnStale::Accept`] accepts nothing, because a
    /// service would otherwise forget every revocation when it restarts.
    fn is_complete(&self) -> bool {
        true
    }

    /// The earliest time that it can be now, in Unix seconds. No token is judged by an earlier time: entries may have
    /// been dropped since, and a wall clock that is set back would make their tokens valid again. It is read on every
    /// request.
    ///
    /// With `None`, the default, the verifier remembers the latest time that it has seen, and keeps to it for as long
    /// as a token from that time could be valid: a day. A source that never drops entries returns `Some(i64::MIN)`.
    fn reached(&self) -> Option<i64> {
        None
    }

    /// If the wall clock was set and it is not known yet which time is right: how long to wait before trying again. A
    /// token that looks expired is then refused as with a stale list, not as expired. Called for such tokens only.
    fn doubts_clock(&self) -> Option<Duration> {
        None
    }

    /// The same for a token that seems to be issued in the future.
    fn doubts_start(&self) -> Option<Duration> {
        self.doubts_clock()
    }

    /// The same for a token that looks expired and has this `exp`, for a source that knows how far off the clock may
    /// be.
    fn doubts_end(&self, exp: i64) -> Option<Duration> {
        let _ = exp;
        self.doubts_clock()
    }
}

/// What to do with an otherwise valid token when the denylist is stale, that is, too old to be relied on.
///
/// ```
/// use ficha_resource::{OnStale, TestIssuer, VerifyError};
///
/// let issuer = TestIssuer::new();
/// let (strict, token) = (issuer.oauth2(), issuer.token().sign());
/// let lenient = strict.clone().on_stale(OnStale::Accept);
///
/// issuer.set_stale(true);
/// assert!(matches!(strict.verify_now(&token), Err(VerifyError::Stale { .. })));
/// assert!(lenient.verify_now(&token).is_ok());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnStale {
    /// Refuse it: 503 with `Retry-After`.
    #[default]
    Refuse,
    /// Accept it, unless it is on the list. A token that is revoked while the list can't be read is then accepted until
    /// the list can be read again. This has no effect before the list has been read once.
    Accept,
}
