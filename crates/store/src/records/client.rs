//! Clients.

use ficha_token::{Grant, Scope};
use uuid::Uuid;

/// Which scopes a client may request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientScopes {
    /// Any scope that the user has.
    Any,
    /// Only these.
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
    /// The grants that it may use at the token endpoint.
    pub grants: Vec<Grant>,
    /// The scopes that it may request.
    pub scopes: ClientScopes,
    /// The `aud` of its tokens; `None` is the server's default audience.
    pub audience: Option<String>,
    /// The audiences for which it may introspect and follow the denylist.
    pub serves: Vec<String>,
    /// True for a confidential client that may forward the user's own address.
    pub forwards_address: bool,
    /// True if it may obtain the server's own scopes (`ficha:*`).
    pub own_scopes: bool,
    /// A disabled client gets no token and can't authenticate.
    pub enabled: bool,
    /// Set while its sessions are being revoked, one batch per transaction. Until the last is, it gets no token.
    pub revoking: bool,
    /// Raised when the secret, the rights or `enabled` change, and by a revocation.
    pub auth_version: i64,
    /// When the client was created.
    pub created_at: i64,
}

/// A client to be changed, only if it is still at the version that was read: see [`UserAt`](crate::UserAt).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAt<'a> {
    /// The client.
    pub id: &'a str,
    /// The `auth_version` that was read; `None` if the change does not depend on it.
    pub version: Option<i64>,
}

impl<'a> From<&'a ClientRecord> for ClientAt<'a> {
    fn from(client: &'a ClientRecord) -> Self {
        Self { id: &client.id, version: Some(client.auth_version) }
    }
}

impl<'a> From<&'a str> for ClientAt<'a> {
    fn from(id: &'a str) -> Self {
        Self { id, version: None }
    }
}
