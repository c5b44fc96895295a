//! Custom error bodies.

use std::fmt;
use std::sync::Arc;

use axum_core::response::{IntoResponse, Response};

use super::error::BearerError;

/// Writes the body of the response to a refused request. Clones are cheap.
///
/// [`BearerGuard::error_body`](super::BearerGuard::error_body) takes it. Status, `WWW-Authenticate`, `Retry-After` and
/// `Cache-Control` stay as RFC 6750 requires, whatever the hook sets.
///
/// ```
/// use axum::Json;
/// use ficha_resource::TestIssuer;
/// use ficha_resource::axum::{BearerGuard, ErrorBody};
/// use serde_json::json;
///
/// let oauth2 = TestIssuer::new().oauth2();
/// let problem = ErrorBody::new(|error| Json(json!({ "title": error.to_string(), "status": error.status().as_u16() })));
/// let guard = BearerGuard::from(&oauth2).error_body(problem);
/// # drop(guard);
/// ```
#[derive(Clone)]
pub struct ErrorBody(Arc<Hook>);

type Hook = dyn Fn(&BearerError) -> Response + Send + Sync;

impl ErrorBody {
    /// Creates one from a hook, whose response has the body and any headers of its own.
    pub fn new<R: IntoResponse>(hook: impl Fn(&BearerError) -> R + Send + Sync + 'static) -> Self {
        Self(Arc::new(move |error| hook(error).into_response()))
    }

    pub(super) fn write(&self, error: &BearerError) -> Response {
        (self.0)(error)
    }
}

impl fmt::Debug for ErrorBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ErrorBody")
    }
}
