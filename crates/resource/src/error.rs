//! Why a token is not accepted.

use std::time::Duration;

use ficha_token::TokenError;

/// Why a token is not accepted, or why nobody can say. No text in here holds anything of the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// It is no token of ours, is not for us, or has expired: 401.
    #[error("{0}")]
    Invalid(#[from] TokenError),
    /// It, its session or its key has been revoked: 401.
    #[error("the token has been revoked")]
    Denied,
    /// The denylist is too old to say that it has not been revoked: 503, for a 401 would log everybody out.
    #[error("it is not known for now what has been revoked")]
    Stale {
        /// When to ask again.
        retry_after: Duration,
    },
    /// Its key can't be looked up now: 503.
    #[error("the signing keys are not available for now")]
    KeysUnavailable {
        /// When to ask again.
        retry_after: Duration,
    },
}
