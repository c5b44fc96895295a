//! `ficha key …`

use clap::{Args, Subcommand};
use ficha_authority::{KeyRecord, key_state};
use ficha_client::admin::Key;
use serde::Serialize;

use super::login::Loaded;
use super::recover;
use crate::admin_context::{AdminContext, Empty, actor};
use crate::ask;
use crate::error::CliError;
use crate::output::{self, time};
use crate::place::{At, Place};
use crate::remote::Remote;

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    at: At,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
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

impl Arguments {
    /// True if the command changes something.
    pub fn changes(&self) -> bool {
        !matches!(self.command, Command::List { .. })
    }
}

/// Runs the command.
pub async fn run(arguments: Arguments, configuration: Loaded) -> Result<(), CliError> {
    let Arguments { at, command } = arguments;
    match at.open(configuration, Empty::Refuse).await? {
        Place::Here(context) => here(&context, command).await,
        Place::There(remote) => {
            let outcome = there(&remote, command).await;
            remote.settled().await;
            outcome
        }
    }
}

async fn here(context: &AdminContext, command: Command) -> Result<(), CliError> {
    match command {
        Command::List { json } => {
            let (keys, now) = (context.admin.keys(&actor()).await?, context.now());
            list(keys.iter().map(|key| show(key, key_state(key, &keys, now))).collect(), json)
        }
        Command::Rotate => {
            let (kid, from) = context.admin.rotate_key(&actor()).await?;
            output::say(&format!("key {kid} published; it signs from {}", time(from)))
        }
        Command::Purge { yes } => recover::purge_in(context, yes).await,
    }
}

async fn there(remote: &Remote, command: Command) -> Result<(), CliError> {
    match command {
        Command::List { json } => list(remote.client.keys().await?.into_iter().map(Shown::from).collect(), json),
        Command::Rotate => {
            let rotated = remote.client.rotate_key().await?;
            output::say(&format!("key {} published; it signs from {}", rotated.kid, rotated.sign_from))
        }
        Command::Purge { yes } => {
            ask::confirm(recover::CONSEQUENCE, yes)?;
            remote.client.purge_keys().await?;
            output::say("all keys were replaced; every session has ended")
        }
    }
}

#[derive(Serialize)]
struct Shown {
    kid: String,
    purpose: String,
    algorithm: String,
    state: String,
    created_at: String,
    sign_from: String,
    expires_at: Option<String>,
    purged_at: Option<String>,
}

fn list(keys: Vec<Shown>, json: bool) -> Result<(), CliError> {
    if json {
        return output::json(&keys);
    }
    let row = |key: Shown| {
        let until = key.purged_at.or(key.expires_at);
        [key.kid, key.purpose, key.algorithm, key.state, key.sign_from, output::or_dash(until.as_deref())]
    };
    let rows: Vec<_> = keys.into_iter().map(row).collect();
    output::table(["KID", "PURPOSE", "ALGORITHM", "STATE", "FROM", "UNTIL"], &rows)
}

fn show(key: &KeyRecord, state: &str) -> Shown {
    Shown {
        kid: key.kid.clone(),
        purpose: key.purpose.as_str().to_owned(),
        algorithm: key.algorithm.clone(),
        state: state.to_owned(),
        created_at: time(key.created_at),
        sign_from: time(key.sign_from),
        expires_at: key.expires_at.map(time),
        purged_at: key.purged_at.map(time),
    }
}

impl From<Key> for Shown {
    fn from(key: Key) -> Self {
        let Key { kid, purpose, algorithm, state, created_at, sign_from, expires_at, purged_at, .. } = key;
        Self { kid, purpose, algorithm, state, created_at, sign_from, expires_at, purged_at }
    }
}
