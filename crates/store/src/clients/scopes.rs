//! Declared scopes.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ConnectionTrait, EntityTrait, IntoActiveModel, QueryOrder};

use crate::database::globals::raise_changes;
use crate::database::transaction::transaction;
use crate::error::Fault;
use crate::rows::scope;
use crate::{Result, Store};

impl Store {
    /// Declares a scope, or replaces its description. An empty description keeps an existing one.
    pub async fn declare_scope(&self, name: &str, description: &str) -> Result<()> {
        transaction!(self, |transaction| {
            raise_changes(transaction).await?;
            upsert_scope(transaction, name, description).await
        })
    }

    /// Removes a scope. False if it was not declared.
    pub async fn remove_scope(&self, name: &str) -> Result<bool> {
        transaction!(self, |transaction| {
            raise_changes(transaction).await?;
            Ok(scope::Entity::delete_by_id(name).exec(transaction).await?.rows_affected == 1)
        })
    }

    /// Every declared scope and its description, by name.
    pub async fn list_scopes(&self) -> Result<Vec<(String, String)>> {
        let rows = scope::Entity::find().order_by_asc(scope::Column::Name).all(self.reader()).await?;
        Ok(rows.into_iter().map(|row| (row.name, row.description)).collect())
    }
}

/// Declares a scope inside a transaction.
pub(crate) async fn upsert_scope(database: &impl ConnectionTrait, name: &str, description: &str) -> Result<(), Fault> {
    let mut known = OnConflict::column(scope::Column::Name);
    if description.is_empty() {
        known.do_nothing();
    } else {
        known.update_column(scope::Column::Description);
    }
    let row = scope::Model { name: name.to_owned(), description: description.to_owned() };
    scope::Entity::insert(row.into_active_model()).on_conflict(known).exec_without_returning(database).await?;
    Ok(())
}
