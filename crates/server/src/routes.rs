//! All routes.

use actix_web::dev::HttpServiceFactory;
use actix_web::guard;
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, Resource, Route};

use crate::error::ApiError;
use crate::http::run_to_completion::run_to_completion;
use crate::http::unknown_key::load_unknown_key;
use crate::state::State;
use crate::{api, denylist, docs, gate, health, oauth, openapi, pages, users};

/// Which routes a listener has, besides the health checks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Routes {
    /// Those of the protocol: tokens, the feed, keys and metadata.
    pub protocol: bool,
    /// `/metrics`.
    pub metrics: bool,
    /// The admin API; without it, the part of it that is about one's own account stays with the protocol.
    pub admin: bool,
    /// The pages for every user: the sign-in and the account.
    pub pages: bool,
    /// Those for administrators.
    pub console: bool,
    /// `/verify`, for proxies.
    pub gate: bool,
}

/// Puts every endpoint below the issuer's path, and the health checks at the root as well.
pub fn configure(app: &mut ServiceConfig, state: &State) {
    let routes = state.routes;
    app.app_data(web::Data::new(state.clone())).app_data(state.guard.clone());
    app.default_service(web::to(not_found));
    let serves_issuer = routes.protocol || routes.admin;
    // What is for operators alone has no path of its own.
    let base = if serves_issuer { state.authority.settings().issuer.path().to_owned() } else { String::new() };
    if !base.is_empty() {
        if routes.pages {
            pages::configure_root(app, &base);
        }
        if routes.protocol {
            // RFC 8414 §3: the well-known part goes between the host and the issuer's path.
            let well_known = format!("/.well-known/oauth-authorization-server{base}");
            app.service(get(&well_known, read().to(oauth::metadata::metadata)));
            let openid = format!("/.well-known/openid-configuration{base}");
            app.service(get(&openid, read().to(oauth::metadata::metadata)));
            let resource = format!("/.well-known/oauth-protected-resource{base}");
            app.service(get(&resource, read().to(oauth::resource::resource)));
        }
        app.configure(health_checks);
    }
    app.service(web::scope(&base).configure(move |app| {
        app.configure(health_checks);
        if routes.metrics {
            app.service(get("/metrics", read().to(health::metrics)));
        }
        if routes.protocol {
            protocol(app);
        }
        if serves_issuer {
            descriptions(app);
        }
        if serves_issuer {
            app.service(api::routes(routes.admin));
        }
        if routes.pages {
            pages::configure(app, routes.console);
        }
        if routes.gate {
            // With any method: some proxies ask with that of the request.
            app.service(web::resource("/verify").route(web::route().to(gate::verify)));
        }
    }));
}

fn health_checks(app: &mut ServiceConfig) {
    app.service(get("/health/live", read().to(health::live)));
    app.service(get("/health/ready", read().to(health::ready)));
}

/// What clients and services use.
fn protocol(app: &mut ServiceConfig) {
    app.service(post("/token", web::post().to(oauth::token::token)))
        .service(post("/revoke", web::post().to(oauth::revoke::revoke)))
        .service(post("/introspect", web::post().to(oauth::introspect::introspect)))
        .service(post("/logout", web::post().to(oauth::logout::logout).wrap(from_fn(load_unknown_key))))
        .service(get("/users/me", read().to(users::me).wrap(from_fn(load_unknown_key))))
        .service(poll("/denylist", web::get().to(denylist::denylist)))
        .service(get("/.well-known/jwks.json", read().to(oauth::jwks::jwks)))
        .service(get("/.well-known/oauth-authorization-server", read().to(oauth::metadata::metadata)))
        // RFC 8414 §5: some clients look here alone.
        .service(get("/.well-known/openid-configuration", read().to(oauth::metadata::metadata)))
        .service(get("/.well-known/oauth-protected-resource", read().to(oauth::resource::resource)));
}

/// What developers read.
fn descriptions(app: &mut ServiceConfig) {
    app.service(get("/openapi.json", read().to(openapi::openapi)))
        .service(get("/docs", read().to(docs::redirect)))
        .service(get("/docs/{file:.*}", read().to(docs::file)))
        .service(get("/problems/{name}", read().to(api::problems::page)));
}

fn post(path: &str, route: Route) -> impl HttpServiceFactory + use<> {
    let resource = web::resource(path).route(route).default_service(web::to(async || method_not_allowed("POST")));
    resource.wrap(from_fn(run_to_completion))
}

fn get(path: &str, route: Route) -> impl HttpServiceFactory + use<> {
    let resource = web::resource(path).route(route).default_service(web::to(async || method_not_allowed("GET, HEAD")));
    resource.wrap(from_fn(run_to_completion))
}

/// Only GET: a HEAD request would wait for a body that it does not want. A poll is not run to completion: it ends with
/// its connection.
fn poll(path: &str, route: Route) -> Resource {
    web::resource(path).route(route).default_service(web::to(async || method_not_allowed("GET")))
}

/// RFC 9110 §9.1: servers must support HEAD as well as GET. Load balancers use it for health checks.
fn read() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

fn method_not_allowed(method: &'static str) -> Result<HttpResponse, ApiError> {
    Err(ApiError::MethodNotAllowed(method))
}

async fn not_found() -> Result<HttpResponse, ApiError> {
    Err(ApiError::NotFound)
}
