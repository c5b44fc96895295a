//! What a refused request is answered (RFC 6750 §3).

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

/// What a challenge says is protected (RFC 9110 §11.5). A clone is cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Realm(Arc<str>);

/// Why a request is not let through. No text in here holds anything of the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It brought no token: 401, and a challenge with no error code.
    #[error("the request has no bearer token")]
    Missing,
    /// Its header can't be read, or it brought two tokens: 400 `invalid_request`.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// Its token was not accepted: 401 `invalid_token`, or 503 if nobody can say now.
    #[error("{0}")]
    Token(#[from] VerifyError),
    /// Its token is good, but its custom claims are not of the type that the handler asks for: 401 `invalid_token`.
    #[error("the token's custom claims are not what this service needs")]
    CustomClaims,
    /// Its token is good, but not for this: 403 `insufficient_scope`.
    #[error("the token does not have the required scope")]
    InsufficientScope {
        /// Scope tokens that would be enough, separated by spaces.
        required: String,
    },
    /// The application has no guard among its data, or several that disagree: 500. The log says so.
    #[error("the application does not say whose tokens it takes")]
    NotConfigured,
}

/// A request that is not let through, and its answer.
///
/// The body is `{"error":…,"error_description":…}` unless an [`ErrorBody`] says otherwise. For a request without a token
/// RFC 6750 §3.1 wants no error code in the challenge, and there is none; its body says `invalid_request`, which of
/// the three registered codes is the one that tells no client to throw a token away.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{refusal}")]
pub struct BearerError {
    refusal: Refusal,
    realm: Realm,
    body: Option<ErrorBody>,
}

/// What an answer is made of.
struct Answer {
    status: StatusCode,
    code: OAuthErrorCode,
    challenge: Option<Challenge>,
    retry_after: Option<Duration>,
}

impl BearerError {
    /// For a guard of one's own. The realm stands in the challenge.
    pub fn new(realm: impl Into<Realm>, refusal: impl Into<Refusal>) -> Self {
        Self { refusal: refusal.into(), realm: realm.into(), body: None }
    }

    /// Why it is not let through.
    pub fn refusal(&self) -> &Refusal {
        &self.refusal
    }

    /// The status that it is answered.
    pub fn status(&self) -> StatusCode {
        self.answer().status
    }

    /// The `error` of its body.
    pub fn code(&self) -> OAuthErrorCode {
        self.answer().code
    }

    /// True where nothing is wrong with the token as far as anybody can say now, and asking again later may help.
    pub fn is_temporary(&self) -> bool {
        self.answer().retry_after.is_some()
    }

    /// Answers with this body, unless it has one already.
    pub(super) fn or_body(mut self, body: Option<&ErrorBody>) -> Self {
        if self.body.is_none() {
            self.body = body.cloned();
        }
        self
    }

    /// The one place where a refusal becomes an answer.
    fn answer(&self) -> Answer {
        match &self.refusal {
            Refusal::Missing => Answer {
                status: StatusCode::UNAUTHORIZED,
                code: OAuthErrorCode::InvalidRequest,
                challenge: Some(Challenge::new(self.realm.as_str())),
                retry_after: None,
            },
            Refusal::Malformed(_) => self.challenged(StatusCode::BAD_REQUEST, OAuthErrorCode::InvalidRequest, ""),
            Refusal::Token(VerifyError::Invalid(_) | VerifyError::Denied) | Refusal::CustomClaims => {
                self.challenged(StatusCode::UNAUTHORIZED, OAuthErrorCode::InvalidToken, "")
            }
            // No challenge and no 401: a client would throw a good token away.
            Refusal::Token(VerifyError::Stale { retry_after } | VerifyError::KeysUnavailable { retry_after }) => {
                Answer {
                    status: StatusCode::SERVICE_UNAVAILABLE,
                    code: OAuthErrorCode::TemporarilyUnavailable,
                    challenge: None,
                    retry_after: Some(*retry_after),
                }
            }
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
        // RFC 6750 §3: `scope` holds at least one scope token.
        let challenge = if scope.is_empty() { challenge } else { challenge.scope(scope) };
        Answer { status, code, challenge: Some(challenge), retry_after: None }
    }
}

impl Answer {
    /// The headers that are ours, each with its value or with none.
    fn headers(&self) -> [(HeaderName, Option<HeaderValue>); 3] {
        let challenge = self.challenge.as_ref().and_then(|challenge| challenge.to_string().try_into().ok());
        // Whole seconds, rounded up, and never "at once".
        let seconds = |after: Duration| after.as_secs() + u64::from(after.subsec_nanos() > 0);
        let retry_after = self.retry_after.map(|after| HeaderValue::from(seconds(after).max(1)));
        [
            (CACHE_CONTROL, Some(HeaderValue::from_static("no-store"))),
            (WWW_AUTHENTICATE, challenge),
            (RETRY_AFTER, retry_after),
        ]
    }

    /// Puts them in, and whatever else stood under their names out.
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
