//! The event log, which replaces the table `audit`.
//!
//! An event is written to `events_pending` in the transaction of what it records: one small table without indexes, since
//! each login writes to it. The sequencer moves committed rows to `events`, gives them numbers and chains their hashes;
//! `event_chain` has one row, with the newest number and who may give the next one. Servers of the previous version still
//! write to `audit`; their rows are moved here.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::columns::{bigint, single_row_id, text, text_null, uuid, uuid_null};

pub(crate) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0013_event_log"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_events(manager, "events_pending", ColumnDef::new("id").uuid().not_null().primary_key().take(), [])
            .await?;
        let number = ColumnDef::new("number").big_integer().not_null().primary_key().take();
        let hash = ColumnDef::new("hash").blob().not_null().take();
        create_events(manager, "events", number, [uuid("id"), hash]).await?;
        for column in ["user_id", "client_id", "session_id", "event"] {
            manager.create_index(by(column).and_where(Expr::col(column).is_not_null()).take()).await?;
        }
        // What somebody did to others: what an erased person did to themselves is found by `user_id`, so a login has no
        // entry here.
        let others = Expr::col("user_id").is_null().or(Expr::col("user_id").ne(Expr::col("actor_id")));
        let by_actor = by("actor_id").and_where(Expr::col("actor_id").is_not_null()).and_where(others).take();
        manager.create_index(by_actor).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            // Its rows live for a second. Dead ones must not pile up until they are a fifth of the table.
            let often = "ALTER TABLE events_pending SET (autovacuum_vacuum_scale_factor = 0, \
                         autovacuum_vacuum_threshold = 2000)";
            manager.get_connection().execute_unprepared(often).await?;
        }
        // Who began a revocation of many sessions, for the events of whoever continues it.
        let cause = Table::alter().table("bulk_revocations").add_column(text_null("cause")).take();
        manager.alter_table(cause).await?;
        create_chain(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("bulk_revocations").drop_column("cause").take()).await?;
        manager.drop_table(Table::drop().table("event_chain").take()).await?;
        manager.drop_table(Table::drop().table("events_pending").take()).await?;
        manager.drop_table(Table::drop().table("events").take()).await
    }
}

/// A table of events: its key, more columns, and what is known of an event when it happens.
async fn create_events<const N: usize>(
    manager: &SchemaManager<'_>,
    name: &'static str,
    key: ColumnDef,
    more: [ColumnDef; N],
) -> Result<(), DbErr> {
    let mut table = Table::create().table(name).col(key).take();
    for column in more {
        table.col(column);
    }
    table
        // Unix milliseconds.
        .col(bigint("at"))
        .col(text("event"))
        .col(text("actor_kind"))
        .col(uuid_null("actor_id"))
        .col(uuid_null("user_id"))
        .col(text_null("client_id"))
        .col(uuid_null("session_id"))
        .col(text_null("request_id"))
        // Personal, and deleted if the person is erased: the actor's name and address, and what changed. The hash covers
        // a commitment to each, which takes their place.
        .col(text_null("actor_name"))
        .col(text_null("address"))
        .col(blob_null("origin_salt"))
        .col(blob_null("origin_erased"))
        .col(text_null("detail"))
        .col(blob_null("detail_salt"))
        .col(blob_null("detail_erased"));
    if manager.get_database_backend() == DbBackend::Sqlite {
        // One tree in place of two.
        table.extra("WITHOUT ROWID");
    }
    manager.create_table(table).await
}

/// An index by which events of one kind, person, client or session are read in the order of their numbers.
fn by(column: &'static str) -> IndexCreateStatement {
    Index::create().name(format!("events_{column}")).table("events").col(column).col("number").take()
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
