//! The normal form of user names that are from before names had one (RFC 8265).

use precis_profiles::UsernameCasePreserved;
use precis_profiles::precis_core::profile::Profile;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;
use unicode_normalization::UnicodeNormalization;

use crate::columns::text_null;

pub(crate) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0023_normal_names"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Null if the name is in its normal form already, or has none.
        let column = text_null("normal_name");
        manager.alter_table(Table::alter().table("users").add_column(column).take()).await?;
        let mut index = Index::create().name("users_normal_name").table("users").col("normal_name").take();
        index.and_where(Expr::col("normal_name").is_not_null());
        manager.create_index(index).await?;
        let database = manager.get_connection();
        // Only few names are not ASCII, and only those have another normal form.
        let others = match manager.get_database_backend() {
            DbBackend::Postgres => "octet_length(name) <> char_length(name)",
            _ => "length(CAST(name AS BLOB)) <> length(name)",
        };
        let query = Query::select().column("name").from("users").and_where(Expr::cust(others)).take();
        for row in database.query_all(&query).await? {
            let name: String = row.try_get("", "name")?;
            if let Some(normal) = normal_form(&name).filter(|normal| *normal != name) {
                let mut update = Query::update();
                update.table("users").value("normal_name", normal).and_where(Expr::col("name").eq(name));
                database.execute(&update).await?;
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name("users_normal_name").table("users").to_owned()).await?;
        manager.alter_table(Table::alter().table("users").drop_column("normal_name").take()).await
    }
}

/// As the server makes it; a copy, because a migration must always do the same.
fn normal_form(name: &str) -> Option<String> {
    let composed: String = name.nfc().collect();
    let word = |word: &str| match word {
        "" => Some(String::new()),
        word => UsernameCasePreserved::new().enforce(word).ok().map(|word| word.into_owned()),
    };
    Some(composed.split(' ').map(word).collect::<Option<Vec<String>>>()?.join(" "))
}
