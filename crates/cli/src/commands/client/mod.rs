//! `ficha client …`. Adding, changing and showing have their own files.

mod change;
mod secret;
mod view;

use clap::{Args, Subcommand};
use serde_json::json;
use uuid::Uuid;

use super::login::Loaded;
use crate::admin_context::Empty;
use crate::error::CliError;
use crate::lists;
use crate::output::ended;
use crate::place::{At, Part, Place};
use crate::report::Report;

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
    /// List clients, by id
    List(Part),
    /// Show one client, and when its secrets were created and used
    Show(Which),
    /// Change a client; if it loses a scope, a grant or its secrets, or its audience changes, its sessions end
    Set(change::Set),
    /// Give a client a new secret, shown only once; the old one stops working within half a second, or after --keep-old
    #[command(alias = "secret")]
    AddSecret(secret::New),
    /// Delete a secret of a client; its sessions go on
    #[command(alias = "remove-secret")]
    DeleteSecret {
        /// The client's id
        client: String,
        /// The secret's id, as `ficha client show` lists it
        #[arg(value_parser = lists::id)]
        secret: Uuid,
    },
    /// Enable a client
    Enable(Which),
    /// Disable a client; all its sessions end
    Disable(Which),
    /// Delete a client; all its sessions end
    #[command(alias = "rm")]
    Delete(Which),
}

#[derive(Debug, Args)]
pub struct Which {
    /// The client's id
    client: String,
}

impl Arguments {
    /// True if the command changes something.
    pub fn changes(&self) -> bool {
        !matches!(self.command, Command::List(_) | Command::Show(_))
    }
}

/// Runs the command.
pub async fn run(arguments: Arguments, configuration: Loaded) -> Result<(), CliError> {
    let Arguments { at, command } = arguments;
    // Before a database is opened.
    if let Command::Set(arguments) = &command {
        arguments.check()?;
    }
    let empty = if matches!(command, Command::Add(_)) { Empty::Create } else { Empty::Refuse };
    at.run(configuration, empty, async |place, report| run_at(place, report, command).await).await
}

async fn run_at(place: &Place, report: Report, command: Command) -> Result<(), CliError> {
    match command {
        Command::Add(arguments) => change::add(place, report, arguments).await,
        Command::List(part) => view::list(report, &place.clients(part).await?),
        Command::Show(Which { client }) => report.show(&place.client(&client).await?),
        Command::Set(arguments) => change::set(place, report, arguments).await,
        Command::AddSecret(arguments) => secret::add(place, report, arguments).await,
        Command::DeleteSecret { client, secret } => {
            place.delete_client_secret(&client, secret).await?;
            report.say(&format!("secret {secret} of client {client} deleted"), &json!({ "removed": true }))
        }
        Command::Enable(Which { client }) => set_enabled(place, report, &client, true).await,
        Command::Disable(Which { client }) => set_enabled(place, report, &client, false).await,
        Command::Delete(Which { client }) => {
            report.ended(&format!("client {client} deleted"), place.delete_client(&client).await?)
        }
    }
}

async fn set_enabled(place: &Place, report: Report, client: &str, enabled: bool) -> Result<(), CliError> {
    let was = place.client(client).await?.enabled;
    let (now, revoked) = place.set_client_enabled(client, enabled).await?;
    let word = if enabled { "enabled" } else { "disabled" };
    match (was == enabled, enabled) {
        (true, _) if revoked == 0 => {
            report.done(&format!("client {client} is {word} already"), &now, 0).map_err(CliError::after_nothing)
        }
        (_, true) => report.done(&format!("client {client} enabled"), &now, revoked),
        (_, false) => report.done(&format!("client {client} disabled; {}", ended(revoked)), &now, revoked),
    }
}
