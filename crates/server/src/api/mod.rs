//! The admin API, `/api/v1`: HTTP over the rules of [`ficha_authority::Admin`]. Nothing is decided here.

pub mod audit;
mod body;
pub mod caller;
pub mod client_secrets;
pub mod client_views;
pub mod clients;
mod csv;
mod etag;
pub mod events;
pub mod import;
pub mod jobs;
pub mod keys;
pub mod me;
pub mod new_user;
pub mod overview;
pub mod problem;
pub mod problems;
pub mod query;
pub mod reads;
pub mod receipt;
mod repeated;
pub mod resource_servers;
pub mod revoke_sessions;
pub mod schemas;
pub mod scopes;
pub mod sessions;
pub mod user_views;
pub mod users;

use actix_web::dev::HttpServiceFactory;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data};
use actix_web::{HttpRequest, HttpResponse, Resource, Scope, guard};

use self::caller::caller;
use self::problem::Problem;
use self::reads::record_reads;
use crate::http::run_to_completion::run_to_completion;
use crate::state::State;

/// Where it is, below the issuer's path.
pub const PREFIX: &str = "/api/v1";

/// Its routes; or only those that are about one's own account.
pub fn routes(all: bool) -> impl HttpServiceFactory + use<> {
    let own = own_account(web::scope(PREFIX));
    let scope = match all {
        true => administration(own).default_service(web::to(unknown)),
        false => own,
    };
    scope.wrap(from_fn(record_reads)).wrap(from_fn(run_to_completion))
}

fn own_account(scope: Scope) -> Scope {
    scope
        .service(resource("/me", "GET, HEAD").route(read().to(me::show)))
        .service(resource("/me/sessions", "GET, HEAD").route(read().to(me::sessions)))
        .service(resource("/me/sessions/revoke-others", "POST").route(web::post().to(me::revoke_others)))
        .service(resource("/me/sessions/{id}", "DELETE").route(web::delete().to(me::revoke_session)))
        .service(resource("/me/password", "POST").route(web::post().to(me::change_password)))
        .service(resource("/me/events", "GET, HEAD").route(read().to(audit::own)))
}

fn administration(scope: Scope) -> Scope {
    scope
        .service(resource("/sessions", "GET, HEAD").route(read().to(sessions::list)))
        .service(resource("/sessions/revoke", "POST").route(web::post().to(revoke_sessions::revoke)))
        .service(
            resource("/sessions/{id}", "GET, HEAD, DELETE")
                .route(read().to(sessions::show))
                .route(web::delete().to(sessions::revoke)),
        )
        .service(resource("/resource-servers", "GET, HEAD").route(read().to(resource_servers::list)))
        .service(resource("/overview", "GET, HEAD").route(read().to(overview::show)))
        .service(resource("/audit", "GET, HEAD").route(read().to(audit::list)))
        .service(resource("/audit/export", "GET").route(web::get().to(audit::export)))
        .service(resource("/events", "GET").route(web::get().to(events::watch)))
        .service(
            resource("/users", "GET, HEAD, POST").route(read().to(users::list)).route(web::post().to(new_user::create)),
        )
        // Only this method: there may be a user of that name.
        .service(resource("/users/import", "POST").guard(guard::Post()).route(web::post().to(import::import)))
        .service(resource("/jobs", "GET, HEAD").route(read().to(jobs::list)))
        .service(
            resource("/jobs/{id}", "GET, HEAD, DELETE")
                .route(read().to(jobs::show))
                .route(web::delete().to(jobs::stop)),
        )
        .service(
            resource("/users/{id}", "GET, HEAD, PATCH, DELETE")
                .route(read().to(users::show))
                .route(web::patch().to(users::change))
                .route(web::delete().to(users::delete)),
        )
        .service(resource("/users/{id}/password", "POST").route(web::post().to(users::set_password)))
        .service(resource("/users/{id}/export", "GET, HEAD").route(read().to(users::export)))
        .service(resource("/users/{id}/{action}", "POST").route(web::post().to(users::action)))
        .service(
            resource("/clients", "GET, HEAD, POST")
                .route(read().to(clients::list))
                .route(web::post().to(clients::create)),
        )
        .service(
            resource("/clients/{id}", "GET, HEAD, PATCH, DELETE")
                .route(read().to(clients::show))
                .route(web::patch().to(clients::change))
                .route(web::delete().to(clients::delete)),
        )
        .service(resource("/clients/{id}/secrets", "POST").route(web::post().to(client_secrets::add)))
        .service(resource("/clients/{id}/secrets/{sid}", "DELETE").route(web::delete().to(client_secrets::remove)))
        .service(resource("/keys", "GET, HEAD").route(read().to(keys::list)))
        .service(resource("/keys/rotate", "POST").route(web::post().to(keys::rotate)))
        .service(resource("/keys/purge", "POST").route(web::post().to(keys::purge)))
        .service(resource("/scopes", "GET, HEAD").route(read().to(scopes::list)))
        .service(
            resource("/scopes/{name}", "GET, HEAD, PUT, DELETE")
                .route(read().to(scopes::show))
                .route(web::put().to(scopes::declare))
                .route(web::delete().to(scopes::remove)),
        )
}

fn read() -> actix_web::Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// A path whose other methods are refused, after the caller was looked at.
fn resource(path: &str, allowed: &'static str) -> Resource {
    let refuse = move |request: HttpRequest, state: Data<State>| async move {
        let refused = caller(&request, &state).await.err();
        refused.unwrap_or_else(|| Problem::method_not_allowed(allowed)).response(&state)
    };
    web::resource(path).default_service(web::to(refuse))
}

async fn unknown(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let refused = caller(&request, &state).await.err();
    refused.unwrap_or_else(|| Problem::not_found("there is nothing at this path")).response(&state)
}
