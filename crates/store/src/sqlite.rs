//! SQLite: one connection that writes, beside a pool that only reads.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sea_orm::sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sea_orm::sqlx::{ConnectOptions, Executor};
use sea_orm::{SqlxSqliteConnector, sqlx};

use crate::connect::{Anchor, Opened, Target};
use crate::database_file::DatabaseFile;
use crate::health::Condemned;
use crate::write_connection::WritePool;
use crate::{Result, StoreError, StoreOptions};

/// More readers than cores gain little; each is a thread.
const READERS: u32 = 4;

/// How long a statement waits for another process, such as the command line, to commit.
const BUSY: Duration = Duration::from_secs(5);

/// Two processes that open a new file at once: one sees the other switch the journal mode, which no busy timeout covers.
const OPEN_ATTEMPTS: u32 = 20;

/// Opens the file that `url` names; makes it and its folder if they are not there.
pub(crate) async fn open(url: &str, options: &StoreOptions, condemned: &Condemned) -> Result<Opened> {
    let target = parse(url)?;
    let path = target.get_filename().to_owned();
    make_file(&path)?;
    let writer = open_writer(target.clone(), options, condemned).await?;
    let reading = target.clone().pragma("query_only", "on");
    let reader =
        pool(READERS, options, condemned).connect_with(reading).await.map_err(|error| cant_open(url, error))?;
    let mut anchor = target.connect().await.map_err(|error| cant_open(url, error))?;
    // Only a read opens the write-ahead log.
    anchor.execute("SELECT count(*) FROM sqlite_master").await.map_err(|error| cant_open(url, error))?;
    let file = DatabaseFile::note(&path).map_err(|error| cant_open(&path.display().to_string(), error))?;
    Ok(Opened {
        writer: WritePool::Sqlite(writer),
        reader: SqlxSqliteConnector::from_sqlx_sqlite_pool(reader),
        target: Target::Sqlite(file, target, Anchor(Some(anchor).into())),
    })
}

/// One connection of its own, for what sea-orm must do itself. Close it afterwards.
pub(crate) async fn open_apart(target: &SqliteConnectOptions, options: &StoreOptions) -> Result<SqlitePool> {
    open_writer(target.clone(), options, &Condemned::default()).await
}

fn parse(url: &str) -> Result<SqliteConnectOptions> {
    let rest = url.trim_start_matches("sqlite:").trim_start_matches("//");
    if rest.is_empty() || rest.starts_with('?') || rest.starts_with(":memory:") || rest.contains("mode=memory") {
        // A writer and readers beside it would each have a database of its own.
        return Err(cant_open(url, "a database in memory is not supported: name a file"));
    }
    let target = SqliteConnectOptions::from_str(url).map_err(|error| cant_open(url, error))?;
    Ok(target
        // It was made before. A connection that is opened later must not make an empty one where the file is gone.
        .create_if_missing(false)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        // A commit that was answered survives the loss of power: WAL alone would survive only that of the process.
        .synchronous(SqliteSynchronous::Full)
        .disable_statement_logging())
}

fn pool(connections: u32, options: &StoreOptions, condemned: &Condemned) -> SqlitePoolOptions {
    let condemned = condemned.clone();
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(options.acquire_timeout)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .before_acquire(move |_, connection| {
            let fit = !condemned.holds(&connection);
            Box::pin(std::future::ready(Ok(fit)))
        })
}

async fn open_writer(
    target: SqliteConnectOptions,
    options: &StoreOptions,
    condemned: &Condemned,
) -> Result<SqlitePool> {
    // The journal mode stays with the file, so the readers need not set it.
    let target = target.journal_mode(SqliteJournalMode::Wal);
    let pool = pool(1, options, condemned).after_release(|connection, _| {
        Box::pin(async move {
            // Inside a transaction this fails, and the connection is closed: nothing that is written there would count,
            // and an idle one would keep the lock from everybody. SQLite says so itself; sqlx' own counter does not know.
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

/// Makes the file for its owner alone. SQLite gives its journals the file's own mode.
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
    }
    let mut file = std::fs::OpenOptions::new();
    file.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    file.open(path).map(drop).map_err(failed)
}
