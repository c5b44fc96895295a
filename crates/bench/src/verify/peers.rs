//! Building and starting what others use for the same task (crates/bench/peers, a workspace of its own).

use std::path::Path;

use tokio::process::Command;

use super::tokens::{AUDIENCE, ISSUER};
use crate::Outcome;
use crate::child::ServerProcess;

/// A peer that runs.
pub struct Peer {
    /// What it is.
    pub name: &'static str,
    /// Its process.
    pub server: ServerProcess,
}

/// The programs and what they are.
const PEERS: [(&str, &str); 2] =
    [("actix-httpauth", "actix-web-httpauth + jsonwebtoken"), ("axum-jwt-authorizer", "jwt-authorizer on axum")];

/// Builds them if need be, and starts them. Where they can't be built, it says so, and there are none.
pub async fn start(key_set: &Path) -> Outcome<Vec<Peer>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = here.join("../../target/peers");
    let mut build = Command::new("cargo");
    build.args(["build", "--release", "--locked", "--quiet", "--manifest-path"]).arg(here.join("peers/Cargo.toml"));
    if !build.arg("--target-dir").arg(&target).status().await.is_ok_and(|status| status.success()) {
        println!("the peers could not be built, so nothing is measured beside it");
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
