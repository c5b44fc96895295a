//! A single row of global state: the epoch that a refresh compares, the change counter, and the first start.

use sea_orm_migration::prelude::*;

use crate::columns::{bigint, bigint_null, single_row_id};

pub(crate) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0001_globals"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("globals")
            .col(single_row_id())
            .col(bigint("epoch"))
            .col(bigint("changes"))
            .col(bigint_null("bootstrapped_at"))
            .take();
        manager.create_table(table).await?;
        let row = Query::insert()
            .into_table("globals")
            .columns(["id", "epoch", "changes"])
            .values_panic([1.into(), 0_i64.into(), 0_i64.into()])
            .take();
        manager.execute(row).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("globals").take()).await
    }
}
