//! `GET /.well-known/oauth-protected-resource` (RFC 9728): this server as a resource, with its own API.

use actix_web::HttpResponse;
use actix_web::web::Data;
use ficha_authority::{OWN_SCOPES, Settings};
use ficha_resource::ResourceMetadata;

use super::metadata::public;
use crate::state::State;
use utoipa::ToSchema;

/// Describes this server as a protected resource: who issues the tokens for its own API, and with which scopes.
#[utoipa::path(
    get,
    path = "/.well-known/oauth-protected-resource",
    tag = "Discovery",
    responses((status = 200, description = "Protected resource metadata (RFC 9728 section 3.2)", body = Metadata))
)]
pub async fn resource(state: Data<State>) -> HttpResponse {
    public().json(resource_metadata(state.authority.settings()))
}

/// What the challenges of this server lead to.
pub fn resource_metadata(settings: &Settings) -> ResourceMetadata {
    let issuer = settings.issuer.as_str();
    let mut metadata = ResourceMetadata::new(issuer, issuer);
    metadata.scopes_supported = OWN_SCOPES.iter().map(|(name, _)| (*name).to_owned()).collect();
    metadata
}

/// Protected resource metadata (RFC 9728 section 2).
#[derive(ToSchema)]
#[schema(as = ResourceMetadata)]
#[expect(dead_code, reason = "it only describes a response in the OpenAPI description")]
struct Metadata {
    resource: String,
    authorization_servers: Vec<String>,
    scopes_supported: Vec<String>,
    bearer_methods_supported: Vec<String>,
}
