//! Declared scopes.

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};
use serde_json::json;

use crate::database::globals::raise_changes;
use crate::database::transaction::transaction;
use crate::database::write_connection::WriteConnection;
use crate::error::Fault;
use crate::events::record;
use crate::rows::scope;
use crate::{Cause, EventKind, NewEvent, Result, Store};

impl Store {
    /// Declares a scope, or replaces its description. An empty description keeps an existing one.
    pub async fn declare_scope(&self, name: &str, description: &str, cause: &Cause) -> Result<()> {
        transaction!(self, |transaction| {
            raise_changes(transaction).await?;
            upsert_scope(self, transaction, name, description, cause).await
        })
    }

    /// Declares a scope that is not declared yet. False if it is: then it stays as it is.
    pub async fn add_scope(&self, name: &str, description: &str, cause: &Cause) -> Result<bool> {
        transaction!(self, |transaction| {
            // Its lock makes this one step: of two that add the same scope, one finds that of the other.
            raise_changes(transaction).await?;
            if scope::Entity::find_by_id(name).one(transaction).await?.is_some() {
                return Ok(false);
            }
            upsert_scope(self, transaction, name, description, cause).await?;
            Ok(true)
        })
    }

    /// Replaces the description of a declared scope, by an empty one too. False if it is not declared.
    pub async fn describe_scope(&self, name: &str, description: &str, cause: &Cause) -> Result<bool> {
        transaction!(self, |transaction| {
            raise_changes(transaction).await?;
            let Some(row) = scope::Entity::find_by_id(name).one(transaction).await? else { return Ok(false) };
            if row.description == description {
                return Ok(true);
            }
            let update = scope::Entity::update_many()
                .col_expr(scope::Column::Description, Expr::value(description))
                .filter(scope::Column::Name.eq(name));
            update.exec(transaction).await?;
            let [before, after] = [&*row.description, description].map(|text| json!({ "description": text }));
            let detail = json!({ "scope": name, "before": before, "after": after });
            record(self, transaction, NewEvent::new(EventKind::ScopeDeclared, cause).detail(detail)).await?;
            Ok(true)
        })
    }

    /// Removes a scope. False if it was not declared.
    pub async fn remove_scope(&self, name: &str, cause: &Cause) -> Result<bool> {
        transaction!(self, |transaction| {
            raise_changes(transaction).await?;
            let is_gone = scope::Entity::delete_by_id(name).exec(transaction).await?.rows_affected == 1;
            if is_gone {
                let event = NewEvent::new(EventKind::ScopeRemoved, cause).detail(json!({ "scope": name }));
                record(self, transaction, event).await?;
            }
            Ok(is_gone)
        })
    }

    /// Every declared scope and its description, by name.
    pub async fn list_scopes(&self) -> Result<Vec<(String, String)>> {
        let rows = scope::Entity::find().order_by_asc(scope::Column::Name).all(self.reader()).await?;
        Ok(rows.into_iter().map(|row| (row.name, row.description)).collect())
    }
}

/// Declares a scope inside a transaction.
pub(crate) async fn upsert_scope(
    store: &Store,
    transaction: &WriteConnection,
    name: &str,
    description: &str,
    cause: &Cause,
) -> Result<(), Fault> {
    // The caller has locked `globals`, so nobody else declares scopes.
    let before = scope::Entity::find_by_id(name).one(transaction).await?.map(|row| row.description);
    if before.as_deref().is_some_and(|before| description.is_empty() || before == description) {
        return Ok(());
    }
    let mut known = OnConflict::column(scope::Column::Name);
    if description.is_empty() {
        known.do_nothing();
    } else {
        known.update_column(scope::Column::Description);
    }
    let row = scope::Model { name: name.to_owned(), description: description.to_owned() };
    scope::Entity::insert(row.into_active_model()).on_conflict(known).exec_without_returning(transaction).await?;
    let mut detail = json!({ "scope": name, "after": { "description": description } });
    if let Some(before) = before {
        detail["before"] = json!({ "description": before });
    }
    record(store, transaction, NewEvent::new(EventKind::ScopeDeclared, cause).detail(detail)).await?;
    Ok(())
}
