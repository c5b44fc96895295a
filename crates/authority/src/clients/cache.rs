//! The cache of clients.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, PoisonError, RwLock};

use ficha_store::{ClientRecord, Store, StoreError};

/// Clients as they were last read, so that a request of a known client needs no query.
///
/// Every change to a client raises the `changes` counter in the same transaction; the tail reads it with every head and
/// clears this cache. So another process's change is seen with the next read of the tail (within 50 ms on SQLite, at once on
/// PostgreSQL), and at once where it matters: a login compares the client's version in its own transaction.
#[derive(Default)]
pub struct ClientCache {
    known: RwLock<HashMap<String, Arc<ClientRecord>>>,
    /// Raised by [`ClientCache::clear`], so that a record read before it is not inserted after it.
    epoch: std::sync::atomic::AtomicU64,
    /// Held while a client is read, so that a thousand followers of one client read it once. The id chooses the lock.
    reading: [tokio::sync::Mutex<()>; READING],
    hasher: RandomState,
}

/// How many clients may be read at once.
const READING: usize = 16;

/// The most clients in the cache.
const MOST_CLIENTS: usize = 10_000;

impl ClientCache {
    /// The client with that id, from memory or else from the database.
    pub async fn find(&self, store: &Store, id: &str) -> Result<Option<Arc<ClientRecord>>, StoreError> {
        // No client id contains a NUL, and PostgreSQL rejects a query that does.
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

    /// Drops one, so that it is read again.
    pub fn forget(&self, id: &str) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// Drops all, because a client changed.
    pub fn clear(&self) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        self.epoch.fetch_add(1, std::sync::atomic::Ordering::AcqRel);
        known.clear();
    }

    fn epoch(&self) -> u64 {
        self.epoch.load(std::sync::atomic::Ordering::Acquire)
    }
}
