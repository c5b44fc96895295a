//! The OpenAPI description. The schemas of forms and responses are next to their handlers.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use utoipa::OpenApi;
use utoipa::openapi::security::{Flow, HttpAuthScheme, HttpBuilder, OAuth2, Password, Scopes, SecurityScheme};
use utoipa::openapi::{OpenApi as Description, Server};

use ficha_authority::OWN_SCOPES;

use crate::error::ApiError;
use crate::state::State;

#[derive(OpenApi)]
#[openapi(
    info(title = "Ficha", description = "An OAuth2 password-flow authorization server whose tokens can be revoked."),
    paths(
        crate::oauth::token::token,
        crate::oauth::revoke::revoke,
        crate::oauth::introspect::introspect,
        crate::oauth::logout::logout,
        crate::oauth::jwks::jwks,
        crate::oauth::metadata::metadata,
        crate::denylist::denylist,
        crate::users::me,
        crate::api::sessions::list,
        crate::api::sessions::show,
        crate::api::sessions::revoke,
        crate::api::revoke_sessions::revoke,
        crate::api::resource_servers::list,
        crate::api::audit::list,
        crate::api::audit::export,
        crate::api::audit::own,
        crate::api::events::watch,
        crate::api::users::list,
        crate::api::users::create,
        crate::api::users::show,
        crate::api::users::change,
        crate::api::users::delete,
        crate::api::users::set_password,
        crate::api::users::action,
        crate::api::users::export,
        crate::api::clients::list,
        crate::api::clients::create,
        crate::api::clients::show,
        crate::api::clients::change,
        crate::api::clients::delete,
        crate::api::keys::list,
        crate::api::keys::rotate,
        crate::api::keys::purge,
        crate::api::scopes::list,
        crate::api::scopes::show,
        crate::api::scopes::declare,
        crate::api::scopes::remove,
        crate::api::me::show,
        crate::api::me::sessions,
        crate::api::me::revoke_session,
        crate::api::me::revoke_others,
        crate::api::me::change_password,
        crate::health::live,
        crate::health::ready,
        crate::health::metrics,
    )
)]
struct Endpoints;

/// `GET /openapi.json`: built for each request, since the scopes are in the database.
pub async fn openapi(state: Data<State>) -> Result<HttpResponse, ApiError> {
    let mut scopes = state.authority.declared_scopes().await?;
    // No client obtains the server's own scopes in a page, so Authorize offers none.
    scopes.retain(|(name, _)| OWN_SCOPES.iter().all(|(own, _)| own != name));
    let description = describe(state.authority.settings().issuer.path(), scopes);
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-cache")).json(description))
}

/// The description, with the password flow as its security scheme.
fn describe(base_path: &str, scopes: Vec<(String, String)>) -> Description {
    let mut description = Endpoints::openapi();
    if !base_path.is_empty() {
        description.servers = Some(vec![Server::new(base_path)]);
    }
    // Relative, so that Authorize works under any name by which the server is reached.
    let token_url = format!("{base_path}/token");
    let flow = Password::with_refresh_url(token_url.clone(), Scopes::from_iter(scopes), token_url);
    let components = description.components.get_or_insert_with(Default::default);
    components.add_security_scheme("password", SecurityScheme::OAuth2(OAuth2::new([Flow::Password(flow)])));
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    components.add_security_scheme("token", SecurityScheme::Http(bearer));
    description
}
