//! The program of docs/src/how-to/protect-a-rust-service.md, with actix-web.

use actix_web::{App, HttpResponse, HttpServer, Responder, get, web};
use ficha_resource::{Bearer, OAuth2PasswordBearer, scopes};

scopes! { NotesRead = "notes:read"; }

#[get("/notes")]
async fn notes(user: Bearer<NotesRead>) -> String {
    format!("the notes of {}\n", user.claims.sub)
}

/// For the load balancer: not before keys and denylist are there.
#[get("/health")]
async fn health(oauth2: web::Data<OAuth2PasswordBearer>) -> impl Responder {
    let readiness = oauth2.readiness();
    let mut answer = if readiness.is_ready() { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    answer.body(format!("{readiness}\n"))
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Without a subscriber nobody sees why a service is not ready.
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let setting = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let mut oauth2 = OAuth2PasswordBearer::discover(setting("FICHA_ISSUER", "http://127.0.0.1:8080")).audience("notes");
    if let Ok(secret) = std::env::var("NOTES_SECRET") {
        oauth2 = oauth2.credentials("notes-api", secret);
    }
    let oauth2 = oauth2.build().await?;
    HttpServer::new(move || {
        App::new().app_data(oauth2.clone()).app_data(web::Data::new(oauth2.clone())).service((notes, health))
    })
    .bind(setting("NOTES_BIND", "127.0.0.1:8081"))?
    .run()
    .await?;
    Ok(())
}
