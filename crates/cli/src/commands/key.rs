//! `ficha key …`

use clap::Subcommand;
use ficha_authority::{KeyRecord, key_state};
use serde::Serialize;

use super::recover;
use crate::admin_context::{self, Empty, actor};
use crate::config::Configuration;
use crate::error::CliError;
use crate::output::{self, time};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the keys; private keys are never shown
    List {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Publish a new signing key, which takes over once every cached key set has it
    Rotate,
    /// After a leak: replace all keys at once and end every session
    Purge {
        /// Don't ask for confirmation
        #[arg(long)]
        yes: bool,
    },
}

/// Runs the command.
pub async fn run(command: Command, configuration: &Configuration) -> Result<(), CliError> {
    match command {
        Command::List { json } => list(configuration, json).await,
        Command::Rotate => rotate(configuration).await,
        Command::Purge { yes } => recover::purge(configuration, yes).await,
    }
}

#[derive(Serialize)]
struct Shown {
    kid: String,
    purpose: &'static str,
    algorithm: String,
    state: &'static str,
    created_at: String,
    sign_from: String,
    expires_at: Option<String>,
    purged_at: Option<String>,
}

async fn list(configuration: &Configuration, json: bool) -> Result<(), CliError> {
    let context = admin_context::open(configuration, Empty::Refuse).await?;
    let now = context.now();
    let keys = context.admin.keys(&actor()).await?;
    let shown: Vec<Shown> = keys.iter().map(|key| show(key, key_state(key, &keys, now))).collect();
    if json {
        return output::json(&shown);
    }
    let row = |key: Shown| {
        let until = key.purged_at.or(key.expires_at);
        [key.kid, key.purpose.into(), key.algorithm, key.state.into(), key.sign_from, output::or_dash(until.as_deref())]
    };
    let rows: Vec<_> = shown.into_iter().map(row).collect();
    output::table(["KID", "PURPOSE", "ALGORITHM", "STATE", "FROM", "UNTIL"], &rows)
}

fn show(key: &KeyRecord, state: &'static str) -> Shown {
    Shown {
        kid: key.kid.clone(),
        purpose: key.purpose.as_str(),
        algorithm: key.algorithm.clone(),
        state,
        created_at: time(key.created_at),
        sign_from: time(key.sign_from),
        expires_at: key.expires_at.map(time),
        purged_at: key.purged_at.map(time),
    }
}

async fn rotate(configuration: &Configuration) -> Result<(), CliError> {
    let context = admin_context::open(configuration, Empty::Refuse).await?;
    let (kid, from) = context.admin.rotate_key(&actor()).await?;
    output::say(&format!("key {kid} published; it signs from {}", time(from)))
}
