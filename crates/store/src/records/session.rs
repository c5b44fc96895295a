//! Sessions: created, rotated and revoked.

use ficha_token::{DenyEntry, Scope};
use uuid::Uuid;

use crate::{BulkWork, Cause};

/// Why a session ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevokeReason {
    /// `/logout`, or `/revoke` with its refresh token.
    Logout,
    /// A refresh token was used again after the grace period.
    Replay,
    /// A refresh token of a generation that this database never issued: the database was restored from a backup.
    FutureGeneration,
    /// An administrator ended it.
    Admin,
    /// The user's password changed.
    PasswordChanged,
    /// The user or the client lost rights that the session was granted.
    RightsChanged,
    /// The user was disabled or deleted.
    UserDisabled,
    /// The client was disabled, deleted or revoked.
    ClientRevoked,
}

impl RevokeReason {
    /// Every reason.
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

    /// The text that is stored and displayed.
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

    /// Parses the stored text.
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
    /// The granted scopes.
    pub scopes: Scope,
    /// The user's roles, as in its tokens.
    pub roles: Vec<String>,
    /// The `aud` of its tokens.
    pub audience: String,
    /// How often it has been refreshed. The current refresh token carries this number.
    pub generation: i64,
    /// When it was created or last refreshed.
    pub rotated_at: i64,
    /// The latest `exp` of any access token issued for it.
    pub access_exp: i64,
    /// The global epoch in which it was created.
    pub epoch: i64,
    /// When it was created.
    pub created_at: i64,
    /// When it ends in any case.
    pub expires_at: i64,
    /// When it ends unless it is refreshed.
    pub idle_expires_at: i64,
    /// How long it lives without a refresh, in seconds; `None`: as [`RotationTerms::idle_ttl`] says at each refresh.
    pub idle_seconds: Option<i64>,
    /// The address from which it was created, as text.
    pub address: Option<String>,
    /// The user agent that created it.
    pub user_agent: Option<String>,
    /// How its user was authenticated; `None` for client_credentials.
    pub authentication: Option<Authentication>,
    /// When and why it was revoked.
    pub revoked: Option<(i64, RevokeReason)>,
}

/// How and when a user was authenticated (OpenID Connect Core §2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authentication {
    /// The methods, such as `pwd` (RFC 8176).
    pub amr: Vec<String>,
    /// The authentication context class, if one was reached.
    pub acr: Option<String>,
    /// When the user proved who they are: `auth_time`.
    pub at: i64,
}

/// A session to be created.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// The session. `epoch` is overwritten with the current one on commit.
    pub session: SessionRecord,
    /// The `auth_version` of the user that the password was checked against.
    pub user_version: Option<i64>,
    /// The `auth_version` of the client that was authenticated.
    pub client_version: i64,
    /// Who logs in, from where, for the event.
    pub cause: Cause,
}

/// The outcome of an insertion.
#[expect(clippy::large_enum_variant, reason = "it is consumed at once, and nearly always contains the session")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InsertOutcome {
    /// The session is committed.
    Inserted(SessionRecord),
    /// The user or the client was changed, disabled or deleted after it was read. Nothing was written.
    Outdated,
    /// All sessions of the user or the client are being ended, and there is none until that is done. Nothing was
    /// written.
    Revoking,
}

/// One of the refreshes that share a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// The session.
    pub session: Uuid,
    /// The generation that the presented refresh token carries.
    pub generation: i64,
    /// The client that presented it.
    pub client_id: String,
}

/// What all refreshes that share a statement have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotationTerms {
    /// The time.
    pub now: i64,
    /// The `exp` of the new access tokens, before it is capped by the session's own end.
    pub access_exp: i64,
    /// How long an unused session lives that has no time of its own, in seconds.
    pub idle_ttl: i64,
}

/// The result of a revocation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revoked {
    /// How many sessions it ended.
    pub sessions: u64,
    /// What it put on the denylist, for the server's copy in memory.
    pub entries: Vec<DenyEntry>,
    /// The sessions are too many for one transaction: nothing has ended yet, and this continues.
    pub rest: Option<BulkWork>,
}
