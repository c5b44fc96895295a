//! What an app says about itself and its server.

use std::sync::Arc;
use std::time::Duration;

use oauth2::ClientSecret;
use tokio::sync::OnceCell;
use url::Url;

use crate::clock::{Clock, SystemClock};
use crate::endpoints::{Addresses, Endpoints, address, is_loopback, redacted};
use crate::error::Error;
use crate::exchange::Exchange;
use crate::single_flight::Renewal;
use crate::source::TokenSource;
use crate::store::{MemoryStore, TokenStore};
use crate::tls;
use crate::tokens::Grant;

/// Long enough for a slow network, and short enough that two more attempts fit into the server's grace (30 s unless set).
const LIMIT: Duration = Duration::from_secs(9);

/// Makes a [`TokenSource`]; begin with [`TokenSource::builder`]. Nothing is sent before the first token is asked for.
#[must_use]
pub struct Builder {
    issuer: String,
    client_id: String,
    client_secret: Option<ClientSecret>,
    scope: Option<String>,
    grant: Grant,
    endpoints: Option<(String, Option<String>)>,
    allowed: Addresses,
    limit: Duration,
    http: Option<reqwest::ClientBuilder>,
    store: Arc<dyn TokenStore>,
    clock: Arc<dyn Clock>,
}

impl Builder {
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
            http: None,
            store: Arc::new(MemoryStore::new()),
            clock: Arc::new(SystemClock),
        }
    }

    /// The secret of a confidential client. It is sent by HTTP Basic (RFC 6749 §2.3.1). An app that is given to its
    /// users keeps no secret, and needs none.
    pub fn client_secret(mut self, secret: impl Into<String>) -> Self {
        self.client_secret = Some(ClientSecret::new(secret.into()));
        self
    }

    /// What tokens are for: scope names with single spaces between. Left out, the server grants what it grants by
    /// default.
    pub fn scope(mut self, scope: &str) -> Self {
        self.scope = Some(scope.split_whitespace().collect::<Vec<_>>().join(" ")).filter(|scope| !scope.is_empty());
        self
    }

    /// The app acts for itself and for no user, with `client_credentials` (RFC 6749 §4.4): tokens are obtained when
    /// they are needed, and [`login`](TokenSource::login) is refused. Needs a [`client_secret`](Self::client_secret).
    pub fn client_credentials(mut self) -> Self {
        self.grant = Grant::ClientCredentials;
        self
    }

    /// Where tokens are kept; in memory unless said.
    pub fn store(mut self, store: impl TokenStore) -> Self {
        self.store = Arc::new(store);
        self
    }

    /// The endpoints of a server that publishes no metadata. Without this they are asked for (RFC 8414) when they are
    /// first needed.
    pub fn endpoints(mut self, token: &str, revocation: Option<&str>) -> Self {
        self.endpoints = Some((token.to_owned(), revocation.map(str::to_owned)));
        self
    }

    /// Speaks to the server without TLS although it is on another machine. Passwords and tokens then travel in clear:
    /// only for a network that is trusted as a whole, as inside one composition of containers. The middleware then sends
    /// tokens to such services, too.
    pub fn allow_plain_http(mut self) -> Self {
        self.allowed = Addresses::Any;
        self
    }

    /// How long one request may take, 9 seconds unless said; a login always has 30. It should be far shorter than the
    /// server's grace (`token.refresh_grace`, 30 seconds unless set): a refresh without an answer is sent again within
    /// the grace, and not when it is over.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Another HTTP client, for a proxy, or for other certificate authorities than the system's. Begin with
    /// [`http_client`](crate::http_client) or [`http_client_trusting`](crate::http_client_trusting): they set TLS up.
    ///
    /// Whatever is said here, redirects are not followed: one would take the password along. If a used address is a
    /// loopback one without TLS, no proxy is used.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use ficha_client::{TokenSource, http_client_trusting};
    ///
    /// let http = http_client_trusting(&std::fs::read("company-ca.pem")?)?;
    /// let tokens = TokenSource::builder("https://auth.example.com", "notes-app").http_client(http).build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn http_client(mut self, http: reqwest::ClientBuilder) -> Self {
        self.http = Some(http);
        self
    }

    /// A clock of your own, for tests.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The token source. Nothing is sent.
    ///
    /// # Errors
    /// [`Error::PlainHttp`] or [`Error::Setting`] if what was said can't be used.
    pub fn build(self) -> Result<TokenSource, Error> {
        if self.client_id.is_empty() {
            return Err(Error::Setting("the client id is empty".into()));
        }
        if self.grant == Grant::ClientCredentials && self.client_secret.is_none() {
            return Err(Error::Setting("client_credentials needs a client secret".into()));
        }
        let issuer = address(&self.issuer, self.allowed)?;
        let endpoints = match &self.endpoints {
            None => OnceCell::new(),
            Some((token, revocation)) => {
                let revocation = revocation.as_deref().map(|text| address(text, self.allowed)).transpose()?;
                OnceCell::from(Endpoints { token: address(token, self.allowed)?, revocation })
            }
        };
        let mut used = vec![&issuer];
        used.extend(endpoints.get().into_iter().flat_map(Endpoints::addresses));
        let http = http_for(self.http, &used)?;
        let exchange = Exchange {
            http,
            clock: self.clock.clone(),
            client_id: self.client_id,
            client_secret: self.client_secret,
            scope: self.scope,
            limit: self.limit,
        };
        let renewal = Renewal::new(self.issuer, self.allowed, endpoints, exchange, self.grant, self.store, self.clock);
        Ok(TokenSource::new(renewal))
    }
}

/// Without TLS no proxy comes in between: it would read the passwords. One that the app names itself may stand before
/// another machine that it trusts without TLS, but not before its own.
fn http_for(own: Option<reqwest::ClientBuilder>, used: &[&Url]) -> Result<reqwest::Client, Error> {
    let is_own = own.is_some();
    let mut builder = own.map_or_else(tls::http_client, Ok)?.redirect(reqwest::redirect::Policy::none());
    if used.iter().any(|url| url.scheme() == "http" && (!is_own || is_loopback(url))) {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| Error::Setting(format!("the HTTP client can't be made: {error}")))
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Builder");
        shown.field("issuer", &redacted(&self.issuer)).field("client_id", &self.client_id).finish_non_exhaustive()
    }
}
