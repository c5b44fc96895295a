//! Signing and refresh keys, sealed under the master key.

use sea_orm_migration::prelude::*;

use crate::columns::{bigint, bigint_null, text, text_null};

pub(crate) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0007_keys"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("keys")
            // Refresh tokens carry it, so a number must never be reused: AUTOINCREMENT on SQLite, a sequence on
            // PostgreSQL.
            .col(ColumnDef::new("id").integer().not_null().auto_increment().primary_key())
            .col(text("purpose"))
            .col(text("algorithm"))
            .col(text("kid").unique_key())
            .col(text_null("public_jwk"))
            .col(ColumnDef::new("sealed").blob().not_null())
            .col(bigint("created_at"))
            .col(bigint("sign_from"))
            .col(bigint_null("expires_at"))
            .col(bigint_null("purged_at"))
            .take();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("keys").take()).await
    }
}
