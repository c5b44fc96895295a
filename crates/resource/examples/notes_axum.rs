//! The notes API of the example `notes`, in axum, with the same page at `/docs/`.
//!
//! ```sh
//! cargo run -p ficha-resource --features axum --example notes_axum
//! ```
//!
//! Settings are environment variables: `FICHA_ISSUER`, `NOTES_AUDIENCE`, `NOTES_BIND`, `NOTES_CLIENT_ID` and
//! `NOTES_CLIENT_SECRET`, as for `notes`.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{FromRef, Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use axum::{Json, Router};
use ficha_resource::axum::{Bearer, BearerGuard, MaybeBearer};
use ficha_resource::{OAuth2PasswordBearer, scopes};
use http::StatusCode;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};
use utoipa_swagger_ui::{Config, oauth};
use uuid::Uuid;

scopes! {
    NotesRead = "notes:read";
    NotesWrite = "notes:write";
}

/// A note and its owner.
#[derive(Clone, Serialize, ToSchema)]
struct Note {
    id: usize,
    owner: Uuid,
    text: String,
}

/// A note to be written.
#[derive(Deserialize, ToSchema)]
struct NewNote {
    text: String,
}

/// What the handlers share: all notes, in the order in which they were added, and what checks the tokens. A deleted note
/// leaves `None` in its place.
#[derive(Clone)]
struct Service {
    notes: Arc<Mutex<Vec<Option<Note>>>>,
    oauth2: OAuth2PasswordBearer,
}

/// Where the extractors find it.
impl FromRef<Service> for BearerGuard {
    fn from_ref(service: &Service) -> Self {
        Self::from(&service.oauth2)
    }
}

/// Greets the user, or an anonymous caller.
#[utoipa::path(get, path = "/", responses((status = 200, body = str)), security((), ("OAuth2PasswordBearer" = [])))]
async fn greet(user: MaybeBearer) -> String {
    match user.0 {
        Some(user) => format!("Hello {}\n", user.claims.sub),
        None => "Hello stranger\n".to_owned(),
    }
}

/// Lists your notes.
#[utoipa::path(get, path = "/notes", responses((status = 200, body = [Note])), security(("OAuth2PasswordBearer" = ["notes:read"])))]
async fn list(user: Bearer<NotesRead>, State(service): State<Service>) -> Json<Vec<Note>> {
    let notes = service.notes.lock().unwrap_or_else(PoisonError::into_inner);
    Json(notes.iter().flatten().filter(|note| note.owner == user.claims.sub).cloned().collect())
}

/// Adds a note.
#[utoipa::path(post, path = "/notes", request_body = NewNote, responses((status = 201, body = Note)), security(("OAuth2PasswordBearer" = ["notes:write"])))]
async fn add(
    user: Bearer<NotesWrite>,
    State(service): State<Service>,
    Json(new): Json<NewNote>,
) -> (StatusCode, Json<Note>) {
    let mut notes = service.notes.lock().unwrap_or_else(PoisonError::into_inner);
    let note = Note { id: notes.len() + 1, owner: user.claims.sub, text: new.text };
    notes.push(Some(note.clone()));
    (StatusCode::CREATED, Json(note))
}

/// Deletes one of your notes.
#[utoipa::path(delete, path = "/notes/{id}", params(("id" = usize, Path)), responses((status = 204), (status = 404)), security(("OAuth2PasswordBearer" = ["notes:write"])))]
async fn remove(user: Bearer<NotesWrite>, State(service): State<Service>, Path(id): Path<usize>) -> StatusCode {
    let mut notes = service.notes.lock().unwrap_or_else(PoisonError::into_inner);
    let place = id.checked_sub(1).and_then(|index| notes.get_mut(index));
    match place {
        Some(place) if place.as_ref().is_some_and(|note| note.owner == user.claims.sub) => {
            *place = None;
            StatusCode::NO_CONTENT
        }
        _ => StatusCode::NOT_FOUND,
    }
}

/// Readiness, for an orchestrator or a load balancer.
async fn health(State(service): State<Service>) -> (StatusCode, String) {
    let readiness = service.oauth2.readiness();
    match readiness.is_ready() {
        true => (StatusCode::OK, "ready\n".to_owned()),
        false => (StatusCode::SERVICE_UNAVAILABLE, format!("{readiness}\n")),
    }
}

#[derive(OpenApi)]
#[openapi(info(title = "Notes"), paths(greet, list, add, remove))]
struct Description;

/// Built on each request: this service may start before the authorization server, whose metadata has the token URL.
async fn describe(State(service): State<Service>) -> Json<utoipa::openapi::OpenApi> {
    let mut description = Description::openapi();
    service.oauth2.modify(&mut description);
    Json(description)
}

/// The files of Swagger UI.
async fn docs(file: Option<Path<String>>) -> Response {
    let authorize = oauth::Config::new().client_id("first-party").app_name("Notes");
    let config = Config::with_oauth_config(["/openapi.json"], authorize);
    let name = file.map_or_else(String::new, |Path(name)| name);
    match utoipa_swagger_ui::serve(&name, Arc::new(config)) {
        Ok(Some(file)) => {
            let mut response = ([(CONTENT_TYPE, file.content_type)], file.bytes.into_owned()).into_response();
            if file.gzpipped {
                response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
            response
        }
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let setting = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let issuer = setting("FICHA_ISSUER", "http://127.0.0.1:8080");
    let mut settings = OAuth2PasswordBearer::discover(&issuer)
        .audience(setting("NOTES_AUDIENCE", &issuer))
        .scope("notes:read", "Read your notes")
        .scope("notes:write", "Write and delete your notes");
    if let Ok(id) = std::env::var("NOTES_CLIENT_ID") {
        settings = settings.credentials(id, std::env::var("NOTES_CLIENT_SECRET")?);
    }
    let service = Service { notes: Arc::default(), oauth2: settings.build().await? };
    let app = Router::new()
        .route("/", get(greet))
        .route("/notes", get(list).post(add))
        .route("/notes/{id}", delete(remove))
        .route("/health", get(health))
        .route("/openapi.json", get(describe))
        .route("/docs/", get(docs))
        .route("/docs/{*file}", get(docs))
        .with_state(service);
    let listener = tokio::net::TcpListener::bind(setting("NOTES_BIND", "127.0.0.1:8081")).await?;
    axum::serve(listener, app).await?;
    Ok(())
}
