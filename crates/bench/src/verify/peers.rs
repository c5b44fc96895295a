//! Builds and starts other libraries for the same task (crates/bench/peers, a separate workspace).

use std::path::Path;

use tokio::process::Command;

use super::tokens::{AUDIENCE, ISSUER};
use crate::Outcome;
use crate::child::ServerProcess;

/// A running peer.
pub struct Peer {
    /// Its name.
    pub name: &'static str,
    /// Its process.
    pub server: ServerProcess,
}

/// The programs and their names.
const PEERS: [(&str, &str); 2] =
    [("actix-httpauth", "actix-web-httpauth + jsonwebtoken"), ("axum-jwt-authorizer", "jwt-authorizer on axum")];

/// Builds the peers if needed, and starts them. If the build fails, prints that and returns none.
pub async fn start(key_set: &Path) -> Outcome<Vec<Peer>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = here.join("../../target/peers");
    let mut build = Command::new("cargo");
    build.args(["build", "--release", "--locked", "--quiet", "--manifest-path"]).arg(here.join("peers/Cargo.toml"));
    if !build.arg("--target-dir").arg(&target).status().await.is_ok_and(|status| status.success()) {
        println!("the peers could not be built and are not measured");
        return Ok(Vec::new());
    }
    let mut peers = Vec::new();
    for (program, name) in PEERS {
        let mut command = Command::new(target.join("release").join(program));
        command.arg(key_set).args([ISSUER, AUDIENCE]);
        peers.push(Peer { name, server: ServerProcess::spawn(command).await? });
    }
    Ok(peers)
}
