//! The builder: what to expect of a token, and where keys and denylist come from.

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

/// Builds an [`OAuth2PasswordBearer`] (or an [`HttpBearer`](crate::HttpBearer)): what to expect of a token, and where
/// keys and denylist come from. [`OAuth2PasswordBearer::discover`] and [`OAuth2PasswordBearer::by_hand`] create one.
///
/// An audience is required ([`BearerBuilder::audience`] or [`BearerBuilder::any_audience`]); the rest has defaults if the issuer
/// publishes its metadata.
///
/// ```no_run
/// # async fn example(secret: String) -> Result<(), ficha_resource::BuildError> {
/// use std::time::Duration;
///
/// use ficha_resource::OAuth2PasswordBearer;
///
/// let oauth2 = OAuth2PasswordBearer::discover("https://auth.example.com")
///     .audience("notes")
///     .credentials("notes-api", secret)
///     .scope("notes:read", "Read your notes")
///     .realm("notes")
///     .resource("https://notes.example.com")
///     .leeway(Duration::from_secs(10))
///     .lease(Duration::from_secs(20))
///     .service("notes")
///     .build()
///     .await?;
/// # drop(oauth2);
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing happens before build()"]
pub struct BearerBuilder<B = OAuth2PasswordBearer> {
    issuer: String,
    discover: bool,
    expected: Expectations,
    token_url: Option<String>,
    keys: Keys,
    denylist: Denylist,
    credentials: Option<Credentials>,
    scopes: Vec<(String, String)>,
    realm: String,
    resource: Option<String>,
    lease: Duration,
    keys_outage_limit: Duration,
    on_stale: OnStale,
    service: Option<String>,
    instance: Option<String>,
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
    /// None unless set; the default depends on the kind of keys.
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

impl<B> BearerBuilder<B> {
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
            resource: None,
            lease: Duration::from_secs(30),
            keys_outage_limit: Duration::from_secs(86_400),
            on_stale: OnStale::Refuse,
            service: None,
            instance: None,
            cache_bytes: DEFAULT_CACHE_BYTES,
            client: None,
            root_certificates: Vec::new(),
            allow_plain_http: false,
            clock: Arc::new(SystemClock),
            made: PhantomData,
        }
    }

    /// Names this service: `aud` must contain this audience, or another one that was added in the same way.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.expected.audiences.push(audience.into());
        self
    }

    /// Accepts tokens for any audience. A token that was issued for another service is then valid here too.
    pub fn any_audience(mut self) -> Self {
        self.expected.any_audience = true;
        self
    }

    /// The client id and secret with which the denylist is followed.
    ///
    /// The authorization server must know this client as one that serves an audience, and requires it unless its issuer
    /// is on a loopback address. `build` itself checks only that neither is empty
    /// ([`BuildError::EmptyCredentials`](crate::BuildError::EmptyCredentials)). It is the server that refuses missing or
    /// wrong ones, which is [`BuildError::Refused`](crate::BuildError::Refused) if it answers in time, and stands in
    /// [`OAuth2PasswordBearer::readiness`] and in the log otherwise.
    pub fn credentials(mut self, client_id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.credentials = Some(Credentials { client_id: client_id.into(), secret: Secret::from(secret.into()) });
        self
    }

    /// Adds a scope of this service with its description, for OpenAPI.
    pub fn scope(mut self, name: impl Into<String>, description: impl Into<String>) -> Self {
        self.scopes.push((name.into(), description.into()));
        self
    }

    /// The realm in `WWW-Authenticate` challenges (RFC 9110 §11.5), `api` by default.
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = realm.into();
        self
    }

    /// The identifier of this service, such as `https://notes.example.com` (RFC 9728 §1.2): its base address, as clients
    /// see it. Challenges then say where its metadata is, and [`OAuth2PasswordBearer::resource_metadata`] is the document to
    /// serve there. A client that knows only the service finds the issuer that way.
    pub fn resource(mut self, identifier: impl Into<String>) -> Self {
        self.resource = Some(identifier.into());
        self
    }

    /// How far clocks may disagree: 0 to 60 s, in whole seconds, 30 s by default. A token is accepted for that much
    /// longer than its `exp` says.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.expected.leeway = leeway;
        self
    }

    /// The accepted signature algorithms: ES256, EdDSA and RS256 by default. Each key is used with its own algorithm
    /// only. With [`BearerBuilder::shared_secret`] there is exactly one: HS256 by default, or HS384 or HS512.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.expected.algorithms = Some(algorithms.into_iter().collect());
        self
    }

    /// The token endpoint's absolute URL, for OpenAPI. By default it is taken from the issuer's metadata.
    pub fn token_url(mut self, url: impl Into<String>) -> Self {
        self.token_url = Some(url.into());
        self
    }

    /// The URL of the key set (RFC 7517).
    pub fn jwks_url(mut self, url: impl Into<String>) -> Self {
        self.keys = Keys::Url(url.into());
        self
    }

    /// The keys themselves. They are never refreshed: after the issuer rotates its keys, new tokens are refused.
    pub fn keys(mut self, keys: JwkSet) -> Self {
        self.keys = Keys::Set(keys);
        self
    }

    /// The secret with which the issuer signs (`token.secret_key`), at least 32 bytes, for HS256 unless
    /// [`BearerBuilder::algorithms`] names HS384 (48 bytes) or HS512 (64 bytes). No other algorithm is then accepted. Anyone
    /// who has the secret can make tokens.
    pub fn shared_secret(mut self, secret: impl Into<Vec<u8>>) -> Self {
        self.keys = Keys::Secret(Zeroizing::new(secret.into()));
        self
    }

    /// The URL of the denylist.
    pub fn denylist_url(mut self, url: impl Into<String>) -> Self {
        self.denylist = Denylist::Url(url.into());
        self
    }

    /// Follows no denylist: revoked tokens are accepted until they expire.
    pub fn no_denylist(mut self) -> Self {
        self.denylist = Denylist::None;
        self
    }

    /// How long the denylist is relied on, counted from when the last successful poll was sent: 5 s to 1 h, 30 s by
    /// default. It is the longest that a revoked token can be accepted, even if this service is cut off from the
    /// server.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// What to do with tokens while the denylist is stale: [`OnStale::Refuse`] by default.
    pub fn on_stale(mut self, on_stale: OnStale) -> Self {
        self.on_stale = on_stale;
        self
    }

    /// The name of this service in the authorization server's list of resource servers, and in receipts of revocations:
    /// by default its audience, without `https://`; with [`BearerBuilder::any_audience`] the client id of
    /// [`BearerBuilder::credentials`]. At most 64 of the characters `A-Z a-z 0-9 . _ : -`; others become `-`.
    pub fn service(mut self, name: impl Into<String>) -> Self {
        self.service = Some(name.into());
        self
    }

    /// The name of this instance of the service, in the same lists: by default the machine's name and a random part. It
    /// must be unique. Of two that share a name, the slower is shown.
    pub fn instance(mut self, name: impl Into<String>) -> Self {
        self.instance = Some(name.into());
        self
    }

    /// How long keys are used that can't be fetched again, counted from the last successful fetch: at least 1 min, 24 h
    /// by default.
    pub fn keys_outage_limit(mut self, limit: Duration) -> Self {
        self.keys_outage_limit = limit;
        self
    }

    /// The most memory that verified tokens may take, in bytes: 32 MiB by default, enough for about 13,000 tokens of
    /// 700 bytes. With 0, every signature is verified every time.
    pub fn cache_bytes(mut self, bytes: usize) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// Uses this HTTP client instead of the built-in one. It needs the feature `reqwest-0_13`: the type belongs to that
    /// version of reqwest, which is exported as `ficha_resource::reqwest`.
    ///
    /// The built-in client uses rustls with aws-lc-rs, trusts the certificate authorities that the machine trusts,
    /// follows no redirects and ignores proxy settings in the environment. Time limits are set on each request in
    /// either case. A client that follows redirects may send the credentials elsewhere.
    #[cfg(feature = "reqwest-0_13")]
    pub fn http_client(mut self, client: Client) -> Self {
        self.client = Some(client);
        self
    }

    /// Trusts the certificate authorities in this PEM text, in addition to those that the machine trusts. It has no
    /// effect together with `http_client` (feature `reqwest-0_13`).
    pub fn root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificates.push(pem.into());
        self
    }

    /// Allows plain HTTP to other machines. Anyone on the network path can then replace the keys, and so make tokens
    /// that this service accepts.
    pub fn allow_plain_http(mut self) -> Self {
        self.allow_plain_http = true;
        self
    }

    /// Uses this clock, for tests.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
}

impl<B> fmt::Debug for BearerBuilder<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BearerBuilder").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}
