//! Why a command failed: one line, and exit code 1.

use std::path::PathBuf;

use ficha_authority::{AdminError, SettingsError, StartError, StoreError};
use ficha_server::ServerError;

use crate::config::ConfigProblem;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The configuration is not valid.
    #[error(transparent)]
    Config(#[from] ConfigProblem),
    /// The configured database can't be opened.
    #[error("{0}; check store.url")]
    CantOpen(StoreError),
    /// The database is empty or missing, and the command can't use an empty one.
    #[error("the database {0} is empty or missing: run `ficha serve` or `ficha migrate` first, or correct store.url")]
    NothingThere(String),
    /// A first start where there seems to have been one before.
    #[error(
        "the database {database} has had no first start, but the master key {} already exists: restore the database \
         (with its -wal and -shm files), correct store.url, or start over with `ficha serve --first-start`",
        key.display()
    )]
    LostDatabase {
        /// The database file.
        database: String,
        /// The master key file.
        key: PathBuf,
    },
    /// The database is older than this program.
    #[error("the database is older than this version of ficha (pending migrations: {0}): run `ficha migrate`")]
    Behind(usize),
    /// `ficha migrate --check` found something.
    #[error("migrations are pending: {0}; `ficha migrate` applies them, and so does the next `ficha serve`")]
    Pending(usize),
    /// A database error.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The event log is not what was written.
    #[error("the event log is damaged; found: {0}")]
    EventsDamaged(usize),
    /// The server is not ready, or can't be asked.
    #[error("not healthy: {0}")]
    NotHealthy(String),
    /// The authority could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Rejected by the administrator's operations.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The server could not listen or run.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// There is no usable session; a new login helps.
    #[error("{0}: run `ficha login`")]
    LoginNeeded(ficha_client::Error),
    /// An error of the authorization server or of the token file.
    #[error(transparent)]
    Client(ficha_client::Error),
    /// A setting that depends on the bound address.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// What was typed or piped in can't be used.
    #[error("{0}")]
    Input(String),
    /// Standard output can't be written.
    #[error("the output could not be written: {0}")]
    Output(std::io::Error),
    /// The same, after something was changed: a secret that was made is not shown again.
    #[error("the change was made, but the output could not be written: {0}")]
    OutputLostAfterChange(std::io::Error),
    /// Standard output can't be written, by a command that has found nothing to do.
    #[error("the output could not be written: {0}")]
    NothingDone(std::io::Error),
    /// The terminal can't be asked.
    #[error("the question could not be written: {0}")]
    Asking(std::io::Error),
    /// Standard input can't be read.
    #[error("the input could not be read: {0}")]
    Reading(std::io::Error),
    /// The operating system refused something that every program needs.
    #[error("the program could not be started: {0}")]
    Runtime(std::io::Error),
}

impl From<ficha_client::Error> for CliError {
    fn from(error: ficha_client::Error) -> Self {
        // Only `ficha login` itself says that a password is wrong.
        let is_wrong_password = matches!(error, ficha_client::Error::WrongPassword);
        if error.needs_login() && !is_wrong_password { Self::LoginNeeded(error) } else { Self::Client(error) }
    }
}
