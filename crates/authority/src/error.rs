//! Errors: what happened, not what the client sees. `server/src/error.rs` turns them into responses.

use std::path::PathBuf;
use std::time::Duration;

use ficha_store::StoreError;
use ficha_token::Algorithm;

/// Why a request is rejected.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The client is unknown or disabled, or its secret is wrong or missing.
    #[error("client authentication failed")]
    ClientAuthentication,
    /// The client may not use this grant.
    #[error("the client may not use this grant")]
    GrantNotAllowed,
    /// The client may not have the server's own scopes.
    #[error("this client gets none of the server's own scopes (ficha:*); use the client ficha-cli")]
    OwnScope,
    /// The resource is not what the tokens are for (RFC 8707 §2).
    #[error("the resource is not an absolute URI, or not the audience of these tokens")]
    WrongResource,
    /// The request asks for more than the user, the client or the session has.
    #[error("the scope exceeds what may be granted")]
    ScopeExceeded,
    /// Unknown user, wrong password, disabled or throttled: which one is not disclosed.
    #[error("wrong user name or password")]
    BadCredentials,
    /// The password is right, and for one use: another has to be set first.
    #[error("the password must be changed before it can be used: POST /api/v1/me/password")]
    PasswordChangeRequired,
    /// The refresh token is not valid (any more): the reason is not disclosed.
    #[error("the refresh token is invalid, expired, revoked, or was issued to another client")]
    BadRefreshToken,
    /// The token to be revoked belongs to another client.
    #[error("the token was issued to another client")]
    NotYours,
    /// Too many logins are waiting.
    #[error("too many logins are waiting")]
    Busy {
        /// When to try again.
        retry_after: Duration,
    },
    /// The client serves no audience, so it has no need to know what is denied.
    #[error(
        "this client serves no audience, so it may not follow the denylist; run ficha client set CLIENT --serves AUDIENCE"
    )]
    ServesNothing,
    /// Too many polls of the denylist are held.
    #[error("too many followers are waiting")]
    TooManyFollowers {
        /// When to try again.
        retry_after: Duration,
    },
    /// The database has not answered for two seconds, so it is unknown what has been revoked; or changed keys can't be
    /// loaded, so it is unknown with which key to sign.
    #[error("the server can't reach its database")]
    Stale,
    /// All sessions of the client or of the user are being revoked. Until that is done, no session is created.
    #[error("all sessions of this client or user are being ended")]
    Revoking,
    /// Every session was revoked while this one was being created.
    #[error("every session was revoked during this login")]
    Purged,
    /// The clock was changed a short time ago, and it is unknown which time is right.
    #[error("the server's clock was changed, and the right time is not known yet")]
    ClockInDoubt,
    /// The database failed, or the outcome of a commit is unknown.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key could not be created or used.
    #[error("a key could not be used: {0}")]
    Key(String),
}

/// Why the settings are refused.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A length of time is out of range.
    #[error("{key} must be {least} to {most} seconds")]
    OutOfRange {
        /// The setting.
        key: &'static str,
        /// Seconds.
        least: u64,
        /// Seconds.
        most: u64,
    },
    /// An algorithm that Ficha does not sign with.
    #[error("keys.algorithm {0} can't sign")]
    Algorithm(Algorithm),
    /// The HS256 secret is too short.
    #[error("token.secret_key must be at least 32 random bytes")]
    ShortSecret,
    /// Anybody could read the denylist over the network.
    #[error("denylist.anonymous is true, but the issuer {0} is not a loopback address")]
    Anonymous(String),
    /// The audience can't be one.
    #[error("token.audience {audience:?} {why}")]
    Audience {
        /// What was configured.
        audience: String,
        /// What is wrong with it.
        why: String,
    },
    /// The issuer is not an issuer identifier.
    #[error("server.issuer {issuer:?} can't be used: {why}")]
    Issuer {
        /// What was configured.
        issuer: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// Why a server or a command could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings contradict each other.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Keys are stored, but there is no master key.
    #[error("the database contains keys, but there is no master key at {}", .0.display())]
    MasterKeyMissing(PathBuf),
    /// What is there is not a master key.
    #[error("the master key {from} is not 32 bytes in base64")]
    MasterKeyMalformed {
        /// Where it came from; never the key.
        from: String,
    },
    /// The master key file could not be read or created.
    #[error("the master key file {} can't be used: {source}", path.display())]
    MasterKeyFile {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The stored keys were sealed under another master key.
    #[error("the master key does not match the keys in this database")]
    MasterKeyWrong,
    /// A stored key is damaged.
    #[error("the stored key {kid} can't be used: {why}")]
    Key {
        /// Which.
        kid: String,
        /// What is wrong.
        why: String,
    },
    /// Threads could not be started.
    #[error("the hashing threads could not be started: {0}")]
    Threads(std::io::Error),
    /// The first password could not be hashed.
    #[error("the first user could not be created: {0}")]
    FirstUser(String),
}
