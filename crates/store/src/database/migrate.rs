//! Migrating the schema.

use std::sync::PoisonError;

use ficha_migrations::{Migrator, NEEDED};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, EntityTrait, QueryFilter,
    SqliteTransactionMode, SqlxPostgresConnector, SqlxSqliteConnector, Statement, TransactionOptions, TransactionTrait,
};
use sea_orm_migration::{MigratorTrait, seaql_migrations};

use crate::database::Target;
use crate::database::globals::ONLY;
use crate::database::{postgres, sqlite};
use crate::rows::globals;
use crate::{DatabaseKind, Result, Store, StoreError};

/// The advisory lock that a migration holds on PostgreSQL: "ficha" in ASCII.
/// Its steps may take as long as they need, and say nothing about what is there already.
const LOCK: &str = "SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0; \
                    SET LOCAL client_min_messages = warning; SELECT pg_advisory_xact_lock(439905053793)";

/// Locks what transactions of running servers lock, in the same order: a step that changes an earlier table after a later
/// one would deadlock with them.
const LOCK_TABLES: &str = "DO $$ DECLARE t text; BEGIN \
    FOREACH t IN ARRAY ARRAY['globals', 'clients', 'users', 'bulk_revocations', 'sessions', 'login_failures', 'denylist_head'] LOOP \
        IF to_regclass(t) IS NOT NULL THEN EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', t); END IF; \
    END LOOP; END $$";

/// Asks for the table of applied migrations without an error, which PostgreSQL would log, if it is not there.
const HAS_TABLES: &str = "SELECT to_regclass('seaql_migrations') IS NOT NULL AS here";

impl Store {
    /// Applies the pending migrations and returns their names. Two concurrent calls do no harm: the second waits for
    /// the first and then finds nothing to do. Fails with [`StoreError::Newer`], without changing anything, if a newer
    /// version has migrated the database.
    pub async fn migrate(&self) -> Result<Vec<String>> {
        // The server's role need not be allowed to create anything if nothing is missing.
        if self.pending_migrations().await?.is_empty() {
            return Ok(Vec::new());
        }
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
        if !self.has_tables().await? {
            return Ok(false);
        }
        match self.head().await {
            Ok(head) => Ok(head.bootstrapped),
            Err(StoreError::NotMigrated) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// False for a PostgreSQL database without any of our tables. On SQLite, where nobody logs an error, always true.
    pub(crate) async fn has_tables(&self) -> Result<bool> {
        if self.kind() == DatabaseKind::Sqlite {
            return Ok(true);
        }
        let statement = Statement::from_string(DbBackend::Postgres, HAS_TABLES);
        let row = self.reader().query_one_raw(statement).await?;
        Ok(row.map(|row| row.try_get::<bool>("", "here")).transpose()?.unwrap_or(false))
    }

    /// Writes nothing: not even the table of applied migrations is created.
    async fn applied_migrations(&self) -> Result<Vec<String>> {
        if !self.has_tables().await? {
            return Ok(Vec::new());
        }
        match seaql_migrations::Entity::find().all(self.reader()).await.map_err(StoreError::from) {
            Ok(rows) => known(self.reader(), rows).await,
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
        transaction.execute_unprepared(LOCK_TABLES).await?;
    }
    let steps = apply(&transaction).await?;
    transaction.commit().await.map_err(|error| StoreError::OutcomeUnknown(error.to_string()))?;
    Ok(steps)
}

async fn apply(transaction: &DatabaseTransaction) -> Result<Vec<String>> {
    Migrator::install(transaction).await?;
    let applied = known(transaction, Migrator::get_migration_models(transaction).await?).await?;
    Migrator::up(transaction, None).await?;
    let needed = globals::Entity::update_many()
        .col_expr(globals::Column::NeededMigration, Expr::value(NEEDED))
        .filter(globals::Column::Id.eq(ONLY));
    needed.exec(transaction).await?;
    Ok(step_names().into_iter().filter(|name| !applied.contains(name)).collect())
}

/// The names of this version's migrations, in order.
fn step_names() -> Vec<String> {
    Migrator::migrations().iter().map(|step| step.name().to_owned()).collect()
}

/// The names of the applied migrations that this version knows. If there are others, a newer version has migrated the
/// database: that is an error, unless all of ours are there and the database says that they are enough.
async fn known(database: &impl ConnectionTrait, rows: Vec<seaql_migrations::Model>) -> Result<Vec<String>> {
    let ours = step_names();
    let (applied, newer): (Vec<_>, Vec<_>) =
        rows.into_iter().map(|row| row.version).partition(|name| ours.contains(name));
    let Some(newest) = newer.last() else { return Ok(applied) };
    if applied.len() == ours.len() {
        let row = globals::Entity::find_by_id(ONLY).one(database).await?;
        if row.and_then(|row| row.needed_migration).is_some_and(|needed| ours.contains(&needed)) {
            tracing::warn!(newest, "a newer version of ficha has migrated the database; this version can still use it");
            return Ok(applied);
        }
    }
    Err(StoreError::Newer(newest.clone()))
}
