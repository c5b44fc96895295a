//! Deciding whether a token is valid.

use std::fmt;
use std::sync::Arc;

use ficha_token::{AccessClaims, Clock, Expected, MAX_TOKEN_BYTES, TokenError, Unverified, check_claims, check_times};

use crate::cache::{CacheStats, TokenCache};
use crate::error::VerifyError;
use crate::high_water::HighWaterClock;
use crate::presented::Presented;
use crate::source::{DenySource, DenyVerdict, KeyLookup, KeySource, OnStale};
use crate::verified::Verified;

/// The default size of the verified-token cache.
pub(crate) const DEFAULT_CACHE_BYTES: usize = 32 * 1024 * 1024;

/// What a [`Verifier`] expects of tokens, and how much memory it may use for its cache.
///
/// ```
/// use ficha_resource::{Algorithm, Expected, VerifierSettings};
///
/// let expected = Expected::new("https://auth.example.com", ["notes"], [Algorithm::ES256]);
/// let settings = VerifierSettings::new(expected).with_cache_bytes(8 * 1024 * 1024);
/// assert_eq!(settings.cache_bytes, 8_388_608);
/// ```
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
///     fn look_up(&self, ids: &[DenyId], now: i64) -> DenyVerdict {
///         if self.0.contains_any(ids, now) { DenyVerdict::Denied } else { DenyVerdict::Clear }
///     }
/// }
///
/// # fn example(key: VerifyingKey) -> Verifier {
/// let expected = Expected::new("https://auth.example.com", ["notes"], [Algorithm::ES256]).with_leeway(30);
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

    /// Sets what to do while the denylist is stale. A clone can have its own choice, for a single route; the cache stays
    /// shared.
    pub fn on_stale(mut self, on_stale: OnStale) -> Self {
        self.on_stale = on_stale;
        self.note(on_stale);
        self
    }

    /// Tells the denylist's source that some part of the service accepts stale lists, if it does.
    pub(crate) fn note(&self, on_stale: OnStale) {
        if on_stale == OnStale::Accept {
            self.inner.denied.note_accepts_stale();
        }
    }

    /// Verifies a token: its signature, its claims and the denylist.
    ///
    /// For a token in the cache, only what can change is looked at again: the time, the denylist and its freshness, and
    /// that the key is still in the set. A token that is not in the cache costs one signature verification, about 70 µs
    /// for ES256.
    ///
    /// There is no `verify` that waits here: a verifier does not know whether its [`KeySource`] is fetching anything. So
    /// with a source that fetches keys, the first token that is signed with a new key is refused.
    /// [`OAuth2PasswordBearer::verify`](crate::OAuth2PasswordBearer::verify) waits for the key.
    pub fn verify_now<'a>(&self, presented: impl Into<Presented<'a>>) -> Result<Arc<Verified>, VerifyError> {
        self.decide(presented.into(), None)
    }

    /// The one way from what is presented to a verified token: every other method ends here. `on_stale` takes precedence
    /// over the verifier's own choice.
    pub(crate) fn decide(
        &self,
        presented: Presented<'_>,
        on_stale: Option<OnStale>,
    ) -> Result<Arc<Verified>, VerifyError> {
        // A token that is bound to a key will need its proof here.
        let Presented { token, proof: None } = presented;
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
                inner.cache.insert(&verified, generation, now);
                verified
            }
        };
        inner.refuse_denied(&verified, now, on_stale.unwrap_or(self.on_stale))?;
        Ok(verified)
    }

    /// Counters and size of the cache.
    pub fn stats(&self) -> CacheStats {
        self.inner.cache.stats()
    }

    /// Itself, and what it does about a stale list.
    #[cfg(any(feature = "actix", feature = "axum"))]
    pub(crate) fn decider(&self) -> (&Self, OnStale) {
        (self, self.on_stale)
    }

    /// True if both are clones of the same verifier.
    #[cfg(any(feature = "actix", feature = "axum"))]
    pub(crate) fn shares_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Looks again at what can have changed since a token was verified: the time, its key, the denylist and its
    /// freshness.
    ///
    /// Use it for whatever outlives a request, such as a stream or a WebSocket. It needs neither the token's text nor a
    /// signature verification, and never waits.
    pub fn recheck(&self, verified: &Verified) -> Result<(), VerifyError> {
        self.decide_again(verified, None)
    }

    /// As [`Verifier::recheck`]; `on_stale` takes precedence over the verifier's own choice.
    pub(crate) fn decide_again(&self, verified: &Verified, on_stale: Option<OnStale>) -> Result<(), VerifyError> {
        let inner = &*self.inner;
        let now = inner.now();
        inner.or_doubt(check_claims(&verified.claims, &inner.expected, now), &verified.claims)?;
        match inner.keys.find(&verified.kid) {
            KeyLookup::Found(key) if key == verified.key => {}
            // Another key with the same `kid` is not the one that signed this token.
            KeyLookup::Found(_) | KeyLookup::Unknown => return Err(VerifyError::Invalid(TokenError::UnknownKey)),
            KeyLookup::Unavailable { retry_after } => return Err(VerifyError::KeysUnavailable { retry_after }),
            KeyLookup::Stopped => return Err(VerifyError::Stopped),
        }
        inner.refuse_denied(verified, now, on_stale.unwrap_or(self.on_stale))
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
            KeyLookup::Stopped => return Err(VerifyError::Stopped),
        };
        let claims = unverified.verify_signature(&key)?;
        Ok(Verified::new(token, claims, &key))
    }

    /// By ids, never by the text: one token has several valid texts (`n - s` of an ECDSA signature).
    fn refuse_denied(&self, verified: &Verified, now: i64, on_stale: OnStale) -> Result<(), VerifyError> {
        if on_stale == OnStale::Accept {
            // It may have been chosen for a route when the application was built.
            self.denied.note_accepts_stale();
        }
        let unsure = match self.denied.look_up(verified.deny_ids(), now) {
            DenyVerdict::Clear => return Ok(()),
            DenyVerdict::Denied => return Err(VerifyError::Denied),
            DenyVerdict::Stale { retry_after } => VerifyError::Stale { retry_after },
            DenyVerdict::Stopped => VerifyError::Stopped,
        };
        if on_stale == OnStale::Accept && self.denied.is_complete() { Ok(()) } else { Err(unsure) }
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
