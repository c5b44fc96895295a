//! What to do about errors of the crates below. An error itself says what failed, and why.

use ficha_authority::{AdminError, PolicyError, SettingsError, StartError, StoreError};
use ficha_client::{Error, StoreError as TokenStoreError};
use ficha_server::ServerError;

/// About the database.
pub fn store(error: &StoreError) -> &'static str {
    match error {
        StoreError::Unavailable(_) => {
            "look at the database's own log: most often it is stopped, its disk is full, or its permissions are wrong"
        }
        StoreError::Conflict(_) => "look at it again, and repeat the command",
        StoreError::LastAdministrator(_) => "give the scope ficha:admin to another enabled user first",
        StoreError::ActorEnded => "sign in again with `ficha login --admin`",
        StoreError::OutcomeUnknown(_) => "look whether the change is there, and repeat the command if it is not",
        StoreError::Lost(_) => {
            "switch on synchronous_commit and fsync in PostgreSQL, and repair the disk: nothing that this database acknowledges is safe"
        }
        StoreError::Replaced(_) => "restart the server, after you have put the right database file in its place",
        StoreError::NotPrimary(_) => "point store.url at the primary",
        StoreError::AnotherHistory => "run `ficha recover`: changes may have been lost",
        StoreError::NotMigrated => "run `ficha migrate`",
        StoreError::Newer(_) => "run that version, or restore a backup from before it",
        StoreError::Corrupt(_) => "restore a backup; if the value was written by Ficha alone, report it",
        StoreError::CantOpen { .. } => "correct store.url: the path, the login, or the address of the database",
    }
}

/// About settings that contradict each other.
pub fn settings(error: &SettingsError) -> &'static str {
    match error {
        SettingsError::OutOfRange { .. } => "set it to a length of time in that range, such as 10m",
        SettingsError::Algorithm(_) => "use ES256, EdDSA or RS256, or set token.secret_key for HS256",
        SettingsError::ShortSecret => "make one with `openssl rand -hex 32`",
        SettingsError::Anonymous(_) => {
            "remove that setting, and register a client for each follower: `ficha client add CLIENT --serves AUDIENCE`"
        }
        SettingsError::Audience { .. } => "use a word such as notes, or an absolute URI",
        SettingsError::Issuer { .. } => "write it like https://auth.example.com",
    }
}

/// About a start.
pub fn start(error: &StartError) -> &'static str {
    match error {
        StartError::Settings(error) => settings(error),
        StartError::Store(error) => store(error),
        StartError::MasterKeyMissing(_) => "restore the file from its backup, or set keys.master_key",
        StartError::MasterKeyMalformed { .. } => "use the master key that was created with this database",
        StartError::MasterKeyFile { .. } => {
            "correct keys.master_key_file, or the permissions of the file and its folder"
        }
        StartError::MasterKeyWrong => "use the master key that was created with this database",
        StartError::Key { .. } => "restore a backup of the database, or replace all keys with `ficha key purge`",
        StartError::Threads(_) => "raise the limits of processes and memory, or lower password.threads",
        StartError::FirstUser(_) => "correct what it names, and start again: the first start is repeated",
    }
}

/// About what an administrator wants.
pub fn admin(error: &AdminError) -> &'static str {
    match error {
        AdminError::Taken { .. } => "choose another name, or change the one that is there with `set`",
        AdminError::NoSuch { kind, .. } => no_such(kind),
        AdminError::OtherSpelling(_) => "repeat the command with this id, or with the name as `list` shows it",
        AdminError::Invalid(_) => "correct it, and run the command again",
        AdminError::Password(error) => policy(error),
        AdminError::Forbidden(_) => "sign in as somebody who may do this",
        AdminError::Busy => "try again in a moment",
        AdminError::Conflict(_) => "look at it again, and repeat the command",
        AdminError::KeyReused => "use a new key for another request",
        AdminError::LastAdministrator(_) => "give the scope ficha:admin to another enabled user first",
        AdminError::BadCredentials => "type them again; after several failures, wait a while",
        AdminError::ActorEnded => "sign in again with `ficha login --admin`",
        AdminError::Store(error) => store(error),
        AdminError::Keys(error) => start(error),
    }
}

/// About something that is not there.
pub fn no_such(kind: &str) -> &'static str {
    match kind {
        "user" => "use a name or an id that `ficha user list` shows",
        "client" => "use an id that `ficha client list` shows",
        "secret" => "use an id that `ficha client show` shows",
        "scope" => "use a name that `ficha scope list` shows",
        "session" => "use an id that `ficha session list --ended` shows",
        "job" => "use an id that `ficha job list` shows",
        _ => "use a name or an id that `list` shows: `ficha user list`, for example",
    }
}

/// About a new password.
pub fn policy(error: &PolicyError) -> &'static str {
    match error {
        PolicyError::TooShort { .. } => "use a longer one: several unrelated words are easy to remember",
        PolicyError::TooLong => "use a shorter one",
        PolicyError::Common | PolicyError::Repetitive | PolicyError::Sequential => "use several unrelated words",
        PolicyError::UserName => "use one that does not contain the user's name",
        PolicyError::ServiceName => "use one that does not contain the name of this service",
    }
}

/// About listening.
pub fn server(error: &ServerError) -> &'static str {
    match error {
        ServerError::Bind { .. } => {
            "stop what uses the address, or set another one, as with FICHA__SERVER__BIND=127.0.0.1:8081"
        }
        ServerError::Socket { .. } => {
            "stop what uses it, remove the file if nothing does, create its folder, or set server.gate_bind to another path"
        }
        ServerError::Tls { .. } => "correct server.tls.certificate and server.tls.key",
        ServerError::Run(_) => "look at the lines of the log before this one, and restart the server",
    }
}

/// About a login, a logout or a stored token.
pub fn client(error: &Error) -> &'static str {
    match error {
        Error::NotLoggedIn | Error::SessionOver | Error::RefreshRefused(_) => {
            "run `ficha login`; for --server, `ficha login --admin`"
        }
        Error::WrongPassword => "type it again; after several failures, wait a while: a throttled login looks the same",
        Error::ClientRefused(_) => {
            "name a public client that may use the password grant with --client; `ficha client list` shows them"
        }
        Error::InvalidScope(_) => {
            "ask for scopes that user and client have (`ficha user show`, `ficha client show`), separated by spaces; for the server's own, run `ficha login --admin`"
        }
        Error::Busy { .. } => "try again in a moment",
        Error::Network(_) => "check the issuer's address, and that the server is running",
        Error::Refused(_) => "correct what it names",
        Error::BadAnswer(_) | Error::Metadata(_) => {
            "check that this is the server's issuer, exactly as configured there, and the proxy in front of it"
        }
        Error::PlainHttp(_) => "use https, or an address of this machine",
        Error::Setting(_) => "correct what it names",
        Error::StoredForAnother { .. } => "run `ficha login`, or name another file with --token-file",
        Error::Store(TokenStoreError::Locked { .. }) => "try again when the other process has finished",
        Error::Store(_) => "correct the file's permissions, or name another one with --token-file",
        Error::NoRuntime(_) | Error::Interrupted => "run the command again, and report it if it fails again",
        // The library may add some.
        _ => "run the command again, and report it if it fails again",
    }
}
