//! The audit log.

use uuid::Uuid;

/// An event that an administrator may want to look up later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// UUIDv7.
    pub id: Uuid,
    /// When it happened.
    pub at: i64,
    /// What happened, such as `refresh.replayed`.
    pub event: String,
    /// Who did it: a user's name, a client's id, `cli`, or `rotate_after` for an automatic rotation.
    pub actor: Option<String>,
    /// The user it concerns.
    pub user_id: Option<Uuid>,
    /// The client it concerns.
    pub client_id: Option<String>,
    /// The session it concerns.
    pub session_id: Option<Uuid>,
    /// The address it came from.
    pub address: Option<String>,
    /// Anything else, as text.
    pub detail: Option<String>,
}
