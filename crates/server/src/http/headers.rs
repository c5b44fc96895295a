//! Headers of every response.

use actix_http::ConnectionType;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, CONTENT_ENCODING, HeaderMap, HeaderValue,
    REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{HttpMessage, HttpResponse, ResponseError};

use crate::api;
use crate::api::problem::Problem;
use crate::error::ApiError;
use crate::http::cors::{EXPOSED_HEADERS, is_public};
use crate::http::host::require_host;
use crate::http::request_id::X_REQUEST_ID;
use crate::state::State;

/// No encoding of a body is taken (RFC 9110 §8.4). Ignored, it would look like garbage.
fn require_plain_body(headers: &HeaderMap) -> Result<(), ApiError> {
    let encodings = headers.get_all(CONTENT_ENCODING);
    let mut foreign = encodings.filter(|value| !value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity"));
    if foreign.next().is_some() { Err(ApiError::EncodedBody) } else { Ok(()) }
}

/// One year, for this host only: its subdomains are not ours to decide about.
const HTTPS_ONLY: &str = "max-age=31536000";

/// The answer to a request that is not even looked at, in the form of the part that it is for.
fn refusal(refused: &ApiError, path: &str, state: Option<&Data<State>>) -> HttpResponse {
    match state {
        Some(state) if path.strip_prefix(state.site.path()).is_some_and(|rest| rest.starts_with(api::PREFIX)) => {
            Problem::of_body(refused).response(state)
        }
        _ => refused.error_response(),
    }
}

/// Names the request. Refuses a malformed Host header, and an encoded body. Forbids content sniffing, framing and the
/// Referer header. If the site is HTTPS, plain HTTP is forbidden to browsers as well (HSTS, RFC 6797), even if a proxy
/// terminates TLS.
pub async fn common_headers<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    let state = request.app_data::<Data<State>>();
    // At the gate, it would be about the host of another service.
    let is_https = state.is_some_and(|state| !state.site.is_plain_http() && !state.routes.gate);
    let state = state.cloned();
    let id = state.as_ref().map(|state| state.request_id(&request));
    if let Some(id) = &id {
        request.extensions_mut().insert(id.clone());
    }
    // A proxy asks at the gate with the headers of another request, and without its body.
    let is_gate = state.as_ref().is_some_and(|state| state.routes.gate);
    let accepted = require_host(request.headers())
        .and_then(|()| if is_gate { Ok(()) } else { require_plain_body(request.headers()) });
    let is_public = state.as_ref().is_some_and(|state| is_public(request.path(), state.site.path()));
    let mut response = match accepted {
        Ok(()) => next.call(request).await?.map_into_left_body(),
        Err(refused) => {
            let answer = refusal(&refused, request.path(), state.as_ref());
            request.into_response(answer).map_into_right_body()
        }
    };
    // Asked afterwards: a poll that was held until now is told as well.
    let stopping = state.is_some_and(|state| state.is_stopping());
    let headers = response.headers_mut();
    if let Some(id) = id.and_then(|id| id.value()) {
        headers.insert(X_REQUEST_ID.clone(), id);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    // Pages need their own: with this one, browsers send `Origin: null` with a form.
    if !headers.contains_key(REFERRER_POLICY) {
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    }
    if is_public {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    if headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED_HEADERS));
    }
    if is_https {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HTTPS_ONLY));
    }
    if stopping {
        // The client opens its next connection to another server, while this one still accepts what comes.
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(response)
}
