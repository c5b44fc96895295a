//! A token store in a file that only its owner can read.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::runtime;
use crate::store::{StoreError, StoreLock, TokenStore};
use crate::tokens::Tokens;

/// Far more than any tokens need.
const MAX_BYTES: u64 = 1_000_000;

/// The pause between attempts to take a lock that another process holds.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// How many symbolic links are followed to the file.
const MAX_LINKS: usize = 16;

/// Stores tokens as JSON in a file of mode 0600. The tokens are not encrypted: anyone who can read the file can use the
/// session.
///
/// - The file is replaced atomically: after a crash it contains either the old tokens or the new ones.
/// - A file that others can read is refused, and the error says how to fix it.
/// - Several processes can use one file: with a lock file next to it (`NAME.lock`) they refresh one at a time, and the
///   others use the result.
/// - If the path is a symbolic link, the link is kept and the file that it points to is replaced.
/// - Temporary files of a process that was killed (`NAME.PID-N.new`) are removed the next time the store is locked.
///
/// It needs a tokio runtime, in which it reads and writes outside the async threads, and which has timers if it has to wait
/// for a lock.
///
/// On systems other than Unix the file has the permissions that its directory gives it.
///
/// ```no_run
/// # fn example() -> Result<(), ficha_client::Error> {
/// use ficha_client::{FileStore, TokenSource};
///
/// let store = FileStore::new("/home/alice/.config/notes/token.json");
/// let tokens = TokenSource::builder("https://auth.example.com", "notes-app").store(store).build()?;
/// # drop(tokens);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct FileStore {
    path: PathBuf,
}

impl FileStore {
    /// Stores tokens in the file `path`. The file is created by the first save, and its directory (mode 0700) if it
    /// does not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The path that was passed to [`new`](Self::new).
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file that contains the tokens, with symbolic links followed.
    fn target(&self) -> PathBuf {
        let mut path = self.path.clone();
        for _ in 0..MAX_LINKS {
            match std::fs::read_link(&path) {
                Ok(target) => path = parent(&path).join(target),
                Err(_) => break,
            }
        }
        path
    }
}

#[async_trait]
impl TokenStore for FileStore {
    async fn load(&self) -> Result<Option<Tokens>, StoreError> {
        let path = self.path.clone();
        blocking(move || read(&path)).await
    }

    async fn save(&self, tokens: &Tokens) -> Result<(), StoreError> {
        let (store, tokens) = (self.clone(), tokens.clone());
        blocking(move || replace(&store.target(), &tokens)).await
    }

    async fn clear(&self) -> Result<(), StoreError> {
        let store = self.clone();
        blocking(move || {
            let path = store.target();
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(&path, error)),
                _ => Ok(()),
            }
        })
        .await
    }

    async fn lock(&self, limit: Duration) -> Result<StoreLock, StoreError> {
        // The token file itself cannot be locked: it is replaced, and a lock on the old file would not exclude anyone.
        let target = self.target();
        let path = with_suffix(&target, ".lock");
        create_parent(&path)?;
        let file = private_file().write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|error| failed(&path, error))?;
        let started = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if started.elapsed() < limit => {
                    runtime::complete().map_err(StoreError::other)?;
                    tokio::time::sleep(LOCK_PAUSE).await;
                }
                Err(TryLockError::WouldBlock) => return Err(StoreError::locked(path.display().to_string())),
                Err(TryLockError::Error(error)) => return Err(failed(&path, error)),
            }
        }
        remove_leftovers(&target);
        Ok(StoreLock::new(file))
    }
}

/// Only the holder of the lock writes, so other temporary files are abandoned. They may contain tokens.
fn remove_leftovers(path: &Path) {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return };
    let Ok(files) = std::fs::read_dir(parent(path)) else { return };
    for file in files.flatten() {
        if file.file_name().to_str().is_some_and(|other| is_leftover(other, name)) {
            let _ = std::fs::remove_file(file.path());
        }
    }
}

/// `NAME.PID-N.new`.
fn is_leftover(other: &str, name: &str) -> bool {
    let numbers =
        other.strip_prefix(name).and_then(|rest| rest.strip_prefix('.')?.strip_suffix(".new")?.split_once('-'));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    numbers.is_some_and(|(process, count)| is_number(process) && is_number(count))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(suffix);
    name.into()
}

fn read(path: &Path) -> Result<Option<Tokens>, StoreError> {
    // To open a pipe would wait for whoever writes into it.
    match std::fs::metadata(path) {
        Ok(found) if !found.is_file() => {
            return Err(failed(path, std::io::Error::new(ErrorKind::InvalidInput, "it is not a regular file")));
        }
        _ => {}
    }
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(path, error)),
    };
    check_permissions(path, &file)?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(|error| failed(path, error))?;
    // serde's message may quote what it read.
    serde_json::from_slice(&bytes).map(Some).map_err(|_| StoreError::InvalidFile { path: path.to_owned() })
}

/// Checks the opened file and not the path, so that the file that is read is the one that was checked.
#[cfg(unix)]
fn check_permissions(path: &Path, file: &File) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata().map_err(|error| failed(path, error))?.permissions().mode() & 0o777;
    match mode & 0o077 {
        0 => Ok(()),
        _ => Err(StoreError::TooOpen { path: path.to_owned(), mode }),
    }
}

#[cfg(not(unix))]
fn check_permissions(_: &Path, _: &File) -> Result<(), StoreError> {
    Ok(())
}

fn replace(path: &Path, tokens: &Tokens) -> Result<(), StoreError> {
    create_parent(path)?;
    let text = serde_json::to_vec(tokens).map(Zeroizing::new).map_err(StoreError::other)?;
    let (new, file) = new_file(path)?;
    let written = write_through(file, &text).and_then(|()| std::fs::rename(&new, path));
    written.and_then(|()| sync_parent(path)).map_err(|error| {
        // It contains tokens. After the rename it no longer exists.
        let _ = std::fs::remove_file(&new);
        failed(path, error)
    })
}

/// Creates a temporary file next to `target`. The file did not exist before, so no other process has it open.
fn new_file(target: &Path) -> Result<(PathBuf, File), StoreError> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    loop {
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let path = with_suffix(target, &format!(".{}-{count}.new", std::process::id()));
        match private_file().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((path, file)),
            // Left by an earlier process with the same id.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(&path, error)),
        }
    }
}

fn write_through(mut file: File, text: &[u8]) -> std::io::Result<()> {
    file.write_all(text)?;
    file.sync_all()
}

/// A rename is durable once its directory has been synced.
fn sync_parent(path: &Path) -> std::io::Result<()> {
    if cfg!(unix) { File::open(parent(path))?.sync_all() } else { Ok(()) }
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn create_parent(path: &Path) -> Result<(), StoreError> {
    let parent = parent(path);
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(parent).map_err(|error| failed(parent, error))
}

/// Creates files with mode 0600 from the start.
fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn failed(path: &Path, error: std::io::Error) -> StoreError {
    StoreError::File { path: path.to_owned(), source: error.into() }
}

/// File operations may block, so they run outside the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let runtime = runtime::any().map_err(StoreError::other)?;
    runtime.spawn_blocking(work).await.unwrap_or_else(|error| Err(StoreError::other(error)))
}
