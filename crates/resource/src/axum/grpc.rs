//! Refusals that a gRPC client understands: it reads a status of gRPC's own, and not that of HTTP.

use axum_core::body::Body;
use axum_core::response::Response;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use crate::refusal::ErrorResponse;

/// True if the request is gRPC: `application/grpc`, also with a format, as in `application/grpc+proto`.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    kind.strip_prefix(b"application/grpc").is_some_and(|rest| rest.is_empty() || matches!(rest[0], b'+' | b';'))
}

/// The refusal as an answer of gRPC without messages ("Trailers-Only"): HTTP 200, and the status in a header. Challenge and
/// `Retry-After` are metadata.
pub(super) fn response(refusal: &ErrorResponse) -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(HeaderName::from_static("grpc-status"), HeaderValue::from(code(refusal.status())));
    // These texts need no percent-encoding: they are printable ASCII without `%`.
    if let Ok(message) = HeaderValue::try_from(refusal.description()) {
        headers.insert(HeaderName::from_static("grpc-message"), message);
    }
    for (name, value) in refusal.own_headers() {
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// The codes of gRPC, as its mapping of HTTP statuses has them.
fn code(status: u16) -> u16 {
    match status {
        400 => 3,  // INVALID_ARGUMENT
        401 => 16, // UNAUTHENTICATED
        403 => 7,  // PERMISSION_DENIED
        503 => 14, // UNAVAILABLE
        _ => 13,   // INTERNAL
    }
}
