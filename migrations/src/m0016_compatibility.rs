//! Which servers can work on this database: those that know the migration named here, although newer ones were applied.

use sea_orm_migration::prelude::*;

pub(crate) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0016_compatibility"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let needed = ColumnDef::new("needed_migration").text().null().take();
        manager.alter_table(Table::alter().table("globals").add_column(needed).take()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("globals").drop_column("needed_migration").take()).await
    }
}
