//! Configuration errors.

use std::path::PathBuf;

use ficha_authority::SettingsError;

/// Why a configuration is refused: one line that names the key, and never a secret's value.
#[derive(Debug, thiserror::Error)]
pub enum ConfigProblem {
    /// There is no such setting.
    #[error("unknown setting {key} ({origin}): {help}")]
    UnknownKey {
        /// Its full name.
        key: String,
        /// Where it was set.
        origin: String,
        /// Which settings or sections there are.
        help: String,
    },
    /// A value can't be used.
    #[error("{key} {problem} ({origin})")]
    BadValue {
        /// The setting's full name.
        key: String,
        /// What is wrong, and what is allowed.
        problem: String,
        /// Where it was set.
        origin: String,
    },
    /// Settings that are valid on their own contradict each other.
    #[error("{0}")]
    Contradiction(String),
    /// The authority refuses a setting.
    #[error("{error}{}", origin.as_ref().map(|origin| format!(" ({origin})")).unwrap_or_default())]
    Settings {
        /// Why.
        error: SettingsError,
        /// Where the setting came from, if it was set.
        origin: Option<String>,
    },
    /// The configuration file can't be read.
    #[error("the configuration file {}, named by {named_by}, can't be read: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// `--config` or `FICHA_CONFIG`.
        named_by: &'static str,
        /// The system's error.
        why: String,
    },
    /// The configuration file is not valid TOML.
    #[error("the configuration file {} is not valid TOML: {why}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Position and reason.
        why: String,
    },
    /// `.env` can't be used.
    #[error("the file .env in the working directory can't be used: {0}")]
    Dotenv(String),
    /// A variable's value is not valid UTF-8.
    #[error("the environment variable {0} is not valid UTF-8: set it to something that is, or unset it")]
    NotUnicode(String),
}
