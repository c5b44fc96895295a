//! Custom error bodies.

use std::fmt;
use std::sync::Arc;

use actix_web::{HttpResponse, HttpResponseBuilder};

use super::error::BearerError;

/// Writes the body of the response to a refused request. Clones are cheap.
///
/// In the application's data it applies to all extractors and middleware below it.
/// [`BearerGuard::error_body`](super::BearerGuard::error_body) and
/// [`RequireScopes::error_body`](super::RequireScopes::error_body) take precedence. Status, `WWW-Authenticate`,
/// `Retry-After` and `Cache-Control` stay as RFC 6750 requires, whatever the hook sets.
///
/// ```
/// # use actix_web::{App, test::{TestRequest, call_service, init_service, read_body_json}, web};
/// # use ficha_resource::{Bearer, ErrorBody, TestIssuer};
/// # use serde_json::{Value, json};
/// # actix_web::rt::System::new().block_on(async {
/// let issuer = TestIssuer::new();
/// let problem = ErrorBody::new(|error, mut response| {
///     response
///         .content_type("application/problem+json")
///         .json(json!({"title": error.to_string(), "status": error.status().as_u16()}))
/// });
/// let app = App::new()
///     .app_data(issuer.oauth2())
///     .app_data(problem)
///     .route("/me", web::get().to(|user: Bearer| async move { user.claims.sub.to_string() }));
/// let app = init_service(app).await;
/// let response = call_service(&app, TestRequest::get().uri("/me").to_request()).await;
/// assert_eq!(response.status(), 401);
/// assert!(response.headers().contains_key("www-authenticate"));
/// let body: Value = read_body_json(response).await;
/// assert_eq!(body, json!({"title": "the request has no bearer token", "status": 401}));
/// # });
/// ```
#[derive(Clone)]
pub struct ErrorBody(Arc<Hook>);

type Hook = dyn Fn(&BearerError, HttpResponseBuilder) -> HttpResponse + Send + Sync;

impl ErrorBody {
    /// Creates one from a hook. The hook gets a builder with status and headers already set, and adds the body and any
    /// headers of its own.
    pub fn new(hook: impl Fn(&BearerError, HttpResponseBuilder) -> HttpResponse + Send + Sync + 'static) -> Self {
        Self(Arc::new(hook))
    }

    pub(super) fn write(&self, error: &BearerError, response: HttpResponseBuilder) -> HttpResponse {
        (self.0)(error, response)
    }
}

impl fmt::Debug for ErrorBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ErrorBody")
    }
}
