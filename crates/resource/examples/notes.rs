//! A notes API: two scopes, no database, and Swagger UI with an Authorize button.
//!
//! ```sh
//! cargo run -p ficha-resource --example notes
//! ```
//!
//! It reads only the metadata, the keys and the denylist of the authorization server, all in the background. Settings
//! are environment variables:
//!
//! - `FICHA_ISSUER`: the issuer (default `http://127.0.0.1:8080`)
//! - `NOTES_AUDIENCE`: the audience of the tokens (default: the issuer)
//! - `NOTES_BIND`: the address to listen on (default `127.0.0.1:8081`)
//! - `NOTES_CLIENT_ID`, `NOTES_CLIENT_SECRET`: the client that follows the denylist (required unless the issuer is a
//!   loopback address)

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::web::{Data, Json, Path};
use actix_web::{App, HttpResponse, HttpServer, Responder, delete, get, post};
use ficha_resource::{Bearer, MaybeBearer, OAuth2PasswordBearer, scopes};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};
use utoipa_swagger_ui::{Config, SwaggerUi, oauth};
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

/// All notes, in the order in which they were added. A deleted note leaves `None` in its place.
#[derive(Default)]
struct Notes(Mutex<Vec<Option<Note>>>);

/// Greets the user, or an anonymous caller.
#[utoipa::path(get, path = "/", responses((status = 200, body = str)), security((), ("OAuth2PasswordBearer" = [])))]
#[get("/")]
async fn greet(user: MaybeBearer) -> String {
    match user.0 {
        Some(user) => format!("Hello {}\n", user.claims.sub),
        None => "Hello whoever you are\n".to_owned(),
    }
}

/// Lists your notes.
#[utoipa::path(get, path = "/notes", responses((status = 200, body = [Note])), security(("OAuth2PasswordBearer" = ["notes:read"])))]
#[get("/notes")]
async fn list(user: Bearer<NotesRead>, notes: Data<Notes>) -> impl Responder {
    let notes = notes.0.lock().unwrap_or_else(PoisonError::into_inner);
    Json(notes.iter().flatten().filter(|note| note.owner == user.claims.sub).cloned().collect::<Vec<_>>())
}

/// Adds a note.
#[utoipa::path(post, path = "/notes", responses((status = 201, body = Note)), security(("OAuth2PasswordBearer" = ["notes:write"])))]
#[post("/notes")]
async fn add(user: Bearer<NotesWrite>, notes: Data<Notes>, new: Json<NewNote>) -> impl Responder {
    let mut notes = notes.0.lock().unwrap_or_else(PoisonError::into_inner);
    let note = Note { id: notes.len() + 1, owner: user.claims.sub, text: new.into_inner().text };
    notes.push(Some(note.clone()));
    HttpResponse::Created().json(note)
}

/// Deletes one of your notes.
#[utoipa::path(delete, path = "/notes/{id}", responses((status = 204), (status = 404)), security(("OAuth2PasswordBearer" = ["notes:write"])))]
#[delete("/notes/{id}")]
async fn remove(user: Bearer<NotesWrite>, notes: Data<Notes>, id: Path<usize>) -> impl Responder {
    let mut notes = notes.0.lock().unwrap_or_else(PoisonError::into_inner);
    let place = id.checked_sub(1).and_then(|index| notes.get_mut(index));
    match place {
        Some(place) if place.as_ref().is_some_and(|note| note.owner == user.claims.sub) => {
            *place = None;
            HttpResponse::NoContent()
        }
        _ => HttpResponse::NotFound(),
    }
}

/// Readiness, for an orchestrator or a load balancer.
#[get("/health")]
async fn health(oauth2: Data<OAuth2PasswordBearer>) -> impl Responder {
    let readiness = oauth2.readiness();
    if readiness.is_ready() {
        HttpResponse::Ok().body("ready\n")
    } else {
        HttpResponse::ServiceUnavailable().body(format!("{readiness}\n"))
    }
}

#[derive(OpenApi)]
#[openapi(info(title = "Notes"), paths(greet, list, add, remove))]
struct Description;

/// Built on each request: this service may start before the authorization server, whose metadata has the token URL.
#[get("/openapi.json")]
async fn describe(oauth2: Data<OAuth2PasswordBearer>) -> impl Responder {
    let mut description = Description::openapi();
    oauth2.modify(&mut description);
    Json(description)
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let setting = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let issuer = setting("FICHA_ISSUER", "http://127.0.0.1:8080");
    let bind = setting("NOTES_BIND", "127.0.0.1:8081");

    let mut oauth2 = OAuth2PasswordBearer::discover(&issuer)
        .audience(setting("NOTES_AUDIENCE", &issuer))
        .scope("notes:read", "Read your notes")
        .scope("notes:write", "Write and delete your notes");
    if let (Ok(id), Ok(secret)) = (std::env::var("NOTES_CLIENT_ID"), std::env::var("NOTES_CLIENT_SECRET")) {
        oauth2 = oauth2.credentials(id, secret);
    }
    let oauth2 = oauth2.build().await?;

    let authorize = oauth::Config::new().client_id("first-party").app_name("Notes");
    let notes = Data::new(Notes::default());
    println!("notes at http://{bind}, its page at http://{bind}/docs/");
    HttpServer::new(move || {
        App::new()
            .app_data(oauth2.clone())
            .app_data(Data::from(Arc::new(oauth2.clone())))
            .app_data(notes.clone())
            .service((greet, list, add, remove, health, describe))
            .service(SwaggerUi::new("/docs/{_:.*}").config(Config::from("/openapi.json")).oauth(authorize.clone()))
    })
    .bind(bind)?
    .run()
    .await?;
    Ok(())
}
