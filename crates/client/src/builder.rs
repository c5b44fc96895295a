//! The settings of a token source.

use std::sync::Arc;
use std::time::Duration;

use oauth2::ClientSecret;
use tokio::sync::OnceCell;
use url::Url;

use crate::clock::{Clock, SystemClock};
use crate::endpoints::{Addresses, Endpoints, is_loopback, parse_address, redacted};
use crate::error::Error;
use crate::exchange::Exchange;
use crate::single_flight::Refresher;
use crate::source::TokenSource;
use crate::store::{MemoryStore, TokenStore};
use crate::tls;
use crate::tokens::Grant;

/// Long enough for a slow network, and short enough for two more attempts within the server's grace period (30 s by
/// default).
const LIMIT: Duration = Duration::from_secs(9);

/// Builds a [`TokenSource`]. Start with [`TokenSource::builder`].
///
/// ```
/// use std::time::Duration;
///
/// use ficha_client::TokenSource;
///
/// let tokens = TokenSource::builder("https://auth.example.com", "report-job")
///     .client_secret("its secret")
///     .client_credentials()
///     .scope("notes:read notes:export")
///     .time_limit(Duration::from_secs(5))
///     .build()?;
/// # drop(tokens);
/// # Ok::<(), ficha_client::Error>(())
/// ```
#[must_use]
pub struct TokenSourceBuilder {
    issuer: String,
    client_id: String,
    client_secret: Option<ClientSecret>,
    scope: Option<String>,
    grant: Grant,
    endpoints: Option<(String, Option<String>)>,
    allowed: Addresses,
    limit: Duration,
    certificates: Option<Vec<u8>>,
    http: Option<reqwest::ClientBuilder>,
    store: Arc<dyn TokenStore>,
    clock: Arc<dyn Clock>,
}

impl TokenSourceBuilder {
    pub(crate) fn new(issuer: &str, client_id: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            client_id: client_id.to_owned(),
            client_secret: None,
            scope: None,
            grant: Grant::Password,
            endpoints: None,
            allowed: Addresses::Safe,
            limit: LIMIT,
            certificates: None,
            http: None,
            store: Arc::new(MemoryStore::new()),
            clock: Arc::new(SystemClock),
        }
    }

    /// Sets the secret of a confidential client, which is sent with HTTP Basic (RFC 6749 §2.3.1). An app that runs on
    /// its users' machines cannot keep a secret, and should not have one.
    pub fn client_secret(mut self, secret: impl Into<String>) -> Self {
        self.client_secret = Some(ClientSecret::new(secret.into()));
        self
    }

    /// Sets the scope to request: scope names separated by spaces (RFC 6749 §3.3). Without it, the server grants its
    /// default scope.
    pub fn scope(mut self, scope: &str) -> Self {
        self.scope = Some(scope.split_whitespace().collect::<Vec<_>>().join(" ")).filter(|scope| !scope.is_empty());
        self
    }

    /// Uses the `client_credentials` grant (RFC 6749 §4.4): the app acts for itself, without a user. Tokens are
    /// obtained when they are needed, and [`login`](TokenSource::login) returns an error. Requires a
    /// [`client_secret`](Self::client_secret).
    pub fn client_credentials(mut self) -> Self {
        self.grant = Grant::ClientCredentials;
        self
    }

    /// Sets where tokens are stored. The default is a [`MemoryStore`].
    pub fn store(mut self, store: impl TokenStore) -> Self {
        self.store = Arc::new(store);
        self
    }

    /// Sets the endpoints of a server that publishes no metadata. By default they are taken from the issuer's metadata
    /// (RFC 8414), which is fetched when an endpoint is first needed, in up to three attempts.
    pub fn endpoints(mut self, token: &str, revocation: Option<&str>) -> Self {
        self.endpoints = Some((token.to_owned(), revocation.map(str::to_owned)));
        self
    }

    /// Allows plain HTTP to addresses other than loopback, for the authorization server and for the origins of
    /// `TokenSource::middleware`. Passwords and tokens are then sent unencrypted, so use this only in a network that
    /// is trusted as a whole, such as the internal network of a Compose stack.
    pub fn allow_plain_http(mut self) -> Self {
        self.allowed = Addresses::Any;
        self
    }

    /// Sets how long one attempt of a request may take. The default is 9 seconds; a login always has 30 seconds.
    /// Requests for metadata, tokens and revocation are sent up to three times; a login is sent once. The limit should be
    /// far shorter than the server's grace period (`token.refresh_grace`, 30 seconds by default), because a refresh
    /// without a response is only retried within it.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Also trusts these certificates: one or more in PEM (RFC 7468), of authorities or of the server itself. On Android,
    /// only these are trusted. The default is the system's authorities.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use ficha_client::TokenSource;
    ///
    /// let pem = std::fs::read("company-ca.pem")?;
    /// let tokens = TokenSource::builder("https://auth.example.com", "notes-app").trusted_certificates(pem).build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn trusted_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.certificates = Some(pem.into());
        self
    }

    /// Sets the HTTP client, for what has no setting here, such as a proxy. (Without it, the proxy of the environment is
    /// used: `HTTPS_PROXY` and its like.) Start from [`http_client`](crate::http_client) or
    /// [`http_client_trusting`](crate::http_client_trusting), which set up TLS.
    ///
    /// Redirects are never followed, whatever this client is set to, because the password would be sent along. If the
    /// issuer or an endpoint set with [`endpoints`](Self::endpoints) is a loopback address without TLS, no proxy is
    /// used.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use ficha_client::{TokenSource, http_client};
    ///
    /// let http = http_client()?.proxy(reqwest::Proxy::all("http://proxy.example.com:3128")?);
    /// let tokens = TokenSource::builder("https://auth.example.com", "notes-app").http_client(http).build()?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "http-client")]
    pub fn http_client(mut self, http: reqwest::ClientBuilder) -> Self {
        self.http = Some(http);
        self
    }

    /// Sets the clock, for tests.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Builds the token source. No request is sent yet.
    ///
    /// # Errors
    /// [`Error::PlainHttp`] if a URL has neither TLS nor a loopback address, and [`Error::Setting`] if a setting is
    /// invalid.
    pub fn build(self) -> Result<TokenSource, Error> {
        if self.client_id.is_empty() {
            return Err(Error::Setting("the client id is empty".into()));
        }
        if self.client_secret.as_ref().is_some_and(|secret| secret.secret().is_empty()) {
            return Err(Error::Setting("the client secret is empty: a public client has none at all".into()));
        }
        if self.limit.is_zero() {
            return Err(Error::Setting("the time limit is zero, so no request could succeed".into()));
        }
        if self.grant == Grant::ClientCredentials && self.client_secret.is_none() {
            return Err(Error::Setting("client_credentials needs a client secret".into()));
        }
        if self.http.is_some() && self.certificates.is_some() {
            let why = "trusted_certificates has no effect on an HTTP client of your own: use http_client_trusting";
            return Err(Error::Setting(why.into()));
        }
        let issuer = parse_address(&self.issuer, self.allowed)?;
        let endpoints = match &self.endpoints {
            None => OnceCell::new(),
            Some((token, revocation)) => {
                let revocation = revocation.as_deref().map(|text| parse_address(text, self.allowed)).transpose()?;
                OnceCell::from(Endpoints { token: parse_address(token, self.allowed)?, revocation })
            }
        };
        let mut used = vec![&issuer];
        used.extend(endpoints.get().into_iter().flat_map(Endpoints::addresses));
        let http = http_for(self.http, self.certificates.as_deref(), &used)?;
        let exchange = Exchange {
            http,
            clock: self.clock.clone(),
            client_id: self.client_id,
            client_secret: self.client_secret,
            scope: self.scope,
            limit: self.limit,
        };
        let refresher =
            Refresher::new(self.issuer, self.allowed, endpoints, exchange, self.grant, self.store, self.clock);
        Ok(TokenSource::new(refresher))
    }
}

/// Without TLS no proxy is used, because it could read the passwords. The exception is a proxy that the app configures
/// itself, for addresses other than loopback.
fn http_for(
    own: Option<reqwest::ClientBuilder>,
    certificates: Option<&[u8]>,
    used: &[&Url],
) -> Result<reqwest::Client, Error> {
    let is_own = own.is_some();
    let fresh = || certificates.map_or_else(tls::http_client, tls::http_client_trusting);
    let mut builder = own.map_or_else(fresh, Ok)?.redirect(reqwest::redirect::Policy::none());
    if used.iter().any(|url| url.scheme() == "http" && (!is_own || is_loopback(url))) {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| Error::Setting(format!("cannot build the HTTP client: {error}")))
}

impl std::fmt::Debug for TokenSourceBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("TokenSourceBuilder");
        shown.field("issuer", &redacted(&self.issuer)).field("client_id", &self.client_id).finish_non_exhaustive()
    }
}
