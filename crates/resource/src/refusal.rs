//! The one place where a refusal becomes a response (RFC 6750 §3), whatever the web framework.

use std::time::Duration;

use ficha_token::{ErrorBody, OAuthErrorCode};

use crate::authorization::Malformed;
use crate::challenge::Challenge;
use crate::error::VerifyError;

/// The `Retry-After` of a service that must be started again.
const STOPPED_RETRY: Duration = Duration::from_secs(10);

/// Why a request is refused. The messages contain nothing from the token.
///
/// ```
/// use ficha_resource::{Refusal, VerifyError};
///
/// let status = |refusal: Refusal| refusal.response("notes").status();
/// assert_eq!(status(Refusal::Missing), 401);
/// assert_eq!(status(VerifyError::Denied.into()), 401);
/// assert_eq!(status(Refusal::InsufficientScope { required: "notes:write".to_owned() }), 403);
/// assert_eq!(status(VerifyError::Stopped.into()), 503);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It has no token: 401, and a challenge without an error code.
    #[error("the request has no bearer token")]
    Missing,
    /// Its `Authorization` header is malformed, or it has two tokens: 400 `invalid_request`.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// Its token is refused: 401 `invalid_token`, or 503 if it can't be checked now.
    #[error("{0}")]
    Token(#[from] VerifyError),
    /// Its token is valid, but its claims do not have the type that the handler requires: 403 `insufficient_scope`. Not
    /// `invalid_token`: a client would log in again, and get the same claims.
    #[error("the token's claims are not those that this needs")]
    CustomClaims,
    /// Its token is valid, but lacks the required role: 403 `insufficient_scope`, which RFC 6750 §3.1 has for whatever
    /// requires more than the token grants.
    #[error("the token does not have the required role")]
    MissingRole {
        /// The role that is required, or the first of those of which one is enough.
        required: String,
    },
    /// Its token is valid, but lacks the required scope: 403 `insufficient_scope`.
    #[error("the token does not have the required scope")]
    InsufficientScope {
        /// The scope that is required: scope tokens, separated by spaces.
        required: String,
    },
    /// The application's data contains nothing to check tokens with, or several values that trust different issuers:
    /// 500. The log says which.
    #[error("this service is not configured to check tokens; its log says why")]
    NotConfigured,
}

/// The response to a refused request: status, headers and body. [`Refusal::response`] makes it.
///
/// ```
/// use ficha_resource::{Refusal, VerifyError};
///
/// let response = Refusal::from(VerifyError::Denied).response("notes");
/// assert_eq!(response.status(), 401);
/// let headers: Vec<_> = response.headers().collect();
/// assert_eq!(
///     headers[1],
///     (
///         "www-authenticate",
///         r#"Bearer realm="notes", error="invalid_token", error_description="the token has been revoked""#.to_owned()
///     )
/// );
/// assert_eq!(response.body(), r#"{"error":"invalid_token","error_description":"the token has been revoked"}"#);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorResponse {
    status: u16,
    code: OAuthErrorCode,
    challenge: Option<Challenge>,
    retry_after: Option<Duration>,
    description: String,
}

impl Refusal {
    /// The response. The realm appears in the challenge (RFC 9110 §11.5).
    pub fn response(&self, realm: &str) -> ErrorResponse {
        use OAuthErrorCode::{InsufficientScope, InvalidRequest, InvalidToken, ServerError, TemporarilyUnavailable};
        match self {
            // The challenge of a request without a token has no error code (RFC 6750 §3.1). The body's is the only
            // registered one that does not make a client discard its token.
            Self::Missing => {
                ErrorResponse { challenge: Some(Challenge::new(realm)), ..self.unchallenged(401, InvalidRequest) }
            }
            Self::Malformed(_) => self.challenged(400, InvalidRequest, realm, ""),
            Self::Token(VerifyError::Invalid(_) | VerifyError::Denied) => self.challenged(401, InvalidToken, realm, ""),
            Self::CustomClaims | Self::MissingRole { .. } => self.challenged(403, InsufficientScope, realm, ""),
            // No challenge and no 401: a client would discard a valid token.
            Self::Token(VerifyError::Stale { retry_after } | VerifyError::KeysUnavailable { retry_after }) => {
                ErrorResponse { retry_after: Some(*retry_after), ..self.unchallenged(503, TemporarilyUnavailable) }
            }
            // Another instance of the service may answer.
            Self::Token(VerifyError::Stopped) => {
                ErrorResponse { retry_after: Some(STOPPED_RETRY), ..self.unchallenged(503, TemporarilyUnavailable) }
            }
            Self::InsufficientScope { required } => self.challenged(403, InsufficientScope, realm, required),
            Self::NotConfigured => self.unchallenged(500, ServerError),
        }
    }

    fn unchallenged(&self, status: u16, code: OAuthErrorCode) -> ErrorResponse {
        ErrorResponse { status, code, challenge: None, retry_after: None, description: self.to_string() }
    }

    fn challenged(&self, status: u16, code: OAuthErrorCode, realm: &str, scope: &str) -> ErrorResponse {
        let challenge = Challenge::new(realm).error(code.as_str()).description(&self.to_string());
        // RFC 6750 §3: `scope` contains at least one scope token.
        let challenge = if scope.is_empty() { challenge } else { challenge.scope(scope) };
        ErrorResponse { challenge: Some(challenge), ..self.unchallenged(status, code) }
    }
}

impl ErrorResponse {
    /// The same, whose challenge, if it has one, says where the metadata of this resource is (RFC 9728 §5.1).
    pub fn with_resource_metadata(mut self, url: &str) -> Self {
        self.challenge = self.challenge.map(|challenge| challenge.resource_metadata(url));
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The `error` in the body.
    pub fn code(&self) -> OAuthErrorCode {
        self.code
    }

    /// The `error_description` in the body. It contains nothing from the token.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// True if the token can't be checked now, and trying again later may succeed (503). It says nothing about the
    /// token.
    pub fn is_temporary(&self) -> bool {
        self.retry_after.is_some()
    }

    /// The headers, names in lower case: `cache-control`, then `www-authenticate` or `retry-after` where the response has
    /// them, then `content-type`.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, String)> {
        let own = self.own_headers().into_iter().filter_map(|(name, value)| Some((name, value?)));
        own.chain([("content-type", "application/json".to_owned())])
    }

    /// The body: JSON with `error` and `error_description` (RFC 6749 §5.2).
    pub fn body(&self) -> String {
        // Text and a code are always JSON.
        serde_json::to_string(&ErrorBody::described(self.code, &self.description)).unwrap_or_default()
    }

    /// The headers that do not depend on the body. One without a value must not be sent.
    pub(crate) fn own_headers(&self) -> Vec<(&'static str, Option<String>)> {
        // Whole seconds, rounded up, and at least one.
        let seconds = |after: Duration| after.as_secs() + u64::from(after.subsec_nanos() > 0);
        let retry_after = self.retry_after.map(|after| seconds(after).max(1).to_string());
        vec![
            ("cache-control", Some("no-store".to_owned())),
            ("www-authenticate", self.challenge.as_ref().map(Challenge::to_string)),
            ("retry-after", retry_after),
        ]
    }
}
