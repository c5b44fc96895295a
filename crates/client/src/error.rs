//! The errors of a token source.

use std::sync::Arc;
use std::time::Duration;

use crate::store::StoreError;
use crate::tokens::Grant;

/// Why there is no token, or why a login or logout failed. No variant contains a secret.
///
/// The text is complete: it includes the texts of the causes that
/// [`source()`](std::error::Error::source) leads to.
///
/// ```no_run
/// # async fn example(tokens: ficha_client::TokenSource) {
/// match tokens.access_token().await {
///     Ok(token) => println!("valid until {:?}", token.expires_at()),
///     Err(error) if error.needs_login() => println!("please log in"),
///     Err(error) if error.is_transient() => println!("try again later: {error}"),
///     Err(error) => println!("{error}"),
/// }
/// # }
/// ```
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no session: ask for user name and password, and call [`login`](crate::TokenSource::login).
    #[error("not logged in")]
    NotLoggedIn,
    /// The session is over: it expired, was revoked, or someone else used its refresh token. Log in again.
    #[error("the session is over")]
    SessionOver,
    /// The server refreshes this session no longer, but does not say that it is over (RFC 6749 §5.2,
    /// `unauthorized_client`, `unsupported_grant_type` or `invalid_scope` in response to a refresh): the client has lost
    /// the grant `refresh_token`, or the session's scope is no longer allowed. The tokens are kept. Log in
    /// again: that works, or says what is refused.
    #[error("the server does not refresh this session any more: {0}")]
    RefreshRefused(String),
    /// The user name or password is wrong, or the user may not log in. The server does not say which.
    #[error("wrong user name or password")]
    WrongPassword,
    /// The client id or secret is wrong, or the client may not use this grant (RFC 6749 §5.2, `invalid_client` and
    /// `unauthorized_client`).
    #[error("the server rejected this client: {0}")]
    ClientRefused(String),
    /// The scope is unknown, or exceeds what the client and the user may have (RFC 6749 §5.2, `invalid_scope`).
    #[error("the server rejected the scope: {0}")]
    InvalidScope(String),
    /// The server is overloaded or limits the rate of requests (503 or 429).
    #[error("the server is busy{}", after(.retry_after))]
    #[non_exhaustive]
    Busy {
        /// How long to wait before the next request, if the server says so (`Retry-After`).
        retry_after: Option<Duration>,
    },
    /// The server could not be reached, its response was lost, or it failed (5xx).
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The server rejected the request with another error code (RFC 6749 §5.2).
    #[error("the server rejected the request: {0}")]
    Refused(String),
    /// The response is not one that an authorization server may send.
    #[error("unusable response from the server: {0}")]
    BadAnswer(String),
    /// The issuer's metadata (RFC 8414) cannot be used, most often because it names another issuer.
    #[error("unusable metadata of the server: {0}")]
    Metadata(String),
    /// A URL without TLS that is not a loopback address: passwords and tokens would be sent unencrypted.
    #[error("{0} has no TLS and is not a loopback address: passwords and tokens would be sent unencrypted")]
    PlainHttp(String),
    /// A setting is invalid, or does not allow the operation.
    #[error("{0}")]
    Setting(String),
    /// The store contains tokens of another issuer, client or grant. They are not sent, and a user's tokens are never
    /// used as the app's own, or the other way round.
    #[error("the stored tokens belong to client {client_id} at {issuer} (grant {grant}): {}", remedy(.expected))]
    #[non_exhaustive]
    StoredForAnother {
        /// The issuer of the stored tokens.
        issuer: String,
        /// The client that they were issued to.
        client_id: String,
        /// The grant that they were obtained with.
        grant: Grant,
        /// The grant of the token source that was asked. With [`Grant::Password`], a login replaces the stored tokens.
        expected: Grant,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no tokio runtime where this was called, or one without timers or without I/O. The text says what to do.
    ///
    /// tokio reports missing timers or I/O by a panic. It is caught here, but the program's panic hook prints it first,
    /// and a program that is built with `panic = "abort"` ends.
    #[error("{0}")]
    NoRuntime(String),
    /// The task that talked to the server was stopped, because its runtime is shutting down. In another runtime the
    /// same call can succeed.
    #[error("the runtime is shutting down")]
    Interrupted,
}

impl Error {
    /// True if the app should ask for the password (again) and call [`login`](crate::TokenSource::login): there is no
    /// session, it can no longer be used, or the password was wrong.
    ///
    /// | Error | `needs_login` | `is_transient` |
    /// |---|---|---|
    /// | [`NotLoggedIn`](Self::NotLoggedIn), [`SessionOver`](Self::SessionOver), [`RefreshRefused`](Self::RefreshRefused) | yes | |
    /// | [`WrongPassword`](Self::WrongPassword), which only `login` returns | yes | |
    /// | [`StoredForAnother`](Self::StoredForAnother) | if `expected` is [`Grant::Password`]; an app without users cannot log in | |
    /// | [`Busy`](Self::Busy), [`Network`](Self::Network), [`Interrupted`](Self::Interrupted), [`Store`](Self::Store) with [`StoreError::Locked`] | | yes |
    /// | all others: a login would fail in the same way | | |
    pub fn needs_login(&self) -> bool {
        match self {
            Self::NotLoggedIn | Self::SessionOver | Self::RefreshRefused(_) | Self::WrongPassword => true,
            Self::StoredForAnother { expected, .. } => *expected == Grant::Password,
            _ => false,
        }
    }

    /// True if the same call may succeed later without further action. See the table at
    /// [`needs_login`](Self::needs_login).
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Busy { .. } | Self::Network(_) | Self::Interrupted | Self::Store(StoreError::Locked { .. })
        )
    }

    /// True if an attempt exceeded its [time limit](crate::TokenSourceBuilder::time_limit), or the 5 seconds for a connection.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Network(error) if error.is_timeout())
    }

    /// True if there was no connection to the server: its name is unknown, nothing listens there, its certificate is not
    /// trusted, and so on. The server has not got the request.
    pub fn is_connect(&self) -> bool {
        matches!(self, Self::Network(error) if error.is_connect())
    }

    /// True if it says nothing about the session, so a token that has not expired can still be used: a captive portal's
    /// page should not stop the app.
    pub(crate) fn is_inconclusive(&self) -> bool {
        self.is_transient() || matches!(self, Self::BadAnswer(_) | Self::Metadata(_) | Self::Refused(_))
    }

    /// True if the request to the server failed, so that it should not be repeated at once.
    pub(crate) fn needs_back_off(&self) -> bool {
        !matches!(
            self,
            Self::NotLoggedIn | Self::SessionOver | Self::StoredForAnother { .. } | Self::Store(_) | Self::Interrupted
        )
    }

    pub(crate) fn no_runtime(why: &'static str) -> Self {
        Self::NoRuntime(why.into())
    }
}

/// Why a request got no answer. Its [`source()`](std::error::Error::source) is the `reqwest::Error`, of the version that
/// this library uses, unless the server itself failed.
///
/// ```
/// use ficha_client::Error;
///
/// /// True if the login can be sent again: the server has not got the password.
/// fn may_log_in_again(error: &Error) -> bool {
///     matches!(error, Error::Network(why) if why.is_connect())
/// }
/// assert!(!may_log_in_again(&Error::WrongPassword));
/// ```
#[derive(Debug, Clone)]
pub struct NetworkError {
    what: String,
    cause: Option<Arc<reqwest::Error>>,
}

impl NetworkError {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), cause: None }
    }

    /// True if the attempt exceeded its time limit.
    pub fn is_timeout(&self) -> bool {
        self.cause.as_ref().is_some_and(|cause| cause.is_timeout())
    }

    /// True if there was no connection, so that the server has not got the request.
    pub fn is_connect(&self) -> bool {
        self.cause.as_ref().is_some_and(|cause| cause.is_connect())
    }
}

/// reqwest's own message omits the causes, so they are appended. None of them contains a body or a header.
impl From<reqwest::Error> for NetworkError {
    fn from(error: reqwest::Error) -> Self {
        let mut what = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            what.push_str(": ");
            what.push_str(&cause.to_string());
            source = cause.source();
        }
        Self { what, cause: Some(error.into()) }
    }
}

impl std::fmt::Display for NetworkError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the server did not answer: {}", self.what)
    }
}

impl std::error::Error for NetworkError {
    // Not derived: the source would be the `Arc`, which cannot be downcast to the error in it.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

fn remedy(expected: &Grant) -> &'static str {
    match expected {
        Grant::Password => "log in, or choose another store",
        Grant::ClientCredentials => "choose another store",
    }
}

fn after(retry_after: &Option<Duration>) -> String {
    retry_after.map(|after| format!(": try again in {} s", after.as_secs())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a login is needed, and whether the same call may succeed later. Without `_`: every new error belongs here.
    fn expected(error: &Error) -> (bool, bool) {
        match error {
            Error::NotLoggedIn | Error::SessionOver | Error::RefreshRefused(_) | Error::WrongPassword => (true, false),
            // The app's own tokens are obtained without a login, which would be refused.
            Error::StoredForAnother { expected: Grant::ClientCredentials, .. } => (false, false),
            Error::StoredForAnother { expected: Grant::Password, .. } => (true, false),
            Error::Busy { .. } | Error::Network(_) | Error::Interrupted => (false, true),
            Error::Store(StoreError::Locked { .. }) => (false, true),
            // A login reads and writes the store as well, and would fail in the same way.
            Error::Store(
                StoreError::File { .. }
                | StoreError::TooOpen { .. }
                | StoreError::InvalidFile { .. }
                | StoreError::Other(_),
            ) => (false, false),
            // A login is refused for the same reason.
            Error::ClientRefused(_) | Error::InvalidScope(_) | Error::Refused(_) => (false, false),
            Error::BadAnswer(_) | Error::Metadata(_) | Error::PlainHttp(_) | Error::Setting(_) => (false, false),
            Error::NoRuntime(_) => (false, false),
        }
    }

    fn every_error() -> Vec<Error> {
        let text = String::new;
        let another =
            |expected| Error::StoredForAnother { issuer: text(), client_id: text(), grant: Grant::Password, expected };
        let path = std::path::PathBuf::new;
        let not_found = std::io::Error::from(std::io::ErrorKind::NotFound);
        let stores = [
            StoreError::File { path: path(), source: not_found.into() },
            StoreError::TooOpen { path: path(), mode: 0o644 },
            StoreError::InvalidFile { path: path() },
            StoreError::locked("it"),
            StoreError::other("full"),
        ];
        let others = [
            Error::NotLoggedIn,
            Error::SessionOver,
            Error::RefreshRefused(text()),
            Error::WrongPassword,
            Error::ClientRefused(text()),
            Error::InvalidScope(text()),
            Error::Busy { retry_after: None },
            NetworkError::new("").into(),
            Error::Refused(text()),
            Error::BadAnswer(text()),
            Error::Metadata(text()),
            Error::PlainHttp(text()),
            Error::Setting(text()),
            another(Grant::Password),
            another(Grant::ClientCredentials),
            Error::NoRuntime(text()),
            Error::Interrupted,
        ];
        others.into_iter().chain(stores.map(Error::Store)).collect()
    }

    #[test]
    fn each_error_says_whether_to_log_in_or_to_try_later() {
        for error in every_error() {
            assert_eq!((error.needs_login(), error.is_transient()), expected(&error), "{error:?}");
        }
    }

    #[test]
    fn only_an_app_with_users_is_told_to_log_in() {
        for error in every_error() {
            let says_so = error.to_string().contains("log in,");
            assert_eq!(says_so, matches!(error, Error::StoredForAnother { expected: Grant::Password, .. }), "{error}");
        }
    }
}
