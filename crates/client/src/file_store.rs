//! Tokens in a file that nobody else can read.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::store::{StoreError, StoreLock, TokenStore};
use crate::tokens::Tokens;

/// Tokens need a thousandth of it.
const MOST_BYTES: u64 = 1_000_000;

/// How often a lock that another process holds is tried.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// A link to a link to a link …
const MOST_LINKS: usize = 16;

/// Keeps tokens in a file of mode 0600, as JSON, in clear: whoever can read the file as you is logged in as you.
///
/// - The file is replaced as a whole: after a crash it holds the old tokens or the new ones.
/// - A file that others can read is refused, and the error says how to mend it.
/// - Several processes may use one file: a lock beside it (`NAME.lock`) lets one of them refresh at a time, and the
///   others take what it got.
/// - Where `path` is a symbolic link, the file that it points to is kept so, and the link stays.
/// - What a process that was killed has left half written (`NAME.PID-N.new`) is removed by the next one.
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

    /// The file that holds the tokens: where a link points, or else what was named.
    fn real(&self) -> PathBuf {
        let mut path = self.path.clone();
        for _ in 0..MOST_LINKS {
            match std::fs::read_link(&path) {
                Ok(target) => path = folder(&path).join(target),
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
        off_the_runtime(move || read(&path)).await
    }

    async fn save(&self, tokens: &Tokens) -> Result<(), StoreError> {
        let (store, tokens) = (self.clone(), tokens.clone());
        off_the_runtime(move || replace(&store.real(), &tokens)).await
    }

    async fn clear(&self) -> Result<(), StoreError> {
        let store = self.clone();
        off_the_runtime(move || {
            let path = store.real();
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(&path, error)),
                _ => Ok(()),
            }
        })
        .await
    }

    async fn lock(&self, limit: Duration) -> Result<StoreLock, StoreError> {
        // Not the file itself: that one is replaced, and a lock on the old one keeps nobody out.
        let real = self.real();
        let path = beside(&real, ".lock");
        make_folder(&path)?;
        let file = private().write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|error| failed(&path, error))?;
        let began = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if began.elapsed() < limit => tokio::time::sleep(LOCK_PAUSE).await,
                Err(TryLockError::WouldBlock) => return Err(StoreError::locked(path.display().to_string())),
                Err(TryLockError::Error(error)) => return Err(failed(&path, error)),
            }
        }
        remove_leftovers(&real);
        Ok(StoreLock::new(file))
    }
}

/// Only who holds the lock writes, so what is half written now is nobody's. It holds tokens.
fn remove_leftovers(path: &Path) {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return };
    let Ok(files) = std::fs::read_dir(folder(path)) else { return };
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

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(suffix);
    name.into()
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

fn replace(path: &Path, tokens: &Tokens) -> Result<(), StoreError> {
    make_folder(path)?;
    let text = serde_json::to_vec(tokens).map(Zeroizing::new).map_err(StoreError::other)?;
    let (new, file) = new_file(path)?;
    let written = write_through(file, &text).and_then(|()| std::fs::rename(&new, path));
    written.and_then(|()| sync_folder(path)).map_err(|error| {
        // It holds tokens; after the rename it is not there any more.
        let _ = std::fs::remove_file(&new);
        failed(path, error)
    })
}

/// A file beside the real one that was not there before: nobody has it open, and nobody else may open it.
fn new_file(beside_of: &Path) -> Result<(PathBuf, File), StoreError> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    loop {
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let path = beside(beside_of, &format!(".{}-{count}.new", std::process::id()));
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
    StoreError::File { path: path.to_owned(), source: error.into() }
}

/// File work waits for a disk.
async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(StoreError::other(error)))
}
