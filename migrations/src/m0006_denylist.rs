//! The denylist, and a single row with its newest number.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::columns::{bigint, single_row_id, uuid};

pub(crate) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0006_denylist"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite's INTEGER has 64 bits, and a primary key of exactly that type is the row id, without a second tree.
        let number = match manager.get_database_backend() {
            DbBackend::Sqlite => ColumnDef::new("number").integer().not_null().primary_key().take(),
            _ => bigint("number").primary_key().take(),
        };
        let rows = Table::create()
            .table("denylist")
            .col(number)
            .col(uuid("id").unique_key())
            .col(bigint("until"))
            .col(bigint("tag"))
            .take();
        manager.create_table(rows).await?;
        let head =
            Table::create().table("denylist_head").col(single_row_id()).col(bigint("number")).col(bigint("tag")).take();
        manager.create_table(head).await?;
        let row = Query::insert()
            .into_table("denylist_head")
            .columns(["id", "number", "tag"])
            .values_panic([1.into(), 0_i64.into(), 0_i64.into()])
            .take();
        manager.execute(row).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("denylist_head").take()).await?;
        manager.drop_table(Table::drop().table("denylist").take()).await
    }
}
