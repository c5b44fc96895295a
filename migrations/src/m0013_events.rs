//! The event log, which replaces the table `audit`.
//!
//! A row is written in the transaction of what it records, without a number. The sequencer numbers committed rows and
//! chains their hashes; `event_chain` has one row, with the newest number and who may give the next one. Servers of the
//! previous version still write to `audit`; their rows are moved here.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::columns::{bigint, bigint_null, single_row_id, text, text_null, uuid, uuid_null};

pub(crate) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0013_events"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut table = Table::create()
            .table("events")
            // UUIDv7.
            .col(uuid("id").primary_key())
            .col(bigint_null("number"))
            // Unix milliseconds.
            .col(bigint("at"))
            .col(text("event"))
            .col(text("actor_kind"))
            .col(uuid_null("actor_id"))
            .col(uuid_null("user_id"))
            .col(text_null("client_id"))
            .col(uuid_null("session_id"))
            .col(text_null("request_id"))
            // Personal, and deleted if the person is erased: the actor's name and address, and what changed. The hash
            // covers a commitment to each, which takes their place.
            .col(text_null("actor_name"))
            .col(text_null("address"))
            .col(blob_null("origin_salt"))
            .col(blob_null("origin_erased"))
            .col(text_null("detail"))
            .col(blob_null("detail_salt"))
            .col(blob_null("detail_erased"))
            .col(blob_null("hash"))
            .take();
        if manager.get_database_backend() == DbBackend::Sqlite {
            // One tree in place of two: each login inserts a row.
            table.extra("WITHOUT ROWID");
        }
        manager.create_table(table).await?;
        let pending = Index::create()
            .name("events_pending")
            .table("events")
            .col("id")
            .and_where(Expr::col("number").is_null())
            .take();
        manager.create_index(pending).await?;
        let by_number = Index::create()
            .name("events_number")
            .table("events")
            .col("number")
            .unique()
            .and_where(Expr::col("number").is_not_null())
            .take();
        manager.create_index(by_number).await?;
        // What an erased person is in.
        let by_user = Index::create()
            .name("events_user_id")
            .table("events")
            .col("user_id")
            .col("id")
            .and_where(Expr::col("user_id").is_not_null())
            .take();
        manager.create_index(by_user).await?;
        // The same for what an erased person did to others. What somebody did to themselves is found by the index above,
        // so a login has no entry here.
        let others = Expr::col("user_id").is_null().or(Expr::col("user_id").ne(Expr::col("actor_id")));
        let by_actor = Index::create()
            .name("events_actor_id")
            .table("events")
            .col("actor_id")
            .col("id")
            .and_where(Expr::col("actor_id").is_not_null())
            .and_where(others)
            .take();
        manager.create_index(by_actor).await?;
        // Who began a revocation of many sessions, for the events of whoever continues it.
        let cause = Table::alter().table("bulk_revocations").add_column(text_null("cause")).take();
        manager.alter_table(cause).await?;
        create_chain(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("bulk_revocations").drop_column("cause").take()).await?;
        manager.drop_table(Table::drop().table("event_chain").take()).await?;
        manager.drop_table(Table::drop().table("events").take()).await
    }
}

async fn create_chain(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("event_chain")
        .col(single_row_id())
        .col(bigint("number"))
        .col(blob_null("hash"))
        .col(blob_null("seal"))
        // Everything up to here was pruned.
        .col(bigint("pruned_number"))
        .col(blob_null("pruned_hash"))
        .col(blob_null("pruned_seal"))
        .col(uuid_null("sequencer"))
        .take();
    manager.create_table(table).await?;
    let mut row = Query::insert();
    row.into_table("event_chain").columns(["id", "number", "pruned_number"]);
    row.values([Expr::value(1), Expr::value(0_i64), Expr::value(0_i64)])
        .map_err(|error| DbErr::Migration(error.to_string()))?;
    manager.execute(row).await
}

fn blob_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).blob().null().take()
}
