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
use crate::{api, denylist, docs, health, oauth, openapi, users};

/// Which routes an address has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Routes {
    /// All of them.
    All,
    /// All but `/metrics`, which has an address of its own.
    WithoutMetrics,
    /// `/metrics` and the health checks.
    Operation,
}

/// Puts every endpoint below the issuer's path, and the health checks at the root as well.
pub fn configure(app: &mut ServiceConfig, state: &State, routes: Routes) {
    app.app_data(web::Data::new(state.clone())).app_data(state.guard.clone());
    app.default_service(web::to(not_found));
    if routes == Routes::Operation {
        app.service(get("/health/live", read().to(health::live)));
        app.service(get("/health/ready", read().to(health::ready)));
        app.service(get("/metrics", read().to(health::metrics)));
        return;
    }
    let base = state.authority.settings().issuer.path().to_owned();
    if routes == Routes::All {
        app.service(get(&format!("{base}/metrics"), read().to(health::metrics)));
    }
    if !base.is_empty() {
        // RFC 8414 §3: the well-known part goes between the host and the issuer's path.
        let well_known = format!("/.well-known/oauth-authorization-server{base}");
        app.service(get(&well_known, read().to(oauth::metadata::metadata)));
        app.service(get("/health/live", read().to(health::live)));
        app.service(get("/health/ready", read().to(health::ready)));
    }
    app.service(
        web::scope(&base)
            .service(post("/token", web::post().to(oauth::token::token)))
            .service(post("/revoke", web::post().to(oauth::revoke::revoke)))
            .service(post("/introspect", web::post().to(oauth::introspect::introspect)))
            .service(post("/logout", web::post().to(oauth::logout::logout).wrap(from_fn(load_unknown_key))))
            .service(get("/users/me", read().to(users::me).wrap(from_fn(load_unknown_key))))
            .service(poll("/denylist", web::get().to(denylist::denylist)))
            .service(get("/.well-known/jwks.json", read().to(oauth::jwks::jwks)))
            .service(get("/.well-known/oauth-authorization-server", read().to(oauth::metadata::metadata)))
            .service(get("/openapi.json", read().to(openapi::openapi)))
            .service(get("/docs", read().to(docs::redirect)))
            .service(get("/docs/{file:.*}", read().to(docs::file)))
            .service(get("/problems/{name}", read().to(api::problems::page)))
            .service(get("/health/live", read().to(health::live)))
            .service(get("/health/ready", read().to(health::ready)))
            .service(api::routes()),
    );
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
