//! The responses to refused requests (RFC 6750 §3), as actix-web has them.

use std::fmt;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use ficha_token::OAuthErrorCode;

use super::error_body::ErrorBody;
use crate::refusal::{ErrorResponse, Refusal};

/// The realm of a challenge (RFC 9110 §11.5). Clones are cheap.
///
/// ```
/// use ficha_resource::{BearerGuard, Realm, TestIssuer};
///
/// let realm = Realm::from("notes");
/// let guard = BearerGuard::from(&TestIssuer::new().oauth2()).realm(realm);
/// # drop(guard);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Realm(Arc<str>);

/// A refused request, and its response.
///
/// The body is `{"error":…,"error_description":…}` unless an [`ErrorBody`] replaces it. For a request without a token
/// the challenge has no error code (RFC 6750 §3.1). Its body says `invalid_request`: of the three registered codes, the
/// only one that does not make a client discard its token.
///
/// ```
/// use actix_web::ResponseError;
/// use ficha_resource::{BearerError, Refusal};
///
/// let error = BearerError::new("notes", Refusal::MissingRole { required: "editor".to_owned() });
/// assert_eq!(error.status(), 403);
/// let response = error.error_response();
/// assert!(response.headers().contains_key("www-authenticate"));
/// ```
#[derive(Debug, Clone, thiserror::Error)]
#[error("{refusal}")]
pub struct BearerError {
    refusal: Refusal,
    realm: Realm,
    body: Option<ErrorBody>,
    /// Where the metadata of the resource is.
    metadata: Option<Arc<str>>,
}

impl BearerError {
    /// Creates an error, for a guard of your own. The realm appears in the challenge.
    pub fn new(realm: impl Into<Realm>, refusal: impl Into<Refusal>) -> Self {
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

    /// Uses this body, unless it has one already.
    pub(super) fn or_body(mut self, body: Option<&ErrorBody>) -> Self {
        if self.body.is_none() {
            self.body = body.cloned();
        }
        self
    }

    pub(super) fn with_metadata(self, metadata: Option<Arc<str>>) -> Self {
        Self { metadata, ..self }
    }

    fn answer(&self) -> ErrorResponse {
        let answer = self.refusal.response(self.realm.as_str());
        match &self.metadata {
            Some(url) => answer.with_resource_metadata(url),
            None => answer,
        }
    }
}

impl ResponseError for BearerError {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    fn error_response(&self) -> HttpResponse {
        let answer = self.answer();
        let mut builder = HttpResponse::build(self.status());
        let own = answer.own_headers();
        for (name, value) in &own {
            if let Some(value) = value {
                builder.insert_header((*name, value.as_str()));
            }
        }
        let Some(body) = &self.body else {
            return builder.content_type("application/json").body(answer.body());
        };
        let mut response = body.write(self, builder);
        *response.status_mut() = self.status();
        // Whatever the hook has set.
        for (name, value) in own {
            let name = HeaderName::from_static(name);
            match value.and_then(|value| HeaderValue::try_from(value).ok()) {
                Some(value) => drop(response.headers_mut().insert(name, value)),
                None => drop(response.headers_mut().remove(name)),
            }
        }
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
