//! Databases for tests: each test gets one of its own, of either kind, and it goes when the test ends.
//!
//! SQLite is always there. PostgreSQL is the server that `FICHA_TEST_POSTGRES_URL` names (its user must be allowed to
//! make databases), or else a private cluster that is started once in a test process from the machine's own binaries,
//! and is gone when the process has ended, however it ended. Where there is neither, a line says so and the tests on
//! PostgreSQL pass without having run; `FICHA_TEST_REQUIRE=all` makes that a failure.
//!
//! The private cluster does not wait for its disk; `FICHA_TEST_POSTGRES_FSYNC=on` makes it.

mod cluster;
mod explain;
mod macros;
mod raw;
mod server;

use tempfile::TempDir;

use crate::{DatabaseKind, Store, StoreOptions};

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
    /// A migrated SQLite file in a folder of its own.
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

    /// A database of the same kind as this one in which no step was applied.
    pub async fn another_empty(&self) -> Self {
        match self.kind {
            DatabaseKind::Sqlite => Self::empty_sqlite(),
            DatabaseKind::Postgres => {
                Self::of_postgres(server::Database::empty().await.expect("it was there a moment ago"))
            }
        }
    }

    /// What the store, or a server's configuration, takes as the database's URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Which kind it is.
    pub fn kind(&self) -> DatabaseKind {
        self.kind
    }

    /// A store on it. Each call opens connections of its own, as another process would.
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
