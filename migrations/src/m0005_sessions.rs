//! Sessions: one row per login, which each refresh updates in place.
//!
//! No index contains a column that a refresh writes, and pages keep free space, so that on PostgreSQL a refresh is a
//! heap-only update. There are no foreign keys to users and clients: a session outlives them until it is pruned.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::columns::{bigint, bigint_null, text, text_null, uuid};

pub(crate) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0005_sessions"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut table = Table::create()
            .table("sessions")
            .col(uuid("id").primary_key())
            .col(ColumnDef::new("user_id").uuid().null())
            .col(uuid("subject"))
            .col(text("client_id"))
            .col(text("scopes"))
            .col(text("roles"))
            .col(text("audience"))
            .col(bigint("generation"))
            .col(bigint("rotated_at"))
            .col(bigint("access_exp"))
            .col(bigint("epoch"))
            .col(bigint("created_at"))
            .col(bigint("expires_at"))
            .col(bigint("idle_expires_at"))
            .col(text_null("address"))
            .col(text_null("user_agent"))
            .col(bigint_null("revoked_at"))
            .col(text_null("revoked_reason"))
            // The hash of client, scope and audience, for the client's own session that is in use.
            .col(text_null("live_key").unique_key())
            .take();
        if manager.get_database_backend() == DbBackend::Postgres {
            table.extra("WITH (fillfactor = 80)");
        }
        manager.create_table(table).await?;
        let by_user = Index::create().name("sessions_user_id").table("sessions").col("user_id").col("id").take();
        manager.create_index(by_user).await?;
        let by_client = Index::create().name("sessions_client_id").table("sessions").col("client_id").col("id").take();
        manager.create_index(by_client).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("sessions").take()).await
    }
}
