//! Why a token is refused.

use std::time::Duration;

use ficha_token::TokenError;

/// Why a token is refused, or why it can't be checked now. The messages contain nothing from the token.
///
/// ```
/// use ficha_resource::{TestIssuer, TokenError, VerifyError};
///
/// let issuer = TestIssuer::new();
/// let for_another = issuer.token().audience("another").sign();
/// match issuer.oauth2().verify_now(&for_another) {
///     Err(VerifyError::Invalid(error)) => assert_eq!(error, TokenError::WrongAudience),
///     other => panic!("{other:?}"),
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The token is malformed, has expired, or is not meant for this service: 401.
    #[error("{0}")]
    Invalid(#[from] TokenError),
    /// The token, its session or its key has been revoked: 401.
    #[error("the token has been revoked")]
    Denied,
    /// The denylist is too old to say whether the token has been revoked, or the clock was set and it is not known yet
    /// which time is right: 503, because a 401 would log users out.
    #[error("the token's revocation status can't be checked at the moment; try again later")]
    Stale {
        /// How long to wait before trying again.
        retry_after: Duration,
    },
    /// The key of the token can't be looked up now: 503.
    #[error("the signing keys are not available at the moment; try again later")]
    KeysUnavailable {
        /// How long to wait before trying again.
        retry_after: Duration,
    },
    /// The token can't be checked, and will not be: the tokio runtime in which `build()` was called has ended, and with
    /// it the task that reads keys and denylist. 503, because that says nothing about the token.
    #[error("tokens can't be checked any more: the runtime in which build() was called has ended")]
    Stopped,
}
