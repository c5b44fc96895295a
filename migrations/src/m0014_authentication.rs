//! How a session's user was authenticated, and the event that ended it.

use sea_orm_migration::prelude::*;

use crate::columns::{bigint_null, text_null, uuid_null};

pub(crate) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0014_authentication"
    }
}

type Column = fn(&'static str) -> ColumnDef;

/// SQLite adds one column a statement.
const COLUMNS: [(&str, Column); 4] = [
    // The methods, RFC 8176, separated by spaces; null for a client's own session and in older rows.
    ("amr", text_null),
    ("acr", text_null),
    // Null: when the session was created.
    ("auth_time", bigint_null),
    ("revoked_event", uuid_null),
];

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, column) in COLUMNS {
            manager.alter_table(Table::alter().table("sessions").add_column(column(name)).take()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, _) in COLUMNS {
            manager.alter_table(Table::alter().table("sessions").drop_column(name).take()).await?;
        }
        Ok(())
    }
}
