//! Clients.

use sea_orm_migration::prelude::*;

use crate::columns::{bigint, boolean, text, text_null, uuid};

pub(crate) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0003_clients"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("clients")
            .col(text("id").primary_key())
            .col(uuid("subject").unique_key())
            .col(ColumnDef::new("secret_hash").blob().null())
            .col(text("grants"))
            // True if any scope is allowed. A separate column, since RFC 6749 allows a scope named `*`.
            .col(boolean("any_scope"))
            .col(text("scopes"))
            .col(text_null("audience"))
            .col(text("serves"))
            .col(boolean("forwards_address"))
            .col(boolean("enabled"))
            .col(boolean("revoking"))
            // The last session that a revocation has examined. No sessions are added while it runs.
            .col(ColumnDef::new("revoked_up_to").uuid().null())
            .col(bigint("auth_version"))
            .col(bigint("created_at"))
            .take();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("clients").take()).await
    }
}
