//! Clients.

mod revoke_sessions;
pub(crate) mod scopes;

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    UpdateMany,
};

use crate::database::globals::raise_changes;
use crate::database::transaction::transaction;
use crate::error::Fault;
use crate::rows::{client, session};
use crate::sessions::end::endable;
use crate::{ClientRecord, Result, Store, StoreError};

impl Store {
    /// Adds a client. False if the id is taken.
    pub async fn add_client(&self, client: ClientRecord) -> Result<bool> {
        let row = client::Model::try_from(client)?;
        transaction!(self, |transaction| {
            raise_changes(transaction).await?;
            insert_client(transaction, row.clone()).await
        })
    }

    /// The client with this id.
    pub async fn client(&self, id: &str) -> Result<Option<ClientRecord>> {
        let row = client::Entity::find_by_id(id).one(self.reader()).await?;
        row.map(ClientRecord::try_from).transpose()
    }

    /// At most `limit` clients after `after`, ordered by id.
    pub async fn list_clients(&self, after: Option<&str>, limit: u64) -> Result<Vec<ClientRecord>> {
        let mut query = client::Entity::find().order_by_asc(client::Column::Id).limit(limit);
        if let Some(after) = after {
            query = query.filter(client::Column::Id.gt(after));
        }
        query.all(self.reader()).await?.into_iter().map(ClientRecord::try_from).collect()
    }

    /// Writes a client's grants, scopes, audiences, address forwarding and secret if it still has the `auth_version`
    /// that `client` carries, and increments that. False if it does not, or if there is no such client.
    ///
    /// Whether it is enabled is not written: [`Store::set_client_enabled`] does that. If `narrows` is set, rights were
    /// removed: the same statement then blocks the client like [`Store::begin_revoking_client`], so that its sessions
    /// end even if this process ends first.
    pub async fn update_client(&self, client: ClientRecord, narrows: bool) -> Result<bool> {
        let row = client::Model::try_from(client)?;
        transaction!(self, |transaction| {
            raise_changes(transaction).await?;
            // Compare-and-set on the version: two administrators who read the same client don't undo each other's
            // change.
            let update = if narrows { block(&row.id) } else { change(&row.id) };
            let update = update
                .col_expr(client::Column::SecretHash, Expr::value(row.secret_hash.clone()))
                .col_expr(client::Column::Grants, Expr::value(row.grants.as_str()))
                .col_expr(client::Column::AnyScope, Expr::value(row.any_scope))
                .col_expr(client::Column::Scopes, Expr::value(row.scopes.as_str()))
                .col_expr(client::Column::Audience, Expr::value(row.audience.clone()))
                .col_expr(client::Column::Serves, Expr::value(row.serves.as_str()))
                .col_expr(client::Column::ForwardsAddress, Expr::value(row.forwards_address))
                .filter(client::Column::AuthVersion.eq(row.auth_version));
            Ok(update.exec(transaction).await?.rows_affected == 1)
        })
    }

    /// Enables a client; or disables it and, in the same statement, blocks it like [`Store::begin_revoking_client`].
    /// False if there is no such client.
    pub async fn set_client_enabled(&self, id: &str, enabled: bool) -> Result<bool> {
        transaction!(self, |transaction| {
            raise_changes(transaction).await?;
            let update = if enabled { change(id) } else { block(id) };
            let update = update.col_expr(client::Column::Enabled, Expr::value(enabled));
            Ok(update.exec(transaction).await?.rows_affected == 1)
        })
    }

    /// Deletes a client. False if there is no such client; a conflict while it has sessions that have not ended or
    /// whose tokens may still be valid: revoke them first.
    pub async fn delete_client(&self, id: &str, now: i64) -> Result<bool> {
        transaction!(self, |transaction| {
            raise_changes(transaction).await?;
            // Locked before its sessions are counted: a concurrent login waits, and then finds no client.
            if client::Entity::find_by_id(id).lock_exclusive().one(transaction).await?.is_none() {
                return Ok(false);
            }
            let of_client = session::Entity::find().filter(session::Column::ClientId.eq(id));
            if of_client.filter(endable(now)).limit(1).one(transaction).await?.is_some() {
                return Err(Fault::Store(StoreError::Conflict(format!("client {id:?} still has live sessions"))));
            }
            Ok(client::Entity::delete_by_id(id).exec(transaction).await?.rows_affected == 1)
        })
    }
}

/// An update of a client that a concurrent login must notice.
fn change(id: &str) -> UpdateMany<client::Entity> {
    client::Entity::update_many()
        .col_expr(client::Column::AuthVersion, Expr::col(client::Column::AuthVersion).add(1))
        .filter(client::Column::Id.eq(id))
}

/// The same, and all its sessions must end: it gets no token until the last one has.
pub(crate) fn block(id: &str) -> UpdateMany<client::Entity> {
    change(id)
        .col_expr(client::Column::Revoking, Expr::value(true))
        // A second revocation starts over: it would otherwise skip sessions that were inserted in between.
        .col_expr(client::Column::RevokedUpTo, Expr::value(None::<uuid::Uuid>))
}

/// Inserts a client unless the id is taken.
pub(crate) async fn insert_client(database: &impl ConnectionTrait, row: client::Model) -> Result<bool, Fault> {
    let taken = OnConflict::column(client::Column::Id).do_nothing().to_owned();
    let insert = client::Entity::insert(row.into_active_model()).on_conflict(taken);
    Ok(insert.exec_without_returning(database).await? == 1)
}
