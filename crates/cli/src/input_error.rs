//! What people typed, piped in or answered, and why it can't be used.

use std::path::PathBuf;

use crate::advice::no_such;

/// Why it can't be used.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// A filter has a name or a value that the server does not know.
    #[error("{0}")]
    Filter(String),
    /// The value of `--after` is not the id of something.
    #[error("--after {0:?} is not an id")]
    NotAnId(String),
    /// There are no stored tokens: `--server` needs an administrator's session.
    #[error("you are not signed in at {0}")]
    NotSignedIn(String),
    /// The stored tokens are those of another server.
    #[error("you are signed in at {issuer}, and not at {server}")]
    SignedInElsewhere {
        /// Where.
        issuer: String,
        /// Where the command was to act.
        server: String,
    },
    /// The admin API is not where the issuer is.
    #[error("{0}")]
    NoAdminApi(String),
    /// The admin API refused the request.
    #[error("{text}")]
    Refused {
        /// What it said.
        text: String,
        /// The status of its answer.
        status: u16,
        /// Which kind of problem it was: the last part of its address.
        kind: String,
    },
    /// Nothing is named that a command could change.
    #[error("nothing was named that is to change")]
    NothingToChange,
    /// `--scope` is there, and names none.
    #[error("--scope is empty")]
    NoScope,
    /// A folder that is to be written to.
    #[error("{} can't be written to: {why}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// What the operating system says.
        why: std::io::Error,
    },
    /// A user or client logs in as fast as their sessions are ended.
    #[error("new sessions begin all the time, so they can't all be ended")]
    NewSessions,
    /// A job was not completed.
    #[error("the job {id} is {state}: {why}")]
    JobNotDone {
        /// Which.
        id: String,
        /// `failed` or `stopped`.
        state: String,
        /// Why.
        why: String,
    },
    /// The answer with a new secret did not arrive.
    #[error("the client has a new secret, and the answer with it was lost")]
    SecretLost,
    /// The admin API takes a password hash for new users only.
    #[error("a server elsewhere takes a password hash only for a new user")]
    HashElsewhere,
    /// The value of `--password-hash` is not a hash that Ficha can check.
    #[error("--password-hash: {0}")]
    Hash(String),
    /// Nothing was typed or piped in.
    #[error("the password is empty")]
    EmptyPassword,
    /// What was piped in is not text.
    #[error("the password is not valid UTF-8")]
    PasswordNotText,
    /// A new password is needed, and standard input is not a terminal.
    #[error("there is no terminal to prompt for a new password")]
    NoTerminalForNewPassword,
    /// A password is needed, and standard input is not a terminal.
    #[error("there is no terminal to prompt for a password")]
    NoTerminalForPassword,
    /// The new password was typed in two ways.
    #[error("the two passwords differ: nothing was changed")]
    PasswordsDiffer,
    /// A user name is needed, and standard input is not a terminal.
    #[error("there is no terminal to prompt for a user name")]
    NoTerminalForUser,
    /// Nothing was typed.
    #[error("the user name is empty")]
    EmptyUser,
    /// The command needs a confirmation, and standard input is not a terminal.
    #[error("this needs a confirmation, and nothing was changed. {0}")]
    Unconfirmed(String),
    /// The question was not answered with yes.
    #[error("cancelled: nothing was changed")]
    Cancelled,
    /// Neither `XDG_CONFIG_HOME` nor `HOME` is set.
    #[error("there is no home directory to store tokens in")]
    NoHome,
    /// The file's name does not tell how it is written.
    #[error("the format of {} is not known from its name", .0.display())]
    Format(PathBuf),
    /// The file to be imported can't be read.
    #[error("{} can't be read: {why}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the operating system says.
        why: std::io::Error,
    },
    /// Some lines of an import have a problem; they are listed on standard output. The others are imported.
    #[error("{}", lines(*.0))]
    Lines(u64),
    /// Verifying the event log needs the master key, which is on the server's own machine.
    #[error("the event log can't be verified from here: that needs the master key")]
    VerifyElsewhere,
}

fn lines(count: u64) -> String {
    if count == 1 { "1 line could not be used".into() } else { format!("{count} lines could not be used") }
}

impl InputError {
    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Filter(_) => "see the filters of the admin API for the names and values that there are",
            Self::NotAnId(_) => "copy the id of the last one from the previous list",
            Self::NotSignedIn(_) | Self::SignedInElsewhere { .. } => {
                "run `ficha login --admin --server URL` with the server's issuer"
            }
            Self::NoAdminApi(_) => {
                "name the origin of the admin API with --admin-origin: the setting admin.origin there"
            }
            Self::Refused { status, kind, text } => match status {
                401 => "sign in again with `ficha login --admin`",
                403 => "sign in as somebody who may do this",
                404 => no_such(text.rsplit(' ').next().unwrap_or_default()),
                409 if kind == "taken" => "choose another name, or change the one that is there with `set`",
                409 if kind == "last-administrator" => "give the scope ficha:admin to another enabled user first",
                409 => "look at it again, and repeat the command",
                412 => "see with `list` or `show` what there is now, and correct the command",
                429 | 503 => "try again in a moment",
                _ => "correct what it names, and run the command again",
            },
            Self::NothingToChange => "name it with an option: `--help` after the command lists them",
            Self::NoScope => "name scopes, or leave --scope out for all that may be granted",
            Self::Folder { .. } => "correct the path, or the folder's permissions",
            Self::NewSessions => "disable the user or the client first",
            Self::JobNotDone { .. } => "run the command again: what it has done stays, and is not done twice",
            Self::SecretLost => "run `ficha client add-secret` again",
            Self::HashElsewhere => "set a password, or run the command on the server's own machine",
            Self::Hash(_) => "give the whole hash in single quotes: bcrypt, passlib's bcrypt_sha256, or argon2id",
            Self::EmptyPassword => "type the password, or pipe it in with --password-stdin",
            Self::PasswordNotText => "pipe in the password as UTF-8, and nothing else",
            Self::NoTerminalForNewPassword => "pipe the password in with --password-stdin, or use --password-hash",
            Self::NoTerminalForPassword => "pipe the password in with --password-stdin",
            Self::PasswordsDiffer => "run the command again",
            Self::NoTerminalForUser => "name the user with --user",
            Self::EmptyUser => "type the user name, or give it with --user",
            Self::Unconfirmed(_) => "add --yes to confirm",
            Self::Cancelled => "run the command again, and answer with y, if that is what you want",
            Self::NoHome => "name a file with --token-file",
            Self::Format(_) => "name the format: --format csv, or --format jsonl",
            Self::File { .. } => "correct the path, or the file's permissions",
            Self::Lines(_) => {
                "correct these lines and import the file again: users who are there already are left as they are"
            }
            Self::VerifyElsewhere => "run `ficha audit verify` on the server's own machine",
        }
    }
}
