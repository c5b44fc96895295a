//! The OpenAPI description. The schemas of forms and responses are next to their handlers.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use utoipa::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Flow, HttpAuthScheme, HttpBuilder, OAuth2, Password, Scopes, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{Content, OpenApi as Description, PathItem, RefOr, Server};

use ficha_authority::OWN_SCOPES;

use crate::error::ApiError;
use crate::routes::Routes;
use crate::state::State;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Ficha",
        contact(name = "Ficha", url = "https://github.com/ficha-auth/ficha"),
        description = "An OAuth2 password-flow authorization server whose tokens can be revoked."
    ),
    paths(
        crate::oauth::token::token,
        crate::oauth::revoke::revoke,
        crate::oauth::introspect::introspect,
        crate::oauth::logout::logout,
        crate::oauth::jwks::jwks,
        crate::oauth::metadata::metadata,
        crate::oauth::resource::resource,
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
        crate::api::new_user::create,
        crate::api::users::show,
        crate::api::users::change,
        crate::api::users::delete,
        crate::api::users::set_password,
        crate::api::users::action,
        crate::api::users::export,
        crate::api::overview::show,
        crate::api::import::import,
        crate::api::jobs::list,
        crate::api::jobs::show,
        crate::api::jobs::stop,
        crate::api::clients::list,
        crate::api::clients::create,
        crate::api::clients::show,
        crate::api::clients::change,
        crate::api::clients::delete,
        crate::api::client_secrets::add,
        crate::api::client_secrets::remove,
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
    let issuer = &state.authority.settings().issuer;
    let mut description = describe(issuer.path(), scopes);
    keep_what_is_here(&mut description, state.routes);
    if !state.routes.protocol
        && let Some(components) = &mut description.components
    {
        // Tokens come from the issuer, at another origin, which Authorize can't ask: one is pasted.
        components.security_schemes.remove("password");
        components.security_schemes.remove("basic");
    }
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-cache")).json(description))
}

/// Leaves out what this listener does not have.
fn keep_what_is_here(description: &mut Description, routes: Routes) {
    let is_here = |path: &str| {
        let own = path == "/api/v1/me" || path.starts_with("/api/v1/me/");
        match path.starts_with("/api/v1/") {
            true => routes.admin || own,
            false if path.starts_with("/health/") => true,
            false if path == "/metrics" => routes.metrics,
            false => routes.protocol,
        }
    };
    description.paths.paths.retain(|path, _| is_here(path));
}

/// The description, with the password flow as its security scheme.
fn describe(base_path: &str, scopes: Vec<(String, String)>) -> Description {
    let mut description = Endpoints::openapi();
    // Relative, so that it is right under any name by which the server is reached.
    description.servers = Some(vec![Server::new(if base_path.is_empty() { "/" } else { base_path })]);
    // Relative as well, for Authorize.
    let token_url = format!("{base_path}/token");
    let flow = Password::with_refresh_url(token_url.clone(), Scopes::from_iter(scopes), token_url);
    let components = description.components.get_or_insert_with(Default::default);
    components.add_security_scheme("password", SecurityScheme::OAuth2(OAuth2::new([Flow::Password(flow)])));
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    components.add_security_scheme("token", SecurityScheme::Http(bearer));
    let basic = HttpBuilder::new().scheme(HttpAuthScheme::Basic).build();
    components.add_security_scheme("basic", SecurityScheme::Http(basic));
    description.tags =
        Some(TAGS.map(|(name, what)| TagBuilder::new().name(name).description(Some(what)).build()).into());
    for operation in description.paths.paths.values_mut().flat_map(operations) {
        type_problems(operation);
        // An empty list says that it is open; without one, some tools ask whether it was forgotten.
        operation.security.get_or_insert_default();
        // Where the one line says all, it is the description as well.
        let summary = operation.summary.clone();
        operation.description.get_or_insert_with(|| summary.unwrap_or_default());
    }
    description
}

/// The groups of operations.
const TAGS: [(&str, &str); 7] = [
    ("OAuth2", "Tokens: obtaining, refreshing, revoking and introspecting them"),
    ("Session", "The session of the bearer"),
    ("Discovery", "Metadata and keys"),
    ("Denylist", "What resource servers follow, to refuse what was revoked"),
    ("Account", "One's own account, with ficha:account"),
    ("Admin", "The admin API"),
    ("Operation", "Health and metrics"),
];

fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, patch, .. } = path;
    [get, put, post, delete, patch].into_iter().filter_map(Option::as_mut)
}

/// Problems have a type of their own (RFC 9457).
fn type_problems(operation: &mut Operation) {
    let is_problem = |content: &RefOr<Content>| match content {
        RefOr::T(Content { schema: Some(RefOr::Ref(schema)), .. }) => {
            schema.ref_location == "#/components/schemas/Problem"
        }
        _ => false,
    };
    for response in operation.responses.responses.values_mut() {
        let RefOr::T(response) = response else { continue };
        if response.content.get("application/json").is_some_and(is_problem)
            && let Some(content) = response.content.shift_remove("application/json")
        {
            response.content.insert("application/problem+json".to_owned(), content);
        }
    }
}
