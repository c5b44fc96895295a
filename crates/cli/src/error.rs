//! Why a command failed, and what to do about it: two lines, and exit code 1.

use std::path::PathBuf;

use ficha_authority::{AdminError, SettingsError, StartError, StoreError};
use ficha_server::ServerError;

use crate::advice;
use crate::config::ConfigProblem;
use crate::input_error::InputError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The configuration is not valid.
    #[error(transparent)]
    Config(#[from] ConfigProblem),
    /// The configured database can't be opened.
    #[error(transparent)]
    CantOpen(StoreError),
    /// The database is empty or missing, and the command can't use an empty one.
    #[error("the database {0} is empty or missing")]
    NothingThere(String),
    /// A first start where there seems to have been one before.
    #[error(
        "the database {database} has had no first start, but the master key {} already exists",
        key.display()
    )]
    LostDatabase {
        /// The database file.
        database: String,
        /// The master key file.
        key: PathBuf,
    },
    /// The database is older than this program.
    #[error("the database is older than this version of ficha (pending migrations: {0})")]
    Behind(usize),
    /// `ficha migrate --check` found something.
    #[error("migrations are pending: {0}")]
    Pending(usize),
    /// `ficha config --check` found errors.
    #[error("this server is not ready for others; errors that were found: {0}")]
    NotForProduction(usize),
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
    #[error(transparent)]
    LoginNeeded(ficha_client::Error),
    /// An error of the authorization server or of the token file.
    #[error(transparent)]
    Client(ficha_client::Error),
    /// A setting that depends on the bound address.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// What was typed or piped in can't be used.
    #[error(transparent)]
    Input(#[from] InputError),
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

impl CliError {
    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Config(error) => error.advice(),
            Self::CantOpen(error) | Self::Store(error) => advice::store(error),
            Self::NothingThere(_) => {
                "run `ficha serve` or `ficha migrate` first, change to the server's directory, or correct store.url; from another machine, add --server"
            }
            Self::LostDatabase { .. } => {
                "restore the database (with its -wal and -shm files), correct store.url, or start over with `ficha serve --first-start`"
            }
            Self::Behind(_) => "run `ficha migrate`",
            Self::Pending(_) => "run `ficha migrate`; the next `ficha serve` applies them, too",
            Self::NotForProduction(_) => "mend what is listed as an error, and run the check again",
            Self::EventsDamaged(_) => "keep a copy of the database, and find out who could write to it",
            Self::NotHealthy(_) => "look at the server's log, and check that server.bind here is its address",
            Self::Start(error) => advice::start(error),
            Self::Admin(error) => advice::admin(error),
            Self::Server(error) => advice::server(error),
            Self::LoginNeeded(error) | Self::Client(error) => advice::client(error),
            Self::Settings(error) => advice::settings(error),
            Self::Input(error) => error.advice(),
            Self::Output(_) | Self::NothingDone(_) => {
                "look whether what reads the output has stopped, or its disk is full"
            }
            Self::OutputLostAfterChange(_) => {
                "don't repeat it; if a secret is lost, set another with `ficha client add-secret` or `ficha user set-password`"
            }
            Self::Asking(_) => "run the command on a terminal, or use its options instead of being asked",
            Self::Reading(_) => "look whether what is piped in can be read",
            Self::Runtime(_) => "raise the limits of processes, memory and open files",
        }
    }

    /// The same of a command that has found nothing to do: a lost output hides no change.
    pub fn after_nothing(self) -> Self {
        match self {
            Self::Output(error) => Self::NothingDone(error),
            other => other,
        }
    }
}

impl From<ficha_client::Error> for CliError {
    fn from(error: ficha_client::Error) -> Self {
        // Only `ficha login` itself says that a password is wrong.
        let is_wrong_password = matches!(error, ficha_client::Error::WrongPassword);
        if error.needs_login() && !is_wrong_password { Self::LoginNeeded(error) } else { Self::Client(error) }
    }
}
