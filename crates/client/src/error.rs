//! What can go wrong.

use std::time::Duration;

use crate::store::StoreError;
use crate::tokens::Grant;

/// Why there is no token. No variant holds a secret.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nobody is logged in: ask for user name and password, and call [`login`](crate::TokenSource::login).
    #[error("nobody is logged in")]
    NotLoggedIn,
    /// The session is over: it expired, was revoked, or someone else used its refresh token. Log in again.
    #[error("the session is over")]
    SessionOver,
    /// User name or password is wrong, or the user may not log in. The server does not say which.
    #[error("the user name or the password is wrong")]
    WrongPassword,
    /// The client id or secret is wrong, or the client may not use this grant (RFC 6749 §5.2, `invalid_client` and
    /// `unauthorized_client`).
    #[error("the server refuses this client: {0}")]
    ClientRefused(String),
    /// The scope is unknown, or more than client and user may have (RFC 6749 §5.2, `invalid_scope`).
    #[error("the server refuses the scope: {0}")]
    InvalidScope(String),
    /// The server can't answer now (503 or 429).
    #[error("the server is busy{}", after(.retry_after))]
    #[non_exhaustive]
    Busy {
        /// How long it asks to be left alone (`Retry-After`), if it says so.
        retry_after: Option<Duration>,
    },
    /// The server was not reached, its answer was lost, or it failed (5xx). The text says which.
    #[error("the server did not answer: {0}")]
    Network(String),
    /// Another refusal (RFC 6749 §5.2).
    #[error("the server refuses: {0}")]
    Refused(String),
    /// An answer that an authorization server must not give.
    #[error("the server's answer can't be used: {0}")]
    BadAnswer(String),
    /// The issuer's metadata (RFC 8414) can't be used, most often because the issuer in it is another one.
    #[error("the server's metadata can't be used: {0}")]
    Metadata(String),
    /// An address without TLS, to another machine: passwords and tokens would travel in clear.
    #[error("{0} has no TLS, and is not on this machine: passwords and tokens would travel in clear")]
    PlainHttp(String),
    /// A setting that can't be used.
    #[error("{0}")]
    Setting(String),
    /// The store holds the tokens of another issuer or client, or of another grant: a user's tokens are not taken for
    /// the app's own, nor these for a user's. They are not sent.
    #[error(
        "the stored tokens are those of client {client_id} at {issuer}, by {grant}: log in, or choose another store"
    )]
    #[non_exhaustive]
    StoredForAnother {
        /// Who issued the stored tokens.
        issuer: String,
        /// To whom.
        client_id: String,
        /// By which grant.
        grant: Grant,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The task that talked to the server was stopped: its runtime is shutting down. In another runtime the same call
    /// can succeed.
    #[error("the runtime is shutting down")]
    Interrupted,
}

impl Error {
    /// True if a new login is what helps.
    pub fn needs_login(&self) -> bool {
        matches!(self, Self::NotLoggedIn | Self::SessionOver | Self::StoredForAnother { .. })
    }

    /// True if the same call may succeed later, without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Busy { .. } | Self::Network(_) | Self::Interrupted | Self::Store(StoreError::Locked { .. })
        )
    }

    /// True if it says nothing about the session: a captive portal's page is no reason to stop an app whose token is
    /// good.
    pub(crate) fn may_pass(&self) -> bool {
        self.is_transient() || matches!(self, Self::BadAnswer(_) | Self::Metadata(_) | Self::Refused(_))
    }

    /// True if the server was asked, so that it should not be asked again at once.
    pub(crate) fn is_of_the_server(&self) -> bool {
        !matches!(
            self,
            Self::NotLoggedIn | Self::SessionOver | Self::StoredForAnother { .. } | Self::Store(_) | Self::Interrupted
        )
    }
}

fn after(retry_after: &Option<Duration>) -> String {
    retry_after.map(|after| format!(": try again in {} s", after.as_secs())).unwrap_or_default()
}
