//! Revocations that take more than one transaction.

use uuid::Uuid;

use crate::Revoked;

/// Whose sessions end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionsOf {
    /// All sessions of a client.
    Client(String),
    /// All sessions of a user; or, if the user lost rights, those that were granted more.
    User(Uuid),
}

/// The right to continue a revocation. Only the newest one has it: whoever takes the revocation over gets another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkWork {
    /// The revocation.
    pub revocation: Uuid,
    /// A random value for this worker alone.
    pub(crate) worker: Uuid,
}

/// A revocation that ends many sessions, one batch per transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkRevocation {
    /// Its id.
    pub id: Uuid,
    /// Whose sessions end.
    pub of: SessionsOf,
    /// Who works on it. Changes if another process takes over.
    pub worker: Uuid,
    /// The last session that was examined, from the newest to the oldest. Changes with every batch.
    pub reached: Option<Uuid>,
    /// How many sessions it has ended.
    pub sessions: u64,
    /// True if it has ended all of them.
    pub finished: bool,
}

/// The result of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BulkStep {
    /// A batch was ended; there may be more.
    Ended(Revoked),
    /// There were none left, and the client or user may get sessions again.
    Finished,
    /// Another worker has taken over, or has finished it.
    TakenOver,
}
