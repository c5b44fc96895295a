//! `Idempotency-Key` on requests that create something: a retry makes nothing twice.

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponseBuilder};
use ficha_authority::{Actor, Admin, Repeatable};

use super::body::invalid;
use super::problem::Problem;

/// The header of such a request.
const KEY: &str = "idempotency-key";
/// The header of an answer to one that was carried out before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// The longest key, in bytes.
const MOST: usize = 255;

/// The request's key, if it has one, bound to what it creates.
pub async fn repeatable(
    request: &HttpRequest,
    admin: &Admin,
    actor: &Actor,
    body: &[u8],
) -> Result<Option<Repeatable>, Problem> {
    let mut keys = request.headers().get_all(KEY);
    let Some(key) = keys.next() else { return Ok(None) };
    let key = key.to_str().ok().filter(|key| !key.is_empty() && key.len() <= MOST && keys.next().is_none());
    let key = key.ok_or_else(|| invalid("Idempotency-Key", "it must be given once: 1 to 255 visible characters"))?;
    let request = [request.method().as_str().as_bytes(), request.path().as_bytes(), body];
    Ok(Some(admin.repeatable(actor, key, &request).await?))
}

/// Tells that the answer is to a repeated request, and so has no secret.
pub fn mark(response: &mut HttpResponseBuilder, is_replayed: bool) {
    if is_replayed {
        response.insert_header((REPLAYED, HeaderValue::from_static("true")));
    }
}
