//! Bringing the schema up to date.

use ficha_migrations::Migrator;
use sea_orm::{ConnectionTrait, DatabaseTransaction, EntityTrait};
use sea_orm_migration::{MigratorTrait, seaql_migrations};

use crate::error::Fault;
use crate::transaction::transaction;
use crate::{DatabaseKind, Result, Store, StoreError};

/// The advisory lock that a migration holds on PostgreSQL: "ficha" in ASCII.
const LOCK: &str = "SET LOCAL lock_timeout = 0; SELECT pg_advisory_xact_lock(439905053793)";

impl Store {
    /// Applies the steps that are missing and returns their names. Two that run at once do no harm: the second waits for
    /// the first, and then finds nothing to do. [`StoreError::Newer`]: a newer version was here before, and nothing is
    /// touched.
    pub async fn migrate(&self) -> Result<Vec<String>> {
        transaction!(unlimited self, |transaction| {
            if self.kind() == DatabaseKind::Postgres {
                transaction.execute_unprepared(LOCK).await?;
            }
            apply(transaction).await
        })
    }

    /// The names of the steps that are missing.
    pub async fn pending_migrations(&self) -> Result<Vec<String>> {
        let applied = self.applied_migrations().await?;
        Ok(step_names().into_iter().filter(|name| !applied.contains(name)).collect())
    }

    /// True if no step was ever applied here.
    pub async fn is_empty_database(&self) -> Result<bool> {
        Ok(self.applied_migrations().await?.is_empty())
    }

    /// Nothing is written: not even the table of applied steps is made.
    async fn applied_migrations(&self) -> Result<Vec<String>> {
        match seaql_migrations::Entity::find().all(self.reader()).await.map_err(StoreError::from) {
            Ok(rows) => known(rows),
            Err(StoreError::NotMigrated) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

async fn apply(transaction: &DatabaseTransaction) -> Result<Vec<String>, Fault> {
    Migrator::install(transaction).await?;
    let applied = known(Migrator::get_migration_models(transaction).await?)?;
    Migrator::up(transaction, None).await?;
    Ok(step_names().into_iter().filter(|name| !applied.contains(name)).collect())
}

/// Every step of this version, in order.
fn step_names() -> Vec<String> {
    Migrator::migrations().iter().map(|step| step.name().to_owned()).collect()
}

/// The names of applied steps, if this version knows them all.
fn known(rows: Vec<seaql_migrations::Model>) -> Result<Vec<String>> {
    let ours = step_names();
    match rows.iter().find(|row| !ours.contains(&row.version)) {
        Some(row) => Err(StoreError::Newer(row.version.clone())),
        None => Ok(rows.into_iter().map(|row| row.version).collect()),
    }
}
