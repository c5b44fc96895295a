//! `ficha client …`. Adding, changing and showing have their own files.

mod change;
mod secret;
mod show;
mod there;

use std::str::FromStr;

use clap::{Args, Subcommand};
use ficha_authority::{ClientScopes, Grant};
use ficha_token::{Scope, ScopeError};
use uuid::Uuid;

use super::login::Loaded;
use crate::admin_context::{AdminContext, Empty, actor};
use crate::error::CliError;
use crate::output::{self, ended};
use crate::place::{At, Place};

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    at: At,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a client; its secret is shown only once
    Add(change::Add),
    /// List all clients
    List {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Show one client
    Show {
        /// The client_id
        id: String,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Change a client; if it loses a scope or a grant, or its audience changes, its sessions end
    Set(change::Set),
    /// Give a client a new secret, shown only once; the old one stops working within half a second, or after --keep-old
    Secret(secret::New),
    /// Remove a secret of a client; its sessions go on
    RemoveSecret {
        /// The client_id
        id: String,
        /// The secret's id, as `ficha client show` lists it
        secret: Uuid,
    },
    /// Enable a client
    Enable {
        /// The client_id
        id: String,
    },
    /// Disable a client; all its sessions end
    Disable {
        /// The client_id
        id: String,
    },
    /// Remove a client; all its sessions end
    Rm {
        /// The client_id
        id: String,
    },
}

impl Arguments {
    /// True if the command changes something.
    pub fn changes(&self) -> bool {
        !matches!(self.command, Command::List { .. } | Command::Show { .. })
    }
}

/// Runs the command.
pub async fn run(arguments: Arguments, configuration: Loaded) -> Result<(), CliError> {
    let Arguments { at, command } = arguments;
    let empty = if matches!(command, Command::Add(_)) { Empty::Create } else { Empty::Refuse };
    match at.open(configuration, empty).await? {
        Place::Here(context) => here(&context, command).await,
        Place::There(remote) => {
            let outcome = there::run(&remote, command).await;
            remote.settled().await;
            outcome
        }
    }
}

async fn here(context: &AdminContext, command: Command) -> Result<(), CliError> {
    let admin = &context.admin;
    match command {
        Command::Add(arguments) => change::add(context, arguments).await,
        Command::List { json } => show::list(show::all(context).await?.iter().map(show::Shown::from), json),
        Command::Show { id, json } => show::Shown::from(&admin.client(&actor(), &id).await?).print(json),
        Command::Set(arguments) => change::set(context, arguments).await,
        Command::Secret(arguments) => secret::add(context, arguments).await,
        Command::RemoveSecret { id, secret } => {
            admin.remove_client_secret(&actor(), &id, secret).await?;
            output::say(&format!("secret {secret} of client {id} removed"))
        }
        Command::Enable { id } => {
            admin.set_client_enabled(&actor(), &id, true).await?;
            output::say(&format!("client {id} enabled"))
        }
        Command::Disable { id } => {
            let sessions = admin.set_client_enabled(&actor(), &id, false).await?;
            output::say(&format!("client {id} disabled; {}", ended(sessions)))
        }
        Command::Rm { id } => {
            let sessions = admin.delete_client(&actor(), &id).await?;
            output::say(&format!("client {id} removed; {}", ended(sessions)))
        }
    }
}

/// `--scope`: `any`, or names.
#[derive(Debug, Clone)]
struct Scopes(ClientScopes);

impl FromStr for Scopes {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        match text {
            "any" => Ok(Self(ClientScopes::Any)),
            names => names.parse::<Scope>().map(ClientScopes::Only).map(Self),
        }
    }
}

fn grant(text: &str) -> Result<Grant, &'static str> {
    Grant::parse(text).ok_or("use password, refresh_token or client_credentials")
}
