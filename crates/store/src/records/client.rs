//! Clients.

use ficha_token::{Grant, Scope};
use uuid::Uuid;

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
