//! Opening a database.

use std::sync::Arc;
use std::time::Duration;

use ficha_token::{Entropy, SystemEntropy};
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, FromQueryResult, SqlxPostgresConnector, Statement};

use crate::limited::Limited;
use crate::{Result, StoreError, postgres, sqlite};

/// Which database this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DatabaseKind {
    /// One file.
    Sqlite,
    /// A PostgreSQL server.
    Postgres,
}

/// How to use a database, where the defaults don't suit.
#[derive(Clone)]
pub struct StoreOptions {
    /// How many connections a PostgreSQL pool holds at most. SQLite has one writer and four readers whatever this says.
    pub connections: u32,
    /// How long a call waits for a connection before it is [`StoreError::Unavailable`].
    pub acquire_timeout: Duration,
    /// Where the random tags of denylist rows come from.
    pub entropy: Arc<dyn Entropy>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { connections: 16, acquire_timeout: Duration::from_secs(5), entropy: Arc::new(SystemEntropy) }
    }
}

/// A database that holds everything Ficha knows. Cheap to clone: clones share their connections.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    kind: DatabaseKind,
    /// The one connection that writes to SQLite; PostgreSQL's whole pool.
    writer: DatabaseConnection,
    /// A pool that only reads from SQLite; PostgreSQL's whole pool.
    reader: Limited,
    /// Where a listener connects to.
    postgres: Option<PgConnectOptions>,
    options: StoreOptions,
    #[cfg(feature = "testing")]
    recorder: crate::testing::Recorder,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("kind", &self.kind()).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the database that `url` names: `sqlite://path` or `postgres://…`. A SQLite file that is not there is made,
    /// mode 0600, and its folder too, mode 0700.
    pub async fn connect(url: &str) -> Result<Self> {
        Self::connect_with(url, StoreOptions::default()).await
    }

    /// [`Store::connect`] with options of your own.
    pub async fn connect_with(url: &str, options: StoreOptions) -> Result<Self> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => {
                let (writer, reader) = sqlite::open(url, &options).await?;
                Ok(Self::new(DatabaseKind::Sqlite, writer, reader, None, options))
            }
            Some("postgres" | "postgresql") => {
                let target = postgres::parse(url)?;
                let pool = postgres::open(&target, &options).await?;
                let pool = SqlxPostgresConnector::from_sqlx_postgres_pool(pool);
                Ok(Self::new(DatabaseKind::Postgres, pool.clone(), pool, Some(target), options))
            }
            // Not even the scheme is repeated: what stands there may be a password.
            _ => Err(StoreError::CantOpen {
                what: "of that URL".into(),
                why: "it must begin with sqlite:// or postgres://".into(),
            }),
        }
    }

    #[cfg_attr(not(feature = "testing"), expect(unused_mut, reason = "tests attach a recorder"))]
    fn new(
        kind: DatabaseKind,
        mut writer: DatabaseConnection,
        mut reader: DatabaseConnection,
        postgres: Option<PgConnectOptions>,
        options: StoreOptions,
    ) -> Self {
        #[cfg(feature = "testing")]
        let recorder = crate::testing::Recorder::default();
        #[cfg(feature = "testing")]
        for connection in [&mut writer, &mut reader] {
            recorder.attach(connection);
        }
        let inner = Inner {
            kind,
            writer,
            reader: Limited::new(reader, kind),
            postgres,
            options,
            #[cfg(feature = "testing")]
            recorder,
        };
        Self { inner: Arc::new(inner) }
    }

    #[cfg(feature = "testing")]
    pub(crate) fn recorder(&self) -> &crate::testing::Recorder {
        &self.inner.recorder
    }

    /// Which database this is.
    pub fn kind(&self) -> DatabaseKind {
        self.inner.kind
    }

    /// The database's own time in milliseconds since 1970; of SQLite, this machine's.
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

    /// Closes every connection once its work is done. Calls that come later are refused.
    pub async fn close(&self) {
        // Closing a pool does not fail: sea-orm's error is that of a connection that never was.
        let _ = self.inner.reader.pool().close_by_ref().await;
        let _ = self.inner.writer.close_by_ref().await;
    }

    pub(crate) fn writer(&self) -> &DatabaseConnection {
        &self.inner.writer
    }

    pub(crate) fn reader(&self) -> &Limited {
        &self.inner.reader
    }

    pub(crate) fn options(&self) -> &StoreOptions {
        &self.inner.options
    }

    pub(crate) fn postgres_target(&self) -> Option<&PgConnectOptions> {
        self.inner.postgres.as_ref()
    }
}
