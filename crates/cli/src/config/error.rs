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
    /// A layer of settings can't be read as settings.
    #[error("{0}")]
    Unreadable(String),
    /// The issuer has no default if the server is reached from other machines.
    #[error("server.issuer is not set, and can't follow server.bind because {bind} is not a loopback address")]
    NoIssuer {
        /// Where the server listens.
        bind: String,
    },
    /// The console has an address for browsers, but none to listen on.
    #[error("admin.origin is set ({origin}), but admin.bind is not")]
    AdminOriginAlone {
        /// Where it was set.
        origin: String,
    },
    /// Certificate and key belong together.
    #[error("{missing} is missing, but {set} is set ({origin})")]
    OneOfTwo {
        /// The setting that is missing.
        missing: &'static str,
        /// The other one.
        set: &'static str,
        /// Where that was set.
        origin: String,
    },
    /// Passwords and tokens would cross the network in the clear.
    #[error("{name} is plain HTTP and not a loopback address ({origin})")]
    PlainHttp {
        /// The setting and its value.
        name: String,
        /// Where it was set.
        origin: String,
    },
    /// The server speaks TLS, and its issuer says that it does not.
    #[error("{name} is plain HTTP ({origin}), but server.tls is set")]
    PlainHttpWithTls {
        /// The setting and its value.
        name: String,
        /// Where it was set.
        origin: String,
    },
    /// The database's URL is set twice.
    #[error("store.url ({url}) and store.url_file ({file}) are both set")]
    UrlAndFile {
        /// Where the first was set.
        url: String,
        /// Where the second was set.
        file: String,
    },
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
    #[error("the environment variable {0} is not valid UTF-8")]
    NotUnicode(String),
}

impl ConfigProblem {
    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::UnknownKey { .. } => "correct or remove it; `ficha config` then shows every setting",
            Self::BadValue { .. } => "correct the value where it was set",
            Self::Unreadable(_) => "correct it where it was set",
            Self::NoIssuer { .. } => "set server.issuer to the URL that clients use, such as https://auth.example.com",
            Self::AdminOriginAlone { .. } => {
                "set admin.bind to the address for the admin API and the console, or neither"
            }
            Self::OneOfTwo { .. } => "set both or neither",
            Self::PlainHttp { .. } => {
                "use https:// with server.tls, or set server.behind_tls_proxy = true if a proxy terminates TLS"
            }
            Self::PlainHttpWithTls { .. } => "use https:// in the issuer",
            Self::UrlAndFile { .. } => "set one of them",
            Self::Settings { error, .. } => crate::advice::settings(error),
            Self::File { .. } => "correct the path, or the file's permissions",
            Self::Syntax { .. } => "correct the file at that line",
            Self::Dotenv(_) => "correct that line, or remove the file",
            Self::NotUnicode(_) => "set it to a value in UTF-8, or unset it",
        }
    }
}
