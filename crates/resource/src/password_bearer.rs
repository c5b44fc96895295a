//! The value that a resource server is built around.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ficha_token::TokenError;
use tokio::time::Instant;

use crate::builder::Builder;
use crate::error::VerifyError;
use crate::health::{DenylistStats, NotReady, Readiness, Stats};
use crate::remote::{Feed, RemoteKeys, Task};
use crate::source::{DenySource, DenyVerdict, OnStale};
use crate::verified::Verified;
use crate::verifier::Verifier;

/// For how long [`OAuth2PasswordBearer::verify_waiting`] waits for a key.
const KEY_WAIT: Duration = Duration::from_secs(2);
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// One issuer, and everything that it takes to check its tokens: FastAPI's `OAuth2PasswordBearer` carried over. A clone
/// is cheap and shares everything; when the last one is gone, so is the background task that follows the denylist.
///
/// ```no_run
/// # async fn example(secret: String) -> Result<(), Box<dyn std::error::Error>> {
/// use ficha_resource::OAuth2PasswordBearer;
///
/// let oauth2 = OAuth2PasswordBearer::discover("https://auth.example.com")
///     .audience("notes")
///     .credentials("notes-api", secret)
///     .scope("notes:read", "Read your notes")
///     .build()
///     .await?;
/// match oauth2.verify_waiting("eyJ0eXAiOi…").await {
///     Ok(verified) => println!("hello, {}", verified.claims.sub),
///     Err(error) => println!("no: {error}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct OAuth2PasswordBearer {
    pub(crate) inner: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) verifier: Verifier,
    pub(crate) description: Description,
    /// The description, once the metadata have been found after all.
    pub(crate) found: Arc<OnceLock<Description>>,
    pub(crate) following: Following,
    /// It may still look for the token URL, though nothing else is left to be fed.
    pub(crate) _task: Option<Arc<Task>>,
}

/// What is fed over the network, to be asked how it is.
#[derive(Default)]
pub(crate) struct Following {
    pub keys: Option<Arc<RemoteKeys>>,
    pub fixed_keys: usize,
    pub feed: Option<Arc<Feed>>,
    /// Where there is no feed, a denylist of another kind.
    pub denied: Option<Arc<dyn DenySource>>,
    pub on_stale: OnStale,
    /// True if addresses were to be found that keys or list wait for, and had not been found when this was built.
    pub awaits_metadata: bool,
}

/// What an issuer is to those who ask for its tokens. OpenAPI needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Description {
    /// The issuer, as `iss` has it.
    pub issuer: String,
    /// Where tokens come from and are refreshed, as an absolute URL. None if it is not known (yet).
    pub token_url: Option<String>,
    /// The scopes of this service, in the order in which they were named, each with what it allows.
    pub scopes: Vec<(String, String)>,
    /// What challenges call this service (RFC 9110 §11.5).
    pub realm: String,
}

impl OAuth2PasswordBearer {
    /// Finds keys, denylist and token URL in the issuer's metadata (RFC 8414). `issuer` is the exact text of `iss`.
    pub fn discover(issuer: impl Into<String>) -> Builder {
        Builder::new(issuer.into(), true)
    }

    /// Takes keys, denylist and token URL as the builder is told: [`Builder::jwks_url`], [`Builder::keys`] or
    /// [`Builder::shared_secret`], [`Builder::denylist_url`] or [`Builder::no_denylist`], [`Builder::token_url`].
    /// `issuer` is the exact text of `iss`; nothing is asked there.
    pub fn by_hand(issuer: impl Into<String>) -> Builder {
        Builder::new(issuer.into(), false)
    }

    /// One that needs no network.
    #[allow(dead_code, reason = "only the test issuer makes one this way")]
    pub(crate) fn from_parts(verifier: Verifier, description: Description, denied: Arc<dyn DenySource>) -> Self {
        let following = Following { denied: Some(denied), fixed_keys: 1, ..Following::default() };
        Self { inner: Arc::new(Shared { verifier, description, found: Arc::default(), following, _task: None }) }
    }

    /// The verifier within. It keeps the denylist followed, even when every bearer is gone.
    pub fn verifier(&self) -> &Verifier {
        &self.inner.verifier
    }

    /// Checks a token without waiting. A token whose key is not known is refused, and the keys are fetched beside, at
    /// most once in 5 s; [`OAuth2PasswordBearer::verify_waiting`] refuses no token for being the first of its key.
    pub fn verify(&self, token: &str) -> Result<Arc<Verified>, VerifyError> {
        self.inner.verifier.verify(token)
    }

    /// Checks a token, and where its key is not known, waits for the keys that are being fetched: 2 s at most. Every
    /// other token is decided about at once. However many tokens with made-up keys come, they cause one fetch in 5 s,
    /// and in between they are refused at once.
    pub async fn verify_waiting(&self, token: &str) -> Result<Arc<Verified>, VerifyError> {
        self.waiting(|| self.verify(token)).await
    }

    /// [`OAuth2PasswordBearer::verify_waiting`], with a choice of what a stale denylist means: for one route.
    pub async fn verify_waiting_with(&self, token: &str, on_stale: OnStale) -> Result<Arc<Verified>, VerifyError> {
        self.waiting(|| self.inner.verifier.verify_with(token, on_stale)).await
    }

    async fn waiting(
        &self,
        verify: impl Fn() -> Result<Arc<Verified>, VerifyError>,
    ) -> Result<Arc<Verified>, VerifyError> {
        let first = verify();
        let (Err(VerifyError::Invalid(TokenError::UnknownKey)), Some(keys)) = (&first, &self.inner.following.keys)
        else {
            return first;
        };
        let deadline = Instant::now() + KEY_WAIT;
        // Twice: the fetch that was under way may have set out before the key was published, and the look-up after it
        // has then asked for another one.
        let mut last = first;
        for _ in 0..2 {
            if !keys.settled(deadline).await {
                return Err(VerifyError::KeysUnavailable { retry_after: RETRY_AFTER });
            }
            last = verify();
            if !matches!(last, Err(VerifyError::Invalid(TokenError::UnknownKey))) || !keys.is_under_way() {
                break;
            }
        }
        last
    }

    /// Whether tokens can be decided about now, for a health endpoint.
    pub fn ready(&self) -> Readiness {
        let following = &self.inner.following;
        let mut reasons = Vec::new();
        if following.awaits_metadata && self.inner.found.get().is_none() {
            reasons.push(NotReady::NoMetadata);
        }
        if let Some(keys) = &following.keys {
            if !keys.is_loaded() {
                reasons.push(NotReady::NoKeys);
            } else if keys.is_too_old() {
                reasons.push(NotReady::KeysTooOld);
            }
        }
        if let Some(feed) = &following.feed {
            if !feed.is_whole() {
                reasons.push(NotReady::NoDenylist);
            } else if following.on_stale == OnStale::Refuse && !feed.is_fresh() {
                reasons.push(NotReady::LeaseOver);
            }
        }
        if let Some(denied) = &following.denied
            && following.on_stale == OnStale::Refuse
            && matches!(denied.check(&[], 0), DenyVerdict::Stale { .. })
        {
            reasons.push(NotReady::LeaseOver);
        }
        Readiness::new(reasons)
    }

    /// How following has gone so far, for a metrics endpoint.
    pub fn stats(&self) -> Stats {
        let following = &self.inner.following;
        let keys = following.keys.as_deref();
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            issuer: self.inner.description.issuer.clone(),
            ready: self.ready().is_ready(),
            keys: keys.map_or(following.fixed_keys, RemoteKeys::len),
            key_fetches_ok: keys.map_or(0, |keys| count(&keys.counts.fetches_ok)),
            key_fetches_failed: keys.map_or(0, |keys| count(&keys.counts.fetches_failed)),
            denylist: following.feed.as_deref().map(|feed| DenylistStats {
                staleness: feed.age(),
                entries: feed.list().len(),
                bytes: feed.list().memory_bytes(),
                polls_ok: count(&feed.counts.polls_ok),
                polls_failed: count(&feed.counts.polls_failed),
                resets: count(&feed.counts.resets),
            }),
            cache: self.inner.verifier.stats(),
        }
    }

    /// What it is to those who ask for tokens. The token URL is not there until the metadata have been read.
    pub fn description(&self) -> &Description {
        self.inner.found.get().unwrap_or(&self.inner.description)
    }
}

impl fmt::Debug for OAuth2PasswordBearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth2PasswordBearer").field("description", self.description()).finish_non_exhaustive()
    }
}
