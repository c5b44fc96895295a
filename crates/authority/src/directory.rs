//! What anybody, or the bearer of a token, may look up.

use ficha_store::{ClientRecord, UserRecord};
use uuid::Uuid;

use crate::Authority;
use crate::error::AuthorityError;

impl Authority {
    /// The user with that id, if there is one.
    pub async fn user(&self, id: Uuid) -> Result<Option<UserRecord>, AuthorityError> {
        Ok(self.store().user_by_id(id).await?)
    }

    /// The client with this id, as the database has it now.
    pub async fn client_record(&self, id: &str) -> Result<Option<ClientRecord>, AuthorityError> {
        Ok(self.store().client(id).await?)
    }

    /// True if the client may have the server's own scopes, from memory: a change is noticed with the next read of the
    /// database.
    pub async fn may_have_own_scopes(&self, client: &str) -> bool {
        let client = self.inner.clients.find(self.store(), client).await;
        client.is_ok_and(|client| client.is_some_and(|client| client.own_scopes && client.enabled))
    }

    /// Every declared scope: name and description.
    pub async fn declared_scopes(&self) -> Result<Vec<(String, String)>, AuthorityError> {
        Ok(self.store().list_scopes().await?)
    }
}
