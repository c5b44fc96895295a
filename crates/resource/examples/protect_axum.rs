//! The program of docs/src/how-to/protect-a-rust-service.md, with axum.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Router, routing::get};
use ficha_resource::axum::Bearer;
use ficha_resource::{OAuth2PasswordBearer, scopes};

scopes! { NotesRead = "notes:read"; }

async fn notes(user: Bearer<NotesRead>) -> String {
    format!("the notes of {}\n", user.claims.sub)
}

/// For the load balancer: not before keys and denylist are there.
async fn health(State(oauth2): State<OAuth2PasswordBearer>) -> (StatusCode, String) {
    let readiness = oauth2.readiness();
    let status = if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, format!("{readiness}\n"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Without a subscriber nobody sees why a service is not ready.
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let setting = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let mut oauth2 = OAuth2PasswordBearer::discover(setting("FICHA_ISSUER", "http://127.0.0.1:8080")).audience("notes");
    if let Ok(secret) = std::env::var("NOTES_SECRET") {
        oauth2 = oauth2.credentials("notes-api", secret);
    }
    let app = Router::new().route("/notes", get(notes)).route("/health", get(health)).with_state(oauth2.build().await?);
    let listener = tokio::net::TcpListener::bind(setting("NOTES_BIND", "127.0.0.1:8081")).await?;
    axum::serve(listener, app).await?;
    Ok(())
}
