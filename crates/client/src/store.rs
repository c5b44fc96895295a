//! Token stores.

use std::any::Any;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::runtime;
use crate::tokens::Tokens;

/// A place for an app's tokens: [`MemoryStore`], [`FileStore`](crate::FileStore), or your own implementation for a
/// keyring or a database.
///
/// A [`TokenSource`](crate::TokenSource) saves new tokens *before* any caller gets them, so that a rotated refresh
/// token is not lost with the process.
///
/// Implement the trait with the attribute `async_trait`, which this library re-exports:
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
    /// Returns the stored tokens, or `None` if there are none.
    async fn load(&self) -> Result<Option<Tokens>, StoreError>;

    /// Replaces the stored tokens with `tokens`. After success they must survive the end of the process, unless the
    /// store is in memory only. After an error the previous tokens must still be there.
    async fn save(&self, tokens: &Tokens) -> Result<(), StoreError>;

    /// Deletes the tokens. It is not an error if there are none.
    async fn clear(&self) -> Result<(), StoreError>;

    /// Waits for exclusive access to these tokens, including access by other processes, and keeps it until the returned
    /// lock is dropped. The lock is held during each refresh, so that no two processes use the same refresh token, and
    /// during each login and logout. [`save`](Self::save) and [`clear`](Self::clear) are only called while it is held.
    ///
    /// If the lock is not free within `limit`, return [`StoreError::locked`]. The limit is longer than any holder with
    /// the same time limits needs: 70 seconds by default.
    ///
    /// The default implementation locks nothing. That is enough if only one `TokenSource` uses the store.
    async fn lock(&self, limit: Duration) -> Result<StoreLock, StoreError> {
        let _ = limit;
        Ok(StoreLock::new(()))
    }
}

/// The lock of a store, which is released when this is dropped.
///
/// ```
/// use ficha_client::StoreLock;
///
/// # fn lock_of_my_database() -> std::sync::Arc<std::sync::Mutex<()>> { Default::default() }
/// // Whatever unlocks when it is dropped.
/// let lock = StoreLock::new(lock_of_my_database());
/// drop(lock);
/// ```
pub struct StoreLock(#[expect(dead_code, reason = "held for what its drop does")] Box<dyn Any + Send + Sync>);

impl StoreLock {
    /// Wraps a guard that unlocks the store when it is dropped.
    pub fn new<T: Send + Sync + 'static>(held: T) -> Self {
        Self(Box::new(held))
    }
}

impl fmt::Debug for StoreLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreLock")
    }
}

/// Stores tokens in memory, for the lifetime of the process. Clones share them.
///
/// ```
/// use ficha_client::{MemoryStore, TokenStore};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// # runtime.block_on(async {
/// let store = MemoryStore::new();
/// assert_eq!(store.load().await.unwrap(), None);
/// # });
/// ```
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    tokens: Arc<Mutex<Option<Tokens>>>,
    lock: Arc<tokio::sync::Mutex<()>>,
}

impl MemoryStore {
    /// Creates an empty store.
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
        if let Ok(held) = self.lock.clone().try_lock_owned() {
            return Ok(StoreLock::new(held));
        }
        runtime::complete().map_err(StoreError::other)?;
        let held = tokio::time::timeout(limit, self.lock.clone().lock_owned()).await;
        held.map(StoreLock::new).map_err(|_| StoreError::locked("the store in memory"))
    }
}

/// Why a store failed. Errors of this library's own stores contain no secret. The text includes the texts of the causes
/// that [`source()`](std::error::Error::source) leads to.
///
/// ```
/// use ficha_client::StoreError;
///
/// let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
/// assert_eq!(StoreError::other(full).to_string(), "the token store failed: no storage space");
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum StoreError {
    /// A file cannot be read or written.
    #[non_exhaustive]
    File {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: Arc<std::io::Error>,
    },
    /// Other users can access the file, so they may have the tokens already.
    #[non_exhaustive]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file does not contain valid tokens.
    #[non_exhaustive]
    InvalidFile {
        /// The file.
        path: PathBuf,
    },
    /// The lock was not released in time. It may be free later.
    #[non_exhaustive]
    Locked {
        /// What is locked, such as a file.
        what: String,
    },
    /// Your own store failed. Created by [`StoreError::other`].
    #[non_exhaustive]
    Other(Arc<dyn std::error::Error + Send + Sync>),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, source } => write!(f, "{}: {source}", path.display()),
            Self::TooOpen { path, mode } => write!(
                f,
                "{path}: others can read it (mode {mode:03o}), and it contains tokens: run `chmod 600 {path}`, and log \
                 out and in again if someone may have read it",
                path = path.display()
            ),
            Self::InvalidFile { path } => {
                write!(f, "{}: not a token file of ficha-client: remove the file, and log in again", path.display())
            }
            Self::Locked { what } => write!(f, "{what}: another process or task holds the lock"),
            Self::Other(cause) => write!(f, "the token store failed: {cause}"),
        }
    }
}

impl std::error::Error for StoreError {
    // Not derived: the source would be the `Arc`, which cannot be downcast to the error in it.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File { source, .. } => Some(&**source),
            Self::Other(cause) => Some(&**cause),
            Self::TooOpen { .. } | Self::InvalidFile { .. } | Self::Locked { .. } => None,
        }
    }
}

impl StoreError {
    /// An error of your own store, from an error or a text. It must not contain tokens.
    pub fn other(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Other(Arc::from(why.into()))
    }

    /// The error for a lock on `what` that was not released in time.
    pub fn locked(what: impl Into<String>) -> Self {
        Self::Locked { what: what.into() }
    }
}
