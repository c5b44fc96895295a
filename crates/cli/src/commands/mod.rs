//! The commands, one file for each noun.

mod client;
mod config;
mod key;
mod login;
mod migrate;
mod recover;
mod scope;
mod serve;
mod session;
mod token;
mod user;
mod welcome;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::error::CliError;

/// An OAuth2 password-flow authorization server whose tokens can be taken back.
#[derive(Debug, Parser)]
#[command(name = "ficha", version, about, propagate_version = true)]
pub struct Arguments {
    /// Read settings from this TOML file (or from the one that FICHA_CONFIG names)
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server; the first start makes what is needed, and prints the password of the user `admin` once
    Serve(serve::Arguments),
    /// Bring the database up to date
    Migrate,
    /// Users: who can log in
    #[command(subcommand)]
    User(user::Command),
    /// Clients: the applications that obtain tokens, and the services that check them
    #[command(subcommand)]
    Client(client::Command),
    /// Scopes: what tokens can be for
    #[command(subcommand)]
    Scope(scope::Command),
    /// Sessions: one for each login; revoking one refuses its tokens
    #[command(subcommand)]
    Session(session::Command),
    /// Keys: what signs tokens
    #[command(subcommand)]
    Key(key::Command),
    /// Log in to a running server, and keep the tokens in a file of yours
    Login(login::Arguments),
    /// Log out: the session ends at the server, and the tokens are forgotten
    Logout(login::LogoutArguments),
    /// The tokens of whoever is logged in
    #[command(subcommand)]
    Token(token::Command),
    /// After a restored backup or a leak: new keys, and every session ends
    Recover(recover::Arguments),
    /// Show the settings in force and where each came from; secrets are hidden
    Config,
}

/// Does what was asked.
pub async fn run(arguments: Arguments) -> Result<(), CliError> {
    let configuration = crate::config::load(arguments.config.as_deref())?;
    match arguments.command {
        Command::Serve(arguments) => serve::run(&arguments, configuration).await,
        Command::Migrate => migrate::run(&configuration).await,
        Command::User(command) => user::run(command, &configuration).await,
        Command::Client(command) => client::run(command, &configuration).await,
        Command::Scope(command) => scope::run(command, &configuration).await,
        Command::Session(command) => session::run(command, &configuration).await,
        Command::Key(command) => key::run(command, &configuration).await,
        Command::Login(arguments) => login::run(arguments, &configuration).await,
        Command::Logout(arguments) => login::log_out(arguments, &configuration).await,
        Command::Token(command) => token::run(command, &configuration).await,
        Command::Recover(arguments) => recover::run(&arguments, &configuration).await,
        Command::Config => config::run(&configuration),
    }
}
