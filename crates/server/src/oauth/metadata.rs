//! `GET /.well-known/oauth-authorization-server` (RFC 8414).

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use actix_web::{HttpResponse, HttpResponseBuilder};
use ficha_authority::{Grant, JWKS_MAX_AGE, Settings};
use ficha_token::ServerMetadata;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::state::State;

/// Describes what this server supports. Members that would be empty are omitted.
#[utoipa::path(
    get,
    path = "/.well-known/oauth-authorization-server",
    tag = "Discovery",
    responses((status = 200, description = "Authorization server metadata (RFC 8414 section 3.2)", body = Metadata),
        (status = 503, description = "The database does not answer", body = crate::error::ErrorAnswer))
)]
pub async fn metadata(state: Data<State>) -> Result<HttpResponse, ApiError> {
    let scopes = state.authority.declared_scopes().await?.into_iter().map(|(name, _)| name).collect();
    let answer = describe(state.authority.settings(), scopes);
    Ok(public().json(answer))
}

/// A response that everybody may keep for a while.
pub fn public() -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, format!("public, max-age={JWKS_MAX_AGE}")));
    response
}

fn describe(settings: &Settings, scopes: Vec<String>) -> ServerMetadata {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let endpoint = |path| Some(settings.issuer.endpoint(path));
    let secret = ["client_secret_basic", "client_secret_post"];
    let any = ["client_secret_basic", "client_secret_post", "none"];
    // No flow here has a response type. RFC 8414 requires `response_types_supported` but forbids empty arrays (§3.2), so
    // it stays away.
    let mut metadata = ServerMetadata::new(settings.issuer.as_str());
    metadata.token_endpoint = endpoint("/token");
    metadata.jwks_uri = endpoint("/.well-known/jwks.json");
    metadata.scopes_supported = scopes;
    metadata.grant_types_supported =
        texts(&[Grant::Password, Grant::RefreshToken, Grant::ClientCredentials].map(Grant::as_str));
    metadata.token_endpoint_auth_methods_supported = texts(&any);
    metadata.revocation_endpoint = endpoint("/revoke");
    metadata.revocation_endpoint_auth_methods_supported = texts(&any);
    metadata.introspection_endpoint = endpoint("/introspect");
    metadata.introspection_endpoint_auth_methods_supported = texts(&secret);
    metadata.denylist_endpoint = endpoint("/denylist");
    metadata.service_documentation = endpoint("/docs");
    metadata
}

/// Authorization server metadata (RFC 8414 section 2).
#[derive(ToSchema)]
#[schema(as = ServerMetadata)]
#[expect(dead_code, reason = "it only describes a response in the OpenAPI description")]
struct Metadata {
    /// Exactly as in `iss`.
    issuer: String,
    token_endpoint: String,
    jwks_uri: String,
    #[schema(nullable = false)]
    scopes_supported: Option<Vec<String>>,
    grant_types_supported: Vec<String>,
    token_endpoint_auth_methods_supported: Vec<String>,
    revocation_endpoint: String,
    revocation_endpoint_auth_methods_supported: Vec<String>,
    introspection_endpoint: String,
    introspection_endpoint_auth_methods_supported: Vec<String>,
    /// What resource servers follow; Ficha's own.
    denylist_endpoint: String,
    service_documentation: String,
}
