//! Why a bearer can't be built.

use ficha_token::KeyError;

/// Why a [`Builder`](crate::Builder) refuses: something that waiting won't mend. A server that can't be reached is none
/// of these.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// An address can't be used. It is not repeated here, for it may hold a password.
    #[error("{what} can't be used: {reason}")]
    BadUrl {
        /// Which one.
        what: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// Plain HTTP to another machine: whoever sits in between could hand out keys of their own.
    #[error("{what} is plain HTTP to another machine; use https, or allow_plain_http() if nobody can sit in between")]
    PlainHttp {
        /// Which one.
        what: &'static str,
    },
    /// No audience: a token for any other service would do here.
    #[error(
        "no audience is set: name this service's with audience(), or say any_audience() if tokens for others will do"
    )]
    NoAudience,
    /// A leeway above 60 s. Denylist entries are kept for that much longer than tokens, and no more.
    #[error("the leeway may be 60 seconds at most")]
    Leeway,
    /// A lease below 5 s or above 1 h.
    #[error("the lease must be between 5 seconds and 1 hour")]
    Lease,
    /// An outage limit below 1 min.
    #[error("the keys' outage limit must be at least 1 minute")]
    KeysOutageLimit,
    /// No algorithm is accepted, so no token would be.
    #[error("no signature algorithm is accepted")]
    NoAlgorithm,
    /// The algorithms do not fit the keys: no token could be good.
    #[error("the algorithms do not fit the keys: {reason}")]
    Algorithms {
        /// Why.
        reason: &'static str,
    },
    /// A scope that is no scope token (RFC 6749 §3.3).
    #[error("{0:?} is not a scope token (RFC 6749 section 3.3)")]
    BadScope(String),
    /// A key that was given can't be used.
    #[error("key {position} of the given set can't be used: {error}")]
    BadKey {
        /// Where in the set it stands, from 0.
        position: usize,
        /// What is wrong with it.
        error: KeyError,
    },
    /// Neither a key set nor an address of one is known.
    #[error("it is not known where the keys are: set jwks_url(), keys() or shared_secret()")]
    NoKeys,
    /// There is no denylist to follow, so revoked tokens would be accepted until they expire.
    #[error("it is not known where the denylist is: set denylist_url(), or no_denylist() if revoked tokens may pass")]
    NoDenylist,
    /// The metadata are another issuer's (RFC 8414 §3.3).
    #[error("the metadata are not of the issuer that was asked for, {expected:?}, but of {found:?}")]
    WrongIssuer {
        /// The issuer that was asked for.
        expected: String,
        /// The one that answered.
        found: String,
    },
    /// A certificate that was given is no PEM, or no certificate.
    #[error("the root certificate can't be read")]
    BadCertificate,
    /// The HTTP client could not be made.
    #[error("the HTTP client could not be made: {0}")]
    HttpClient(String),
    /// There is no tokio runtime to follow the denylist on.
    #[error("there is no tokio runtime here")]
    NoRuntime,
}
