//! Which clients may obtain the server's own scopes, and how long such a session lives without a refresh.

use sea_orm_migration::prelude::*;

use crate::columns::bigint_null;

pub(crate) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0017_own_scopes"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let flag = ColumnDef::new("own_scopes").boolean().not_null().default(false).take();
        manager.alter_table(Table::alter().table("clients").add_column(flag).take()).await?;
        // Seconds; null: as the settings say at each refresh.
        let idle = bigint_null("idle_seconds");
        manager.alter_table(Table::alter().table("sessions").add_column(idle).take()).await?;
        // When the server added its own clients and scopes. Those that are deleted later don't come back.
        let added = bigint_null("own_clients_at");
        manager.alter_table(Table::alter().table("globals").add_column(added).take()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in [("globals", "own_clients_at"), ("sessions", "idle_seconds"), ("clients", "own_scopes")]
        {
            manager.alter_table(Table::alter().table(table).drop_column(column).take()).await?;
        }
        Ok(())
    }
}
