//! The token source of an app.

use std::future::Future;
use std::sync::Arc;

use crate::builder::TokenSourceBuilder;
use crate::error::Error;
#[cfg(feature = "middleware")]
use crate::middleware::BearerMiddleware;
#[cfg(feature = "middleware")]
use crate::origin::BadOrigin;
use crate::runtime;
use crate::single_flight::Refresher;
use crate::tokens::{AccessToken, Tokens};

/// Obtains tokens, stores them, and refreshes them before they expire. Clones share one session.
///
/// A `TokenSource` needs a tokio runtime with timers and I/O (`enable_all`), and returns [`Error::NoRuntime`] elsewhere.
/// Each operation runs to completion in a task of its own, so no token is lost when a caller stops waiting.
///
/// ```no_run
/// # async fn example() -> Result<(), ficha_client::Error> {
/// use ficha_client::{FileStore, TokenSource};
///
/// let tokens = TokenSource::builder("https://auth.example.com", "notes-app")
///     .scope("notes:read")
///     .store(FileStore::new("tokens.json"))
///     .build()?;
/// let token = match tokens.access_token().await {
///     Err(error) if error.needs_login() => tokens.login("alice", "her password").await?.access_token(),
///     token => token?,
/// };
/// println!("this token expires at {:?}", token.expires_at());
/// tokens.settled().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TokenSource {
    pub(crate) refresher: Arc<Refresher>,
}

impl TokenSource {
    /// Starts building a token source for the client `client_id` of the authorization server `issuer`.
    ///
    /// The issuer must be the same URL that the server uses for itself, character for character:
    /// `https://auth.example.com` and `https://auth.example.com/` are different issuers (RFC 8414 §3.3).
    pub fn builder(issuer: &str, client_id: &str) -> TokenSourceBuilder {
        TokenSourceBuilder::new(issuer, client_id)
    }

    pub(crate) fn new(refresher: Refresher) -> Self {
        Self { refresher: Arc::new(refresher) }
    }

    /// Logs a user in with the password grant (RFC 6749 §4.3) and stores the tokens. The password is not kept.
    ///
    /// The new session replaces the previous one, which is ended at the server if the server can be reached. If the new
    /// session cannot be stored, it is ended in the same way.
    ///
    /// The password is sent only once. After [`Error::Network`] the server may have started a session that this app
    /// does not know.
    ///
    /// # Errors
    /// - [`Error::WrongPassword`], [`Error::InvalidScope`] or [`Error::ClientRefused`] if the server rejects the login
    /// - [`Error::Busy`] if there are too many logins at once
    /// - [`Error::Setting`] if the app uses [`client_credentials`](TokenSourceBuilder::client_credentials)
    /// - other errors of the server, the network or the store
    ///
    /// After an error the previous session is unchanged.
    pub async fn login(&self, username: &str, password: &str) -> Result<Tokens, Error> {
        let refresher = self.refresher.clone();
        let (username, password) = (username.to_owned(), zeroize::Zeroizing::new(password.to_owned()));
        run_to_completion(async move { refresher.log_in(&username, &password).await }).await
    }

    /// Returns a valid access token. A token with less than 30 seconds left, or in the last fifth of its lifetime if
    /// that is shorter, is refreshed first. Concurrent callers share one refresh.
    ///
    /// If the server does not answer, this returns the current token after 1.5 seconds at most, unless that has
    /// expired, and the refresh continues in the background. After a failure the server is not asked again for the time
    /// in its `Retry-After`, or else for 1 to 30 seconds. Meanwhile this returns the current token, or the same error
    /// if that has expired.
    ///
    /// # Errors
    /// - [`Error::NotLoggedIn`], [`Error::SessionOver`], [`Error::RefreshRefused`] or [`Error::StoredForAnother`] if a
    ///   [`login`](Self::login) is needed, for which [`Error::needs_login`] is true
    /// - other errors of the server, the network or the store; [`Error::is_transient`] is true if the same call may
    ///   succeed later
    pub async fn access_token(&self) -> Result<AccessToken, Error> {
        self.refresher.token(None).await
    }

    /// Replaces an access token that a service `rejected` with 401, and returns the new one. If another caller or
    /// process has already replaced it, that token is returned. Within ten seconds of an earlier attempt, the rejected
    /// token itself is returned, because a service that rejects new tokens has another reason.
    ///
    /// If a user's session has no refresh token, this returns [`Error::SessionOver`] once. If a service rejects the
    /// token of the next login too, that token is returned until it expires, so that the user is not asked for the
    /// password again and again.
    ///
    /// # Errors
    /// The same as for [`access_token`](Self::access_token).
    ///
    /// ```no_run
    /// # fn send(_: &str) -> u16 { 200 }
    /// # async fn example(tokens: ficha_client::TokenSource) -> Result<(), ficha_client::Error> {
    /// let token = tokens.access_token().await?;
    /// if send(token.secret()) == 401 {
    ///     let new = tokens.replace(&token).await?;
    ///     send(new.secret());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn replace(&self, rejected: &AccessToken) -> Result<AccessToken, Error> {
        self.refresher.token(Some(rejected)).await
    }

    /// Ends the session at the server (RFC 7009), and then deletes the tokens. If the server cannot be reached, the
    /// tokens are kept, so that you can try again; [`forget`](Self::forget) deletes them in any case. Without a session
    /// this succeeds.
    ///
    /// # Errors
    /// - [`Error::StoredForAnother`] if the stored tokens belong to another issuer, client or grant
    /// - [`Error::Setting`] if the server has no revocation endpoint
    /// - other errors of the server, the network or the store
    pub async fn logout(&self) -> Result<(), Error> {
        let refresher = self.refresher.clone();
        run_to_completion(async move { refresher.log_out().await }).await
    }

    /// Deletes the tokens without contacting the server, where the session lasts until it expires.
    ///
    /// # Errors
    /// [`Error::Store`] if the store fails.
    pub async fn forget(&self) -> Result<(), Error> {
        let refresher = self.refresher.clone();
        run_to_completion(async move { refresher.forget().await }).await
    }

    /// Waits until no refresh is in progress. **Call it before your process exits**: a refresh may still continue in
    /// the background after [`access_token`](Self::access_token) has returned, and its result would be lost. This takes
    /// as long as the refresh: about half a minute if the server has stopped responding.
    pub async fn settled(&self) {
        self.refresher.settled().await;
    }

    /// Returns a middleware for `reqwest` that sends an access token to these origins, such as
    /// `https://api.example.com`, and to no others.
    ///
    /// # Errors
    /// [`BadOrigin`] if a text is not an origin, or if an origin has neither TLS nor a loopback address and
    /// [`allow_plain_http`](TokenSourceBuilder::allow_plain_http) was not called.
    #[cfg(feature = "middleware")]
    pub fn middleware<'a>(&self, origins: impl IntoIterator<Item = &'a str>) -> Result<BearerMiddleware, BadOrigin> {
        BearerMiddleware::new(self.clone(), origins, self.refresher.allowed)
    }
}

impl std::fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenSource").field("issuer", &self.refresher.issuer).finish_non_exhaustive()
    }
}

/// Runs `work` in a task, which continues if the caller stops waiting.
async fn run_to_completion<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    runtime::complete().map_err(Error::no_runtime)?.spawn(work).await.unwrap_or(Err(Error::Interrupted))
}
