//! The notes API in axum.

use std::net::SocketAddr;

use axum::routing::get;
use axum::{Json, Router};
use ficha_resource::axum::{Bearer, BearerGuard, ErrorBody, HasRole, MaybeBearer};
use ficha_resource::{AnyScope, OnStale, TestIssuer};
use http::header::CONTENT_TYPE;
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
    let guard = BearerGuard::from(&oauth2);
    let problem = ErrorBody::new(|error| {
        ([(CONTENT_TYPE, "application/problem+json")], Json(json!({ "title": error.to_string() })))
    });
    let within = |path: &str, guard: BearerGuard| Router::new().route(path, get(notes)).with_state(guard);
    let admin = Router::new().route("/admin", get(inside)).route("/admin/notes", get(notes)).with_state(oauth2.clone());
    let strict = guard.clone().on_stale(OnStale::Refuse);
    let same = Router::new().route("/open/same", get(notes).post(add)).with_state(oauth2.clone());
    let open = guard.clone().on_stale(OnStale::Accept).realm("open").error_body(problem.clone());
    let part = |path: &str| Router::new().route(path, get(inside));
    let app = Router::new()
        .route("/notes", get(notes).post(add))
        .route("/team", get(team))
        .route("/publish", get(publish))
        .route("/greet", get(greet))
        .with_state(oauth2)
        .merge(within("/archive", guard.clone().on_stale(OnStale::Accept)))
        .merge(within("/problem", guard.clone().error_body(problem)))
        .merge(admin.route_layer(guard.require("notes:admin")))
        .merge(within("/open/strict", strict).merge(same).route_layer(open.require("notes:read")))
        .merge(part("/any").route_layer(guard.require_any(["a", "b"])))
        .merge(within("/described", guard.clone().resource_metadata(metadata().url())))
        .route(&metadata().path(), get(metadata()))
        .merge(part("/editors").route_layer(guard.require_role("editor")));
    let listener = listener();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), app).await });
    address
}
