//! The commands, one file per noun.

pub mod audit;
mod client;
mod config;
mod front;
mod generate;
mod health;
mod job;
mod key;
pub mod login;
mod migrate;
mod recover;
mod scope;
mod serve;
mod session;
mod token;
mod user;
mod welcome;

use std::path::PathBuf;

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{CommandFactory, Parser, Subcommand};

use crate::error::CliError;
use crate::home;

/// An OAuth2 password-flow authorization server with tokens that can be revoked.
#[derive(Debug, Parser)]
#[command(name = "ficha", version, about, propagate_version = true)]
pub struct Arguments {
    /// Read settings from this TOML file [default: the file that FICHA_CONFIG names]
    #[arg(long, global = true, value_name = "FILE", value_parser = PathBufValueParser::new().map(home::expand))]
    #[arg(help_heading = "With every command")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server; the first start creates keys and the user `admin`, and prints that user's password once
    Serve(serve::Arguments),
    /// Ask the running server whether it is ready: exit code 0 if it is, for health checks
    Health(health::Arguments),
    /// Bring the database up to date
    Migrate(migrate::Arguments),
    /// Manage users, here or at a server elsewhere
    User(user::Arguments),
    /// Manage clients: the applications that obtain tokens, and the services that check them
    Client(client::Arguments),
    /// Manage scopes: the names of permissions that tokens carry
    Scope(scope::Arguments),
    /// List and revoke sessions, here or at a server elsewhere; each login is a session
    Session(session::Arguments),
    /// Read and check the log of what happened: logins, revocations, administration
    Audit(audit::Arguments),
    /// Manage the keys that sign tokens
    Key(key::Arguments),
    /// Look at imports of users and revocations of very many sessions, and stop them
    Job(job::Arguments),
    /// Log in to a running server and store the tokens in a file
    Login(login::Arguments),
    /// Log out: end the session at the server and delete the stored tokens
    Logout(login::LogoutArguments),
    /// Show the stored tokens
    #[command(subcommand)]
    Token(token::Command),
    /// After restoring a backup, or after a failover that lost commits: replace all keys and end every session
    Recover(recover::Arguments),
    /// Show the settings in force and where each was set; secrets are hidden
    Config(config::Arguments),
    /// Print completions for a shell
    Completions(generate::Completions),
    /// Print a manual page, or write one for each command
    Man(generate::Manual),
}

impl Command {
    /// True if its output is about something that it has changed.
    fn changes(&self) -> bool {
        match self {
            Self::User(arguments) => arguments.changes(),
            Self::Client(arguments) => arguments.changes(),
            Self::Scope(arguments) => arguments.changes(),
            Self::Session(arguments) => arguments.changes(),
            Self::Key(arguments) => arguments.changes(),
            Self::Job(arguments) => arguments.changes(),
            Self::Migrate(arguments) => arguments.changes(),
            Self::Login(_) | Self::Logout(_) | Self::Recover(_) => true,
            Self::Serve(_) | Self::Health(_) | Self::Audit(_) | Self::Token(_) | Self::Config(_) => false,
            Self::Completions(_) | Self::Man(_) => false,
        }
    }
}

/// Runs the command.
pub async fn run(arguments: Arguments) -> Result<(), CliError> {
    let changes = arguments.command.as_ref().is_some_and(Command::changes);
    run_command(arguments).await.map_err(|error| match error {
        CliError::Output(error) if changes => CliError::OutputLostAfterChange(error),
        CliError::NothingDone(error) => CliError::Output(error),
        other => other,
    })
}

async fn run_command(arguments: Arguments) -> Result<(), CliError> {
    let file = arguments.config.clone();
    let Some(command) = arguments.command else { return front::run() };
    let configuration = crate::config::load(arguments.config.as_deref());
    match command {
        Command::Serve(serve) => serve::run(&serve, configuration?, move || crate::config::load(file.as_deref())).await,
        Command::Health(arguments) => health::run(&arguments, &configuration?).await,
        Command::Migrate(arguments) => migrate::run(&arguments, &configuration?).await,
        Command::User(arguments) => user::run(arguments, configuration).await,
        Command::Client(arguments) => client::run(arguments, configuration).await,
        Command::Scope(arguments) => scope::run(arguments, configuration).await,
        Command::Session(arguments) => session::run(arguments, configuration).await,
        Command::Audit(arguments) => audit::run(arguments, configuration).await,
        Command::Key(arguments) => key::run(arguments, configuration).await,
        Command::Job(arguments) => job::run(arguments, configuration).await,
        // What an app does, perhaps on a machine without the server's settings.
        Command::Login(arguments) => login::run(arguments, configuration).await,
        Command::Logout(arguments) => login::log_out(arguments, configuration).await,
        Command::Token(command) => token::run(command, configuration).await,
        Command::Recover(arguments) => recover::run(&arguments, &configuration?).await,
        Command::Config(arguments) => config::run(&arguments, &configuration?).await,
        Command::Completions(arguments) => generate::completions(&arguments, Arguments::command()),
        Command::Man(arguments) => generate::manual(&arguments, Arguments::command()),
    }
}
