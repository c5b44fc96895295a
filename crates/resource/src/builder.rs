//! Building a bearer: what to expect of a token, and where to ask.

mod build;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use ficha_token::{Algorithm, Clock, JwkSet, Secret, SystemClock};
use reqwest::Client;
use zeroize::Zeroizing;

use crate::password_bearer::OAuth2PasswordBearer;
use crate::remote::http::Credentials;
use crate::source::OnStale;
use crate::verifier::DEFAULT_CACHE_BYTES;

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
    /// None unless set: what is usual for the keys.
    algorithms: Option<Vec<Algorithm>>,
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
        let leeway = Duration::from_secs(30);
        Self {
            issuer,
            discover,
            expected: Expectations { audiences: Vec::new(), any_audience: false, algorithms: None, leeway },
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

    /// The signature algorithms that are accepted: ES256, EdDSA and RS256 unless set. A key is for its own one only. With
    /// [`Builder::shared_secret`] it is HS256 unless set, and may be one of HS256, HS384 and HS512.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.expected.algorithms = Some(algorithms.into_iter().collect());
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

    /// The secret that the issuer signs with (`token.secret_key`): of HS256, at least 32 bytes, unless
    /// [`Builder::algorithms`] names HS384 (48 bytes) or HS512 (64). That is then the only algorithm. Whoever has it can
    /// make tokens.
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

impl<B> fmt::Debug for Builder<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}
