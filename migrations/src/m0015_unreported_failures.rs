//! Failed logins that no event has reported yet. They are on the row of the source and the account.

use sea_orm_migration::prelude::*;

use crate::columns::{bigint_null, text_null, uuid_null};

pub(crate) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0015_unreported_failures"
    }
}

type Column = fn(&'static str) -> ColumnDef;

/// SQLite adds one column a statement.
const COLUMNS: [(&str, Column); 7] = [
    ("unreported", counter),
    // Unix milliseconds, like the times of events.
    ("first_unreported", bigint_null),
    ("last_unreported", bigint_null),
    ("reported_at", bigint_null),
    // Of the last of them, for the event. A name that no user has is never stored.
    ("user_id", uuid_null),
    ("client_id", text_null),
    ("address", text_null),
];

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, column) in COLUMNS {
            manager.alter_table(Table::alter().table("login_failures").add_column(column(name)).take()).await?;
        }
        let unreported = Index::create()
            .name("login_failures_unreported")
            .table("login_failures")
            .col("reported_at")
            .and_where(Expr::col("unreported").gt(0_i64))
            .take();
        manager.create_index(unreported).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name("login_failures_unreported").table("login_failures").to_owned()).await?;
        for (name, _) in COLUMNS {
            manager.alter_table(Table::alter().table("login_failures").drop_column(name).take()).await?;
        }
        Ok(())
    }
}

fn counter(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().default(0_i64).take()
}
