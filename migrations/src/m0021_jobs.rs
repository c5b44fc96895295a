//! Work of many transactions that an administrator has asked for, and what it works on.

use sea_orm_migration::prelude::*;

use crate::columns::{bigint, bigint_null, text, text_null, uuid, uuid_null};

pub(crate) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0021_jobs"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut jobs = Table::create();
        jobs.table("jobs").col(uuid("id").primary_key()).col(text("kind")).col(text("state"));
        // Who began it, as JSON, and the session that must not have ended.
        jobs.col(text("cause")).col(uuid_null("session")).col(text_null("why"));
        jobs.col(bigint("total")).col(bigint("done")).col(bigint("unchanged")).col(bigint("failed"));
        // Whose work it is, how often it has moved, and the next part.
        jobs.col(uuid("worker")).col(bigint("moved")).col(bigint("next_part"));
        // Unix seconds.
        jobs.col(bigint("started_at")).col(bigint_null("finished_at")).col(text_null("error"));
        manager.create_table(jobs).await?;
        let mut key = Index::create().col("job").col("number").take();
        let mut parts = Table::create();
        parts.table("job_parts").col(uuid("job")).col(bigint("number"));
        // Encrypted under the master key.
        parts.col(ColumnDef::new("sealed").blob().not_null()).primary_key(&mut key);
        manager.create_table(parts).await?;
        let mut key = Index::create().col("job").col("line").take();
        let mut lines = Table::create();
        lines.table("job_lines").col(uuid("job")).col(bigint("line")).col(text("problem")).primary_key(&mut key);
        manager.create_table(lines).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["job_lines", "job_parts", "jobs"] {
            manager.drop_table(Table::drop().table(table).take()).await?;
        }
        Ok(())
    }
}
