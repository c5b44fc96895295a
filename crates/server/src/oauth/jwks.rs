//! `GET /.well-known/jwks.json` (RFC 7517).

use actix_web::HttpResponse;
use actix_web::web::Data;

use super::metadata::public;
use crate::state::State;

/// Returns the public keys: the signing key, the next one, and old ones whose tokens have not all expired.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    tag = "Discovery",
    responses((status = 200, description = "A JWK set (RFC 7517 section 5); empty with HS256", body = Object))
)]
pub async fn jwks(state: Data<State>) -> HttpResponse {
    let set = state.authority.keys().current().jwks(state.authority.earliest_now());
    public().json(set)
}
