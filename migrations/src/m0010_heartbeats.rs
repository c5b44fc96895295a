//! Heartbeats: one row per process, rewritten regularly to check that changes are kept.

use sea_orm_migration::prelude::*;

use crate::columns::{bigint, text_null, uuid};

pub(crate) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0010_heartbeats"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("heartbeats")
            .col(uuid("process").primary_key())
            .col(bigint("number"))
            .col(bigint("at"))
            .col(bigint("earliest"))
            .col(bigint("steady"))
            .col(text_null("boot"))
            .col(bigint("elapsed"))
            .col(ColumnDef::new("proof").binary().not_null())
            .take();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("heartbeats").take()).await
    }
}
