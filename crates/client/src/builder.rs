//! What an app says about itself and its server.

use std::sync::Arc;
use std::time::Duration;

use oauth2::ClientSecret;
use tokio::sync::OnceCell;

use crate::clock::{Clock, SystemClock};
use crate::endpoints::{Addresses, Endpoints, address};
use crate::error::Error;
use crate::exchange::Exchange;
use crate::flight::Renewal;
use crate::source::TokenSource;
use crate::store::{MemoryStore, TokenStore};
use crate::transport;

/// Long enough for a slow network, and short enough that three attempts fit into the server's grace (30 s unless set).
const LIMIT: Duration = Duration::from_secs(9);

/// Makes a [`TokenSource`]; begin with [`TokenSource::builder`]. Nothing is sent before the first token is asked for.
#[must_use]
pub struct Builder {
    issuer: String,
    client_id: String,
    client_secret: Option<ClientSecret>,
    scope: Option<String>,
    for_itself: bool,
    endpoints: Option<(String, Option<String>)>,
    allowed: Addresses,
    limit: Duration,
    http: Option<reqwest::Client>,
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
            for_itself: false,
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
    /// they are needed, and nobody logs in. Needs a [`client_secret`](Self::client_secret).
    pub fn client_credentials(mut self) -> Self {
        self.for_itself = true;
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
    /// only for a network that is trusted as a whole, as inside one composition of containers.
    pub fn allow_plain_http(mut self) -> Self {
        self.allowed = Addresses::Any;
        self
    }

    /// How long one request may take, 9 seconds unless said; a login always has 30. A refresh is attempted three times,
    /// and all of them should begin within the server's grace (`token.refresh_grace`).
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// An HTTP client of your own, for a proxy or other certificate authorities than the system's. It should follow no
    /// redirects.
    pub fn http_client(mut self, http: reqwest::Client) -> Self {
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
        if self.for_itself && self.client_secret.is_none() {
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
        let http = match self.http {
            Some(http) => http,
            None => default_http(issuer.scheme() == "http")?,
        };
        let exchange = Exchange {
            http,
            clock: self.clock.clone(),
            client_id: self.client_id,
            client_secret: self.client_secret,
            scope: self.scope,
            limit: self.limit,
        };
        let renewal =
            Renewal::new(self.issuer, self.allowed, endpoints, exchange, self.for_itself, self.store, self.clock);
        Ok(TokenSource::new(renewal))
    }
}

/// Without TLS no proxy comes in between: it would read the passwords.
fn default_http(is_plain: bool) -> Result<reqwest::Client, Error> {
    let mut builder = transport::http_client()?.redirect(reqwest::redirect::Policy::none());
    if is_plain {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| Error::Setting(format!("the HTTP client can't be made: {error}")))
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Builder");
        shown.field("issuer", &self.issuer).field("client_id", &self.client_id).finish_non_exhaustive()
    }
}
