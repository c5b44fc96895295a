//! `ficha session …`

mod list;
mod receipt;
mod revoke;
mod view;

use clap::{Args, Subcommand};
use uuid::Uuid;

use super::login::Loaded;
use crate::admin_context::Empty;
use crate::error::CliError;
use crate::lists;
use crate::place::At;

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    at: At,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List sessions, newest first
    List(list::List),
    /// Show one session
    Show {
        /// The session's id: the `sid` of its tokens
        #[arg(value_parser = lists::id)]
        session: Uuid,
    },
    /// End sessions; their tokens are refused
    Revoke(revoke::Revoke),
}

impl Arguments {
    /// True if the command changes something.
    pub fn changes(&self) -> bool {
        !matches!(self.command, Command::List(_) | Command::Show { .. })
    }
}

/// Runs the command.
pub async fn run(arguments: Arguments, configuration: Loaded) -> Result<(), CliError> {
    let Arguments { at, command } = arguments;
    at.run(configuration, Empty::Refuse, async |place, report| match command {
        Command::List(arguments) => list::run(place, report, arguments).await,
        Command::Show { session } => report.show(&place.session(session).await?),
        Command::Revoke(arguments) => revoke::run(place, report, arguments).await,
    })
    .await
}
