//! `ficha scope …`

use clap::Subcommand;
use serde_json::json;

use crate::admin_context::{self, Empty, actor};
use crate::config::Configuration;
use crate::error::CliError;
use crate::output;

#[derive(Debug, Subcommand)]
pub enum Command {
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

/// Runs the command.
pub async fn run(command: Command, configuration: &Configuration) -> Result<(), CliError> {
    match command {
        Command::Add { name, description } => {
            let context = admin_context::open(configuration, Empty::Create).await?;
            context.admin.declare_scope(&actor(), &name, &description).await?;
            output::say(&format!("scope {name} declared"))
        }
        Command::List { json } => {
            let scopes = admin_context::open(configuration, Empty::Refuse).await?.admin.scopes(&actor()).await?;
            if json {
                let shown = |(name, description)| json!({ "name": name, "description": description });
                return output::json(&scopes.into_iter().map(shown).collect::<Vec<_>>());
            }
            let rows: Vec<_> = scopes.into_iter().map(|(name, description)| [name, description]).collect();
            output::table(["NAME", "DESCRIPTION"], &rows)
        }
        Command::Rm { name } => {
            admin_context::open(configuration, Empty::Refuse).await?.admin.remove_scope(&actor(), &name).await?;
            output::say(&format!("scope {name} removed"))
        }
    }
}
