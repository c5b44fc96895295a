//! The one place that turns what happened into what the client is told (RFC 6749 §5.2, RFC 6750 §3).

use std::time::Duration;
use utoipa::ToSchema;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use ficha_authority::{AdminError, AuthorityError};
use ficha_token::{ErrorBody, OAuthErrorCode};

/// Why an OAuth endpoint refused a request.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The request is not well-formed.
    #[error("{0}")]
    InvalidRequest(&'static str),
    /// A parameter is missing or empty.
    #[error("the parameter {0} is missing")]
    MissingParameter(&'static str),
    /// The body is longer than any request needs.
    #[error("the body is longer than 65536 bytes")]
    BodyTooLarge,
    /// The body took longer than any network needs.
    #[error("the body did not arrive within 10 seconds")]
    BodyTooSlow,
    /// A grant that is not offered.
    #[error("the grant types are password, refresh_token and client_credentials")]
    UnsupportedGrantType,
    /// A scope that is not even well-formed.
    #[error("the scope is malformed: names separated by single spaces, printable ASCII without quote or backslash")]
    MalformedScope,
    /// The Authorization header is no Basic header that can be read.
    #[error("the Authorization header is not a well-formed Basic header")]
    BadClientHeader,
    /// Another method than the endpoint has.
    #[error("use {0}")]
    MethodNotAllowed(&'static str),
    /// There is nothing at this path.
    #[error("there is nothing here; the issuer's metadata (RFC 8414) lists the endpoints")]
    NotFound,
    /// A handler panicked. What it did until then stands.
    #[error("a request's handler panicked")]
    Bug,
    /// A rule said no.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// An administrator's rule said no, or the database failed it.
    #[error(transparent)]
    Admin(#[from] AdminError),
}

/// What a client is answer.
struct Answer {
    status: StatusCode,
    code: OAuthErrorCode,
    /// `None`: the error's own words.
    words: Option<&'static str>,
    retry_after: Option<Duration>,
}

fn answer(status: StatusCode, code: OAuthErrorCode) -> Answer {
    Answer { status, code, words: None, retry_after: None }
}

/// 503, with words that tell nothing of the inside, and when to try again.
fn unavailable(words: &'static str, retry_after: Duration) -> Answer {
    let (status, code) = (StatusCode::SERVICE_UNAVAILABLE, OAuthErrorCode::TemporarilyUnavailable);
    Answer { status, code, words: Some(words), retry_after: Some(retry_after) }
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
            Self::BadClientHeader => answer(StatusCode::UNAUTHORIZED, Code::InvalidClient),
            Self::MethodNotAllowed(_) => answer(StatusCode::METHOD_NOT_ALLOWED, Code::InvalidRequest),
            Self::NotFound => answer(StatusCode::NOT_FOUND, Code::InvalidRequest),
            Self::Bug => server_error(),
            Self::Authority(error) => authority_answer(error),
            Self::Admin(error) => admin_answer(error),
        }
    }

    /// True for what thousands may be told at once, strangers too: metrics count it, and an outage has its lines in the log.
    fn is_expected(&self) -> bool {
        match self {
            Self::Authority(
                AuthorityError::Stale
                | AuthorityError::ClockInDoubt
                | AuthorityError::Busy { .. }
                | AuthorityError::TooManyFollowers { .. },
            )
            | Self::Admin(AdminError::Busy) => true,
            Self::Authority(AuthorityError::Store(error)) | Self::Admin(AdminError::Store(error)) => error.is_outage(),
            _ => false,
        }
    }
}

fn authority_answer(error: &AuthorityError) -> Answer {
    use OAuthErrorCode as Code;
    let bad = StatusCode::BAD_REQUEST;
    match error {
        AuthorityError::ClientAuthentication => answer(StatusCode::UNAUTHORIZED, Code::InvalidClient),
        AuthorityError::GrantNotAllowed => answer(bad, Code::UnauthorizedClient),
        AuthorityError::ScopeExceeded => answer(bad, Code::InvalidScope),
        AuthorityError::BadCredentials | AuthorityError::BadRefreshToken | AuthorityError::NotYours => {
            answer(bad, Code::InvalidGrant)
        }
        AuthorityError::ServesNothing => answer(StatusCode::FORBIDDEN, Code::UnauthorizedClient),
        AuthorityError::TooManyFollowers { retry_after } => unavailable("too many followers are waiting", *retry_after),
        AuthorityError::Busy { retry_after } => unavailable("too many logins are waiting", *retry_after),
        AuthorityError::ClockInDoubt => unavailable("the server's clock was set; try again in a moment", SOON),
        AuthorityError::Stale | AuthorityError::Store(_) => unavailable("the database does not answer", SOON),
        AuthorityError::Key(_) => server_error(),
    }
}

fn admin_answer(error: &AdminError) -> Answer {
    match error {
        AdminError::Store(_) => unavailable("the database does not answer", SOON),
        AdminError::Busy => unavailable("too many passwords are being hashed", SOON),
        AdminError::Taken { .. }
        | AdminError::NoSuch { .. }
        | AdminError::Invalid(_)
        | AdminError::Password(_)
        | AdminError::Conflict(_) => answer(StatusCode::BAD_REQUEST, OAuthErrorCode::InvalidRequest),
        AdminError::Keys(_) => server_error(),
    }
}

fn server_error() -> Answer {
    let words = Some("something is wrong on the server; its log says what");
    Answer { status: StatusCode::INTERNAL_SERVER_ERROR, code: OAuthErrorCode::ServerError, words, retry_after: None }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.answer().status
    }

    fn error_response(&self) -> HttpResponse {
        let answer = self.answer();
        if self.is_expected() {
            tracing::debug!(error = %self, "a request was turned away");
        } else if answer.status.is_server_error() {
            tracing::error!(error = %self, "a request failed");
        }
        let mut response = HttpResponse::build(answer.status);
        no_store(&mut response);
        if answer.status == StatusCode::UNAUTHORIZED {
            // RFC 6749 §5.2: a client that tried the header gets its scheme; HTTP wants a challenge with every 401.
            response.insert_header((WWW_AUTHENTICATE, "Basic realm=\"ficha\", charset=\"UTF-8\""));
        }
        if let Self::MethodNotAllowed(allowed) = self {
            response.insert_header((ALLOW, *allowed));
        }
        if let Some(after) = answer.retry_after {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            response.insert_header((RETRY_AFTER, seconds.max(1).to_string()));
        }
        let words = answer.words.map_or_else(|| self.to_string(), str::to_owned);
        response.json(ErrorBody::described(answer.code, &words))
    }
}

/// RFC 6749 §5.1: whatever the token endpoint answers is not for caches.
pub fn no_store(response: &mut HttpResponseBuilder) {
    response.insert_header((CACHE_CONTROL, "no-store")).insert_header((PRAGMA, "no-cache"));
}

/// RFC 6749 §5.2.
#[derive(ToSchema)]
#[schema(as = Error)]
#[expect(dead_code, reason = "it only describes an answer, for the OpenAPI page")]
pub struct ErrorAnswer {
    error: String,
    error_description: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use ficha_authority::StoreError;

    /// One of each, so that a new variant is looked at here.
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
            (ApiError::BadClientHeader, 401, Code::InvalidClient),
            (ApiError::MethodNotAllowed("POST"), 405, Code::InvalidRequest),
            (ApiError::NotFound, 404, Code::InvalidRequest),
            (ApiError::Bug, 500, Code::ServerError),
            (AuthorityError::ClientAuthentication.into(), 401, Code::InvalidClient),
            (AuthorityError::GrantNotAllowed.into(), 400, Code::UnauthorizedClient),
            (AuthorityError::ScopeExceeded.into(), 400, Code::InvalidScope),
            (AuthorityError::BadCredentials.into(), 400, Code::InvalidGrant),
            (AuthorityError::BadRefreshToken.into(), 400, Code::InvalidGrant),
            (AuthorityError::NotYours.into(), 400, Code::InvalidGrant),
            (AuthorityError::Busy { retry_after }.into(), 503, Code::TemporarilyUnavailable),
            (AuthorityError::ServesNothing.into(), 403, Code::UnauthorizedClient),
            (AuthorityError::TooManyFollowers { retry_after }.into(), 503, Code::TemporarilyUnavailable),
            (AuthorityError::ClockInDoubt.into(), 503, Code::TemporarilyUnavailable),
            (AuthorityError::Stale.into(), 503, Code::TemporarilyUnavailable),
            (AuthorityError::Store(StoreError::NotMigrated).into(), 503, Code::TemporarilyUnavailable),
            (AuthorityError::Key("x".into()).into(), 500, Code::ServerError),
            (AdminError::Store(StoreError::NotMigrated).into(), 503, Code::TemporarilyUnavailable),
            (AdminError::Busy.into(), 503, Code::TemporarilyUnavailable),
            (AdminError::Invalid("x".into()).into(), 400, Code::InvalidRequest),
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
