//! The settings of each running process that all servers on a database should have in common.

use sea_orm_migration::prelude::*;

use crate::columns::text_null;

pub(crate) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0012_heartbeat_settings"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("heartbeats").add_column(text_null("settings")).take()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("heartbeats").drop_column("settings").take()).await
    }
}
