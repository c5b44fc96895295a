//! `ficha key …`

use clap::{Args, Subcommand};

use super::login::Loaded;
use super::recover;
use crate::admin_context::Empty;
use crate::error::CliError;
use crate::output::or_dash;
use crate::place::{At, Place};
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
    /// List the keys; private keys are never shown
    List,
    /// Publish a new signing key, which takes over once every cached key set has it
    Rotate,
    /// After a leak: replace all keys at once and end every session; the same as `ficha session revoke --all`
    Purge {
        /// Don't ask for confirmation
        #[arg(long)]
        yes: bool,
    },
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
    at.run(configuration, Empty::Refuse, async |place, report| run_at(place, report, command).await).await
}

async fn run_at(place: &Place, report: Report, command: Command) -> Result<(), CliError> {
    match command {
        Command::List => {
            report.list(["KID", "PURPOSE", "ALGORITHM", "STATE", "FROM", "UNTIL"], &place.keys().await?, |key| {
                let until = or_dash(key.purged_at.as_deref().or(key.expires_at.as_deref()));
                let [kid, purpose, algorithm] = [&key.kid, &key.purpose, &key.algorithm].map(Clone::clone);
                [kid, purpose, algorithm, key.state.clone(), key.sign_from.clone(), until]
            })
        }
        Command::Rotate => {
            let rotated = place.rotate_key().await?;
            report.say(&format!("key {} published; it signs from {}", rotated.kid, rotated.sign_from), &rotated)
        }
        Command::Purge { yes } => recover::tell(report, &place.purge(yes).await?),
    }
}
