//! Users, and what is remembered of their failed logins.

use ficha_token::Scope;
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
