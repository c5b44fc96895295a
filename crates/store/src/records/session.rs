//! Sessions: created, rotated and revoked.

use ficha_token::{DenyEntry, Scope};
use uuid::Uuid;

/// Why a session ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevokeReason {
    /// `/logout`, or `/revoke` with its refresh token.
    Logout,
    /// A refresh token was used again past the grace.
    Replay,
    /// A refresh token of a generation that this database never issued: the database was restored from a backup.
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
    /// When it ends in any case.
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
