//! Whether SQLite's file is still the one that was opened.
//!
//! A file that is moved, removed or replaced under a running server still accepts writes, but they will never be read
//! again. SQLite does not check this. We do, whenever the database is read for the denylist and before a change counts
//! as kept.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::{Result, StoreError};

/// The identity of a file: device and inode.
type Identity = (u64, u64);

/// The file of a SQLite database, its write-ahead log, and that log's index.
pub(crate) struct DatabaseFile {
    path: PathBuf,
    log: PathBuf,
    identity: Identity,
    /// The anchor, a connection that is closed last, keeps it the same while the store is open.
    log_identity: Identity,
    /// Shared by the processes that have the database open: a process that finds no index, or a different one,
    /// overwrites the others' changes.
    index: PathBuf,
    index_identity: Identity,
}

impl DatabaseFile {
    /// Records the identity of the files, once they are open.
    pub(crate) fn note(path: &Path) -> std::io::Result<Self> {
        let (log, index) = (with_suffix(path, "-wal"), with_suffix(path, "-shm"));
        let found = |path: &Path| identity(path)?.ok_or_else(|| std::io::Error::from(ErrorKind::NotFound));
        Ok(Self {
            identity: found(path)?,
            log_identity: found(&log)?,
            index_identity: found(&index)?,
            path: path.to_owned(),
            log,
            index,
        })
    }

    /// An error unless the paths still lead to the files that were opened.
    pub(crate) fn check(&self) -> Result<()> {
        check_one(&self.path, self.identity)?;
        check_one(&self.log, self.log_identity)?;
        check_one(&self.index, self.index_identity)
    }

    /// True if the database itself is in its place and its log was removed. False if there is another log that is not
    /// empty: another process may be writing to that one.
    pub(crate) fn has_only_lost_its_log(&self) -> bool {
        let lost =
            std::fs::metadata(&self.log).map_or_else(|error| error.kind() == ErrorKind::NotFound, |log| log.len() == 0);
        lost && matches!(identity(&self.path), Ok(Some(found)) if found == self.identity)
    }
}

fn check_one(file: &Path, opened: Identity) -> Result<()> {
    let why = match identity(file) {
        Ok(Some(found)) if found == opened => return Ok(()),
        Ok(Some(_)) => "it was replaced by another file".to_owned(),
        Ok(None) => "it was moved or removed".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(StoreError::Replaced(format!(
        "the file {} is not the one that was opened: {why}; restore it, or restart the server",
        file.display()
    )))
}

/// The file with this suffix that SQLite keeps next to a database.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// `None`: the file does not exist.
fn identity(path: &Path) -> std::io::Result<Option<Identity>> {
    match std::fs::metadata(path) {
        Ok(file) => Ok(Some((file.dev(), file.ino()))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
