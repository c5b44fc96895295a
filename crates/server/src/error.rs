//! Errors and their responses (RFC 6749 §5.2, RFC 6750 §3). Only this module decides what a client sees of an error.

use std::time::Duration;
use utoipa::ToSchema;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use ficha_authority::AuthorityError;
use ficha_token::{ErrorBody, OAuthErrorCode};

/// Why an endpoint rejected a request.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The request is not well-formed.
    #[error("{0}")]
    InvalidRequest(&'static str),
    /// A parameter is missing or empty.
    #[error("the parameter {0} is missing")]
    MissingParameter(&'static str),
    /// The body is too long.
    #[error("the body is longer than 65536 bytes")]
    BodyTooLarge,
    /// The body took too long to arrive.
    #[error("the body did not arrive within 10 seconds")]
    BodyTooSlow,
    /// The server does not offer this grant type.
    #[error("unsupported grant type; use password, refresh_token or client_credentials")]
    UnsupportedGrantType,
    /// The scope is not well-formed.
    #[error("malformed scope; separate names by single spaces, and use printable ASCII without quotes or backslashes")]
    MalformedScope,
    /// The body is compressed, or encoded otherwise.
    #[error("a body with Content-Encoding is not accepted; send it as it is")]
    EncodedBody,
    /// The Authorization header is for an API, and not a client's.
    #[error(
        "the Authorization header has a bearer token; a client authenticates with Basic, or with client_id and client_secret \
         in the body"
    )]
    BearerInsteadOfClient,
    /// The Authorization header has another scheme.
    #[error("the Authorization header has another scheme than Basic")]
    ForeignClientHeader,
    /// A client with the server's own scopes gets no tokens in a browser.
    #[error("this client gets no tokens in a browser, and the console's own client gets none here")]
    NotForPages,
    /// The Authorization header is not a well-formed Basic header.
    #[error("the Authorization header is not a well-formed Basic header")]
    BadClientHeader,
    /// The endpoint does not support this method.
    #[error("method not allowed; use {0}")]
    MethodNotAllowed(&'static str),
    /// There is no endpoint at this path.
    #[error("no such endpoint; the issuer's metadata (RFC 8414) lists the endpoints")]
    NotFound,
    /// A handler panicked. What it had committed stays committed.
    #[error("a request handler panicked")]
    Bug,
    /// Rejected by the authority.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

/// What a client gets for an error.
struct Answer {
    status: StatusCode,
    code: OAuthErrorCode,
    /// `None`: the error's own text.
    description: Option<&'static str>,
    retry_after: Option<Duration>,
}

fn answer(status: StatusCode, code: OAuthErrorCode) -> Answer {
    Answer { status, code, description: None, retry_after: None }
}

/// 503, with the time to try again and a description that discloses no internals.
fn unavailable(description: &'static str, retry_after: Duration) -> Answer {
    let (status, code) = (StatusCode::SERVICE_UNAVAILABLE, OAuthErrorCode::TemporarilyUnavailable);
    Answer { status, code, description: Some(description), retry_after: Some(retry_after) }
}

const SOON: Duration = Duration::from_secs(1);

impl ApiError {
    fn answer(&self) -> Answer {
        use OAuthErrorCode as Code;
        let bad = StatusCode::BAD_REQUEST;
        match self {
            Self::InvalidRequest(_) | Self::MissingParameter(_) => answer(bad, Code::InvalidRequest),
            Self::BodyTooLarge => answer(StatusCode::PAYLOAD_TOO_LARGE, Code::InvalidRequest),
            Self::BodyTooSlow => answer(StatusCode::REQUEST_TIMEOUT, Code::InvalidRequest),
            Self::UnsupportedGrantType => answer(bad, Code::UnsupportedGrantType),
            Self::MalformedScope => answer(bad, Code::InvalidScope),
            Self::NotForPages => answer(bad, Code::UnauthorizedClient),
            Self::EncodedBody => answer(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::InvalidRequest),
            Self::BadClientHeader | Self::BearerInsteadOfClient | Self::ForeignClientHeader => {
                answer(StatusCode::UNAUTHORIZED, Code::InvalidClient)
            }
            Self::MethodNotAllowed(_) => answer(StatusCode::METHOD_NOT_ALLOWED, Code::InvalidRequest),
            Self::NotFound => answer(StatusCode::NOT_FOUND, Code::InvalidRequest),
            Self::Bug => server_error(),
            Self::Authority(error) => authority_answer(error),
        }
    }

    /// True for errors that thousands of callers may get at once, even unauthenticated ones. They are logged at
    /// debug level only: metrics count them, and an outage has its own log lines.
    fn is_expected(&self) -> bool {
        match self {
            Self::Authority(
                AuthorityError::Stale
                | AuthorityError::ClockInDoubt
                | AuthorityError::Revoking
                | AuthorityError::Busy { .. }
                | AuthorityError::TooManyFollowers { .. },
            ) => true,
            Self::Authority(AuthorityError::Store(error)) => error.is_outage(),
            _ => false,
        }
    }
}

fn authority_answer(error: &AuthorityError) -> Answer {
    use OAuthErrorCode as Code;
    let bad = StatusCode::BAD_REQUEST;
    match error {
        AuthorityError::ClientAuthentication => answer(StatusCode::UNAUTHORIZED, Code::InvalidClient),
        AuthorityError::WrongResource => answer(bad, Code::InvalidTarget),
        AuthorityError::GrantNotAllowed => answer(bad, Code::UnauthorizedClient),
        AuthorityError::ScopeExceeded | AuthorityError::OwnScope => answer(bad, Code::InvalidScope),
        AuthorityError::BadCredentials
        | AuthorityError::PasswordChangeRequired
        | AuthorityError::BadRefreshToken
        | AuthorityError::NotYours => answer(bad, Code::InvalidGrant),
        AuthorityError::ServesNothing => answer(StatusCode::FORBIDDEN, Code::UnauthorizedClient),
        AuthorityError::TooManyFollowers { retry_after } => unavailable("too many followers are waiting", *retry_after),
        AuthorityError::Busy { retry_after } => unavailable("too many logins are waiting", *retry_after),
        AuthorityError::ClockInDoubt => unavailable("the server's clock was changed; try again in a moment", SOON),
        AuthorityError::Revoking => {
            unavailable("all sessions of this client or user are being ended; try again in a moment", SOON)
        }
        AuthorityError::Purged => unavailable("every session was revoked during this login; try again", SOON),
        AuthorityError::Stale | AuthorityError::Store(_) => unavailable("the database does not answer", SOON),
        AuthorityError::Key(_) => server_error(),
    }
}

fn server_error() -> Answer {
    let description = Some("internal server error; see the server's log");
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    Answer { status, code: OAuthErrorCode::ServerError, description, retry_after: None }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.answer().status
    }

    fn error_response(&self) -> HttpResponse {
        let answer = self.answer();
        if self.is_expected() {
            tracing::debug!(error = %self, "a request was rejected");
        } else if answer.status.is_server_error() {
            tracing::error!(error = %self, "a request failed");
        }
        let mut response = HttpResponse::build(answer.status);
        no_store(&mut response);
        if answer.status == StatusCode::UNAUTHORIZED {
            // RFC 6749 §5.2: a client that used the header gets its scheme. HTTP requires a challenge with every 401.
            response.insert_header((WWW_AUTHENTICATE, "Basic realm=\"ficha\", charset=\"UTF-8\""));
        }
        if let Self::MethodNotAllowed(allowed) = self {
            response.insert_header((ALLOW, *allowed));
        }
        if let Some(after) = answer.retry_after {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            response.insert_header((RETRY_AFTER, seconds.max(1).to_string()));
        }
        let description = answer.description.map_or_else(|| self.to_string(), str::to_owned);
        response.json(ErrorBody::described(answer.code, &description))
    }
}

/// Forbids caching, as RFC 6749 §5.1 requires of the token endpoint.
pub fn no_store(response: &mut HttpResponseBuilder) {
    response.insert_header((CACHE_CONTROL, "no-store")).insert_header((PRAGMA, "no-cache"));
}

/// An error response (RFC 6749 section 5.2).
#[derive(ToSchema)]
#[schema(as = OAuthError)]
#[expect(dead_code, reason = "it only describes a response in the OpenAPI description")]
pub struct ErrorAnswer {
    error: String,
    #[schema(nullable = false)]
    error_description: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use ficha_authority::StoreError;

    /// One error of each kind. Add new variants here.
    fn every_error() -> Vec<(ApiError, u16, OAuthErrorCode)> {
        use OAuthErrorCode as Code;
        let retry_after = Duration::from_millis(1500);
        vec![
            (ApiError::InvalidRequest("x"), 400, Code::InvalidRequest),
            (ApiError::MissingParameter("x"), 400, Code::InvalidRequest),
            (ApiError::BodyTooLarge, 413, Code::InvalidRequest),
            (ApiError::BodyTooSlow, 408, Code::InvalidRequest),
            (ApiError::UnsupportedGrantType, 400, Code::UnsupportedGrantType),
            (ApiError::MalformedScope, 400, Code::InvalidScope),
            (ApiError::NotForPages, 400, Code::UnauthorizedClient),
            (ApiError::BadClientHeader, 401, Code::InvalidClient),
            (ApiError::MethodNotAllowed("POST"), 405, Code::InvalidRequest),
            (ApiError::NotFound, 404, Code::InvalidRequest),
            (ApiError::Bug, 500, Code::ServerError),
            (AuthorityError::ClientAuthentication.into(), 401, Code::InvalidClient),
            (AuthorityError::GrantNotAllowed.into(), 400, Code::UnauthorizedClient),
            (AuthorityError::ScopeExceeded.into(), 400, Code::InvalidScope),
            (AuthorityError::OwnScope.into(), 400, Code::InvalidScope),
            (AuthorityError::BadCredentials.into(), 400, Code::InvalidGrant),
            (AuthorityError::BadRefreshToken.into(), 400, Code::InvalidGrant),
            (AuthorityError::NotYours.into(), 400, Code::InvalidGrant),
            (AuthorityError::Busy { retry_after }.into(), 503, Code::TemporarilyUnavailable),
            (AuthorityError::ServesNothing.into(), 403, Code::UnauthorizedClient),
            (AuthorityError::TooManyFollowers { retry_after }.into(), 503, Code::TemporarilyUnavailable),
            (AuthorityError::ClockInDoubt.into(), 503, Code::TemporarilyUnavailable),
            (AuthorityError::Revoking.into(), 503, Code::TemporarilyUnavailable),
            (AuthorityError::Stale.into(), 503, Code::TemporarilyUnavailable),
            (AuthorityError::Store(StoreError::NotMigrated).into(), 503, Code::TemporarilyUnavailable),
            (AuthorityError::Key("x".into()).into(), 500, Code::ServerError),
        ]
    }

    #[actix_web::test]
    async fn a13_every_error_has_its_status_and_code_and_is_never_cached() {
        for (error, status, code) in every_error() {
            let response = error.error_response();
            assert_eq!(response.status().as_u16(), status, "{error}");
            assert_eq!(response.headers().get(CACHE_CONTROL).unwrap(), "no-store");
            assert_eq!(response.headers().contains_key(WWW_AUTHENTICATE), status == 401, "{error}");
            assert_eq!(response.headers().contains_key(RETRY_AFTER), status == 503, "{error}");
            let body = actix_web::body::to_bytes(response.into_body()).await.unwrap();
            let body: ErrorBody = serde_json::from_slice(&body).unwrap();
            assert_eq!(body.error, code, "{error}");
        }
    }
}
