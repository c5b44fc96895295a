//! Client authentication (RFC 6749 §2.3), with failures throttled per source.

use std::sync::Arc;

use ficha_store::ClientRecord;
use subtle::{Choice, ConstantTimeEq};

use crate::Authority;
use crate::authn::throttle::source_tag;
use crate::clients::{AuthenticatedClient, ClientCredentials};
use crate::error::AuthorityError;
use crate::keys::secret::Secret;
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
        let mut found = authenticate(record, credentials, self.now());
        let source = source_tag(&self.inner.master, None, source.address);
        let guesses = self.inner.secret_failures.is_over(source, self.seconds_passed());
        if found.is_err() && !guesses && matches!(credentials, ClientCredentials::Secret(..)) {
            // The secret may be newer than the cached record: another process may have just set it.
            self.inner.clients.forget(id);
            found = authenticate(self.inner.clients.find(self.store(), id).await?, credentials, self.now());
        }
        if found.is_err() {
            self.inner.metrics.client_failures.count();
            if let ClientCredentials::Secret(..) = credentials {
                // Only a wrong secret waits. A right one is never delayed, even while others guess.
                tokio::time::sleep(self.inner.secret_failures.failed(source, self.seconds_passed())).await;
            }
        }
        if let Ok(client) = &found {
            self.inner.secret_uses.note(client, self.now());
        }
        found
    }
}

/// Compares credentials with a record. The error is the same whatever is wrong.
pub fn authenticate(
    record: Option<Arc<ClientRecord>>,
    credentials: &ClientCredentials,
    now: i64,
) -> Result<AuthenticatedClient, AuthorityError> {
    let given = match credentials {
        ClientCredentials::Secret(_, secret) => Some(secret),
        _ => None,
    };
    // The digest is computed in any case, so an unknown id gets the same answer as a wrong secret.
    let digest = given.map(Secret::digest);
    let stored = record.iter().flat_map(|record| &record.secrets).filter(|secret| secret.is_valid(now));
    let shown = digest.filter(|digest| {
        let fits = stored.fold(Choice::from(0), |fits, secret| fits | secret.hash.ct_eq(digest));
        fits.into()
    });
    let public = given.is_none() && record.as_ref().is_some_and(|record| record.is_public());
    record
        .filter(|record| record.enabled && (shown.is_some() || public))
        .map(|record| AuthenticatedClient { record, secret: shown })
        .ok_or(AuthorityError::ClientAuthentication)
}
