//! `ficha scope …`

use clap::{Args, Subcommand};
use ficha_client::admin::Scope;
use serde_json::json;

use super::login::Loaded;
use crate::admin_context::Empty;
use crate::error::CliError;
use crate::output::or_dash;
use crate::place::{At, Place};
use crate::report::{Fields, Report};

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    at: At,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Declare a scope
    Add {
        /// The name of the new scope, such as notes:read
        scope: String,
        /// What it allows, as people read it in /docs
        #[arg(long, value_name = "TEXT", default_value = "")]
        description: String,
    },
    /// List the declared scopes, by name
    List,
    /// Change what a declared scope allows, in words
    Set {
        /// The name of the scope
        scope: String,
        /// What it allows, as people read it in /docs
        #[arg(long, value_name = "TEXT")]
        description: String,
    },
    /// Remove a scope's declaration; users and clients that have the scope keep it
    #[command(alias = "rm")]
    Delete {
        /// The name of the scope
        scope: String,
    },
}

impl Fields for Scope {
    fn fields(&self) -> Vec<(&'static str, String)> {
        vec![("name", self.name.clone()), ("description", or_dash(Some(&self.description)))]
    }
}

impl Arguments {
    /// True if the command changes something.
    pub fn changes(&self) -> bool {
        !matches!(self.command, Command::List)
    }
}

/// Runs the command.
pub async fn run(arguments: Arguments, configuration: Loaded) -> Result<(), CliError> {
    let Arguments { at, command } = arguments;
    let empty = if matches!(command, Command::Add { .. }) { Empty::Create } else { Empty::Refuse };
    at.run(configuration, empty, async |place, report| run_at(place, report, command).await).await
}

async fn run_at(place: &Place, report: Report, command: Command) -> Result<(), CliError> {
    match command {
        Command::Add { scope, description } => {
            let added = place.add_scope(&scope, &description).await?;
            report.say(&format!("scope {scope} added"), &added)
        }
        Command::List => report.list(["NAME", "DESCRIPTION"], &place.scopes().await?, |scope| {
            [scope.name.clone(), scope.description.clone()]
        }),
        Command::Set { scope, description } => {
            let before = place.scopes().await?.into_iter().find(|known| known.name == scope);
            let now = place.describe_scope(&scope, &description).await?;
            let before = before.unwrap_or_else(|| now.clone());
            report.changed_alone(&format!("scope {scope}"), &["description"], (&before, &now))
        }
        Command::Delete { scope } => {
            place.delete_scope(&scope).await?;
            report.say(&format!("scope {scope} deleted"), &json!({ "removed": true }))
        }
    }
}
