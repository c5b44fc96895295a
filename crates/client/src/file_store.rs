//! Tokens in a file that nobody else can read.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::store::{StoreError, StoreLock, TokenStore};
use crate::tokens::Tokens;

/// Tokens need a thousandth of it.
const MOST_BYTES: u64 = 1_000_000;

/// How often a lock that another process holds is tried.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// More than a refresh with all its attempts takes.
const LOCK_ATTEMPTS: u32 = 3_000;

/// Keeps tokens in a file of mode 0600, as JSON, in clear: whoever can read the file as you is logged in as you.
///
/// - The file is replaced as a whole: after a crash it holds the old tokens or the new ones.
/// - A file that others can read is refused, and the error says how to mend it.
/// - Several processes may use one file: a lock beside it (`NAME.lock`) lets one of them refresh at a time, and the
///   others take what it got.
///
/// On systems other than Unix the file has the permissions that its folder gives it.
#[derive(Debug, Clone)]
pub struct FileStore {
    path: PathBuf,
}

impl FileStore {
    /// In the file `path`. It is made when something is saved, and its folder (mode 0700) with it.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(suffix);
        name.into()
    }
}

#[async_trait]
impl TokenStore for FileStore {
    async fn load(&self) -> Result<Option<Tokens>, StoreError> {
        let store = self.clone();
        off_the_runtime(move || read(&store.path)).await
    }

    async fn save(&self, tokens: &Tokens) -> Result<(), StoreError> {
        let (store, tokens) = (self.clone(), tokens.clone());
        off_the_runtime(move || replace(&store, &tokens)).await
    }

    async fn clear(&self) -> Result<(), StoreError> {
        let path = self.path.clone();
        off_the_runtime(move || match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(&path, error)),
            _ => Ok(()),
        })
        .await
    }

    async fn lock(&self) -> Result<StoreLock, StoreError> {
        // Not the file itself: that one is replaced, and a lock on the old one keeps nobody out.
        let path = self.beside(".lock");
        make_folder(&path)?;
        let file = private().write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|error| failed(&path, error))?;
        for _ in 0..LOCK_ATTEMPTS {
            match file.try_lock() {
                Ok(()) => return Ok(StoreLock::new(file)),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCK_PAUSE).await,
                Err(TryLockError::Error(error)) => return Err(failed(&path, error)),
            }
        }
        Err(StoreError::Locked { path })
    }
}

fn read(path: &Path) -> Result<Option<Tokens>, StoreError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(path, error)),
    };
    refuse_open_file(path, &file)?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(MOST_BYTES).read_to_end(&mut bytes).map_err(|error| failed(path, error))?;
    // serde's message may quote what it read.
    serde_json::from_slice(&bytes).map(Some).map_err(|_| StoreError::NoTokens { path: path.to_owned() })
}

/// Asks the open file, not the path: what is read is what was looked at.
#[cfg(unix)]
fn refuse_open_file(path: &Path, file: &File) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata().map_err(|error| failed(path, error))?.permissions().mode() & 0o777;
    match mode & 0o077 {
        0 => Ok(()),
        _ => Err(StoreError::TooOpen { path: path.to_owned(), mode }),
    }
}

#[cfg(not(unix))]
fn refuse_open_file(_: &Path, _: &File) -> Result<(), StoreError> {
    Ok(())
}

fn replace(store: &FileStore, tokens: &Tokens) -> Result<(), StoreError> {
    let path = &store.path;
    make_folder(path)?;
    let text = serde_json::to_vec(tokens).map(Zeroizing::new).map_err(|error| StoreError::Other(error.to_string()))?;
    let (new, file) = new_file(store)?;
    let written = write_through(file, &text).and_then(|()| std::fs::rename(&new, path));
    written.and_then(|()| sync_folder(path)).map_err(|error| {
        // It holds tokens; after the rename it is not there any more.
        let _ = std::fs::remove_file(&new);
        failed(path, error)
    })
}

/// A file beside the real one that was not there before: nobody has it open, and nobody else may open it.
fn new_file(store: &FileStore) -> Result<(PathBuf, File), StoreError> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    loop {
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let path = store.beside(&format!(".{}-{count}.new", std::process::id()));
        match private().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((path, file)),
            // Left by a process that had our id.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(&path, error)),
        }
    }
}

fn write_through(mut file: File, text: &[u8]) -> std::io::Result<()> {
    file.write_all(text)?;
    file.sync_all()
}

/// A rename is on the disk when its folder is.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    if cfg!(unix) { File::open(folder(path))?.sync_all() } else { Ok(()) }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn make_folder(path: &Path) -> Result<(), StoreError> {
    let folder = folder(path);
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder).map_err(|error| failed(folder, error))
}

/// Mode 0600 from the moment that a file is there.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn failed(path: &Path, error: std::io::Error) -> StoreError {
    StoreError::File { path: path.to_owned(), reason: error.to_string() }
}

/// File work waits for a disk.
async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(StoreError::Other(error.to_string())))
}
