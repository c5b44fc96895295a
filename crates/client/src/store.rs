//! Where tokens are kept.

use std::any::Any;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::tokens::Tokens;

/// Where an app keeps its tokens: [`MemoryStore`], [`FileStore`](crate::FileStore), or a keyring or a database behind an
/// implementation of your own.
///
/// A [`TokenSource`](crate::TokenSource) saves new tokens *before* it hands them out, so a refresh token that was
/// rotated is never lost with the process.
#[async_trait]
pub trait TokenStore: Send + Sync + 'static {
    /// The tokens, or `None` if there are none.
    async fn load(&self) -> Result<Option<Tokens>, StoreError>;

    /// Keeps `tokens` in place of whatever was there. When it returns, they must survive the end of the process, if
    /// anything in this store does; if it fails, what was there must still be there.
    async fn save(&self, tokens: &Tokens) -> Result<(), StoreError>;

    /// Forgets the tokens. Having none is no error.
    async fn clear(&self) -> Result<(), StoreError>;

    /// Waits until nobody else, in another process too, reads and replaces these tokens, and keeps others out while the
    /// lock is held. It is held during a refresh, so that two processes don't use one refresh token.
    ///
    /// The default keeps nobody out. That is enough for a store that one process uses by one `TokenSource`.
    async fn lock(&self) -> Result<StoreLock, StoreError> {
        Ok(StoreLock::new(()))
    }
}

/// A store that is locked until this is dropped.
pub struct StoreLock(#[expect(dead_code, reason = "held for what its drop does")] Box<dyn Any + Send + Sync>);

impl StoreLock {
    /// `held` unlocks the store when it is dropped.
    pub fn new<T: Send + Sync + 'static>(held: T) -> Self {
        Self(Box::new(held))
    }
}

impl std::fmt::Debug for StoreLock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoreLock")
    }
}

/// Keeps tokens as long as the process lives. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    tokens: Arc<Mutex<Option<Tokens>>>,
    lock: Arc<tokio::sync::Mutex<()>>,
}

impl MemoryStore {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    fn set(&self, tokens: Option<Tokens>) {
        *self.tokens.lock().unwrap_or_else(PoisonError::into_inner) = tokens;
    }
}

#[async_trait]
impl TokenStore for MemoryStore {
    async fn load(&self) -> Result<Option<Tokens>, StoreError> {
        Ok(self.tokens.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    async fn save(&self, tokens: &Tokens) -> Result<(), StoreError> {
        self.set(Some(tokens.clone()));
        Ok(())
    }

    async fn clear(&self) -> Result<(), StoreError> {
        self.set(None);
        Ok(())
    }

    async fn lock(&self) -> Result<StoreLock, StoreError> {
        Ok(StoreLock::new(self.lock.clone().lock_owned().await))
    }
}

/// Why a store failed. No variant holds a secret.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file can't be read or written.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        reason: String,
    },
    /// Others may read the file, so they may have the tokens already.
    #[error(
        "{path}: others can read it (mode {mode:03o}), and it holds tokens: run `chmod 600 {path}`, and log out and in \
         again if somebody may have read it",
        path = path.display()
    )]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds something else.
    #[error("{}: these are no tokens of ficha-client: remove the file, and log in again", path.display())]
    NoTokens {
        /// The file.
        path: PathBuf,
    },
    /// Another process has held the lock for a minute.
    #[error("{}: another process holds the lock", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// A store of your own failed.
    #[error("the token store failed: {0}")]
    Other(String),
}
