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
    /// Its secrets, oldest first; none makes it a public client.
    pub secrets: Vec<ClientSecret>,
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

/// A secret of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSecret {
    /// Which one it is. It tells nothing about the secret.
    pub id: Uuid,
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    /// When it was created; `None`: not known.
    pub created_at: Option<i64>,
    /// From when it is refused; `None`: never.
    pub expires_at: Option<i64>,
    /// When it was last used, some minutes late; `None`: never, or not known.
    pub last_used_at: Option<i64>,
}

impl ClientSecret {
    /// True while it may be used.
    pub fn is_valid(&self, now: i64) -> bool {
        self.expires_at.is_none_or(|expires_at| now < expires_at)
    }
}

impl ClientRecord {
    /// True if it has no secret.
    pub fn is_public(&self) -> bool {
        self.secrets.is_empty()
    }
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
