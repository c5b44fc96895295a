//! Deciding whether a token is valid.

use std::fmt;
use std::sync::Arc;

use ficha_token::{AccessClaims, Clock, Expected, MAX_TOKEN_BYTES, TokenError, Unverified, check_claims, check_times};

use crate::cache::{CacheStats, TokenCache};
use crate::error::VerifyError;
use crate::high_water::HighWaterClock;
use crate::source::{DenySource, DenyVerdict, KeyLookup, KeySource, OnStale};
use crate::verified::Verified;

/// The default size of the verified-token cache.
pub(crate) const DEFAULT_CACHE_BYTES: usize = 32 * 1024 * 1024;

/// What a [`Verifier`] expects of tokens, and how much memory it may use for its cache.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct VerifierSettings {
    /// The issuer, audiences, algorithms and leeway.
    pub expected: Expected,
    /// The most memory that the verified-token cache may take, in bytes. A token of 700 bytes takes about 2.4 KiB; 0
    /// turns the cache off.
    pub cache_bytes: usize,
}

impl VerifierSettings {
    /// Settings with a cache of 32 MiB, enough for about 13,000 tokens of 700 bytes.
    pub fn new(expected: Expected) -> Self {
        Self { expected, cache_bytes: DEFAULT_CACHE_BYTES }
    }

    /// Sets [`VerifierSettings::cache_bytes`].
    pub fn with_cache_bytes(mut self, bytes: usize) -> Self {
        self.cache_bytes = bytes;
        self
    }
}

/// Decides whether a token is valid. Clones are cheap and share keys, denylist and cache.
///
/// Most services get theirs from an [`OAuth2PasswordBearer`](crate::OAuth2PasswordBearer). You can also build one from
/// your own sources of keys and denied ids:
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
    /// Creates a verifier with an empty cache.
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

    /// Sets what [`Verifier::verify`] does while the denylist is stale. The cache stays shared with other clones.
    pub fn on_stale(mut self, on_stale: OnStale) -> Self {
        self.on_stale = on_stale;
        self
    }

    /// Checks a token: its signature, its claims and the denylist.
    ///
    /// For a token in the cache, only what can change is checked again: the time, the denylist and its freshness, and
    /// that the key is still in the set. This never waits. A token that is not in the cache costs one signature
    /// verification, about 70 µs for ES256.
    pub fn verify(&self, token: &str) -> Result<Arc<Verified>, VerifyError> {
        self.verify_with(token, self.on_stale)
    }

    /// Like [`Verifier::verify`], but with its own choice of what to do while the denylist is stale, such as for a
    /// single route.
    pub fn verify_with(&self, token: &str, on_stale: OnStale) -> Result<Arc<Verified>, VerifyError> {
        let inner = &*self.inner;
        if token.len() > MAX_TOKEN_BYTES {
            return Err(VerifyError::Invalid(TokenError::TooLong));
        }
        let now = inner.now();
        // Read before the key is looked up: if the set changes in between, the cached entry counts as outdated and the
        // token is verified again. In the other order an outdated entry would count as current.
        let generation = inner.keys.generation();
        let verified = match inner.cache.find(token, generation) {
            Some(verified) => {
                inner.or_doubt(check_times(&verified.claims, &inner.expected, now), &verified.claims)?;
                verified
            }
            None => {
                let verified = Arc::new(inner.verify_signature(token)?);
                // Only tokens that pass all of it are cached, so a hit needs no second check of issuer and audience.
                inner.or_doubt(check_claims(&verified.claims, &inner.expected, now), &verified.claims)?;
                // Before the denylist: a revoked token that is sent again and again, or any token while the list is
                // stale, must not cost a signature verification each time.
                inner.cache.insert(token, &verified, generation, now);
                verified
            }
        };
        // By ids, never by the text: one token has several valid texts (`n - s` of an ECDSA signature).
        match inner.denied.check(verified.deny_ids(), now) {
            DenyVerdict::Clear => Ok(verified),
            DenyVerdict::Denied => Err(VerifyError::Denied),
            DenyVerdict::Stale { .. } if on_stale == OnStale::Accept && inner.denied.is_complete() => Ok(verified),
            DenyVerdict::Stale { retry_after } => Err(VerifyError::Stale { retry_after }),
        }
    }

    /// Counters and size of the cache.
    pub fn stats(&self) -> CacheStats {
        self.inner.cache.stats()
    }

    /// True if both are clones of the same verifier and treat a stale list alike.
    #[cfg_attr(not(feature = "actix"), expect(dead_code, reason = "only the actix adapter compares verifiers"))]
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner) && self.on_stale == other.on_stale
    }

    /// Checks again what can have changed since a token was verified: the time, its key, the denylist and its
    /// freshness.
    ///
    /// Use it for whatever outlives a request, such as a stream or a WebSocket. It needs neither the token's text nor a
    /// signature verification.
    pub fn recheck(&self, verified: &Verified) -> Result<(), VerifyError> {
        let inner = &*self.inner;
        let now = inner.now();
        inner.or_doubt(check_claims(&verified.claims, &inner.expected, now), &verified.claims)?;
        match inner.keys.find(&verified.kid) {
            KeyLookup::Found(key) if key == verified.key => {}
            // Another key with the same `kid` is not the one that signed this token.
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

    /// The time to judge tokens by. It never runs backwards: a denylist entry is dropped when its time has come, and a
    /// clock that is set back after that would make its token valid again.
    fn now(&self) -> i64 {
        match self.denied.reached() {
            Some(reached) => self.clock.unix_now().max(reached),
            None => self.latest.now(&*self.clock),
        }
    }

    /// While it is not known which time is right, a token that fails by the clock is undecided rather than invalid.
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
