//! Plain records: what crosses out of the store, and what is handed in. Database rows never do.
//!
//! Every time is whole Unix seconds.

use ficha_token::{DenyEntry, Scope};
use uuid::Uuid;

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// UUIDv7; the `sub` of the user's tokens.
    pub id: Uuid,
    /// The name that is typed at login. Unique, compared byte by byte.
    pub name: String,
    /// The address, if one is known.
    pub email: Option<String>,
    /// The stored password hash.
    pub password_hash: PasswordHashText,
    /// What the user may be granted.
    pub scopes: Scope,
    /// Written into the user's tokens; Ficha gives them no meaning.
    pub roles: Vec<String>,
    /// A disabled user gets no token.
    pub enabled: bool,
    /// Raised by every change of password, rights, enabled or by a revocation; a login compares it when it commits.
    pub auth_version: i64,
    /// When the user was made.
    pub created_at: i64,
}

/// The text of a stored password hash. `Debug` shows none of it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHashText(pub String);

impl std::fmt::Debug for PasswordHashText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHashText(…)")
    }
}

/// Which grants a client may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Grant {
    /// RFC 6749 §4.3.
    Password,
    /// RFC 6749 §6.
    RefreshToken,
    /// RFC 6749 §4.4.
    ClientCredentials,
}

impl Grant {
    /// The value of `grant_type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
        }
    }

    /// The grant that `text` names, if it is one that Ficha offers.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Password, Self::RefreshToken, Self::ClientCredentials].into_iter().find(|grant| grant.as_str() == text)
    }
}

/// Which scopes a client may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientScopes {
    /// Whatever the user holds.
    Any,
    /// These.
    Only(Scope),
}

/// A client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientRecord {
    /// The `client_id`.
    pub id: String,
    /// UUIDv7; the `sub` of tokens that the client obtains for itself.
    pub subject: Uuid,
    /// SHA-256 of the secret; `None` makes it a public client.
    pub secret_hash: Option<[u8; 32]>,
    /// What it may use at the token endpoint.
    pub grants: Vec<Grant>,
    /// What it may ask for.
    pub scopes: ClientScopes,
    /// What its tokens carry as `aud`; `None` is the server's default audience.
    pub audience: Option<String>,
    /// The audiences for which it may introspect and follow the denylist.
    pub serves: Vec<String>,
    /// A confidential client that may hand on the user's own address.
    pub forwards_address: bool,
    /// A disabled client gets no token and can't authenticate.
    pub enabled: bool,
    /// Set while its sessions are being revoked, 5,000 a transaction; refused like a disabled one until the last is.
    pub revoking: bool,
    /// Raised by every change of secret, rights, enabled or by a revocation.
    pub auth_version: i64,
    /// When the client was made.
    pub created_at: i64,
}

/// Why a session ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevokeReason {
    /// `/logout`, or `/revoke` with its refresh token.
    Logout,
    /// A refresh token was used again past the grace.
    Replay,
    /// A refresh token of a generation that this database never issued: the database was put back.
    FutureGeneration,
    /// An administrator ended it.
    Admin,
    /// The user's password changed.
    PasswordChanged,
    /// The user's or client's rights shrank below what the session was granted.
    RightsChanged,
    /// The user was disabled or deleted.
    UserDisabled,
    /// The client was disabled, deleted or revoked.
    ClientRevoked,
}

impl RevokeReason {
    /// Every reason, for parsing and for tests.
    pub const ALL: [Self; 8] = [
        Self::Logout,
        Self::Replay,
        Self::FutureGeneration,
        Self::Admin,
        Self::PasswordChanged,
        Self::RightsChanged,
        Self::UserDisabled,
        Self::ClientRevoked,
    ];

    /// The text that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Replay => "replay",
            Self::FutureGeneration => "future_generation",
            Self::Admin => "admin",
            Self::PasswordChanged => "password_changed",
            Self::RightsChanged => "rights_changed",
            Self::UserDisabled => "user_disabled",
            Self::ClientRevoked => "client_revoked",
        }
    }

    /// The reason that `text` names.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// A session: one login, or one client's own grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// UUIDv7; the `sid` of its tokens.
    pub id: Uuid,
    /// The user who logged in; `None` for client_credentials.
    pub user_id: Option<Uuid>,
    /// The `sub` of its tokens: the user's id, or the client's subject.
    pub subject: Uuid,
    /// The client that it was issued to.
    pub client_id: String,
    /// What was granted.
    pub scopes: Scope,
    /// The user's roles, as its tokens carry them.
    pub roles: Vec<String>,
    /// The `aud` of its tokens.
    pub audience: String,
    /// How often it has been refreshed. The refresh token in force carries this number.
    pub generation: i64,
    /// When it was last refreshed, or made.
    pub rotated_at: i64,
    /// The furthest `exp` of any access token issued under it.
    pub access_exp: i64,
    /// The global epoch that it was made in.
    pub epoch: i64,
    /// When the user logged in: `auth_time`.
    pub created_at: i64,
    /// When it ends, come what may.
    pub expires_at: i64,
    /// When it ends unless it is refreshed.
    pub idle_expires_at: i64,
    /// The address that it was made from, as text.
    pub address: Option<String>,
    /// The user agent that it was made by.
    pub user_agent: Option<String>,
    /// When and why it was revoked.
    pub revoked: Option<(i64, RevokeReason)>,
}

/// A session about to be made.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// The session. `epoch` is overwritten by the one in force when it commits.
    pub session: SessionRecord,
    /// The `auth_version` of the user that the password was checked against.
    pub user_version: Option<i64>,
    /// The `auth_version` of the client that was authenticated.
    pub client_version: i64,
}

/// What became of an insertion.
#[expect(clippy::large_enum_variant, reason = "it is handed on at once, and nearly always holds the session")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InsertOutcome {
    /// It is committed.
    Inserted(SessionRecord),
    /// The user or the client was changed, disabled or deleted since it was read: nothing was written.
    Outdated,
}

/// One refresh among those that share a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// The session.
    pub session: Uuid,
    /// The generation that the presented refresh token carries.
    pub generation: i64,
    /// The client that presented it.
    pub client_id: String,
}

/// What holds for all refreshes that share a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotationTerms {
    /// The time.
    pub now: i64,
    /// The `exp` of the new access tokens, before a session's own end caps it.
    pub access_exp: i64,
    /// How long an unused session lives, in seconds.
    pub idle_ttl: i64,
}

/// What a revocation did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revoked {
    /// How many sessions it ended.
    pub sessions: u64,
    /// What it put on the denylist, for the server's own memory.
    pub entries: Vec<DenyEntry>,
    /// True if there is more to do under the same name (clients, in batches).
    pub more: bool,
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPurpose {
    /// Signs access tokens.
    Sign,
    /// Authenticates refresh tokens.
    Refresh,
}

impl KeyPurpose {
    /// The text that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sign => "sign",
            Self::Refresh => "refresh",
        }
    }

    /// The purpose that `text` names.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Sign, Self::Refresh].into_iter().find(|purpose| purpose.as_str() == text)
    }
}

/// A key, sealed under the master key.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// Its number; refresh tokens carry it.
    pub id: i32,
    /// What it is for.
    pub purpose: KeyPurpose,
    /// `ES256`, …, or `HMAC-SHA256` for a refresh key.
    pub algorithm: String,
    /// Its RFC 7638 thumbprint; for a refresh key a name of its own.
    pub kid: String,
    /// Its public half as a JWK, where it has one.
    pub public_jwk: Option<String>,
    /// Its private half, encrypted.
    pub sealed: Vec<u8>,
    /// When it was made, and so published.
    pub created_at: i64,
    /// From when it signs.
    pub sign_from: i64,
    /// When its last token has expired and it is no longer published; `None` while it is the newest.
    pub expires_at: Option<i64>,
    /// When it was purged: from then on whatever it signed is refused.
    pub purged_at: Option<i64>,
}

impl std::fmt::Debug for KeyRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRecord")
            .field("id", &self.id)
            .field("purpose", &self.purpose)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

/// A key about to be stored; its number is given by the database.
#[derive(Clone)]
pub struct NewKey {
    /// See [`KeyRecord`].
    pub purpose: KeyPurpose,
    /// See [`KeyRecord`].
    pub algorithm: String,
    /// See [`KeyRecord`].
    pub kid: String,
    /// See [`KeyRecord`].
    pub public_jwk: Option<String>,
    /// See [`KeyRecord`].
    pub sealed: Vec<u8>,
    /// See [`KeyRecord`].
    pub created_at: i64,
    /// See [`KeyRecord`].
    pub sign_from: i64,
}

/// What is needed to see whether a master key fits.
#[derive(Clone)]
pub struct SealedKey {
    /// See [`KeyRecord`].
    pub purpose: KeyPurpose,
    /// See [`KeyRecord`].
    pub kid: String,
    /// See [`KeyRecord`].
    pub sealed: Vec<u8>,
}

/// The newest number of the denylist and what else a running server follows, read in one query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The newest denylist row's number; 0 before the first.
    pub number: i64,
    /// That row's random tag; 0 before the first.
    pub tag: i64,
    /// The global epoch that refreshing compares.
    pub epoch: i64,
    /// Raised by every change to clients, scopes, keys and users' rights: whoever keeps them in memory reads them anew.
    pub changes: i64,
    /// True once the first start is done.
    pub bootstrapped: bool,
}

/// A denylist row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DenyRow {
    /// Its number: order of number is order of commit, and every number is used.
    pub number: i64,
    /// Its random tag: a database that was put back can't pass another history off under the same number.
    pub tag: i64,
    /// What is denied, and until when.
    pub entry: DenyEntry,
}

/// Something that an administrator may want to know later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// UUIDv7.
    pub id: Uuid,
    /// When.
    pub at: i64,
    /// What happened, such as `refresh.replayed`.
    pub event: String,
    /// Who did it: a user's name, a client's id, or `cli`.
    pub actor: Option<String>,
    /// The user it concerns.
    pub user_id: Option<Uuid>,
    /// The client it concerns.
    pub client_id: Option<String>,
    /// The session it concerns.
    pub session_id: Option<Uuid>,
    /// The address it came from.
    pub address: Option<String>,
    /// Anything else, in words.
    pub detail: Option<String>,
}

/// What the throttle remembers of an account and a source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LoginHistory {
    /// Failures in a row of this source for this account.
    pub source_failures: i64,
    /// When the last of them was.
    pub source_last_failure: i64,
    /// When this source last got in to this account; 0 if never.
    pub source_succeeded: i64,
    /// Failures in a row for this account from sources that never got in to it.
    pub account_failures: i64,
    /// When the last of those was.
    pub account_last_failure: i64,
}
