//! Migrating the schema.

use std::sync::PoisonError;

use ficha_migrations::Migrator;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, EntityTrait, SqliteTransactionMode,
    SqlxPostgresConnector, SqlxSqliteConnector, TransactionOptions, TransactionTrait,
};
use sea_orm_migration::{MigratorTrait, seaql_migrations};

use crate::database::Target;
use crate::database::{postgres, sqlite};
use crate::{Result, Store, StoreError};

/// The advisory lock that a migration holds on PostgreSQL: "ficha" in ASCII.
const LOCK: &str =
    "SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock(439905053793)";

impl Store {
    /// Applies the pending migrations and returns their names. Two concurrent calls do no harm: the second waits for
    /// the first and then finds nothing to do. Fails with [`StoreError::Newer`], without changing anything, if a newer
    /// version has migrated the database.
    pub async fn migrate(&self) -> Result<Vec<String>> {
        // sea-orm's migrator needs a sea-orm transaction. If it fails, its connection is closed with it.
        let connection = self.open_separate().await?;
        let steps = migrate(&connection).await;
        // Closing a pool does not fail.
        let _ = connection.close().await;
        let steps = steps?;
        if !steps.is_empty() {
            // Moves the new tables into the database file itself, since its log may get lost.
            if let Err(error) = self.checkpoint().await {
                tracing::warn!(%error, "the write-ahead log could not be checkpointed");
            }
        }
        Ok(steps)
    }

    async fn open_separate(&self) -> Result<DatabaseConnection> {
        Ok(match self.target() {
            Target::Sqlite(_, target, _) => {
                SqlxSqliteConnector::from_sqlx_sqlite_pool(sqlite::open_separate(target, self.options()).await?)
            }
            Target::Postgres(target) => {
                let target = target.lock().unwrap_or_else(PoisonError::into_inner).clone();
                SqlxPostgresConnector::from_sqlx_postgres_pool(postgres::open_separate(&target, self.options()).await?)
            }
        })
    }

    /// The names of the migrations that have not been applied.
    pub async fn pending_migrations(&self) -> Result<Vec<String>> {
        let applied = self.applied_migrations().await?;
        Ok(step_names().into_iter().filter(|name| !applied.contains(name)).collect())
    }

    /// True if no migration was ever applied to this database.
    pub async fn is_empty_database(&self) -> Result<bool> {
        Ok(self.applied_migrations().await?.is_empty())
    }

    /// True once the first start is done. False for a database without tables.
    pub async fn is_bootstrapped(&self) -> Result<bool> {
        match self.head().await {
            Ok(head) => Ok(head.bootstrapped),
            Err(StoreError::NotMigrated) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes nothing: not even the table of applied migrations is created.
    async fn applied_migrations(&self) -> Result<Vec<String>> {
        match seaql_migrations::Entity::find().all(self.reader()).await.map_err(StoreError::from) {
            Ok(rows) => known(rows),
            Err(StoreError::NotMigrated) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

async fn migrate(connection: &DatabaseConnection) -> Result<Vec<String>> {
    let on_sqlite = connection.get_database_backend() == DbBackend::Sqlite;
    let options = TransactionOptions {
        sqlite_transaction_mode: on_sqlite.then_some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let transaction = connection.begin_with_options(options).await?;
    if !on_sqlite {
        transaction.execute_unprepared(LOCK).await?;
    }
    let steps = apply(&transaction).await?;
    transaction.commit().await.map_err(|error| StoreError::OutcomeUnknown(error.to_string()))?;
    Ok(steps)
}

async fn apply(transaction: &DatabaseTransaction) -> Result<Vec<String>> {
    Migrator::install(transaction).await?;
    let applied = known(Migrator::get_migration_models(transaction).await?)?;
    Migrator::up(transaction, None).await?;
    Ok(step_names().into_iter().filter(|name| !applied.contains(name)).collect())
}

/// The names of this version's migrations, in order.
fn step_names() -> Vec<String> {
    Migrator::migrations().iter().map(|step| step.name().to_owned()).collect()
}

/// The names of the applied migrations, if this version knows them all.
fn known(rows: Vec<seaql_migrations::Model>) -> Result<Vec<String>> {
    let ours = step_names();
    match rows.iter().find(|row| !ours.contains(&row.version)) {
        Some(row) => Err(StoreError::Newer(row.version.clone())),
        None => Ok(rows.into_iter().map(|row| row.version).collect()),
    }
}
