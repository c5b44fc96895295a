//! SQLite: one connection that writes, and a pool that only reads.

pub(crate) mod file;
pub(crate) mod write_ahead_log;

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sea_orm::sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sea_orm::sqlx::{ConnectOptions, Connection, Executor};
use sea_orm::{SqlxSqliteConnector, sqlx};

use crate::database::health::Condemned;
use crate::database::sqlite::file::{DatabaseFile, with_suffix};
use crate::database::sqlite::write_ahead_log::Log;
use crate::database::write_connection::WritePool;
use crate::database::{Anchor, Opened, Target};
use crate::{Result, StoreError, StoreOptions};

/// More readers than cores gain little; each is a thread.
const READERS: u32 = 4;

/// How long a statement waits for another process, such as the command line, to commit.
const BUSY: Duration = Duration::from_secs(5);

/// How many times a log is read while another process writes to it.
const LOG_ATTEMPTS: u32 = 5;

/// By how many seconds a database may be newer than its log, which a running server writes to every second.
const RESTORED_AFTER: i64 = 5;

/// If two processes open a new file at once, one sees the other switch the journal mode, which no busy timeout covers.
const OPEN_ATTEMPTS: u32 = 20;

/// Opens the file that `url` names; creates it and its folder if they do not exist.
pub(crate) async fn open(url: &str, options: &StoreOptions, condemned: &Condemned) -> Result<Opened> {
    let target = parse(url)?;
    // SQLite follows a symbolic link, and keeps its log next to the file that it points to.
    check_log(&real_path(&target), options).await?;
    if is_newer_than_its_log(&real_path(&target)) {
        check_pages(&real_path(&target), &target).await?;
    }
    make_file(target.get_filename())?;
    let path = real_path(&target);
    let writer = open_writer(target.clone(), options, condemned).await?;
    let reading = target.clone().pragma("query_only", "on");
    let reader = pool(READERS, options, condemned)
        .connect_with(reading)
        .await
        .map_err(|error| cant_open(&path.display().to_string(), error))?;
    let mut anchor = target.connect().await.map_err(|error| cant_open(&path.display().to_string(), error))?;
    // Only a read opens the write-ahead log.
    anchor
        .execute("SELECT count(*) FROM sqlite_master")
        .await
        .map_err(|error| cant_open(&path.display().to_string(), error))?;
    let file = DatabaseFile::note(&path).map_err(|error| cant_open(&path.display().to_string(), error))?;
    Ok(Opened {
        writer: WritePool::Sqlite(writer),
        reader: SqlxSqliteConnector::from_sqlx_sqlite_pool(reader),
        target: Target::Sqlite(file, target, Anchor(Some(anchor).into())),
    })
}

/// Rejects a database whose write-ahead log SQLite would silently drop, in whole or in part. It must run before the
/// file is opened: opening alone removes a log next to an empty database.
async fn check_log(path: &Path, options: &StoreOptions) -> Result<()> {
    let log = with_suffix(path, "-wal");
    let refused = |why: String| StoreError::CantOpen { what: path.display().to_string(), why };
    let unreadable = |error: std::io::Error| refused(format!("{}: {error}", log.display()));
    let shown = log.display();
    let is_empty = std::fs::metadata(path).map_or(true, |file| file.len() == 0);
    let index = with_suffix(path, "-shm");
    match read_log(&log, &index).await.map_err(unreadable)? {
        Log::Damaged { transactions } => {
            let lost = match transactions {
                0 => "is damaged and can't be read at all".to_owned(),
                count => format!("is damaged, and at least {count} acknowledged changes follow the damage"),
            };
            return Err(refused(format!(
                "its write-ahead log {shown} {lost}: keep a copy of both, then restore a backup, \
                 or move the log away, which loses everything in it, and run `ficha recover`"
            )));
        }
        Log::Whole if is_empty && !options.first_start => {
            return Err(refused(format!(
                "it is empty or missing, but its write-ahead log {shown} is not: restore the database next to it, or \
                 start over without it with `ficha serve --first-start`"
            )));
        }
        Log::Whole | Log::Empty => {}
    }
    let needed = write_ahead_log::bytes_needed(&index).map_err(unreadable)?;
    let length = std::fs::metadata(&log).map_or(0, |log| log.len());
    if length < needed && !is_empty {
        return Err(refused(format!(
            "its write-ahead log {shown}, which contained acknowledged changes, is missing or truncated: restore it, \
             or remove {} too and run `ficha recover`",
            index.display()
        )));
    }
    Ok(())
}

/// A log that another process writes to while it is read may look damaged. It is then read again until it is unchanged.
async fn read_log(log: &Path, index: &Path) -> std::io::Result<Log> {
    let written = || std::fs::metadata(log).and_then(|file| file.modified()).ok();
    for _ in 0..LOG_ATTEMPTS {
        let before = written();
        let found = write_ahead_log::read(log, index)?;
        if !matches!(found, Log::Damaged { .. }) {
            return Ok(found);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        if written() == before {
            return Ok(found);
        }
    }
    // It keeps changing, so a running server has it open and can read it.
    Ok(Log::Whole)
}

/// A backup that was copied over a database whose log was left in place is read together with that log, and the two do
/// not match. This check finds that often, but not always. It uses a read-only connection, before any other is opened:
/// the last one to close would move the log into the backup.
async fn check_pages(path: &Path, target: &SqliteConnectOptions) -> Result<()> {
    let found = async {
        let mut connection = target.clone().read_only(true).connect().await?;
        let found = sqlx::query_scalar::<_, String>("PRAGMA quick_check(1)").fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok::<_, sqlx::Error>(found)
    };
    let why = match found.await {
        Ok(found) if found == "ok" => return Ok(()),
        Ok(found) => found,
        Err(error) => error.to_string(),
    };
    Err(StoreError::CantOpen {
        what: path.display().to_string(),
        why: format!(
            "it is newer than the write-ahead log next to it, and the two do not match ({why}): restore the backup \
             again, and remove the files ending in -wal and -shm before starting the server"
        ),
    })
}

/// True if the database was put in place after its log was last written, by more than a checkpoint takes.
fn is_newer_than_its_log(path: &Path) -> bool {
    let log = std::fs::metadata(with_suffix(path, "-wal")).ok().filter(|log| log.len() > 0);
    let database = std::fs::metadata(path).ok();
    matches!((log, database), (Some(log), Some(database)) if database.ctime() > log.mtime() + RESTORED_AFTER)
}

/// The file of a `sqlite://` URL, if the URL is valid.
pub(crate) fn file_of(url: &str) -> Option<std::path::PathBuf> {
    parse(url).ok().map(|target| target.get_filename().to_owned())
}

fn real_path(target: &SqliteConnectOptions) -> std::path::PathBuf {
    std::fs::canonicalize(target.get_filename()).unwrap_or_else(|_| target.get_filename().to_owned())
}

/// A separate connection for what sea-orm must do itself. Close it afterwards.
pub(crate) async fn open_separate(target: &SqliteConnectOptions, options: &StoreOptions) -> Result<SqlitePool> {
    open_writer(target.clone(), options, &Condemned::default()).await
}

fn parse(url: &str) -> Result<SqliteConnectOptions> {
    let rest = url.trim_start_matches("sqlite:").trim_start_matches("//");
    if rest.is_empty() || rest.starts_with('?') || rest.starts_with(":memory:") || rest.contains("mode=memory") {
        // The writer and each reader would have a separate database.
        return Err(cant_open("at the given sqlite:// URL", "an in-memory database is not supported: name a file"));
    }
    let (path, _) = rest.split_once('?').unwrap_or((rest, ""));
    if path.split('/').next().is_some_and(|first| first.contains(':') && first.contains('@')) {
        // A server's URL with the wrong scheme: no file must be created whose name contains a password, nor is it
        // shown.
        return Err(cant_open("at the given sqlite:// URL", "it must name a file, but looks like the URL of a server"));
    }
    // The parser's error may quote an option's value, which may contain a password.
    let unreadable = |_| cant_open(path, "an option is unknown; known options are mode, cache, immutable and vfs");
    let target = SqliteConnectOptions::from_str(url).map_err(unreadable)?;
    Ok(target
        // The file exists by now. A connection that is opened later must not create an empty one if the file is gone.
        .create_if_missing(false)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        // Sorting must not depend on another disk.
        .pragma("temp_store", "memory")
        // An acknowledged commit survives a power cut: WAL alone would survive only a crash of the process.
        .synchronous(SqliteSynchronous::Full)
        .disable_statement_logging())
}

fn pool(connections: u32, options: &StoreOptions, condemned: &Condemned) -> SqlitePoolOptions {
    let condemned = condemned.clone();
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(options.acquire_timeout)
        // See the pool of PostgreSQL, too: without these two, sqlx starts no maintenance task.
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .before_acquire(move |_, connection| {
            let usable = !condemned.contains(&connection);
            Box::pin(std::future::ready(Ok(usable)))
        })
}

async fn open_writer(
    target: SqliteConnectOptions,
    options: &StoreOptions,
    condemned: &Condemned,
) -> Result<SqlitePool> {
    // The journal mode is stored in the file, so the readers need not set it.
    let target = target.journal_mode(SqliteJournalMode::Wal);
    let pool = pool(1, options, condemned).after_release(|connection, _| {
        Box::pin(async move {
            // Inside a transaction this fails, and the connection is closed: nothing that is written there would count,
            // and while idle it would block all other writers. Only SQLite itself knows; sqlx's counter does not.
            Ok(connection.execute("BEGIN; ROLLBACK").await.is_ok())
        })
    });
    let mut attempt = 1;
    loop {
        match pool.clone().connect_with(target.clone()).await {
            Ok(writer) => return Ok(writer),
            Err(error) if attempt < OPEN_ATTEMPTS && is_locked(&error) => {
                attempt += 1;
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
            Err(error) => return Err(cant_open(&target.get_filename().display().to_string(), error)),
        }
    }
}

fn is_locked(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.message().contains("locked"))
}

fn cant_open(what: &str, why: impl ToString) -> StoreError {
    StoreError::CantOpen { what: what.to_owned(), why: why.to_string() }
}

/// Creates the file, accessible to its owner only. SQLite gives its journals the same mode.
fn make_file(path: &Path) -> Result<()> {
    let failed = |error: std::io::Error| cant_open(&path.display().to_string(), error);
    if path.exists() {
        return Ok(());
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(failed)?;
        // The folder's own entry must survive a power cut, like its content.
        sync_folder(folder.parent()).map_err(failed)?;
    }
    let mut file = std::fs::OpenOptions::new();
    file.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    file.open(path).and_then(|file| file.sync_all()).map_err(failed)?;
    sync_folder(path.parent()).map_err(failed)
}

fn sync_folder(folder: Option<&Path>) -> std::io::Result<()> {
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder)?.sync_all()
}
