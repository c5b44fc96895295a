//! `ficha scope …`

use clap::{Args, Subcommand};
use serde_json::json;

use super::login::Loaded;
use crate::admin_context::{AdminContext, Empty, actor};
use crate::error::CliError;
use crate::output;
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
    /// Declare a scope, or replace its description
    Add {
        /// The name of the scope, such as notes:read
        name: String,
        /// What it allows, as people read it in /docs
        #[arg(long, value_name = "TEXT")]
        description: String,
    },
    /// List the declared scopes
    List {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Remove a scope's declaration; users and clients that have the scope keep it
    Rm {
        /// The name of the scope
        name: String,
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
    let empty = if matches!(command, Command::Add { .. }) { Empty::Create } else { Empty::Refuse };
    match at.open(configuration, empty).await? {
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
        Command::Add { name, description } => {
            context.admin.declare_scope(&actor(), &name, &description).await?;
            output::say(&format!("scope {name} declared"))
        }
        Command::List { json } => list(context.admin.scopes(&actor()).await?, json),
        Command::Rm { name } => {
            context.admin.remove_scope(&actor(), &name).await?;
            output::say(&format!("scope {name} removed"))
        }
    }
}

async fn there(remote: &Remote, command: Command) -> Result<(), CliError> {
    match command {
        Command::Add { name, description } => {
            remote.client.declare_scope(&name, &description).await?;
            output::say(&format!("scope {name} declared"))
        }
        Command::List { json } => {
            let scopes = remote.client.scopes().await?;
            list(scopes.into_iter().map(|scope| (scope.name, scope.description)).collect(), json)
        }
        Command::Rm { name } => {
            remote.client.remove_scope(&name).await?;
            output::say(&format!("scope {name} removed"))
        }
    }
}

fn list(scopes: Vec<(String, String)>, json: bool) -> Result<(), CliError> {
    if json {
        let shown = |(name, description)| json!({ "name": name, "description": description });
        return output::json(&scopes.into_iter().map(shown).collect::<Vec<_>>());
    }
    let rows: Vec<_> = scopes.into_iter().map(|(name, description)| [name, description]).collect();
    output::table(["NAME", "DESCRIPTION"], &rows)
}
