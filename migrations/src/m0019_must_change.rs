//! One-time passwords: the user has to set another before anything is issued.

use sea_orm_migration::prelude::*;

pub(crate) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0019_must_change"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let flag = ColumnDef::new("must_change").boolean().not_null().default(false).take();
        manager.alter_table(Table::alter().table("users").add_column(flag).take()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("users").drop_column("must_change").take()).await
    }
}
