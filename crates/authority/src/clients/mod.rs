//! Clients: their credentials, authentication and cache.

pub(crate) mod authenticate;
pub(crate) mod cache;
pub(crate) mod last_use;
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
    /// The hash of the secret that it has shown; `None`: it is a public client.
    secret: Option<[u8; 32]>,
}

impl AuthenticatedClient {
    /// The server itself, where a user proves who they are to it alone: nothing is issued to it.
    pub(crate) fn this_server() -> Self {
        let record = ClientRecord {
            id: "ficha".to_owned(),
            subject: Uuid::nil(),
            secrets: Vec::new(),
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
        Self { record: Arc::new(record), secret: None }
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
    pub(crate) fn by_record(&self, record: Option<ClientRecord>, now: i64) -> Result<Self, AuthorityError> {
        let still_fits = |record: &ClientRecord| match self.secret {
            Some(shown) => record.secrets.iter().any(|secret| secret.hash == shown && secret.is_valid(now)),
            None => record.is_public(),
        };
        record
            .filter(|record| record.enabled && record.subject == self.record.subject && still_fits(record))
            .map(|record| Self { record: Arc::new(record), secret: self.secret })
            .ok_or(AuthorityError::ClientAuthentication)
    }

    /// The id of the secret that it has shown.
    fn secret_id(&self) -> Option<Uuid> {
        let shown = self.secret?;
        self.record.secrets.iter().find(|secret| secret.hash == shown).map(|secret| secret.id)
    }

    /// True if it authenticated with a secret.
    pub fn is_confidential(&self) -> bool {
        self.secret.is_some()
    }
}
