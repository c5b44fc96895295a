//! Client authentication (RFC 6749 §2.3), with failures throttled per source.

use std::sync::Arc;

use ficha_store::ClientRecord;

use crate::Authority;
use crate::authn::throttle::source_tag;
use crate::clients::{AuthenticatedClient, ClientCredentials};
use crate::error::AuthorityError;
use crate::request_source::RequestSource;

impl Authority {
    /// Authenticates a client. `None` stands for the default client, if there is one.
    pub async fn authenticate_client(
        &self,
        credentials: &ClientCredentials,
        source: &RequestSource,
    ) -> Result<AuthenticatedClient, AuthorityError> {
        let id = match credentials {
            ClientCredentials::None => self.settings().default_client().ok_or(AuthorityError::ClientAuthentication)?,
            ClientCredentials::Public(id) | ClientCredentials::Secret(id, _) => id,
        };
        let record = self.inner.clients.find(self.store(), id).await?;
        let mut found = authenticate(record, credentials);
        let source = source_tag(&self.inner.master, None, source.address);
        let guesses = self.inner.secret_failures.is_over(source, self.seconds_passed());
        if found.is_err() && !guesses && matches!(credentials, ClientCredentials::Secret(..)) {
            // The secret may be newer than the cached record: another process may have just set it.
            self.inner.clients.forget(id);
            found = authenticate(self.inner.clients.find(self.store(), id).await?, credentials);
        }
        if found.is_err() {
            self.inner.metrics.client_failures.count();
            if let ClientCredentials::Secret(..) = credentials {
                // Only a wrong secret waits. A right one is never delayed, even while others guess.
                tokio::time::sleep(self.inner.secret_failures.failed(source, self.seconds_passed())).await;
            }
        }
        found
    }
}

/// Compares credentials with a record. The error is the same whatever is wrong.
pub fn authenticate(
    record: Option<Arc<ClientRecord>>,
    credentials: &ClientCredentials,
) -> Result<AuthenticatedClient, AuthorityError> {
    let given = match credentials {
        ClientCredentials::Secret(_, secret) => Some(secret),
        _ => None,
    };
    // The digest is computed and compared in any case, so an unknown id gets the same answer as a wrong secret.
    let stored = record.as_ref().and_then(|record| record.secret_hash);
    let fits = given.is_some_and(|secret| secret.matches(&stored.unwrap_or_default())) && stored.is_some();
    let public = given.is_none() && stored.is_none();
    record
        .filter(|record| record.enabled && (fits || public))
        .map(|record| AuthenticatedClient { record })
        .ok_or(AuthorityError::ClientAuthentication)
}
