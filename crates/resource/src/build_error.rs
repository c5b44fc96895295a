//! Why building fails.

use ficha_token::KeyError;

/// Why [`BearerBuilder::build`](crate::BearerBuilder::build) fails: a mistake that waiting does not fix. A server that can't be
/// reached is not such an error.
///
/// ```
/// use ficha_resource::{BuildError, OAuth2PasswordBearer};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// # runtime.block_on(async {
/// let built = OAuth2PasswordBearer::discover("https://auth.example.com").build().await;
/// assert_eq!(built.unwrap_err(), BuildError::NoAudience);
/// # });
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// An address can't be used. It is not repeated here, because it may contain a password.
    #[error("{what} can't be used: {reason}")]
    BadUrl {
        /// Which one.
        what: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// Plain HTTP to another machine: anyone on the network path could replace the keys.
    #[error("{what} is plain HTTP to another machine: use https, or allow_plain_http() on a network that you trust")]
    PlainHttp {
        /// Which one.
        what: &'static str,
    },
    /// No audience is set, so tokens for any other service would be accepted.
    #[error("no audience is set: set this service's audience(), or any_audience() to accept tokens for other services")]
    NoAudience,
    /// An audience is empty. No token has that one.
    #[error("an audience is empty: give this service's name, as in the aud of its tokens")]
    EmptyAudience,
    /// The client id or the secret is empty: most likely a variable that is not set.
    #[error("the credentials are empty: give the id and the secret of a client that serves this audience")]
    EmptyCredentials,
    /// The leeway is above 60 s, or has a fraction of a second. Denylist entries are not kept long enough for more.
    #[error("the leeway must be at most 60 seconds, and whole seconds")]
    Leeway,
    /// The lease is below 5 s or above 1 h.
    #[error("the lease must be between 5 seconds and 1 hour")]
    Lease,
    /// The outage limit of the keys is below 1 min.
    #[error("the keys' outage limit must be at least 1 minute")]
    KeysOutageLimit,
    /// No algorithm is accepted, so no token could be valid.
    #[error("the list of accepted signature algorithms is empty")]
    NoAlgorithm,
    /// The algorithms do not fit the keys, so no token could be valid.
    #[error("the algorithms do not fit the keys: {reason}")]
    Algorithms {
        /// Why.
        reason: &'static str,
    },
    /// A scope is not a valid scope token (RFC 6749 §3.3).
    #[error("{0:?} is not a scope token (RFC 6749 section 3.3)")]
    BadScope(String),
    /// One of the given keys can't be used.
    #[error("key {position} (counted from 0) of the given keys can't be used: {error}")]
    BadKey {
        /// Its position in the set, from 0.
        position: usize,
        /// What is wrong with it.
        error: KeyError,
    },
    /// Neither keys nor the address of a key set are known.
    #[error("there is no source of keys: set jwks_url(), keys() or shared_secret()")]
    NoKeys,
    /// The address of the denylist is not known, so revoked tokens would be accepted until they expire.
    #[error(
        "the URL of the denylist is not known: set denylist_url(), or no_denylist() to accept revoked tokens until \
         they expire"
    )]
    NoDenylist,
    /// The metadata belongs to another issuer (RFC 8414 §3.3).
    #[error("the metadata is that of the issuer {found:?}, not of {expected:?}: use the exact text of iss")]
    WrongIssuer {
        /// The issuer that the builder was given.
        expected: String,
        /// The issuer that the metadata names.
        found: String,
    },
    /// The server refuses this client: its credentials are missing or wrong (401), or it may not follow the denylist (403).
    #[error("the server does not allow this client to follow the denylist (HTTP {status}): {}", cure(*status))]
    Refused {
        /// The HTTP status, 401 or 403.
        status: u16,
    },
    /// A given root certificate is not PEM, or not a certificate.
    #[error("the root certificate can't be read: give one or more certificates as PEM")]
    BadCertificate,
    /// The HTTP client could not be created.
    #[error("the HTTP client could not be created: {0}")]
    HttpClient(String),
    /// There is no tokio runtime for the background task.
    #[error("there is no tokio runtime: call build() within one")]
    NoRuntime,
    /// The tokio runtime has no timers, or no sockets.
    #[error("the tokio runtime was built without {call}: call it, or enable_all(), on tokio's runtime builder")]
    RuntimeLacks {
        /// The method of tokio's runtime builder that adds what is missing.
        call: &'static str,
    },
}

fn cure(status: u16) -> &'static str {
    match status {
        403 => "it serves no audience: run ficha client set CLIENT --serves AUDIENCE on the server",
        _ => "set credentials() to the id and secret of a client that serves this audience",
    }
}
