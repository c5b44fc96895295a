//! The responses to refused requests (RFC 6750 §3).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use ficha_token::OAuthErrorCode;

use super::error_body::ErrorBody;
use super::header::Malformed;
use crate::challenge::Challenge;
use crate::error::VerifyError;

/// The `Retry-After` of a service that must be started again.
const STOPPED_RETRY: Duration = Duration::from_secs(10);

/// The realm of a challenge (RFC 9110 §11.5). Clones are cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Realm(Arc<str>);

/// Why a request is refused. The messages contain nothing from the token.
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

/// A refused request, and its response.
///
/// The body is `{"error":…,"error_description":…}` unless an [`ErrorBody`] replaces it. For a request without a token
/// the challenge has no error code (RFC 6750 §3.1). Its body says `invalid_request`: of the three registered codes, the
/// only one that does not make a client discard its token.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{refusal}")]
pub struct BearerError {
    refusal: Refusal,
    realm: Realm,
    body: Option<ErrorBody>,
}

/// The parts of a response.
struct Answer {
    status: StatusCode,
    code: OAuthErrorCode,
    challenge: Option<Challenge>,
    retry_after: Option<Duration>,
}

impl BearerError {
    /// Creates an error, for a guard of your own. The realm appears in the challenge.
    pub fn new(realm: impl Into<Realm>, refusal: impl Into<Refusal>) -> Self {
        Self { refusal: refusal.into(), realm: realm.into(), body: None }
    }

    /// Why the request is refused.
    pub fn refusal(&self) -> &Refusal {
        &self.refusal
    }

    /// The status of the response.
    pub fn status(&self) -> StatusCode {
        self.answer().status
    }

    /// The `error` in the default body.
    pub fn code(&self) -> OAuthErrorCode {
        self.answer().code
    }

    /// True if the token can't be checked now, and trying again later may succeed (503). It says nothing about the
    /// token.
    pub fn is_temporary(&self) -> bool {
        self.answer().retry_after.is_some()
    }

    /// Uses this body, unless it has one already.
    pub(super) fn or_body(mut self, body: Option<&ErrorBody>) -> Self {
        if self.body.is_none() {
            self.body = body.cloned();
        }
        self
    }

    /// The one place where a refusal becomes a response.
    fn answer(&self) -> Answer {
        match &self.refusal {
            Refusal::Missing => Answer {
                status: StatusCode::UNAUTHORIZED,
                code: OAuthErrorCode::InvalidRequest,
                challenge: Some(Challenge::new(self.realm.as_str())),
                retry_after: None,
            },
            Refusal::Malformed(_) => self.challenged(StatusCode::BAD_REQUEST, OAuthErrorCode::InvalidRequest, ""),
            Refusal::Token(VerifyError::Invalid(_) | VerifyError::Denied) => {
                self.challenged(StatusCode::UNAUTHORIZED, OAuthErrorCode::InvalidToken, "")
            }
            Refusal::CustomClaims | Refusal::MissingRole { .. } => {
                self.challenged(StatusCode::FORBIDDEN, OAuthErrorCode::InsufficientScope, "")
            }
            // No challenge and no 401: a client would discard a valid token.
            Refusal::Token(VerifyError::Stale { retry_after } | VerifyError::KeysUnavailable { retry_after }) => {
                Answer {
                    status: StatusCode::SERVICE_UNAVAILABLE,
                    code: OAuthErrorCode::TemporarilyUnavailable,
                    challenge: None,
                    retry_after: Some(*retry_after),
                }
            }
            // Another instance of the service may answer.
            Refusal::Token(VerifyError::Stopped) => Answer {
                status: StatusCode::SERVICE_UNAVAILABLE,
                code: OAuthErrorCode::TemporarilyUnavailable,
                challenge: None,
                retry_after: Some(STOPPED_RETRY),
            },
            Refusal::InsufficientScope { required } => {
                self.challenged(StatusCode::FORBIDDEN, OAuthErrorCode::InsufficientScope, required)
            }
            Refusal::NotConfigured => Answer {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                code: OAuthErrorCode::ServerError,
                challenge: None,
                retry_after: None,
            },
        }
    }

    fn challenged(&self, status: StatusCode, code: OAuthErrorCode, scope: &str) -> Answer {
        let challenge = Challenge::new(self.realm.as_str()).error(code.as_str()).description(&self.to_string());
        // RFC 6750 §3: `scope` contains at least one scope token.
        let challenge = if scope.is_empty() { challenge } else { challenge.scope(scope) };
        Answer { status, code, challenge: Some(challenge), retry_after: None }
    }
}

impl Answer {
    /// The headers that this response sets, or removes if there is no value.
    fn headers(&self) -> [(HeaderName, Option<HeaderValue>); 3] {
        let challenge = self.challenge.as_ref().and_then(|challenge| challenge.to_string().try_into().ok());
        // Whole seconds, rounded up, and at least one.
        let seconds = |after: Duration| after.as_secs() + u64::from(after.subsec_nanos() > 0);
        let retry_after = self.retry_after.map(|after| HeaderValue::from(seconds(after).max(1)));
        [
            (CACHE_CONTROL, Some(HeaderValue::from_static("no-store"))),
            (WWW_AUTHENTICATE, challenge),
            (RETRY_AFTER, retry_after),
        ]
    }

    /// Sets these headers, and removes any other values of them.
    fn write_headers(&self, headers: &mut HeaderMap) {
        for (name, value) in self.headers() {
            match value {
                Some(value) => drop(headers.insert(name, value)),
                None => drop(headers.remove(name)),
            }
        }
    }
}

impl ResponseError for BearerError {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    fn error_response(&self) -> HttpResponse {
        let answer = self.answer();
        let mut builder = HttpResponse::build(answer.status);
        for header in answer.headers() {
            if let (name, Some(value)) = header {
                builder.insert_header((name, value));
            }
        }
        let Some(body) = &self.body else {
            return builder.json(ficha_token::ErrorBody::described(answer.code, &self.to_string()));
        };
        let mut response = body.write(self, builder);
        *response.status_mut() = answer.status;
        answer.write_headers(response.headers_mut());
        response
    }
}

impl Realm {
    /// The realm as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Realm {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Realm {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Realm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
