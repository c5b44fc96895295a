//! Opening a database.

pub(crate) mod globals;
pub(crate) mod health;
pub(crate) mod heartbeat;
pub(crate) mod migrate;
pub(crate) mod postgres;
pub(crate) mod sqlite;
pub(crate) mod timeout;
pub(crate) mod transaction;
pub(crate) mod write_connection;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ficha_token::{Entropy, SystemEntropy};
use sea_orm::sqlx::Connection;
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, FromQueryResult, SqlxPostgresConnector, Statement};
use tokio::runtime::Handle;
use tokio::sync::watch;
use uuid::Uuid;

use crate::database::health::{Condemned, Health, Writes};
use crate::database::postgres::primary::LastRefusal;
use crate::database::sqlite::file::DatabaseFile;
use crate::database::timeout::TimeoutPool;
use crate::database::write_connection::{WriteConnection, WritePool};
use crate::{Result, StoreError};

/// The kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DatabaseKind {
    /// One file.
    Sqlite,
    /// A PostgreSQL server.
    Postgres,
}

/// Options for opening a database.
#[derive(Clone)]
pub struct StoreOptions {
    /// The maximum number of connections in a PostgreSQL pool. SQLite always has one writer and four readers.
    pub connections: u32,
    /// How long a call waits for a connection before it fails with [`StoreError::Unavailable`].
    pub acquire_timeout: Duration,
    /// Start over if there is an empty database next to a write-ahead log that is not empty. By default that is
    /// refused: most likely the database was lost.
    pub first_start: bool,
    /// The source of the random tags of denylist rows.
    pub entropy: Arc<dyn Entropy>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            connections: 16,
            acquire_timeout: Duration::from_secs(5),
            first_start: false,
            entropy: Arc::new(SystemEntropy),
        }
    }
}

/// The database with all of Ficha's data. Cheap to clone: clones share their connections.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    /// SQLite's only writing connection; the whole pool on PostgreSQL.
    writer: WritePool,
    /// A read-only pool on SQLite; the whole pool on PostgreSQL.
    reader: TimeoutPool,
    target: Target,
    options: StoreOptions,
    health: Arc<Health>,
    condemned: Condemned,
    /// The process and the number of the last heartbeat that this store has written.
    own_beat: Mutex<(Uuid, i64)>,
    #[cfg(feature = "testing")]
    recorder: crate::testing::Recorder,
}

/// A connection that only stays open until the others are closed. When SQLite's last connection closes, it removes the
/// write-ahead log, and the next one creates another. Without this connection we could not tell whether the log is
/// still the same one.
pub(crate) struct Anchor(pub(crate) Mutex<Option<SqliteConnection>>);

impl Anchor {
    fn take(&self) -> Option<SqliteConnection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// True once the store is closed.
    fn is_closed(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }
}

/// What the connections connect to.
pub(crate) enum Target {
    /// A file, and how to open it again.
    Sqlite(DatabaseFile, SqliteConnectOptions, Anchor),
    /// A server, and how new connections are opened.
    Postgres(Mutex<PgConnectOptions>),
}

/// An open database and its two pools, which may be the same.
pub(crate) struct Opened {
    pub(crate) writer: WritePool,
    pub(crate) reader: DatabaseConnection,
    pub(crate) target: Target,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("kind", &self.kind()).finish_non_exhaustive()
    }
}

/// What a connection to PostgreSQL is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PostgresFacts {
    /// It goes to another machine.
    pub is_remote: bool,
    /// It is encrypted.
    pub is_encrypted: bool,
    /// Its role may do everything.
    pub is_superuser: bool,
    /// How many connections usual roles may open.
    pub usable_connections: i64,
}

impl Store {
    /// Opens the database that `url` names: `sqlite://path` or `postgres://…`. A SQLite file that does not exist is
    /// created with mode 0600, and its folder with mode 0700.
    pub async fn connect(url: &str) -> Result<Self> {
        Self::connect_with(url, StoreOptions::default()).await
    }

    /// From now on new connections are opened with this URL, of the same kind: its password was changed, or its host.
    /// Connections that are open stay. Does nothing on SQLite.
    pub fn use_url(&self, url: &str) -> Result<()> {
        if let (Target::Postgres(target), WritePool::Postgres(pool, _)) = (&self.inner.target, &self.inner.writer) {
            let new = postgres::parse(url)?;
            pool.set_connect_options(new.clone());
            *target.lock().unwrap_or_else(PoisonError::into_inner) = new;
        }
        Ok(())
    }

    /// The file that a `sqlite://` URL names; `None` for any other URL, and for an invalid one.
    pub fn sqlite_file(url: &str) -> Option<std::path::PathBuf> {
        url.starts_with("sqlite:").then(|| sqlite::file_of(url)).flatten()
    }

    /// [`Store::connect`] with options.
    pub async fn connect_with(url: &str, options: StoreOptions) -> Result<Self> {
        let (condemned, refusal) = (Condemned::default(), LastRefusal::default());
        let opened = match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => sqlite::open(url, &options, &condemned).await?,
            Some("postgres" | "postgresql") => {
                let target = postgres::parse(url)?;
                let pool = postgres::open(&target, &options, &condemned, &refusal).await?;
                let reader = SqlxPostgresConnector::from_sqlx_postgres_pool(pool.clone());
                Opened {
                    writer: WritePool::Postgres(pool, Handle::current()),
                    reader,
                    target: Target::Postgres(Mutex::new(target)),
                }
            }
            // Not even the scheme is shown: it may be a password.
            _ => {
                return Err(StoreError::CantOpen {
                    what: "at the given URL".into(),
                    why: "it must begin with sqlite:// or postgres://".into(),
                });
            }
        };
        Ok(Self::new(opened, options, condemned, refusal))
    }

    #[cfg_attr(not(feature = "testing"), expect(unused_mut, reason = "tests attach a recorder"))]
    fn new(mut opened: Opened, options: StoreOptions, condemned: Condemned, refusal: LastRefusal) -> Self {
        #[cfg(feature = "testing")]
        let recorder = crate::testing::Recorder::default();
        #[cfg(feature = "testing")]
        recorder.attach(&mut opened.reader);
        let health = Arc::<Health>::default();
        let inner = Inner {
            reader: TimeoutPool::new(opened.reader, opened.writer.kind(), health.clone(), refusal),
            writer: opened.writer,
            target: opened.target,
            options,
            health,
            condemned,
            own_beat: Mutex::new((Uuid::nil(), 0)),
            #[cfg(feature = "testing")]
            recorder,
        };
        Self { inner: Arc::new(inner) }
    }

    #[cfg(feature = "testing")]
    pub(crate) fn recorder(&self) -> &crate::testing::Recorder {
        &self.inner.recorder
    }

    /// The kind of database.
    pub fn kind(&self) -> DatabaseKind {
        self.inner.writer.kind()
    }

    /// Whether the database accepts changes and keeps them, as far as this process knows. The receiver is notified when
    /// that changes.
    pub fn writes(&self) -> watch::Receiver<Writes> {
        self.inner.health.writes()
    }

    /// How many calls have failed because of the database.
    pub fn failures(&self) -> u64 {
        self.inner.health.failures()
    }

    /// How many changes the database acknowledged and then did not have. Anything but 0 is an alarm.
    pub fn changes_lost(&self) -> u64 {
        self.inner.health.lost()
    }

    /// The database's own time in milliseconds since 1970; for SQLite, this machine's.
    pub async fn database_time(&self) -> Result<i64> {
        let sql = match self.kind() {
            DatabaseKind::Sqlite => "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS now",
            DatabaseKind::Postgres => "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT) AS now",
        };
        #[derive(FromQueryResult)]
        struct Row {
            now: i64,
        }
        let backend = self.reader().get_database_backend();
        let row = Row::find_by_statement(Statement::from_string(backend, sql)).one(self.reader()).await?;
        Ok(row.ok_or_else(|| DbErr::RecordNotFound("the time".into()))?.now)
    }

    /// Database settings with which a crash of its machine may lose acknowledged changes, one sentence each. Only the
    /// database's administrator can change them.
    pub async fn doubtful_settings(&self) -> Result<Vec<String>> {
        if self.kind() == DatabaseKind::Sqlite {
            return Ok(Vec::new());
        }
        let sql = "SELECT name FROM pg_settings WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off'";
        let statement = Statement::from_string(self.reader().get_database_backend(), sql);
        let mut doubtful = Vec::new();
        for row in self.reader().query_all_raw(statement).await? {
            let name: String = row.try_get_by("name")?;
            doubtful.push(format!("PostgreSQL runs with {name} = off: a crash of its machine can lose revocations"));
        }
        Ok(doubtful)
    }

    /// What this connection to PostgreSQL is like; `None` on SQLite.
    pub async fn postgres_facts(&self) -> Result<Option<PostgresFacts>> {
        if self.kind() == DatabaseKind::Sqlite {
            return Ok(None);
        }
        // Behind a pooler, all of it is about the pooler's connection.
        let sql = "SELECT COALESCE(NOT inet_server_addr() <<= ANY (ARRAY['127.0.0.0/8'::inet, '::1'::inet]) \
                   AND inet_client_addr() IS DISTINCT FROM inet_server_addr(), FALSE) AS remote, \
                   COALESCE((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), FALSE) AS encrypted, \
                   COALESCE((SELECT rolsuper FROM pg_roles WHERE rolname = current_user), FALSE) AS superuser, \
                   (current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint \
                   - COALESCE(current_setting('reserved_connections', TRUE)::bigint, 0)) \
                   AS usable";
        let statement = Statement::from_string(self.reader().get_database_backend(), sql);
        let Some(row) = self.reader().query_one_raw(statement).await? else { return Ok(None) };
        Ok(Some(PostgresFacts {
            is_remote: row.try_get_by("remote")?,
            is_encrypted: row.try_get_by("encrypted")?,
            is_superuser: row.try_get_by("superuser")?,
            usable_connections: row.try_get_by("usable")?,
        }))
    }

    /// Why the database can't be reached, as far as a new connection shows; `None` on SQLite.
    pub async fn diagnose(&self) -> Option<String> {
        Some(postgres::diagnose(&self.postgres_target()?).await)
    }

    /// Closes every connection once its work is done. Later calls fail.
    pub async fn close(&self) {
        // Closing a pool does not fail: sea-orm's error is for a connection that was never opened.
        let _ = self.inner.reader.pool().close_by_ref().await;
        self.inner.writer.close().await;
        if let Target::Sqlite(_, _, anchor) = &self.inner.target {
            // Taken before it is closed, so that no check looks for a log that is gone.
            if let Some(anchor) = anchor.take() {
                let _ = anchor.close().await;
            }
        }
    }

    /// A connection for writing, even if changes are known not to be kept.
    pub(crate) async fn take_any_writer(&self) -> Result<WriteConnection> {
        let taken = self.inner.writer.take(
            #[cfg(feature = "testing")]
            &self.inner.recorder,
        );
        Ok(taken.await.map_err(|error| self.inner.reader.explain(error))?)
    }

    /// An error unless SQLite's file is still the one that was opened.
    pub(crate) fn check_file(&self) -> Result<()> {
        match &self.inner.target {
            // Closing the last connection removes the log.
            Target::Sqlite(_, _, anchor) if anchor.is_closed() => Ok(()),
            Target::Sqlite(file, _, _) => file.check().inspect_err(|_| self.health().suspect()),
            Target::Postgres(_) => Ok(()),
        }
    }

    pub(crate) fn reader(&self) -> &TimeoutPool {
        &self.inner.reader
    }

    pub(crate) fn options(&self) -> &StoreOptions {
        &self.inner.options
    }

    /// The process and the number of the last heartbeat that this store has written; number 0 before the first.
    pub(crate) fn last_own_beat(&self) -> (Uuid, i64) {
        *self.inner.own_beat.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note_own_beat(&self, process: Uuid, number: i64) {
        *self.inner.own_beat.lock().unwrap_or_else(PoisonError::into_inner) = (process, number);
    }

    /// Prepares for another history of the database: the last heartbeat may be missing from it, and the connections
    /// that are open now may lead to a server that is no longer the primary. They are closed before they are used again.
    pub fn begin_history(&self) {
        self.note_own_beat(Uuid::nil(), 0);
        self.condemned().condemn_open();
    }

    pub(crate) fn health(&self) -> &Health {
        &self.inner.health
    }

    pub(crate) fn condemned(&self) -> &Condemned {
        &self.inner.condemned
    }

    /// How connections to PostgreSQL are opened; `None` on SQLite.
    pub(crate) fn postgres_target(&self) -> Option<PgConnectOptions> {
        match &self.inner.target {
            Target::Sqlite(..) => None,
            Target::Postgres(target) => Some(target.lock().unwrap_or_else(PoisonError::into_inner).clone()),
        }
    }

    pub(crate) fn target(&self) -> &Target {
        &self.inner.target
    }
}
