//! [`OAuth2PasswordBearer`], the value that a resource server keeps.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ficha_token::TokenError;
use tokio::time::Instant;

use crate::builder::BearerBuilder;
use crate::error::VerifyError;
use crate::presented::Presented;
use crate::readiness::{NotReady, Readiness};
use crate::remote::{LastError, RemoteKeys, Replica, Task};
use crate::resource_metadata::ResourceMetadata;
use crate::source::{DenySource, DenyVerdict, OnStale};
use crate::stats::{DenylistStats, Stats};
use crate::verified::Verified;
use crate::verifier::Verifier;

/// How long [`OAuth2PasswordBearer::verify`] waits for a key.
const KEY_WAIT: Duration = Duration::from_secs(2);
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Checks the tokens of one issuer. The name is that of FastAPI's `OAuth2PasswordBearer`, which it resembles.
///
/// A background task fetches the keys and follows the denylist, so that checking a token needs no request to the
/// authorization server. Clones are cheap and share everything; the task ends with the last of them.
///
/// The task runs on the tokio runtime in which [`BearerBuilder::build`] was called, and ends with it too. A value that
/// is used after that is not ready ([`NotReady::Stopped`]), logs an error once, and refuses tokens when the lease is over
/// ([`VerifyError::Stopped`]). So do not share one between several `#[tokio::test]`s, of which each has a runtime of its
/// own; a [`TestIssuer`](crate::TestIssuer) needs none.
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
/// match oauth2.verify("eyJ0eXAiOi…").await {
///     Ok(verified) => println!("hello, {}", verified.claims.sub),
///     Err(error) => println!("refused: {error}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct OAuth2PasswordBearer {
    pub(crate) inner: Arc<Shared>,
    on_stale: OnStale,
}

pub(crate) struct Shared {
    pub(crate) verifier: Verifier,
    pub(crate) description: Description,
    /// The complete description, if the metadata was only found after building.
    pub(crate) found: Arc<OnceLock<Description>>,
    pub(crate) following: Following,
    /// Kept alive here as well: it may still look for the token URL when no source needs it.
    pub(crate) task: Option<Arc<Task>>,
}

/// What the background task keeps up to date, for readiness and statistics.
#[derive(Default)]
pub(crate) struct Following {
    pub keys: Option<Arc<RemoteKeys>>,
    pub fixed_keys: usize,
    pub replica: Option<Arc<Replica>>,
    /// A denylist of another kind, if there is no replica.
    pub denied: Option<Arc<dyn DenySource>>,
    /// True if keys or denylist need an address from the metadata, and it was not known yet when this was built.
    pub awaits_metadata: bool,
    pub metadata_error: Arc<LastError>,
}

/// What a client needs to know to obtain a token for this service. OpenAPI descriptions are made from it.
///
/// ```
/// use ficha_resource::TestIssuer;
///
/// let oauth2 = TestIssuer::new().oauth2();
/// assert_eq!(oauth2.description().token_url.as_deref(), Some("https://issuer.test/token"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Description {
    /// The issuer, as in `iss`.
    pub issuer: String,
    /// The token endpoint, as an absolute URL. `None` if it is not known (yet).
    pub token_url: Option<String>,
    /// The scopes of this service with their descriptions, in the order in which they were added.
    pub scopes: Vec<(String, String)>,
    /// The realm in challenges (RFC 9110 §11.5).
    pub realm: String,
    /// The identifier of this service (RFC 9728), if it has one.
    pub resource: Option<String>,
}

impl OAuth2PasswordBearer {
    /// Starts a builder that finds keys, denylist and token URL in the issuer's metadata (RFC 8414). `issuer` is the
    /// exact text of `iss`.
    pub fn discover(issuer: impl Into<String>) -> BearerBuilder {
        BearerBuilder::new(issuer.into(), true)
    }

    /// Starts a builder that does not read the issuer's metadata. Set the keys ([`BearerBuilder::jwks_url`],
    /// [`BearerBuilder::keys`] or [`BearerBuilder::shared_secret`]), the denylist ([`BearerBuilder::denylist_url`] or
    /// [`BearerBuilder::no_denylist`]) and, for OpenAPI, [`BearerBuilder::token_url`]. `issuer` is the exact text of `iss`.
    ///
    /// ```no_run
    /// # async fn example(secret: String) -> Result<(), ficha_resource::BuildError> {
    /// use ficha_resource::OAuth2PasswordBearer;
    ///
    /// let oauth2 = OAuth2PasswordBearer::by_hand("https://auth.example.com")
    ///     .audience("notes")
    ///     .credentials("notes-api", secret)
    ///     .jwks_url("https://auth.example.com/.well-known/jwks.json")
    ///     .denylist_url("https://auth.example.com/denylist")
    ///     .token_url("https://auth.example.com/token")
    ///     .build()
    ///     .await?;
    /// # drop(oauth2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn by_hand(issuer: impl Into<String>) -> BearerBuilder {
        BearerBuilder::new(issuer.into(), false)
    }

    /// Creates one that needs no network.
    pub(crate) fn from_parts(verifier: Verifier, description: Description, denied: Arc<dyn DenySource>) -> Self {
        let following = Following { denied: Some(denied), fixed_keys: 1, ..Following::default() };
        Self::new(Shared { verifier, description, found: Arc::default(), following, task: None }, OnStale::Refuse)
    }

    pub(crate) fn new(inner: Shared, on_stale: OnStale) -> Self {
        Self { inner: Arc::new(inner), on_stale }
    }

    /// Sets what to do while the denylist is stale, in place of [`BearerBuilder::on_stale`]. A clone can have its own choice,
    /// for a single route; everything else stays shared.
    ///
    /// ```
    /// # use ficha_resource::{OnStale, TestIssuer};
    /// # let oauth2 = TestIssuer::new().oauth2();
    /// let lenient = oauth2.clone().on_stale(OnStale::Accept);
    /// ```
    pub fn on_stale(mut self, on_stale: OnStale) -> Self {
        self.on_stale = on_stale;
        self.inner.verifier.note(on_stale);
        self
    }

    /// See [`Verifier::note`].
    pub(crate) fn note(&self, on_stale: OnStale) {
        self.inner.verifier.note(on_stale);
    }

    /// The verifier inside. It keeps the background task running even when every bearer has been dropped.
    pub fn verifier(&self) -> Verifier {
        self.inner.verifier.clone().on_stale(self.on_stale)
    }

    /// Verifies a token: its signature, its claims and the denylist.
    ///
    /// If its key is not known, this waits up to 2 s for the keys that are being fetched; any other token is decided at
    /// once, without waiting and without a request. Tokens with made-up keys cause at most one fetch in 5 s, and are
    /// refused at once in between.
    pub async fn verify(&self, presented: impl Into<Presented<'_>>) -> Result<Arc<Verified>, VerifyError> {
        self.decide_waiting(presented.into(), None).await
    }

    /// As [`OAuth2PasswordBearer::verify`], but never waits: for code that is not async. A token with an unknown key is
    /// refused, and the keys are fetched again in the background, at most once in 5 s. So the first token that is signed
    /// with a new key may be refused.
    pub fn verify_now<'a>(&self, presented: impl Into<Presented<'a>>) -> Result<Arc<Verified>, VerifyError> {
        self.decide(presented.into(), None)
    }

    /// Looks again at what can have changed since a token was verified: the time, its key, the denylist and its
    /// freshness. For whatever outlives a request, such as a stream or a WebSocket. It takes less than a microsecond, and
    /// never waits.
    ///
    /// ```
    /// use ficha_resource::{TestIssuer, VerifyError};
    ///
    /// let issuer = TestIssuer::new();
    /// let (oauth2, token) = (issuer.oauth2(), issuer.token().sign());
    /// let verified = oauth2.verify_now(&token).unwrap();
    /// assert_eq!(oauth2.recheck(&verified), Ok(()));
    ///
    /// issuer.revoke(&token);
    /// assert_eq!(oauth2.recheck(&verified), Err(VerifyError::Denied));
    /// ```
    pub fn recheck(&self, verified: &Verified) -> Result<(), VerifyError> {
        self.decide_again(verified, None)
    }

    /// `on_stale` takes precedence over the value's own choice; so in the next two.
    pub(crate) fn decide(
        &self,
        presented: Presented<'_>,
        on_stale: Option<OnStale>,
    ) -> Result<Arc<Verified>, VerifyError> {
        self.inner.verifier.decide(presented, on_stale.or(Some(self.on_stale)))
    }

    pub(crate) fn decide_again(&self, verified: &Verified, on_stale: Option<OnStale>) -> Result<(), VerifyError> {
        self.inner.verifier.decide_again(verified, on_stale.or(Some(self.on_stale)))
    }

    pub(crate) async fn decide_waiting(
        &self,
        presented: Presented<'_>,
        on_stale: Option<OnStale>,
    ) -> Result<Arc<Verified>, VerifyError> {
        let decide = || self.decide(presented, on_stale);
        let mut first = decide();
        let Some(keys) = &self.inner.following.keys else { return first };
        let deadline = Instant::now() + KEY_WAIT;
        if matches!(first, Err(VerifyError::KeysUnavailable { .. }))
            && keys.is_replaced()
            && keys.renewed(deadline).await
        {
            // After a purge: the successor's key has just been fetched.
            first = decide();
        }
        let Err(VerifyError::Invalid(TokenError::UnknownKey)) = &first else { return first };
        // Twice: the fetch that was under way may have started before the key was published, and the look-up after it
        // has then asked for another one.
        let mut last = first;
        for _ in 0..2 {
            if !keys.settled(deadline).await {
                return Err(VerifyError::KeysUnavailable { retry_after: RETRY_AFTER });
            }
            last = decide();
            if !matches!(last, Err(VerifyError::Invalid(TokenError::UnknownKey))) || !keys.is_under_way() {
                break;
            }
        }
        last
    }

    /// Whether tokens can be checked now, and if not, why not: for a health endpoint.
    pub fn readiness(&self) -> Readiness {
        let following = &self.inner.following;
        let mut readiness = Readiness::new(&self.inner.description.issuer);
        if self.inner.task.as_ref().is_some_and(|task| task.is_stopped()) {
            readiness.add(NotReady::Stopped, None);
        }
        if following.awaits_metadata && self.inner.found.get().is_none() {
            readiness.add(NotReady::NoMetadata, following.metadata_error.text());
        }
        if let Some(keys) = &following.keys {
            if !keys.is_loaded() {
                readiness.add(NotReady::NoKeys, keys.last_error.text());
            } else if keys.is_too_old() {
                readiness.add(NotReady::KeysTooOld, keys.last_error.text());
            }
        }
        if let Some(replica) = &following.replica {
            if !replica.is_whole() {
                readiness.add(NotReady::NoDenylist, replica.last_error.text());
            } else if self.on_stale == OnStale::Refuse && !replica.is_fresh() {
                readiness.add(NotReady::LeaseOver, replica.last_error.text());
            }
        }
        if let Some(denied) = &following.denied
            && self.on_stale == OnStale::Refuse
            && matches!(denied.look_up(&[], 0), DenyVerdict::Stale { .. })
        {
            readiness.add(NotReady::LeaseOver, None);
        }
        readiness
    }

    /// Statistics of keys, denylist and cache, for a metrics endpoint.
    pub fn stats(&self) -> Stats {
        let following = &self.inner.following;
        let keys = following.keys.as_deref();
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            issuer: self.inner.description.issuer.clone(),
            ready: self.readiness().is_ready(),
            keys: keys.map_or(following.fixed_keys, RemoteKeys::len),
            key_fetches_ok: keys.map_or(0, |keys| count(&keys.counts.fetches_ok)),
            key_fetches_failed: keys.map_or(0, |keys| count(&keys.counts.fetches_failed)),
            metadata_error: following.metadata_error.text(),
            keys_error: keys.and_then(|keys| keys.last_error.text()),
            denylist: following.replica.as_deref().map(|replica| DenylistStats {
                staleness: replica.age(),
                entries: replica.list().len(),
                bytes: replica.list().memory_bytes(),
                polls_ok: count(&replica.counts.polls_ok),
                polls_failed: count(&replica.counts.polls_failed),
                resets: count(&replica.counts.resets),
                error: replica.last_error.text(),
            }),
            cache: self.inner.verifier.stats(),
        }
    }

    /// The verifier, and what is done about a stale list.
    #[cfg(any(feature = "actix", feature = "axum"))]
    pub(crate) fn decider(&self) -> (&Verifier, OnStale) {
        (&self.inner.verifier, self.on_stale)
    }

    /// What a client needs to know to obtain a token. The token URL is missing until the metadata has been read.
    pub fn description(&self) -> &Description {
        self.inner.found.get().unwrap_or(&self.inner.description)
    }

    /// The metadata of this service (RFC 9728), if [`BearerBuilder::resource`] has named it.
    pub fn resource_metadata(&self) -> Option<ResourceMetadata> {
        ResourceMetadata::of(self.description())
    }
}

impl fmt::Debug for OAuth2PasswordBearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth2PasswordBearer").field("description", self.description()).finish_non_exhaustive()
    }
}
