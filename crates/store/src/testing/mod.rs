//! Databases for tests: each test gets its own, of either kind, which is removed when the test ends.
//!
//! SQLite is always available. PostgreSQL is the server that `FICHA_TEST_POSTGRES_URL` names (its user must be allowed
//! to create databases), or else a private cluster, started once per test process from the machine's own binaries and
//! removed when the process ends, however it ends. If there is neither, a message says so and the tests on PostgreSQL
//! pass without running; `FICHA_TEST_REQUIRE=all` makes that a failure.
//!
//! The private cluster does not wait for its disk, unless `FICHA_TEST_POSTGRES_FSYNC=on` is set.

mod cluster;
mod events;
mod explain;
mod macros;
mod raw;
mod server;

use tempfile::TempDir;

use crate::{DatabaseKind, Store, StoreOptions};

pub use cluster::Cluster;
pub use events::{cause, revocation};
pub use explain::Explained;
pub(crate) use explain::Recorder;
pub use raw::RawConnection;

/// A database for one test.
#[derive(Debug)]
pub struct TestDatabase {
    url: String,
    kind: DatabaseKind,
    /// Removed on drop.
    _folder: Option<TempDir>,
    _database: Option<server::Database>,
}

impl TestDatabase {
    /// A migrated SQLite file in its own folder.
    pub async fn sqlite() -> Self {
        let database = Self::empty_sqlite();
        let store = database.store().await;
        store.migrate().await.expect("an empty file can be migrated");
        store.close().await;
        database
    }

    /// A migrated PostgreSQL database; `None`, with a message, if there is no PostgreSQL.
    pub async fn postgres() -> Option<Self> {
        server::Database::migrated().await.map(Self::of_postgres)
    }

    /// A migrated database on a cluster of the test's own.
    pub async fn postgres_on(cluster: &Cluster) -> Self {
        Self::of_postgres(server::Database::on(cluster).await)
    }

    /// The same database as another server has it: a standby that replicates this one's.
    pub fn url_on(&self, cluster: &Cluster) -> String {
        let name = self.url.rsplit_once('/').map_or("", |(_, name)| name);
        format!("{}/{name}", cluster.url.rsplit_once('/').map_or("", |(server, _)| server))
    }

    /// An empty database of the same kind, to which no migration was applied.
    pub async fn another_empty(&self) -> Self {
        match self.kind {
            DatabaseKind::Sqlite => Self::empty_sqlite(),
            DatabaseKind::Postgres => {
                Self::of_postgres(server::Database::empty().await.expect("PostgreSQL is available"))
            }
        }
    }

    /// The database's URL, for the store or a server's configuration.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The kind of database.
    pub fn kind(&self) -> DatabaseKind {
        self.kind
    }

    /// A store on it. Each call opens new connections, as another process would.
    pub async fn store(&self) -> Store {
        self.store_with(StoreOptions { connections: 8, ..StoreOptions::default() }).await
    }

    /// A store on it with these options.
    pub async fn store_with(&self, options: StoreOptions) -> Store {
        Store::connect_with(&self.url, options).await.expect("the test's database can be opened")
    }

    fn empty_sqlite() -> Self {
        let folder = tempfile::Builder::new().prefix("ficha-test-").tempdir().expect("a folder for the test");
        let url = format!("sqlite://{}", folder.path().join("ficha.db").display());
        Self { url, kind: DatabaseKind::Sqlite, _folder: Some(folder), _database: None }
    }

    fn of_postgres(database: server::Database) -> Self {
        Self { url: database.url(), kind: DatabaseKind::Postgres, _folder: None, _database: Some(database) }
    }
}
