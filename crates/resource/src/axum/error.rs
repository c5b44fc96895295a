//! The responses to refused requests (RFC 6750 §3), as axum has them.

use std::sync::Arc;

use axum_core::body::Body;
use axum_core::response::{IntoResponse, Response};
use ficha_token::OAuthErrorCode;
use http::header::{HeaderName, HeaderValue};
use http::{StatusCode, header};

use super::error_body::ErrorBody;
use crate::refusal::{ErrorResponse, Refusal};

/// A refused request, and its response.
///
/// The body is `{"error":…,"error_description":…}` unless an [`ErrorBody`] replaces it. For a request without a token
/// the challenge has no error code (RFC 6750 §3.1). Its body says `invalid_request`: of the three registered codes, the
/// only one that does not make a client discard its token.
///
/// ```
/// use axum::response::IntoResponse;
/// use ficha_resource::Refusal;
/// use ficha_resource::axum::BearerError;
///
/// let error = BearerError::new("notes", Refusal::MissingRole { required: "editor".to_owned() });
/// let response = error.into_response();
/// assert_eq!(response.status(), 403);
/// assert!(response.headers().contains_key("www-authenticate"));
/// ```
#[derive(Debug, Clone, thiserror::Error)]
#[error("{refusal}")]
pub struct BearerError {
    refusal: Refusal,
    realm: Arc<str>,
    body: Option<ErrorBody>,
    /// Where the metadata of the resource is.
    metadata: Option<Arc<str>>,
}

impl BearerError {
    /// Creates an error, for a guard of your own. The realm appears in the challenge.
    pub fn new(realm: impl Into<Arc<str>>, refusal: impl Into<Refusal>) -> Self {
        Self { refusal: refusal.into(), realm: realm.into(), body: None, metadata: None }
    }

    /// Why the request is refused.
    pub fn refusal(&self) -> &Refusal {
        &self.refusal
    }

    /// The status of the response.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.answer().status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The `error` in the default body.
    pub fn code(&self) -> OAuthErrorCode {
        self.answer().code()
    }

    /// True if the token can't be checked now, and trying again later may succeed (503). It says nothing about the
    /// token.
    pub fn is_temporary(&self) -> bool {
        self.answer().is_temporary()
    }

    pub(super) fn with_body(self, body: Option<&ErrorBody>) -> Self {
        Self { body: body.cloned(), ..self }
    }

    pub(super) fn with_metadata(self, metadata: Option<Arc<str>>) -> Self {
        Self { metadata, ..self }
    }

    pub(super) fn answer(&self) -> ErrorResponse {
        let answer = self.refusal.response(&self.realm);
        match &self.metadata {
            Some(url) => answer.with_resource_metadata(url),
            None => answer,
        }
    }
}

impl IntoResponse for BearerError {
    fn into_response(self) -> Response {
        let answer = self.answer();
        let mut response = match &self.body {
            Some(body) => body.write(&self),
            None => {
                let mut response = Response::new(Body::from(answer.body()));
                let json = HeaderValue::from_static("application/json");
                response.headers_mut().insert(header::CONTENT_TYPE, json);
                response
            }
        };
        *response.status_mut() = self.status();
        // Whatever the hook has set.
        for (name, value) in answer.own_headers() {
            let name = HeaderName::from_static(name);
            match value.and_then(|value| HeaderValue::try_from(value).ok()) {
                Some(value) => drop(response.headers_mut().insert(name, value)),
                None => drop(response.headers_mut().remove(name)),
            }
        }
        response
    }
}
