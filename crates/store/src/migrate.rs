//! Bringing the schema up to date.

use ficha_migrations::Migrator;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr};
use sea_orm_migration::{MigrationStatus, MigratorTrait};

use crate::transaction::transaction;
use crate::{DatabaseKind, Result, Store};

/// The advisory lock that a migration holds on PostgreSQL: "ficha" in ASCII.
const LOCK: &str = "SET LOCAL lock_timeout = 0; SELECT pg_advisory_xact_lock(439905053793)";

impl Store {
    /// Applies the steps that are missing and returns their names. Two that run at once do no harm: the second waits for
    /// the first, and then finds nothing to do.
    pub async fn migrate(&self) -> Result<Vec<String>> {
        transaction!(self, |transaction| {
            if self.kind() == DatabaseKind::Postgres {
                transaction.execute_unprepared(LOCK).await?;
            }
            Ok(apply(transaction).await?)
        })
    }

    /// The names of the steps that are missing.
    pub async fn pending_migrations(&self) -> Result<Vec<String>> {
        let steps = Migrator::get_pending_migrations_read_only(self.reader()).await?;
        Ok(steps.iter().map(|step| step.name().to_owned()).collect())
    }

    /// True if no step was ever applied here.
    pub async fn is_empty_database(&self) -> Result<bool> {
        let steps = Migrator::get_migration_with_status_read_only(self.reader()).await?;
        Ok(steps.iter().all(|step| step.status() == MigrationStatus::Pending))
    }
}

async fn apply(transaction: &DatabaseTransaction) -> Result<Vec<String>, DbErr> {
    let missing = Migrator::get_pending_migrations(transaction).await?;
    let names = missing.iter().map(|step| step.name().to_owned()).collect();
    Migrator::up(transaction, None).await?;
    Ok(names)
}
