//! Users.

use sea_orm_migration::prelude::*;

use crate::columns::{bigint, boolean, text, text_null, uuid};

pub(crate) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0002_users"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("users")
            .col(uuid("id").primary_key())
            .col(text("name").unique_key())
            .col(text_null("email"))
            .col(text("password_hash"))
            .col(ColumnDef::new("password_cost").integer().not_null())
            .col(text("scopes"))
            .col(text("roles"))
            .col(boolean("enabled"))
            .col(bigint("auth_version"))
            .col(bigint("created_at"))
            .take();
        manager.create_table(table).await?;
        // Every failed login takes as long as the highest stored cost, so that is looked up often.
        let by_cost = Index::create().name("users_password_cost").table("users").col("password_cost").take();
        manager.create_index(by_cost).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("users").take()).await
    }
}
