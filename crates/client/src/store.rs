//! Where tokens are kept.

use std::any::Any;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::tokens::Tokens;

/// Where an app keeps its tokens: [`MemoryStore`], [`FileStore`](crate::FileStore), or a keyring or a database behind an
/// implementation of your own.
///
/// A [`TokenSource`](crate::TokenSource) saves new tokens *before* it hands them out, so a refresh token that was
/// rotated is never lost with the process.
///
/// The trait's methods are `async-trait`'s, which this library re-exports:
///
/// ```
/// use ficha_client::{StoreError, TokenStore, Tokens, async_trait};
///
/// # #[derive(Clone)]
/// # struct Keyring;
/// # impl Keyring {
/// #     fn get(&self) -> Result<Option<String>, std::io::Error> { Ok(None) }
/// #     fn put(&self, _: Option<&str>) -> Result<(), std::io::Error> { Ok(()) }
/// # }
/// struct KeyringStore(Keyring);
///
/// #[async_trait]
/// impl TokenStore for KeyringStore {
///     async fn load(&self) -> Result<Option<Tokens>, StoreError> {
///         let text = self.0.get().map_err(StoreError::other)?;
///         text.map(|text| serde_json::from_str(&text)).transpose().map_err(StoreError::other)
///     }
///
///     async fn save(&self, tokens: &Tokens) -> Result<(), StoreError> {
///         let text = serde_json::to_string(tokens).map_err(StoreError::other)?;
///         self.0.put(Some(&text)).map_err(StoreError::other)
///     }
///
///     async fn clear(&self) -> Result<(), StoreError> {
///         self.0.put(None).map_err(StoreError::other)
///     }
/// }
/// ```
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
    /// lock is held. It is held during a refresh, so that two processes don't use one refresh token. [`save`](Self::save)
    /// and [`clear`](Self::clear) are called while it is held.
    ///
    /// After `limit` it should be [`StoreError::locked`]. The limit is longer than anybody with the same time limits
    /// holds the lock: about a minute, unless said otherwise.
    ///
    /// The default keeps nobody out. That is enough for a store that one process uses by one `TokenSource`.
    async fn lock(&self, limit: Duration) -> Result<StoreLock, StoreError> {
        let _ = limit;
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

    async fn lock(&self, limit: Duration) -> Result<StoreLock, StoreError> {
        let held = tokio::time::timeout(limit, self.lock.clone().lock_owned()).await;
        held.map(StoreLock::new).map_err(|_| StoreError::locked("the store in memory"))
    }
}

/// Why a store failed. No variant of this library's own stores holds a secret.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file can't be read or written.
    #[error("{}: {source}", path.display())]
    #[non_exhaustive]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: Arc<std::io::Error>,
    },
    /// Others may read the file, so they may have the tokens already.
    #[error(
        "{path}: others can read it (mode {mode:03o}), and it holds tokens: run `chmod 600 {path}`, and log out and in \
         again if somebody may have read it",
        path = path.display()
    )]
    #[non_exhaustive]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds something else.
    #[error("{}: these are no tokens of ficha-client: remove the file, and log in again", path.display())]
    #[non_exhaustive]
    NoTokens {
        /// The file.
        path: PathBuf,
    },
    /// Another holds the lock for longer than it should. It may be free later.
    #[error("{what}: another process holds the lock")]
    #[non_exhaustive]
    Locked {
        /// What is locked: a file, for one.
        what: String,
    },
    /// A store of your own failed; made by [`StoreError::other`].
    #[error("the token store failed: {0}")]
    Other(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

impl StoreError {
    /// A store of your own failed, and this is why: an error, or a text. Keep tokens out of it.
    pub fn other(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Other(Arc::from(why.into()))
    }

    /// Another holds the lock of `what`.
    pub fn locked(what: impl Into<String>) -> Self {
        Self::Locked { what: what.into() }
    }
}
