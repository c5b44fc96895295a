//! The notes API in actix-web.

use std::net::SocketAddr;

use actix_web::{App, HttpServer, web};
use ficha_resource::{AnyScope, Bearer, BearerGuard, ErrorBody, HasRole, MaybeBearer, OnStale, TestIssuer};
use serde_json::json;

use crate::{Editor, NotesRead, NotesWrite, Team, listener, metadata};

async fn notes(_user: Bearer<NotesRead>) -> &'static str {
    "notes"
}

async fn add(_user: Bearer<(NotesRead, NotesWrite)>) -> &'static str {
    "added"
}

async fn team(user: Bearer<AnyScope, Team>) -> String {
    user.custom.team.clone()
}

async fn publish(_editor: HasRole<Editor>) -> &'static str {
    "published"
}

async fn greet(user: MaybeBearer) -> &'static str {
    if user.0.is_some() { "hello" } else { "hello, stranger" }
}

async fn inside() -> &'static str {
    "inside"
}

pub fn start(issuer: &TestIssuer) -> SocketAddr {
    let oauth2 = issuer.oauth2();
    let app = move || {
        let problem = || {
            ErrorBody::new(|error, mut response| {
                response.content_type("application/problem+json").json(json!({ "title": error.to_string() }))
            })
        };
        let open = BearerGuard::from(&oauth2).realm("open");
        let archive = BearerGuard::from(&oauth2).on_stale(OnStale::Accept);
        App::new()
            .app_data(oauth2.clone())
            .route("/notes", web::get().to(notes))
            .route("/notes", web::post().to(add))
            .route("/team", web::get().to(team))
            .route("/publish", web::get().to(publish))
            .route("/greet", web::get().to(greet))
            .service(web::resource("/archive").app_data(archive).route(web::get().to(notes)))
            .service(
                web::scope("/admin")
                    .wrap(oauth2.require("notes:admin"))
                    .route("", web::get().to(inside))
                    .route("/notes", web::get().to(notes)),
            )
            .service(web::scope("/any").wrap(oauth2.require_any(["a", "b"])).route("", web::get().to(inside)))
            .service(web::scope("/editors").wrap(oauth2.require_role("editor")).route("", web::get().to(inside)))
            .service(
                web::scope("/open")
                    .wrap(open.on_stale(OnStale::Accept).error_body(problem()).require("notes:read"))
                    .service(web::resource("/strict").app_data(OnStale::Refuse).route(web::get().to(notes)))
                    .route("/same", web::get().to(notes))
                    .route("/same", web::post().to(add)),
            )
            .service(
                web::resource("/described")
                    .app_data(BearerGuard::from(&oauth2).resource_metadata(metadata().url()))
                    .route(web::get().to(notes)),
            )
            .route(&metadata().path(), web::get().to(|| std::future::ready(metadata())))
            .service(web::scope("/problem").app_data(problem()).route("", web::get().to(notes)))
    };
    let listener = listener();
    let address = listener.local_addr().unwrap();
    tokio::spawn(HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap().run());
    address
}
