//! The errors of a token source.

use std::time::Duration;

use crate::store::StoreError;
use crate::tokens::Grant;

/// Why there is no token, or why a login or logout failed. No variant contains a secret.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no session: ask for user name and password, and call [`login`](crate::TokenSource::login).
    #[error("not logged in")]
    NotLoggedIn,
    /// The session is over: it expired, was revoked, or someone else used its refresh token. Log in again.
    #[error("the session is over")]
    SessionOver,
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
    /// The server could not be reached, its response was lost, or it failed (5xx). The text says which.
    #[error("the server did not answer: {0}")]
    Network(String),
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
    #[error(
        "the stored tokens belong to client {client_id} at {issuer} (grant {grant}): log in, or choose another store"
    )]
    #[non_exhaustive]
    StoredForAnother {
        /// The issuer of the stored tokens.
        issuer: String,
        /// The client that they were issued to.
        client_id: String,
        /// The grant that they were obtained with.
        grant: Grant,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The task that talked to the server was stopped, because its runtime is shutting down. In another runtime the
    /// same call can succeed.
    #[error("the runtime is shutting down")]
    Interrupted,
}

impl Error {
    /// True if a new login is needed.
    pub fn needs_login(&self) -> bool {
        matches!(self, Self::NotLoggedIn | Self::SessionOver | Self::StoredForAnother { .. })
    }

    /// True if the same call may succeed later without further action.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Busy { .. } | Self::Network(_) | Self::Interrupted | Self::Store(StoreError::Locked { .. })
        )
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
}

fn after(retry_after: &Option<Duration>) -> String {
    retry_after.map(|after| format!(": try again in {} s", after.as_secs())).unwrap_or_default()
}
