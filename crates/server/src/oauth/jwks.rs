//! `GET /.well-known/jwks.json` (RFC 7517).

use actix_web::HttpResponse;
use actix_web::web::Data;

use utoipa::ToSchema;

use super::metadata::public;
use crate::state::State;

/// Returns the public keys: the signing key, the next one, and old ones whose tokens have not all expired.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    tag = "Discovery",
    responses((status = 200, description = "A JWK set (RFC 7517 section 5); empty with HS256", body = JwkSet))
)]
pub async fn jwks(state: Data<State>) -> HttpResponse {
    let set = state.authority.keys().current().jwks(state.authority.earliest_now());
    public().json(set)
}

/// A JWK set (RFC 7517 section 5).
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes a response in the OpenAPI description")]
struct JwkSet {
    keys: Vec<Jwk>,
}

/// A public key (RFC 7517 section 4).
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes a response in the OpenAPI description")]
struct Jwk {
    /// `EC`, `OKP` or `RSA`.
    kty: String,
    /// By which tokens name the key: its thumbprint (RFC 7638).
    kid: String,
    /// The only algorithm of the key.
    alg: String,
    /// `sig`.
    #[schema(rename = "use")]
    key_use: String,
    /// EC and OKP: the curve.
    #[schema(nullable = false)]
    crv: Option<String>,
    /// EC and OKP, base64url.
    #[schema(nullable = false)]
    x: Option<String>,
    /// EC, base64url.
    #[schema(nullable = false)]
    y: Option<String>,
    /// RSA: the modulus, base64url.
    #[schema(nullable = false)]
    n: Option<String>,
    /// RSA: the exponent, base64url.
    #[schema(nullable = false)]
    e: Option<String>,
}
