//! The audit log.

use uuid::Uuid;

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
