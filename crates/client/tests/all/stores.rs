//! A store that fails, a store that is slow, and a store that counts reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use ficha_client::{MemoryStore, StoreError, TokenStore, Tokens};
use tokio::sync::Semaphore;

/// A store in memory whose saves fail while it is full, and that cannot be cleared while it is stuck.
#[derive(Clone, Default)]
pub struct FailingStore {
    memory: MemoryStore,
    pub is_full: Arc<AtomicBool>,
    pub is_stuck: Arc<AtomicBool>,
}

#[async_trait]
impl TokenStore for FailingStore {
    async fn load(&self) -> Result<Option<Tokens>, StoreError> {
        self.memory.load().await
    }

    async fn save(&self, tokens: &Tokens) -> Result<(), StoreError> {
        match self.is_full.load(Ordering::SeqCst) {
            true => Err(StoreError::other("the disk is full")),
            false => self.memory.save(tokens).await,
        }
    }

    async fn clear(&self) -> Result<(), StoreError> {
        match self.is_stuck.load(Ordering::SeqCst) {
            true => Err(StoreError::other("the disk is read-only")),
            false => self.memory.clear().await,
        }
    }
}

/// A store in memory that saves slowly, as a busy disk does: each save waits for a permit.
#[derive(Clone)]
pub struct SlowStore {
    memory: MemoryStore,
    pub permits: Arc<Semaphore>,
    /// How many saves have begun.
    pub saves: Arc<AtomicUsize>,
}

impl SlowStore {
    pub fn new(permits: usize) -> Self {
        Self { memory: MemoryStore::default(), permits: Arc::new(Semaphore::new(permits)), saves: Arc::default() }
    }
}

#[async_trait]
impl TokenStore for SlowStore {
    async fn load(&self) -> Result<Option<Tokens>, StoreError> {
        self.memory.load().await
    }

    async fn save(&self, tokens: &Tokens) -> Result<(), StoreError> {
        self.saves.fetch_add(1, Ordering::SeqCst);
        self.permits.acquire().await.map_err(StoreError::other)?.forget();
        self.memory.save(tokens).await
    }

    async fn clear(&self) -> Result<(), StoreError> {
        self.memory.clear().await
    }
}

/// A store in memory that counts how often it is read.
#[derive(Clone, Default)]
pub struct CountingStore {
    memory: MemoryStore,
    pub loads: Arc<AtomicUsize>,
}

#[async_trait]
impl TokenStore for CountingStore {
    async fn load(&self) -> Result<Option<Tokens>, StoreError> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        self.memory.load().await
    }

    async fn save(&self, tokens: &Tokens) -> Result<(), StoreError> {
        self.memory.save(tokens).await
    }

    async fn clear(&self) -> Result<(), StoreError> {
        self.memory.clear().await
    }
}
