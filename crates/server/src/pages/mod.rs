//! The server's own pages: sign-in, console and account. They are HTML over the rules of [`ficha_authority::Admin`], as
//! the admin API is JSON over them. Nothing is decided here. Every page works without scripts.

mod account;
pub mod answer;
mod assets;
mod confirm;
mod console;
mod cookies;
mod device;
mod done;
mod events;
mod filter;
mod form_guard;
mod frame;
mod language;
mod preferences;
mod reasons;
mod root;
mod sign_in;
mod texts;
mod visitor;
mod when;

use actix_web::dev::HttpServiceFactory;
use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Resource, guard};

use self::answer::{PageError, answered};
use self::visitor::visitor;
use crate::error::ApiError;
use crate::http::run_to_completion::run_to_completion;
use crate::state::State;

/// The first part of every path that is a page, or belongs to one, below the issuer's path. No page of another origin may
/// read what is there. The first is for that path alone.
pub const PREFIXES: [&str; 7] = ["/", "/login", "/sign-out", "/preferences", "/console", "/account", "/assets"];

/// The routes of the pages: those for every user, and those for administrators.
pub fn configure(app: &mut ServiceConfig, with_console: bool) {
    // A program that asks for `/` is told what it always was.
    app.service(page(web::resource("/").route(read().to(root::show)).default_service(web::to(root::nothing))))
        .service(page(both("/login").route(read().to(sign_in::form)).route(web::post().to(sign_in::sign_in))))
        .service(page(form("/sign-out").route(web::post().to(sign_in::sign_out))))
        .service(page(form("/preferences").route(web::post().to(preferences::set))))
        .service(page(shown("/account").route(read().to(account::home))))
        .service(page(shown("/account/events").route(read().to(account::events::list))))
        .service(page(shown("/account/sessions").route(read().to(account::sessions::list))))
        .service(page(form("/account/sessions/revoke-others").route(web::post().to(account::sessions::revoke_others))))
        .service(page(form("/account/sessions/{id}/revoke").route(web::post().to(account::sessions::revoke))))
        .service(page(
            both("/account/password")
                .route(read().to(account::password::form))
                .route(web::post().to(account::password::change)),
        ))
        // Not run to completion: it ends with its connection.
        .service(
            shown("/console/events").route(web::get().to(events::watch)).route(web::head().to(events::is_signed_in)),
        )
        .service(page(shown("/console/receipt").route(read().to(console::receipt::show))))
        .service(shown("/console/receipt/stream").route(web::get().to(console::receipt_stream::watch)))
        .service(shown("/account/").route(read().to(parent)))
        .service(page(shown("/account/{rest:.*}").route(read().to(nothing))))
        .service(shown("/assets/{name}").route(read().to(assets::file)));
    if with_console {
        app.configure(console);
    }
}

fn console(app: &mut ServiceConfig) {
    app.service(page(shown("/console").route(read().to(console::overview::show))))
        .service(page(shown("/console/sessions").route(read().to(console::sessions::list))))
        .service(page(form("/console/sessions/revoke").route(web::post().to(console::revoke_many::revoke))))
        .service(page(shown("/console/sessions/{id}").route(read().to(console::session::show))))
        .service(page(form("/console/sessions/{id}/revoke").route(web::post().to(console::session::revoke))))
        .service(page(shown("/console/users").route(read().to(console::users::list::list))))
        .service(page(
            both("/console/new-user")
                .route(read().to(console::users::new::form))
                .route(web::post().to(console::users::new::create)),
        ))
        .service(page(
            both("/console/import-users")
                .route(read().to(console::users::import::form))
                .route(web::post().to(console::users::import::import)),
        ))
        .service(page(shown("/console/users/{id}").route(read().to(console::users::show::show))))
        .service(page(shown("/console/users/{id}/export").route(read().to(console::users::show::export))))
        .service(page(
            both("/console/users/{id}/edit")
                .route(read().to(console::users::edit::form))
                .route(web::post().to(console::users::edit::save)),
        ))
        .service(page(form("/console/users/{id}/{action}").route(web::post().to(console::users::actions::act))))
        .service(page(shown("/console/clients").route(read().to(console::clients::list::list))))
        .service(page(
            both("/console/new-client")
                .route(read().to(console::clients::new::form))
                .route(web::post().to(console::clients::new::create)),
        ))
        .service(page(shown("/console/clients/{id}").route(read().to(console::clients::show::show))))
        .service(page(
            both("/console/clients/{id}/edit")
                .route(read().to(console::clients::edit::form))
                .route(web::post().to(console::clients::edit::save)),
        ))
        .service(page(form("/console/clients/{id}/secrets").route(web::post().to(console::clients::secrets::add))))
        .service(page(
            form("/console/clients/{id}/secrets/{secret}/remove")
                .route(web::post().to(console::clients::secrets::remove)),
        ))
        .service(page(form("/console/clients/{id}/{action}").route(web::post().to(console::clients::actions::act))))
        .service(page(
            both("/console/scopes")
                .route(read().to(console::scopes::list))
                .route(web::post().to(console::scopes::declare)),
        ))
        .service(page(form("/console/scopes/remove").route(web::post().to(console::scopes::remove))))
        .service(page(shown("/console/keys").route(read().to(console::keys::list))))
        .service(page(form("/console/keys/rotate").route(web::post().to(console::keys::rotate))))
        .service(page(form("/console/keys/purge").route(web::post().to(console::keys::purge))))
        .service(page(shown("/console/services").route(read().to(console::services::list))))
        .service(page(shown("/console/audit").route(read().to(console::audit::list))))
        .service(page(shown("/console/jobs").route(read().to(console::jobs::list))))
        .service(page(shown("/console/jobs/{id}").route(read().to(console::jobs::show))))
        .service(page(form("/console/jobs/{id}/stop").route(web::post().to(console::jobs::stop))))
        .service(page(shown("/console/numbers").route(read().to(console::overview::numbers))))
        .service(shown("/console/").route(read().to(parent)))
        .service(page(shown("/console/{rest:.*}").route(read().to(nothing))));
}

/// The first page, at the issuer's own path.
pub fn configure_root(app: &mut ServiceConfig, base: &str) {
    app.service(page(web::resource(base).route(read().to(root::show)).default_service(web::to(root::nothing))));
}

/// What is looked at.
fn shown(path: &str) -> Resource {
    resource(path, "GET, HEAD")
}

/// What a form is sent to. Who asks for it by its address gets the page that it belongs to.
fn form(path: &str) -> Resource {
    resource(path, "GET, HEAD, POST").route(read().to(parent))
}

async fn parent(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let base = state.site.path();
    let path = request.path().strip_prefix(base).unwrap_or_default();
    let end = match () {
        () if path.starts_with("/account/sessions/") => Some("/account/sessions".len()),
        () => path.find("/secrets").or_else(|| path.rfind('/')),
    };
    let parent = path.get(..end.unwrap_or_default()).unwrap_or_default();
    see_other(&state, if parent.is_empty() { "/" } else { parent })
}

/// A form, and what it is sent to.
fn both(path: &str) -> Resource {
    resource(path, "GET, HEAD, POST")
}

fn resource(path: &str, allowed: &'static str) -> Resource {
    let refuse = move || async move { Err::<HttpResponse, _>(ApiError::MethodNotAllowed(allowed)) };
    web::resource(path).default_service(web::to(refuse))
}

fn read() -> actix_web::Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// What is begun is finished, even if the browser goes away.
fn page(resource: Resource) -> impl HttpServiceFactory + use<> {
    resource.wrap(from_fn(run_to_completion))
}

async fn nothing(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let found = async { visitor(&request, &state).await.and_then(|_| Err::<HttpResponse, _>(PageError::not_found())) };
    answered(&request, &state, found.await).await
}

/// Sends a browser to another page of this server (A83: 303, so that it asks for it with GET).
fn see_other(state: &State, path: &str) -> HttpResponse {
    let target = format!("{}{path}", state.site.path());
    HttpResponse::SeeOther().insert_header((LOCATION, target)).insert_header((CACHE_CONTROL, "no-store")).finish()
}
