//! Why a command failed: one line, and exit code 1.

use std::path::PathBuf;

use ficha_authority::{AdminError, SettingsError, StartError, StoreError};
use ficha_server::ServerError;

use crate::config::ConfigProblem;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigProblem),
    /// The database that the configuration names can't be opened.
    #[error("{0}; store.url names the database")]
    CantOpen(StoreError),
    /// The database holds nothing, and the command has no use for an empty one.
    #[error("the database {0} holds nothing yet: run `ficha serve` or `ficha migrate` first, or correct store.url")]
    NothingThere(String),
    /// A first start where there seems to have been one.
    #[error(
        "the database {database} has had no first start, but the master key {} is there already: put the database back (and the \
         files that end in -wal and -shm with it), correct store.url, or start over with `ficha serve --first-start`",
        key.display()
    )]
    LostDatabase {
        /// The database.
        database: String,
        /// The key's file.
        key: PathBuf,
    },
    /// The database is older than this program.
    #[error("the database is behind this version of ficha (steps missing: {0}): run `ficha migrate`")]
    Behind(usize),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The rules could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The administrator's rules said no.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The listener.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// There is no session, and a new one is what helps.
    #[error("{0}: run `ficha login`")]
    LoginNeeded(ficha_client::Error),
    /// The server that tokens come from, or the file that they are kept in.
    #[error(transparent)]
    Client(ficha_client::Error),
    /// A setting that depends on the address.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// What was typed or piped in can't be used.
    #[error("{0}")]
    Input(String),
    /// Standard output.
    #[error("the output could not be written: {0}")]
    Output(std::io::Error),
    /// Standard input.
    #[error("the input could not be read: {0}")]
    Reading(std::io::Error),
    /// The operating system refuses what every program needs.
    #[error("the program could not be started: {0}")]
    Runtime(std::io::Error),
}

impl From<ficha_client::Error> for CliError {
    fn from(error: ficha_client::Error) -> Self {
        if error.needs_login() { Self::LoginNeeded(error) } else { Self::Client(error) }
    }
}
