//! `ficha client …`. Adding, changing and showing have their own files.

mod change;
mod show;

use std::str::FromStr;

use clap::Subcommand;
use ficha_authority::{ClientScopes, Grant};
use ficha_token::{Scope, ScopeError};

use crate::admin_context::{self, Empty, actor};
use crate::config::Configuration;
use crate::error::CliError;
use crate::output::{self, ended};

#[derive(Debug, Subcommand)]
pub enum Command {
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
    /// Give a client a new secret, shown only once; the old one stops working within half a second
    Secret {
        /// The client_id
        id: String,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
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

/// Runs the command.
pub async fn run(command: Command, configuration: &Configuration) -> Result<(), CliError> {
    let open = async || admin_context::open(configuration, Empty::Refuse).await;
    match command {
        Command::Add(arguments) => change::add(arguments, configuration).await,
        Command::List { json } => show::list(&open().await?, json).await,
        Command::Show { id, json } => show::one(&open().await?.admin.client(&actor(), &id).await?, json),
        Command::Set(arguments) => change::set(&open().await?, arguments).await,
        Command::Secret { id, json } => {
            let secret = open().await?.admin.new_client_secret(&actor(), &id).await?;
            show::secret(&id, &secret, json)
        }
        Command::Enable { id } => {
            open().await?.admin.set_client_enabled(&actor(), &id, true).await?;
            output::say(&format!("client {id} enabled"))
        }
        Command::Disable { id } => {
            let sessions = open().await?.admin.set_client_enabled(&actor(), &id, false).await?;
            output::say(&format!("client {id} disabled; {}", ended(sessions)))
        }
        Command::Rm { id } => {
            let sessions = open().await?.admin.delete_client(&actor(), &id).await?;
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
