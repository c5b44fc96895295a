//! Finding sessions by address; what a repeated request has created; and what happened in a minute.

use sea_orm_migration::prelude::*;

use crate::columns::{bigint, boolean, text, uuid};

pub(crate) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0022_finding"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // No refresh changes the address.
        let by_address = Index::create().name("sessions_address").table("sessions").col("address").col("id").take();
        manager.create_index(by_address).await?;
        let mut key = Index::create().col("actor").col("key").take();
        let mut keys = Table::create();
        keys.table("idempotency_keys").col(text("actor")).col(text("key"));
        // A keyed hash of the request; the id of what it creates, and whether that was done.
        keys.col(ColumnDef::new("request").blob().not_null()).col(uuid("object")).col(boolean("created"));
        keys.col(bigint("created_at"));
        keys.primary_key(&mut key);
        manager.create_table(keys).await?;
        // How much happened in a minute, on all servers together: counted from 1970.
        let mut activity = Table::create();
        activity.table("activity").col(bigint("minute").primary_key());
        for count in ["logins", "login_failures", "refreshes", "revocations"] {
            activity.col(bigint(count));
        }
        manager.create_table(activity).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["activity", "idempotency_keys"] {
            manager.drop_table(Table::drop().table(table).take()).await?;
        }
        manager.drop_index(Index::drop().name("sessions_address").table("sessions").to_owned()).await
    }
}
