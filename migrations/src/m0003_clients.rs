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
            // Any scope at all: a column of its own, since `*` is a scope name that RFC 6749 allows.
            .col(boolean("any_scope"))
            .col(text("scopes"))
            .col(text_null("audience"))
            .col(text("serves"))
            .col(boolean("forwards_address"))
            .col(boolean("enabled"))
            .col(boolean("revoking"))
            // How far a revocation has got: the last session that was looked at. No new ones appear while it runs.
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
