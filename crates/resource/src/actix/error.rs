//! What a refused request is answered (RFC 6750 §3).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use ficha_token::{ErrorBody, OAuthErrorCode};

use super::header::Malformed;
use crate::challenge::Challenge;
use crate::error::VerifyError;

/// What a challenge says is protected (RFC 9110 §11.5). A clone is cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Realm(Arc<str>);

/// Why a request is not let through.
#[derive(Debug, thiserror::Error)]
pub enum BearerError {
    /// It brought no token: 401, and a challenge with no error code.
    #[error("the request has no bearer token")]
    Missing {
        /// For the challenge.
        realm: Realm,
    },
    /// Its header can't be read, or it brought two tokens: 400 `invalid_request`.
    #[error("{reason}")]
    Malformed {
        /// For the challenge.
        realm: Realm,
        /// What is wrong with it.
        reason: Malformed,
    },
    /// Its token was not accepted: 401 `invalid_token`, or 503 if nobody can say now.
    #[error("{reason}")]
    Refused {
        /// For the challenge.
        realm: Realm,
        /// What the verifier said.
        reason: VerifyError,
    },
    /// Its token is good, but not for this: 403 `insufficient_scope`.
    #[error("the token does not have the required scope")]
    InsufficientScope {
        /// For the challenge.
        realm: Realm,
        /// Scope tokens that would be enough, separated by spaces.
        required: String,
    },
    /// The application has no guard among its data: 500. The log says so.
    #[error("the application has no BearerGuard")]
    NotConfigured,
}

/// What an answer is made of.
struct Answer {
    status: StatusCode,
    code: Option<OAuthErrorCode>,
    challenge: Option<Challenge>,
    retry_after: Option<Duration>,
}

impl BearerError {
    /// The one place where an error becomes an answer.
    fn answer(&self) -> Answer {
        match self {
            // RFC 6750 §3.1: no error code for a request that brought no token.
            Self::Missing { realm } => Answer {
                status: StatusCode::UNAUTHORIZED,
                code: None,
                challenge: Some(Challenge::new(realm.as_str())),
                retry_after: None,
            },
            Self::Malformed { realm, .. } => {
                self.challenged(StatusCode::BAD_REQUEST, OAuthErrorCode::InvalidRequest, realm, "")
            }
            Self::Refused { realm, reason: VerifyError::Invalid(_) | VerifyError::Denied } => {
                self.challenged(StatusCode::UNAUTHORIZED, OAuthErrorCode::InvalidToken, realm, "")
            }
            // No challenge and no 401: a client would throw a good token away.
            Self::Refused {
                reason: VerifyError::Stale { retry_after } | VerifyError::KeysUnavailable { retry_after },
                ..
            } => Answer {
                status: StatusCode::SERVICE_UNAVAILABLE,
                code: Some(OAuthErrorCode::TemporarilyUnavailable),
                challenge: None,
                retry_after: Some(*retry_after),
            },
            Self::InsufficientScope { realm, required } => {
                self.challenged(StatusCode::FORBIDDEN, OAuthErrorCode::InsufficientScope, realm, required)
            }
            Self::NotConfigured => Answer {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                code: Some(OAuthErrorCode::ServerError),
                challenge: None,
                retry_after: None,
            },
        }
    }

    fn challenged(&self, status: StatusCode, code: OAuthErrorCode, realm: &Realm, scope: &str) -> Answer {
        let challenge = Challenge::new(realm.as_str()).error(code.as_str()).description(&self.to_string());
        // RFC 6750 §3: `scope` holds at least one scope token.
        let challenge = if scope.is_empty() { challenge } else { challenge.scope(scope) };
        Answer { status, code: Some(code), challenge: Some(challenge), retry_after: None }
    }
}

impl ResponseError for BearerError {
    fn status_code(&self) -> StatusCode {
        self.answer().status
    }

    fn error_response(&self) -> HttpResponse {
        let Answer { status, code, challenge, retry_after } = self.answer();
        let mut response = HttpResponse::build(status);
        response.insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")));
        if let Some(challenge) = challenge {
            response.insert_header((WWW_AUTHENTICATE, challenge.to_string()));
        }
        if let Some(after) = retry_after {
            // Whole seconds, rounded up, and never "at once".
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            response.insert_header((RETRY_AFTER, seconds.max(1).to_string()));
        }
        match code {
            Some(code) => response.json(ErrorBody::described(code, &self.to_string())),
            None => response.finish(),
        }
    }
}

impl Realm {
    /// Its text.
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
