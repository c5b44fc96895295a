//! Building a bearer: what to expect of a token, and where to ask.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ficha_token::verify::MAX_LEEWAY_SECONDS;
use ficha_token::{Algorithm, Clock, Expected, JwkSet, Secret, SystemClock};
use reqwest::Client;
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use crate::build_error::BuildError;
use crate::password_bearer::{Description, Following, OAuth2PasswordBearer, Shared};
use crate::remote::fixed::{FixedKeys, NoDenylist, SharedSecret};
use crate::remote::http::{self, Credentials};
use crate::remote::metadata::{Endpoints, Search};
use crate::remote::{Fed, Feed, Plan, RemoteKeys, address, spawn};
use crate::scopes::is_scope_name;
use crate::source::{DenySource, KeySource, OnStale};
use crate::verifier::{Verifier, VerifierSettings};

const DEFAULT_CACHE_BYTES: usize = 32 * 1024 * 1024;
const LEASES: std::ops::RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(3_600);
const LEAST_OUTAGE_LIMIT: Duration = Duration::from_secs(60);
/// For how long [`Builder::build`] waits for metadata, keys and list together.
const START_LIMIT: Duration = Duration::from_secs(5);

/// What to expect of a token, and where to ask. [`OAuth2PasswordBearer::discover`] and
/// [`OAuth2PasswordBearer::by_hand`] start one.
#[must_use = "nothing happens before build()"]
pub struct Builder<B = OAuth2PasswordBearer> {
    issuer: String,
    discover: bool,
    expected: Expectations,
    token_url: Option<String>,
    keys: Keys,
    denylist: Denylist,
    credentials: Option<Credentials>,
    scopes: Vec<(String, String)>,
    realm: String,
    lease: Duration,
    keys_outage_limit: Duration,
    on_stale: OnStale,
    cache_bytes: usize,
    client: Option<Client>,
    root_certificates: Vec<Vec<u8>>,
    allow_plain_http: bool,
    clock: Arc<dyn Clock>,
    made: PhantomData<fn() -> B>,
}

struct Expectations {
    audiences: Vec<String>,
    any_audience: bool,
    algorithms: Vec<Algorithm>,
    leeway: Duration,
}

enum Keys {
    Unset,
    Url(String),
    Set(JwkSet),
    Secret(Zeroizing<Vec<u8>>),
}

enum Denylist {
    Unset,
    Url(String),
    None,
}

impl<B> Builder<B> {
    pub(crate) fn new(issuer: String, discover: bool) -> Self {
        let algorithms = vec![Algorithm::ES256, Algorithm::EdDSA, Algorithm::RS256];
        let leeway = Duration::from_secs(30);
        Self {
            issuer,
            discover,
            expected: Expectations { audiences: Vec::new(), any_audience: false, algorithms, leeway },
            token_url: None,
            keys: Keys::Unset,
            denylist: Denylist::Unset,
            credentials: None,
            scopes: Vec::new(),
            realm: "api".to_owned(),
            lease: Duration::from_secs(30),
            keys_outage_limit: Duration::from_secs(86_400),
            on_stale: OnStale::Refuse,
            cache_bytes: DEFAULT_CACHE_BYTES,
            client: None,
            root_certificates: Vec::new(),
            allow_plain_http: false,
            clock: Arc::new(SystemClock),
            made: PhantomData,
        }
    }

    /// Names this service: a token must have this audience, or another one that is named here. At least one is needed.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.expected.audiences.push(audience.into());
        self
    }

    /// Takes tokens for any audience. A token that was issued for another service then works here, too.
    pub fn any_audience(mut self) -> Self {
        self.expected.any_audience = true;
        self
    }

    /// The client as which the denylist is followed. The authorization server must let it serve this audience.
    pub fn credentials(mut self, client_id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.credentials = Some(Credentials { client_id: client_id.into(), secret: Secret::from(secret.into()) });
        self
    }

    /// Describes a scope of this service, for OpenAPI.
    pub fn scope(mut self, name: impl Into<String>, description: impl Into<String>) -> Self {
        self.scopes.push((name.into(), description.into()));
        self
    }

    /// Names what is protected, for challenges (RFC 9110 §11.5). It is `api` unless set.
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = realm.into();
        self
    }

    /// By how much clocks may disagree, 0 to 60 s, in whole seconds: a token is good for that much longer than `exp`
    /// says. It is 30 s unless set.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.expected.leeway = leeway;
        self
    }

    /// The signature algorithms that are accepted: ES256, EdDSA and RS256 unless set. A key is for its own one only.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.expected.algorithms = algorithms.into_iter().collect();
        self
    }

    /// Where tokens come from, for OpenAPI. The metadata say it unless this does.
    pub fn token_url(mut self, url: impl Into<String>) -> Self {
        self.token_url = Some(url.into());
        self
    }

    /// Where the keys are (RFC 7517).
    pub fn jwks_url(mut self, url: impl Into<String>) -> Self {
        self.keys = Keys::Url(url.into());
        self
    }

    /// The keys themselves. They never change, so the issuer can't rotate them.
    pub fn keys(mut self, keys: JwkSet) -> Self {
        self.keys = Keys::Set(keys);
        self
    }

    /// The HS256 secret that the issuer signs with (`token.secret_key`), at least 32 bytes. HS256 is then the only
    /// algorithm. Whoever has it can make tokens.
    pub fn shared_secret(mut self, secret: impl Into<Vec<u8>>) -> Self {
        self.keys = Keys::Secret(Zeroizing::new(secret.into()));
        self
    }

    /// Where the denylist is followed.
    pub fn denylist_url(mut self, url: impl Into<String>) -> Self {
        self.denylist = Denylist::Url(url.into());
        self
    }

    /// Follows no denylist: a revoked token is accepted until it expires.
    pub fn no_denylist(mut self) -> Self {
        self.denylist = Denylist::None;
        self
    }

    /// For how long the denylist is relied on after a poll was sent whose answer made it current, 5 s to 1 h. It is 30 s
    /// unless set. It is the longest that a revoked token can be accepted, whatever is cut off.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// What a stale denylist means. [`OnStale::Refuse`] unless set.
    pub fn on_stale(mut self, on_stale: OnStale) -> Self {
        self.on_stale = on_stale;
        self
    }

    /// For how long keys are used that can't be fetched again, counted from the last good fetch. It is 24 h unless set,
    /// and 1 min at least.
    pub fn keys_outage_limit(mut self, limit: Duration) -> Self {
        self.keys_outage_limit = limit;
        self
    }

    /// How much memory verified tokens may take, in bytes: 32 MiB unless set, some 13,000 tokens of 700 bytes. With 0
    /// every signature is verified every time.
    pub fn cache_bytes(mut self, bytes: usize) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// The HTTP client to ask with, instead of one of our own, which speaks TLS by rustls on aws-lc-rs, trusts what the
    /// machine trusts, follows no redirect and takes no proxy from the environment. Time limits are set on each request
    /// in either case. One that follows redirects may carry the credentials elsewhere.
    pub fn http_client(mut self, client: Client) -> Self {
        self.client = Some(client);
        self
    }

    /// Trusts the certificate authorities in this PEM file, beside those that the machine trusts. It has no effect on
    /// [`Builder::http_client`].
    pub fn root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificates.push(pem.into());
        self
    }

    /// Lets plain HTTP go to other machines. Whoever sits in between can then hand out keys of their own and make any
    /// token.
    pub fn allow_plain_http(mut self) -> Self {
        self.allow_plain_http = true;
        self
    }

    /// The clock to go by, for tests.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
}

impl<B: From<OAuth2PasswordBearer>> Builder<B> {
    /// Starts to follow, on the tokio runtime that it is called on, and waits for keys and denylist for up to 5 s.
    ///
    /// A service may start before its authorization server: if that can't be reached in time, what is returned refuses
    /// every token with 503 until keys and list have been loaded, which goes on by itself;
    /// [`OAuth2PasswordBearer::ready`] tells. What waiting does not mend is an error.
    pub async fn build(mut self) -> Result<B, BuildError> {
        let deadline = Instant::now() + START_LIMIT;
        Handle::try_current().map_err(|_| BuildError::NoRuntime)?;
        let settings = self.settings()?;
        let endpoints = self.endpoints()?;
        let client = match self.client.take() {
            Some(client) => client,
            None => http::client(&self.root_certificates)?,
        };
        let endpoints = match endpoints {
            Ok(endpoints) => Ok(endpoints),
            Err(search) => match timeout_at(deadline, search.run(&client, &*self.clock, true)).await {
                Ok(found) => Ok(found?),
                Err(_) => Err(search),
            },
        };
        let bearer = self.start(settings, endpoints, client)?;
        let following = &bearer.inner.following;
        let loaded = async {
            if let Some(keys) = &following.keys {
                keys.loaded().await;
            }
            if let Some(feed) = &following.feed {
                feed.completed().await;
            }
        };
        if timeout_at(deadline, loaded).await.is_err() {
            let issuer = &bearer.inner.description.issuer;
            tracing::warn!(issuer, why = %bearer.ready(), "started without the authorization server");
        }
        Ok(bearer.into())
    }

    fn settings(&mut self) -> Result<VerifierSettings, BuildError> {
        let Expectations { audiences, any_audience, algorithms, leeway } = &mut self.expected;
        if audiences.is_empty() && !*any_audience {
            return Err(BuildError::NoAudience);
        }
        if *any_audience {
            audiences.clear();
        }
        if *leeway > Duration::from_secs(u64::from(MAX_LEEWAY_SECONDS)) {
            return Err(BuildError::Leeway);
        }
        if !LEASES.contains(&self.lease) {
            return Err(BuildError::Lease);
        }
        if self.keys_outage_limit < LEAST_OUTAGE_LIMIT {
            return Err(BuildError::KeysOutageLimit);
        }
        if let Some((name, _)) = self.scopes.iter().find(|(name, _)| !is_scope_name(name)) {
            return Err(BuildError::BadScope(name.clone()));
        }
        if matches!(self.keys, Keys::Secret(_)) {
            *algorithms = vec![Algorithm::HS256];
        }
        if algorithms.is_empty() {
            return Err(BuildError::NoAlgorithm);
        }
        let expected = Expected {
            issuer: self.issuer.clone(),
            audiences: std::mem::take(audiences),
            leeway: leeway.as_secs() as u32,
            algorithms: std::mem::take(algorithms),
        };
        Ok(VerifierSettings { expected, cache_bytes: self.cache_bytes })
    }

    /// The addresses, if they are known, or else where to look for them.
    fn endpoints(&self) -> Result<Result<Endpoints, Search>, BuildError> {
        let parse = |what, url: &str| address::parse(what, url, self.allow_plain_http);
        let jwks_url = match &self.keys {
            Keys::Url(url) => Some(parse("the JWKS URL", url)?),
            Keys::Unset | Keys::Set(_) | Keys::Secret(_) => None,
        };
        let denylist_url = match &self.denylist {
            Denylist::Url(url) => Some(parse("the denylist URL", url)?),
            Denylist::Unset | Denylist::None => None,
        };
        let needs_keys = matches!(self.keys, Keys::Unset);
        let needs_denylist = matches!(self.denylist, Denylist::Unset);
        if !self.discover {
            if needs_keys {
                return Err(BuildError::NoKeys);
            }
            if needs_denylist {
                return Err(BuildError::NoDenylist);
            }
            return Ok(Ok(Endpoints { token_url: self.token_url.clone(), jwks_url, denylist_url }));
        }
        Ok(Err(Search {
            issuer: self.issuer.clone(),
            issuer_url: address::parse_issuer(&self.issuer, self.allow_plain_http)?,
            allow_plain_http: self.allow_plain_http,
            needs_keys,
            needs_denylist,
            given: Endpoints { token_url: self.token_url.clone(), jwks_url, denylist_url },
        }))
    }

    fn start(
        self,
        settings: VerifierSettings,
        endpoints: Result<Endpoints, Search>,
        client: Client,
    ) -> Result<OAuth2PasswordBearer, BuildError> {
        let fixed = Fixed::new(&self.keys)?;
        let fetched = fixed.is_none();
        let keys = fetched.then(|| Arc::new(RemoteKeys::new(Arc::clone(&self.clock), self.keys_outage_limit)));
        let feed = (!matches!(self.denylist, Denylist::None))
            .then(|| Arc::new(Feed::new(self.issuer.clone(), Arc::clone(&self.clock), self.lease)));
        let token_url = self.token_url.or_else(|| endpoints.as_ref().ok().and_then(|found| found.token_url.clone()));
        let description = Description { issuer: self.issuer, token_url, scopes: self.scopes, realm: self.realm };
        let found = Arc::new(OnceLock::new());
        let following = Following {
            keys: keys.clone(),
            fixed_keys: fixed.as_ref().map_or(0, |fixed| fixed.count),
            feed: feed.clone(),
            on_stale: self.on_stale,
            awaits_metadata: endpoints.is_err(),
        };
        let plan = Plan {
            client,
            clock: Arc::clone(&self.clock),
            endpoints,
            found: remember(description.clone(), Arc::clone(&found)),
            keys: keys.clone(),
            feed: feed.clone(),
            credentials: self.credentials,
            lease: self.lease,
        };
        let task = Arc::new(spawn(plan));
        let keys: Arc<dyn KeySource> = match (keys, fixed) {
            (Some(source), _) => Arc::new(Fed::new(source, &task)),
            (None, Some(fixed)) => fixed.source,
            (None, None) => return Err(BuildError::NoKeys),
        };
        let denied: Arc<dyn DenySource> = match feed {
            Some(source) => Arc::new(Fed::new(source, &task)),
            None => Arc::new(NoDenylist),
        };
        let verifier = Verifier::new(settings, keys, denied, self.clock).on_stale(self.on_stale);
        Ok(OAuth2PasswordBearer { inner: Arc::new(Shared { verifier, description, found, following }) })
    }
}

/// Keys that are not fetched.
struct Fixed {
    source: Arc<dyn KeySource>,
    count: usize,
}

impl Fixed {
    fn new(keys: &Keys) -> Result<Option<Self>, BuildError> {
        match keys {
            Keys::Unset | Keys::Url(_) => Ok(None),
            Keys::Set(set) => {
                let keys = FixedKeys::new(set)?;
                let count = keys.len();
                Ok(Some(Self { source: Arc::new(keys), count }))
            }
            Keys::Secret(secret) => Ok(Some(Self { source: Arc::new(SharedSecret::new(secret.clone())?), count: 1 })),
        }
    }
}

/// Completes the description with what is found later.
fn remember(description: Description, found: Arc<OnceLock<Description>>) -> Box<dyn FnOnce(&Endpoints) + Send> {
    Box::new(move |endpoints| {
        let token_url = description.token_url.clone().or_else(|| endpoints.token_url.clone());
        // It is found once.
        let _ = found.set(Description { token_url, ..description });
    })
}

impl<B> fmt::Debug for Builder<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}
