//! Two valid secrets for a client, with their last use and their expiry.
//!
//! `clients.secret_hash` stays: servers of the release before know only that. Where none of a client's rows has the
//! hash that stands there, such a server has replaced the secret, and the rows count for nothing.

use sea_orm_migration::prelude::*;

use crate::columns::{bigint_null, text, uuid};

pub(crate) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0020_client_secrets"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut key = Index::create().col("client_id").col("id").take();
        let mut secrets = Table::create();
        secrets.table("client_secrets").col(text("client_id")).col(uuid("id"));
        // SHA-256.
        secrets.col(ColumnDef::new("hash").blob().not_null());
        // Unix seconds; null: before this table was there.
        secrets.col(bigint_null("created_at")).col(bigint_null("expires_at")).col(bigint_null("last_used_at"));
        secrets.primary_key(&mut key);
        manager.create_table(secrets).await?;
        // The first secret of a client has the id of its subject.
        let mut present = Query::select();
        present.columns(["id", "subject", "secret_hash"]).from("clients");
        present.and_where(Expr::col("secret_hash").is_not_null());
        let mut copy = Query::insert();
        copy.into_table("client_secrets").columns(["client_id", "id", "hash"]);
        copy.select_from(present).map_err(|error| DbErr::Migration(error.to_string()))?;
        manager.execute(copy).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("client_secrets").take()).await
    }
}
