//! The audit trail. Ids are UUIDv7, so the primary key is ordered by time.

use sea_orm_migration::prelude::*;

use crate::columns::{bigint, text, text_null, uuid};

pub(crate) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0009_audit"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("audit")
            .col(uuid("id").primary_key())
            .col(bigint("at"))
            .col(text("event"))
            .col(text_null("actor"))
            .col(ColumnDef::new("user_id").uuid().null())
            .col(text_null("client_id"))
            .col(ColumnDef::new("session_id").uuid().null())
            .col(text_null("address"))
            .col(text_null("detail"))
            .take();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("audit").take()).await
    }
}
