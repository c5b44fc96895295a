//! Deciding whether a token is good.

use std::fmt;
use std::sync::Arc;

use ficha_token::{AccessClaims, Clock, Expected, MAX_TOKEN_BYTES, TokenError, Unverified, check_claims, check_times};

use crate::cache::{CacheStats, TokenCache};
use crate::error::VerifyError;
use crate::high_water::HighWaterClock;
use crate::source::{DenySource, DenyVerdict, KeyLookup, KeySource, OnStale};
use crate::verified::Verified;

/// How much memory the verified-token cache may take unless it is said otherwise.
pub(crate) const DEFAULT_CACHE_BYTES: usize = 32 * 1024 * 1024;

/// What a verifier is told.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct VerifierSettings {
    /// Issuer, audiences, algorithms and leeway.
    pub expected: Expected,
    /// How much memory the verified-token cache may take, in bytes. A token of 700 bytes takes some 2.4 KiB; 0 turns the
    /// cache off.
    pub cache_bytes: usize,
}

impl VerifierSettings {
    /// With a cache of 32 MiB, some 13,000 tokens of 700 bytes.
    pub fn new(expected: Expected) -> Self {
        Self { expected, cache_bytes: DEFAULT_CACHE_BYTES }
    }

    /// The same with another [`VerifierSettings::cache_bytes`].
    pub fn with_cache_bytes(mut self, bytes: usize) -> Self {
        self.cache_bytes = bytes;
        self
    }
}

/// Decides whether a token is good. A clone is cheap and shares everything.
///
/// Most services have theirs from an [`OAuth2PasswordBearer`](crate::OAuth2PasswordBearer). It can be given keys and a
/// denylist of another kind:
///
/// ```
/// use std::sync::Arc;
///
/// use ficha_resource::{
///     Algorithm, DenyId, DenySet, DenySource, DenyVerdict, Expected, KeyLookup, KeySource, SystemClock, Verifier,
///     VerifierSettings, VerifyingKey,
/// };
///
/// struct OneKey(VerifyingKey);
///
/// impl KeySource for OneKey {
///     fn find(&self, kid: &str) -> KeyLookup {
///         if kid == self.0.kid() { KeyLookup::Found(self.0.clone()) } else { KeyLookup::Unknown }
///     }
///
///     fn generation(&self) -> u64 {
///         0
///     }
/// }
///
/// struct Denied(DenySet);
///
/// impl DenySource for Denied {
///     fn check(&self, ids: &[DenyId], now: i64) -> DenyVerdict {
///         if self.0.contains_any(ids, now) { DenyVerdict::Denied } else { DenyVerdict::Clear }
///     }
/// }
///
/// # fn example(key: VerifyingKey) -> Verifier {
/// let expected = Expected {
///     issuer: "https://auth.example.com".to_owned(),
///     audiences: vec!["notes".to_owned()],
///     leeway: 30,
///     algorithms: vec![Algorithm::ES256],
/// };
/// let settings = VerifierSettings::new(expected);
/// Verifier::new(settings, Arc::new(OneKey(key)), Arc::new(Denied(DenySet::new())), Arc::new(SystemClock))
/// # }
/// ```
#[derive(Clone)]
pub struct Verifier {
    inner: Arc<Inner>,
    on_stale: OnStale,
}

struct Inner {
    expected: Expected,
    keys: Arc<dyn KeySource>,
    denied: Arc<dyn DenySource>,
    clock: Arc<dyn Clock>,
    cache: TokenCache,
    latest: HighWaterClock,
}

impl Verifier {
    /// A verifier with an empty cache.
    pub fn new(
        settings: VerifierSettings,
        keys: Arc<dyn KeySource>,
        denied: Arc<dyn DenySource>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let cache = TokenCache::new(settings.cache_bytes);
        let latest = HighWaterClock::new();
        let inner = Inner { expected: settings.expected, keys, denied, clock, cache, latest };
        Self { inner: Arc::new(inner), on_stale: OnStale::Refuse }
    }

    /// The same verifier, cache included, with another choice for [`Verifier::verify`] of what a stale denylist means.
    pub fn on_stale(mut self, on_stale: OnStale) -> Self {
        self.on_stale = on_stale;
        self
    }

    /// Checks a token. Of what has been checked before, only what can change is checked again: time, denylist,
    /// freshness, and that its key is still in the set.
    ///
    /// It never waits. A token seen for the first time costs a signature, some 70 µs for ES256.
    pub fn verify(&self, token: &str) -> Result<Arc<Verified>, VerifyError> {
        self.verify_with(token, self.on_stale)
    }

    /// [`Verifier::verify`], with a choice of what a stale denylist means: for one route.
    pub fn verify_with(&self, token: &str, on_stale: OnStale) -> Result<Arc<Verified>, VerifyError> {
        let inner = &*self.inner;
        if token.len() > MAX_TOKEN_BYTES {
            return Err(VerifyError::Invalid(TokenError::TooLong));
        }
        let now = inner.now();
        // Read before the key is looked up: should the set change between the two, what is then remembered is already
        // outdated and gets verified again, rather than the other way round.
        let generation = inner.keys.generation();
        let verified = match inner.cache.find(token, generation) {
            Some(verified) => {
                inner.or_doubt(check_times(&verified.claims, &inner.expected, now), &verified.claims)?;
                verified
            }
            None => {
                let verified = Arc::new(inner.verify_signature(token)?);
                // Only what has passed all of it is remembered, so a hit need not be asked for issuer and audience again.
                inner.or_doubt(check_claims(&verified.claims, &inner.expected, now), &verified.claims)?;
                // Before the denylist: whoever goes on sending a revoked token, or any token while the list is stale,
                // shall not cost a signature each time.
                inner.cache.insert(token, &verified, generation, now);
                verified
            }
        };
        // By ids, never by the text: one token has several texts (`n - s` of an ECDSA signature).
        match inner.denied.check(verified.deny_ids(), now) {
            DenyVerdict::Clear => Ok(verified),
            DenyVerdict::Denied => Err(VerifyError::Denied),
            DenyVerdict::Stale { .. } if on_stale == OnStale::Accept && inner.denied.is_complete() => Ok(verified),
            DenyVerdict::Stale { retry_after } => Err(VerifyError::Stale { retry_after }),
        }
    }

    /// How the cache has done so far.
    pub fn stats(&self) -> CacheStats {
        self.inner.cache.stats()
    }

    /// True if both are clones of one, with one choice about a stale list.
    #[cfg_attr(not(feature = "actix"), expect(dead_code, reason = "only the skin compares verifiers"))]
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner) && self.on_stale == other.on_stale
    }

    /// Looks again at what can have changed since a token was verified: time, its key, denylist and freshness.
    ///
    /// It is for what outlives a request, as a stream or a WebSocket does. It costs no signature, and needs no text.
    pub fn recheck(&self, verified: &Verified) -> Result<(), VerifyError> {
        let inner = &*self.inner;
        let now = inner.now();
        inner.or_doubt(check_claims(&verified.claims, &inner.expected, now), &verified.claims)?;
        match inner.keys.find(&verified.kid) {
            KeyLookup::Found(key) if key == verified.key => {}
            // Another key under the same name is not the one that signed this.
            KeyLookup::Found(_) | KeyLookup::Unknown => return Err(VerifyError::Invalid(TokenError::UnknownKey)),
            KeyLookup::Unavailable { retry_after } => return Err(VerifyError::KeysUnavailable { retry_after }),
        }
        match inner.denied.check(verified.deny_ids(), now) {
            DenyVerdict::Clear => Ok(()),
            DenyVerdict::Denied => Err(VerifyError::Denied),
            DenyVerdict::Stale { .. } if self.on_stale == OnStale::Accept && inner.denied.is_complete() => Ok(()),
            DenyVerdict::Stale { retry_after } => Err(VerifyError::Stale { retry_after }),
        }
    }
}

impl Inner {
    fn verify_signature(&self, token: &str) -> Result<Verified, VerifyError> {
        let unverified = Unverified::parse(token)?;
        if !self.expected.algorithms.contains(&unverified.algorithm()) {
            return Err(VerifyError::Invalid(TokenError::UnsupportedAlgorithm));
        }
        let key = match self.keys.find(unverified.kid()) {
            KeyLookup::Found(key) => key,
            KeyLookup::Unknown => return Err(VerifyError::Invalid(TokenError::UnknownKey)),
            KeyLookup::Unavailable { retry_after } => return Err(VerifyError::KeysUnavailable { retry_after }),
        };
        let claims = unverified.verify_signature(&key)?;
        Ok(Verified::new(claims, &key))
    }

    /// The time to judge by. It does not run backwards: a denylist entry leaves when its time has come, and a clock that
    /// is put back after that would make its token good again.
    fn now(&self) -> i64 {
        match self.denied.reached() {
            Some(reached) => self.clock.unix_now().max(reached),
            None => self.latest.now(&*self.clock),
        }
    }

    /// While it is not known which time is right, a token that is not good by the clock is not called so.
    fn or_doubt(&self, result: Result<(), TokenError>, claims: &AccessClaims) -> Result<(), VerifyError> {
        let doubt = match result {
            Err(TokenError::Expired) => self.denied.doubts_end(claims.exp),
            Err(TokenError::NotYetValid) => self.denied.doubts_start(),
            _ => None,
        };
        match doubt {
            Some(retry_after) => Err(VerifyError::Stale { retry_after }),
            None => Ok(result?),
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("expected", &self.inner.expected).field("cache", &self.stats()).finish()
    }
}
