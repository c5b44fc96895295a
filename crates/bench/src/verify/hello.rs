//! The service under load, in a separate process: one open hello, and one that needs a bearer token.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use actix_web::web::get;
use actix_web::{App, HttpServer};
use clap::Args;
use ficha_resource::{Bearer, BearerGuard};
use ficha_token::Jwk;

use super::checks::DENIED;
use super::tokens::{deny_set, verifier};
use crate::Outcome;
use crate::child::parent_gone;

/// Enough for every token that the scenario sends.
const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// The options of the child process.
#[derive(Args, Clone)]
pub struct HelloOptions {
    /// The file with the public key
    #[arg(long)]
    pub jwk: PathBuf,
}

/// The child's main.
pub async fn serve(options: HelloOptions) -> Outcome<()> {
    let jwk: Jwk = serde_json::from_slice(&std::fs::read(options.jwk)?)?;
    let guard = BearerGuard::new(verifier(&jwk, &Arc::new(deny_set(DENIED)), CACHE_BYTES)?);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(guard.clone())
            .route("/hello", get().to(async || "Hello\n"))
            .route("/protected", get().to(protected))
    });
    let server = server.disable_signals().bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    println!("{}", server.addrs().first().ok_or("it listens somewhere")?);
    let server = server.run();
    let handle = server.handle();
    tokio::spawn(async move {
        parent_gone().await;
        handle.stop(false).await;
    });
    Ok(server.await?)
}

async fn protected(user: Bearer) -> &'static str {
    if user.claims.sub.is_nil() { "Hello, nobody\n" } else { "Hello\n" }
}
