//! Who follows the denylist, and the questions that one server asks the others about it. Events by time.

use sea_orm_migration::prelude::*;

use crate::columns::{bigint, bigint_null, boolean, text, text_null, uuid};

pub(crate) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0018_followers_and_time"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut key = Index::create().col("client_id").col("service").col("instance").col("process").take();
        let followers = Table::create()
            .table("followers")
            // Empty: a follower without credentials.
            .col(text("client_id"))
            .col(text("service"))
            .col(text("instance"))
            // A server that it has polled.
            .col(uuid("process"))
            .col(text_null("address"))
            .col(bigint_null("lease_seconds"))
            .col(boolean("accepts_stale"))
            .col(text_null("version"))
            // Unix milliseconds.
            .col(bigint("seen_at"))
            .primary_key(&mut key)
            .take();
        manager.create_table(followers).await?;
        let mut questions = Table::create();
        questions.table("follower_questions");
        questions.col(uuid("id").primary_key()).col(bigint("number")).col(bigint("tag")).col(bigint("asked_at"));
        manager.create_table(questions).await?;
        let mut key = Index::create().col("question").col("process").take();
        let mut answers = Table::create();
        answers.table("follower_answers").col(uuid("question")).col(uuid("process"));
        answers.col(bigint("number")).col(text("body")).primary_key(&mut key);
        manager.create_table(answers).await?;
        // The number as well: the ends of a span of time are read from the index alone.
        let by_time = Index::create().name("events_by_time").table("events").col("at").col("number").take();
        manager.create_index(by_time).await?;
        // True once a process has stopped in order: it answers no follower any more.
        let stopped = ColumnDef::new("stopped").boolean().not_null().default(false).take();
        manager.alter_table(Table::alter().table("heartbeats").add_column(stopped).take()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("heartbeats").drop_column("stopped").take()).await?;
        manager.drop_index(Index::drop().name("events_by_time").table("events").to_owned()).await?;
        for table in ["follower_answers", "follower_questions", "followers"] {
            manager.drop_table(Table::drop().table(table).take()).await?;
        }
        Ok(())
    }
}
