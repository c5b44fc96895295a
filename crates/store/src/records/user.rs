//! Users and their login history.

use ficha_token::Scope;
use uuid::Uuid;

use crate::Cause;

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// UUIDv7; the `sub` of the user's tokens.
    pub id: Uuid,
    /// The name used to log in. Unique, compared byte by byte.
    pub name: String,
    /// The e-mail address, if known.
    pub email: Option<String>,
    /// The stored password hash.
    pub password_hash: PasswordHashText,
    /// The scopes that the user may be granted.
    pub scopes: Scope,
    /// Written into the user's tokens; Ficha gives them no meaning.
    pub roles: Vec<String>,
    /// A disabled user gets no token.
    pub enabled: bool,
    /// Raised when the password, the rights or `enabled` change, and by a revocation. A login compares it when it
    /// commits.
    pub auth_version: i64,
    /// When the user was created.
    pub created_at: i64,
    /// True if nothing is issued for the password until the user has changed it.
    pub must_change: bool,
}

/// What is changed about a user; `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserChange {
    /// The e-mail address; `Some(None)` removes it.
    pub email: Option<Option<String>>,
    /// The scopes that the user may be granted.
    pub scopes: Option<Scope>,
    /// The roles.
    pub roles: Option<Vec<String>>,
    /// Whether the user can log in.
    pub enabled: Option<bool>,
    /// Whether the password must be changed.
    pub must_change: Option<bool>,
}

/// A user to be changed.
///
/// Whether the caller may change it depends on what it holds, and that was read before. So the change is made only if
/// the user is still at the version that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserAt {
    /// The user.
    pub id: Uuid,
    /// The `auth_version` that was read; `None` if the change does not depend on it.
    pub version: Option<i64>,
}

impl From<&UserRecord> for UserAt {
    fn from(user: &UserRecord) -> Self {
        Self { id: user.id, version: Some(user.auth_version) }
    }
}

impl From<Uuid> for UserAt {
    fn from(id: Uuid) -> Self {
        Self { id, version: None }
    }
}

/// The text of a stored password hash. `Debug` shows none of it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHashText(pub String);

impl std::fmt::Debug for PasswordHashText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHashText(…)")
    }
}

/// A login that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedLogin {
    /// The pseudonym of the account.
    pub account: [u8; 16],
    /// The pseudonym of the source.
    pub source: [u8; 16],
    /// The user, if there is one with that name. The name itself is not kept: people type passwords there.
    pub user_id: Option<Uuid>,
    /// The client.
    pub client_id: String,
    /// Who it was is not known; from where, in which request, and when.
    pub cause: Cause,
}

impl FailedLogin {
    /// Stands for a source as a whole.
    pub const ANY_ACCOUNT: [u8; 16] = [0; 16];
}

/// The login history of an account and a source, as used by the throttle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LoginHistory {
    /// Consecutive failures from this source for this account.
    pub source_failures: i64,
    /// When the last of them happened.
    pub source_last_failure: i64,
    /// When this source last logged in to this account; 0 if never.
    pub source_succeeded: i64,
    /// Consecutive failures for this account from sources that never logged in to it.
    pub account_failures: i64,
    /// When the last of them happened.
    pub account_last_failure: i64,
    /// Failures of this source for any account, less one for every [`LoginHistory::FORGIVEN_EVERY`] seconds.
    pub all_failures: i64,
    /// When the last of them happened.
    pub all_last_failure: i64,
}

/// The failures counted against an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountFailures {
    /// Those of sources that never logged in to it, together.
    pub whole: LoginHistory,
    /// Those of each source.
    pub sources: Vec<LoginHistory>,
}

impl LoginHistory {
    /// After this many seconds, one failure of a source is forgiven in the count for all accounts.
    pub const FORGIVEN_EVERY: i64 = 36;
}
