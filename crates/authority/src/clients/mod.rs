//! Clients: their credentials, authentication and cache.

pub(crate) mod authenticate;
pub(crate) mod cache;
pub(crate) mod throttle;

use std::sync::Arc;

use ficha_store::{ClientRecord, ClientScopes};
use ficha_token::Scope;
use uuid::Uuid;

use crate::error::AuthorityError;
use crate::keys::secret::Secret;

/// The client credentials in a request.
#[derive(Debug, Clone)]
pub enum ClientCredentials {
    /// None at all.
    None,
    /// A client id without a secret.
    Public(String),
    /// An id and a secret, from the header or the body.
    Secret(String, Secret),
}

/// An authenticated client. Only [`crate::Authority::authenticate_client`] creates one.
#[derive(Debug, Clone)]
pub struct AuthenticatedClient {
    record: Arc<ClientRecord>,
}

impl AuthenticatedClient {
    /// The server itself, where a user proves who they are to it alone: nothing is issued to it.
    pub(crate) fn this_server() -> Self {
        let record = ClientRecord {
            id: "ficha".to_owned(),
            subject: Uuid::nil(),
            secret_hash: None,
            grants: Vec::new(),
            scopes: ClientScopes::Only(Scope::empty()),
            audience: None,
            serves: Vec::new(),
            forwards_address: false,
            own_scopes: false,
            enabled: true,
            revoking: false,
            auth_version: 0,
            created_at: 0,
        };
        Self { record: Arc::new(record) }
    }

    /// The client.
    pub fn record(&self) -> &ClientRecord {
        &self.record
    }

    /// The `client_id`.
    pub fn id(&self) -> &str {
        &self.record.id
    }

    /// The same client with a record read later, if its credentials are still valid.
    pub(crate) fn by_record(&self, record: Option<ClientRecord>) -> Result<Self, AuthorityError> {
        record
            .filter(|record| record.enabled)
            .filter(|record| record.secret_hash == self.record.secret_hash && record.subject == self.record.subject)
            .map(|record| Self { record: Arc::new(record) })
            .ok_or(AuthorityError::ClientAuthentication)
    }

    /// True if it authenticated with a secret.
    pub fn is_confidential(&self) -> bool {
        self.record.secret_hash.is_some()
    }
}
