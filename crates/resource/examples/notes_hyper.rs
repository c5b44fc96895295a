//! A service without actix-web and axum: hyper alone. What reads the header and what answers a refusal know no framework.
//!
//! ```sh
//! cargo run -p ficha-resource --no-default-features --example notes_hyper
//! ```
//!
//! Settings are environment variables: `FICHA_ISSUER`, `NOTES_AUDIENCE`, `NOTES_BIND`, `NOTES_CLIENT_ID` and
//! `NOTES_CLIENT_SECRET`, as for `notes`.

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;

use ficha_resource::{ErrorResponse, OAuth2PasswordBearer, Presented, Refusal, Verified};
use hyper::body::Incoming;
use hyper::header::AUTHORIZATION;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;

/// The token of a request that has this scope.
async fn admit(
    oauth2: &OAuth2PasswordBearer,
    request: &Request<Incoming>,
    scope: &str,
) -> Result<Arc<Verified>, ErrorResponse> {
    let refuse = |refusal: Refusal| refusal.response(&oauth2.description().realm);
    let presented = Presented::from_authorization(request.headers().get_all(AUTHORIZATION));
    let presented = presented.map_err(|malformed| refuse(malformed.into()))?;
    let presented = presented.ok_or_else(|| refuse(Refusal::Missing))?;
    let verified = oauth2.verify(presented).await.map_err(|error| refuse(error.into()))?;
    if !verified.claims.scope.contains(scope) {
        return Err(refuse(Refusal::InsufficientScope { required: scope.to_owned() }));
    }
    Ok(verified)
}

/// The answer to a refused request: status, challenge or `Retry-After`, and body.
fn refused(refusal: &ErrorResponse) -> Response<String> {
    let builder = Response::builder().status(refusal.status());
    let builder = refusal.headers().fold(builder, |builder, (name, value)| builder.header(name, value));
    builder.body(refusal.body()).unwrap_or_default()
}

fn plain(status: u16, text: impl Into<String>) -> Response<String> {
    Response::builder().status(status).body(text.into()).unwrap_or_default()
}

async fn answer(oauth2: OAuth2PasswordBearer, request: Request<Incoming>) -> Response<String> {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => plain(200, "Hello\n"),
        (&Method::GET, "/notes") => match admit(&oauth2, &request, "notes:read").await {
            Ok(user) => plain(200, format!("the notes of {}\n", user.claims.sub)),
            Err(refusal) => refused(&refusal),
        },
        (&Method::DELETE, path) if path.starts_with("/notes/") => match admit(&oauth2, &request, "notes:write").await {
            Ok(_) => plain(404, "there is no such note\n"),
            Err(refusal) => refused(&refusal),
        },
        (&Method::GET, "/health") => match oauth2.readiness() {
            readiness if readiness.is_ready() => plain(200, "ready\n"),
            readiness => plain(503, format!("{readiness}\n")),
        },
        _ => plain(404, ""),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let setting = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let issuer = setting("FICHA_ISSUER", "http://127.0.0.1:8080");
    let mut settings = OAuth2PasswordBearer::discover(&issuer).audience(setting("NOTES_AUDIENCE", &issuer));
    if let Ok(id) = std::env::var("NOTES_CLIENT_ID") {
        settings = settings.credentials(id, std::env::var("NOTES_CLIENT_SECRET")?);
    }
    let oauth2 = settings.build().await?;
    let listener = tokio::net::TcpListener::bind(setting("NOTES_BIND", "127.0.0.1:8081")).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let oauth2 = oauth2.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let oauth2 = oauth2.clone();
                async move { Ok::<_, Infallible>(answer(oauth2, request).await) }
            });
            if let Err(error) =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
            {
                tracing::debug!(%error, "a connection ended");
            }
        });
    }
}
