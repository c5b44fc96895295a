//! Failed logins for each account and source. A source of 16 zero bytes means the account as a whole.

use sea_orm_migration::prelude::*;

use crate::columns::{bigint, uuid};

pub(crate) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0008_login_failures"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("login_failures")
            .col(uuid("account"))
            .col(uuid("source"))
            .col(bigint("failures"))
            .col(bigint("last_failure"))
            .col(bigint("succeeded_at"))
            // Compared when pruning. A success sets it far into the future.
            .col(bigint("touched_at"))
            .primary_key(Index::create().col("account").col("source"))
            .take();
        manager.create_table(table).await?;
        let by_age = Index::create().name("login_failures_touched_at").table("login_failures").col("touched_at").take();
        manager.create_index(by_age).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("login_failures").take()).await
    }
}
