//! Where an app takes its tokens from.

use std::future::Future;
use std::sync::Arc;

use crate::builder::Builder;
use crate::error::Error;
use crate::middleware::{BadOrigin, BearerMiddleware};
use crate::single_flight::Renewal;
use crate::tokens::{AccessToken, Tokens};

/// Obtains tokens, keeps them, and refreshes them before they expire. Clones share one session.
///
/// Needs a tokio runtime. What has been begun comes to its end in a task of its own: a caller that stops waiting loses
/// no token.
#[derive(Clone)]
pub struct TokenSource {
    renewal: Arc<Renewal>,
}

impl TokenSource {
    /// Tokens of `issuer` for the client `client_id`. The issuer is an address, exactly as the server names itself
    /// (RFC 8414 §3.3: `https://auth.example.com` and `https://auth.example.com/` are two issuers).
    pub fn builder(issuer: &str, client_id: &str) -> Builder {
        Builder::new(issuer, client_id)
    }

    pub(crate) fn new(renewal: Renewal) -> Self {
        Self { renewal: Arc::new(renewal) }
    }

    /// Logs a user in by the password grant (RFC 6749 §4.3), in place of whoever was logged in, and stores the tokens.
    /// The password is not kept.
    ///
    /// The session that was there is ended at the server, if the server can be reached. So is the new one if it can't be
    /// stored.
    ///
    /// The password is sent once: after [`Error::Network`] there may be a session at the server that nobody knows.
    ///
    /// # Errors
    /// [`Error::WrongPassword`]; [`Error::Busy`] if too many log in at once; [`Error::InvalidScope`],
    /// [`Error::ClientRefused`]; [`Error::Setting`] if the app acts for itself; and those of network and store. The
    /// session that was there stays.
    pub async fn login(&self, username: &str, password: &str) -> Result<Tokens, Error> {
        let renewal = self.renewal.clone();
        let (username, password) = (username.to_owned(), zeroize::Zeroizing::new(password.to_owned()));
        to_its_end(async move { renewal.log_in(&username, &password).await }).await
    }

    /// An access token that is good for at least 30 seconds more, or the last fifth of its life if that is shorter. If
    /// it has to be refreshed, all who ask at once wait for one request.
    ///
    /// While the server does not answer, a token that has not expired is handed out all the same, after 1.5 seconds at
    /// most; the refresh goes on by itself. A server that failed is left alone for as long as it asks (`Retry-After`), or
    /// else for 1 to 30 seconds, and its error is answered meanwhile.
    ///
    /// # Errors
    /// [`Error::NotLoggedIn`] and [`Error::SessionOver`] ask for a [`login`](Self::login)
    /// ([`Error::needs_login`]). [`Error::is_transient`] says whether it may work later by itself.
    pub async fn access_token(&self) -> Result<AccessToken, Error> {
        self.renewal.token(None).await
    }

    /// Another access token in place of one that a service `rejected` with 401. If another caller or process has
    /// replaced it already, that one is taken; within ten seconds of such an attempt the token stays, since it is not
    /// what the service minds.
    ///
    /// Without a refresh token this is [`Error::SessionOver`], once: if a service refuses the token of the next login as
    /// well, that token stays until it expires, and nobody is asked for password after password.
    ///
    /// # Errors
    /// As [`access_token`](Self::access_token).
    pub async fn replace(&self, rejected: &AccessToken) -> Result<AccessToken, Error> {
        self.renewal.token(Some(rejected)).await
    }

    /// Ends the session at the server (RFC 7009), and forgets the tokens *once the server has said yes*. If it was not
    /// reached, they are kept, and logging out can be tried again; [`forget`](Self::forget) drops them regardless.
    /// Nobody being logged in is no error.
    ///
    /// # Errors
    /// [`Error::Network`], [`Error::Busy`], [`Error::Store`]; [`Error::Setting`] if the server can't revoke.
    pub async fn logout(&self) -> Result<(), Error> {
        let renewal = self.renewal.clone();
        to_its_end(async move { renewal.log_out().await }).await
    }

    /// Forgets the tokens and tells nobody: at the server the session goes on until it expires.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn forget(&self) -> Result<(), Error> {
        let renewal = self.renewal.clone();
        to_its_end(async move { renewal.forget().await }).await
    }

    /// Waits until no refresh is under way. **Call it before your process ends**: a refresh that went on by itself after
    /// [`access_token`](Self::access_token) handed out the old token would be cut off, and its answer lost. It takes as
    /// long as the refresh: about half a minute if the server has fallen silent.
    pub async fn settled(&self) {
        self.renewal.settled().await;
    }

    /// A middleware for `reqwest` that sends an access token to these origins (`https://api.example.com`), and to no
    /// others.
    ///
    /// # Errors
    /// [`BadOrigin`] names the one that is none, or that has no TLS and is not on this machine, unless the builder was
    /// told [`allow_plain_http`](Builder::allow_plain_http).
    pub fn middleware<'a>(&self, origins: impl IntoIterator<Item = &'a str>) -> Result<BearerMiddleware, BadOrigin> {
        BearerMiddleware::new(self.clone(), origins, self.renewal.allowed)
    }
}

impl std::fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenSource").field("issuer", &self.renewal.issuer).finish_non_exhaustive()
    }
}

/// Dropping what waits for a task leaves the task.
async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    tokio::spawn(work).await.unwrap_or(Err(Error::Interrupted))
}
