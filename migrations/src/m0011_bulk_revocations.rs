//! Revocations that take more than one transaction: how far each has come, and who works on it.

use sea_orm_migration::prelude::*;

use crate::columns::{bigint, bigint_null, text, text_null, uuid};

pub(crate) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0011_bulk_revocations"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("bulk_revocations")
            .col(uuid("id").primary_key())
            // Of a client or of a user.
            .col(text_null("client_id"))
            .col(ColumnDef::new("user_id").uuid().null())
            .col(text("reason"))
            .col(uuid("worker"))
            // The last session that was examined; they are examined from the newest to the oldest.
            .col(ColumnDef::new("reached").uuid().null())
            .col(bigint("sessions"))
            .col(bigint("started_at"))
            .col(bigint_null("finished_at"))
            .take();
        manager.create_table(table).await?;
        let by_end =
            Index::create().name("bulk_revocations_finished_at").table("bulk_revocations").col("finished_at").take();
        manager.create_index(by_end).await?;
        let revoking = ColumnDef::new("revoking").boolean().not_null().default(false).take();
        manager.alter_table(Table::alter().table("users").add_column(revoking).take()).await?;
        adopt_revocations(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("users").drop_column("revoking").take()).await?;
        manager.drop_table(Table::drop().table("bulk_revocations").take()).await
    }
}

/// A client whose revocation has begun, but has not ended, gets a row; its `revoked_up_to` is not used any more.
async fn adopt_revocations(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // The subject is as unique as the client, and no revocation has an id yet.
    let begun = Query::select()
        .column("subject")
        .column("id")
        .expr(Expr::value("client_revoked"))
        .column("subject")
        .expr(Expr::value(0_i64))
        .column("created_at")
        .from("clients")
        .and_where(Expr::col("revoking").eq(true))
        .take();
    let mut insert = Query::insert();
    insert.into_table("bulk_revocations").columns(["id", "client_id", "reason", "worker", "sessions", "started_at"]);
    insert.select_from(begun).map_err(|error| DbErr::Migration(error.to_string()))?;
    manager.execute(insert).await
}
