//! Who a client is, and how it proves it.

pub(crate) mod throttle;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, PoisonError, RwLock};

use ficha_store::{ClientRecord, Store, StoreError};

use crate::error::AuthorityError;
use crate::keys::secret::Secret;

/// What a request said about its client.
#[derive(Debug, Clone)]
pub enum ClientCredentials {
    /// Nothing at all.
    None,
    /// A client id without a secret.
    Public(String),
    /// An id and a secret, from the header or the body.
    Secret(String, Secret),
}

/// A client that is who it says it is. Only [`crate::Authority::authenticate_client`] makes one.
#[derive(Debug, Clone)]
pub struct AuthenticatedClient {
    record: Arc<ClientRecord>,
}

impl AuthenticatedClient {
    /// The client.
    pub fn record(&self) -> &ClientRecord {
        &self.record
    }

    /// The `client_id`.
    pub fn id(&self) -> &str {
        &self.record.id
    }

    /// The same client by a record read later, if what it proved itself with still holds.
    pub(crate) fn by_record(&self, record: Option<ClientRecord>) -> Result<Self, AuthorityError> {
        record
            .filter(|record| record.enabled && !record.revoking)
            .filter(|record| record.secret_hash == self.record.secret_hash && record.subject == self.record.subject)
            .map(|record| Self { record: Arc::new(record) })
            .ok_or(AuthorityError::ClientAuthentication)
    }

    /// True if it proved itself with a secret.
    pub fn is_confidential(&self) -> bool {
        self.record.secret_hash.is_some()
    }
}

/// Holds credentials against a record. The error is one and the same whatever is wrong.
pub fn authenticate(
    record: Option<Arc<ClientRecord>>,
    credentials: &ClientCredentials,
) -> Result<AuthenticatedClient, AuthorityError> {
    let given = match credentials {
        ClientCredentials::Secret(_, secret) => Some(secret),
        _ => None,
    };
    // The digest is computed and compared whoever asks, so an unknown id gets the same answer as a wrong secret.
    let stored = record.as_ref().and_then(|record| record.secret_hash);
    let fits = given.is_some_and(|secret| secret.matches(&stored.unwrap_or_default())) && stored.is_some();
    let public = given.is_none() && stored.is_none();
    record
        .filter(|record| record.enabled && !record.revoking && (fits || public))
        .map(|record| AuthenticatedClient { record })
        .ok_or(AuthorityError::ClientAuthentication)
}

/// Clients as they were last read, so that a request of a known client asks the database nothing.
///
/// Whatever writes a client raises the `changes` counter in the same transaction; the tail reads it with every head
/// and empties this. So another process' change is seen within a tail's interval (some 50 ms), and at once where it
/// must be: a login compares the client's version in its own transaction.
#[derive(Default)]
pub struct ClientCache {
    known: RwLock<HashMap<String, Arc<ClientRecord>>>,
    /// Raised by [`ClientCache::clear`], so that a record read before it is not put in after it.
    epoch: std::sync::atomic::AtomicU64,
    /// Held while a client is read, so that a thousand followers of one client read it once. Which one is by the id.
    reading: [tokio::sync::Mutex<()>; READING],
    hasher: RandomState,
}

/// How many clients may be read at once.
const READING: usize = 16;

/// More clients than this are not held at once.
const MOST_CLIENTS: usize = 10_000;

impl ClientCache {
    /// The client of that id, from memory or else from the store.
    pub async fn find(&self, store: &Store, id: &str) -> Result<Option<Arc<ClientRecord>>, StoreError> {
        // No client's id has a NUL, and PostgreSQL fails a query that asks for one.
        if id.contains('\0') {
            return Ok(None);
        }
        if let Some(known) = self.known(id) {
            return Ok(Some(known));
        }
        let _reading = self.reading[self.hasher.hash_one(id) as usize % READING].lock().await;
        if let Some(known) = self.known(id) {
            return Ok(Some(known));
        }
        let epoch = self.epoch();
        let Some(record) = store.client(id).await?.map(Arc::new) else { return Ok(None) };
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if self.epoch() == epoch {
            if known.len() >= MOST_CLIENTS {
                known.clear();
            }
            known.insert(id.to_owned(), record.clone());
        }
        Ok(Some(record))
    }

    fn known(&self, id: &str) -> Option<Arc<ClientRecord>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Forgets one, so that it is read anew.
    pub fn forget(&self, id: &str) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// Forgets all: some client changed.
    pub fn clear(&self) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        self.epoch.fetch_add(1, std::sync::atomic::Ordering::AcqRel);
        known.clear();
    }

    fn epoch(&self) -> u64 {
        self.epoch.load(std::sync::atomic::Ordering::Acquire)
    }
}
