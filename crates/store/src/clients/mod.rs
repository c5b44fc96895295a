//! Clients.

pub(crate) mod scopes;
pub(crate) mod secrets;

use std::collections::HashMap;

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, UpdateMany};

use serde_json::json;

use crate::database::globals::raise_changes;
use crate::database::transaction::transaction;
use crate::database::write_connection::WriteConnection;
use crate::error::Fault;
use crate::events::described::{described_client, difference};
use crate::events::{record, record_all};
use crate::rows::{client, session};
use crate::sessions::end::endable;
use crate::sessions::live::in_current_epoch;
use crate::{
    BulkWork, Cause, ClientAt, ClientRecord, ClientSecret, EventKind, NewEvent, Result, RevokeReason, SessionsOf,
    Store, StoreError,
};

impl Store {
    /// Adds a client. False if the id is taken.
    pub async fn add_client(&self, client: ClientRecord, cause: &Cause) -> Result<bool> {
        transaction!(self, |transaction| {
            raise_changes(transaction).await?;
            insert_client(self, transaction, &client, cause).await
        })
    }

    /// The client with this id.
    pub async fn client(&self, id: &str) -> Result<Option<ClientRecord>> {
        // The row first: secrets that are newer than it are none that were removed before it was read. They may have
        // changed between the two; then it is read once more.
        for is_last in [false, true] {
            let Some(row) = client::Entity::find_by_id(id).one(self.reader()).await? else { return Ok(None) };
            let secrets = self.secrets_of(&[id]).await?;
            if is_last || row.agrees_with(&secrets) {
                return row.with_secrets(secrets).map(Some);
            }
        }
        Ok(None)
    }

    /// At most `limit` clients after `after`, ordered by id.
    pub async fn list_clients(&self, after: Option<&str>, limit: u64) -> Result<Vec<ClientRecord>> {
        let mut query = client::Entity::find().order_by_asc(client::Column::Id).limit(limit);
        if let Some(after) = after {
            query = query.filter(client::Column::Id.gt(after));
        }
        let rows = query.all(self.reader()).await?;
        let ids: Vec<_> = rows.iter().map(|row| row.id.as_str()).collect();
        let mut secrets: HashMap<_, Vec<_>> = HashMap::new();
        for secret in self.secrets_of(&ids).await? {
            secrets.entry(secret.client_id.clone()).or_default().push(secret);
        }
        rows.into_iter()
            .map(|row| {
                let own = secrets.remove(&row.id).unwrap_or_default();
                row.with_secrets(own)
            })
            .collect()
    }

    /// Writes a client's grants, scopes, audiences and address forwarding if it still has the `auth_version` that
    /// `client` carries, and increments that. False if it does not, or if there is no such client.
    ///
    /// Its secrets are written if it becomes public by that, or confidential. Otherwise they are not, and neither is
    /// whether it is enabled: [`Store::enable_client`] and [`Store::set_client_secrets`] do that.
    pub async fn update_client(&self, client: ClientRecord, cause: &Cause) -> Result<bool> {
        let row = client::Model::try_from(client.clone())?;
        transaction!(self, |transaction| {
            raise_changes(transaction).await?;
            let before = lock(transaction, ClientAt::from(&*row.id)).await?;
            let is_current = write(change(&row.id), &row).exec(transaction).await?.rows_affected == 1;
            if let Some(before) = before.filter(|_| is_current) {
                record_all(self, transaction, changes(&before, &row, cause)).await?;
                self.write_kind(transaction, before, &client.secrets, cause).await?;
            }
            Ok(is_current)
        })
    }

    /// The same if rights were removed: begins to end the client's sessions in the same transaction.
    pub async fn narrow_client(&self, client: ClientRecord, now: i64, cause: &Cause) -> Result<Option<BulkWork>> {
        let row = client::Model::try_from(client.clone())?;
        transaction!(self, |transaction| {
            raise_changes(transaction).await?;
            let Some(before) = lock(transaction, ClientAt::from(&*row.id)).await? else { return Ok(None) };
            let events = changes(&before, &row, cause);
            let update = write(block(&row.id), &row);
            let work = self.block_and_begin(transaction, update, &row.id, events, now, cause).await?;
            if work.is_some() {
                self.write_kind(transaction, before, &client.secrets, cause).await?;
            }
            Ok(work)
        })
    }

    /// Writes the secrets of a client that was public and is not any more, or the other way round.
    async fn write_kind(
        &self,
        transaction: &WriteConnection,
        before: client::Model,
        secrets: &[ClientSecret],
        cause: &Cause,
    ) -> Result<(), Fault> {
        let was_public = before.secret_hash.is_none();
        if was_public == secrets.is_empty() {
            return Ok(());
        }
        let id = before.id.clone();
        client::Entity::update_many()
            .col_expr(client::Column::SecretHash, secrets::lasting_hash(secrets))
            .filter(client::Column::Id.eq(&id))
            .exec(transaction)
            .await?;
        let events = secrets::replace(transaction, before, secrets, cause).await?;
        record_all(self, transaction, events).await.map(drop)
    }

    /// Enables a client. False if there is no such client.
    pub async fn enable_client<'a>(&self, client: impl Into<ClientAt<'a>>, cause: &Cause) -> Result<bool> {
        let client = client.into();
        let id = client.id;
        transaction!(self, |transaction| {
            raise_changes(transaction).await?;
            let Some(before) = lock(transaction, client).await? else { return Ok(false) };
            change(id).col_expr(client::Column::Enabled, Expr::value(true)).exec(transaction).await?;
            if !before.enabled {
                record(self, transaction, NewEvent::new(EventKind::ClientEnabled, cause).client(id)).await?;
            }
            Ok(true)
        })
    }

    /// Disables a client, and begins to end its sessions in the same transaction. `None`: there is no such client.
    pub async fn disable_client<'a>(
        &self,
        client: impl Into<ClientAt<'a>>,
        now: i64,
        cause: &Cause,
    ) -> Result<Option<BulkWork>> {
        let client = client.into();
        let id = client.id;
        transaction!(self, |transaction| {
            raise_changes(transaction).await?;
            let Some(before) = lock(transaction, client).await? else { return Ok(None) };
            let event = before.enabled.then(|| NewEvent::new(EventKind::ClientDisabled, cause).client(id));
            let update = block(id).col_expr(client::Column::Enabled, Expr::value(false));
            self.block_and_begin(transaction, update, id, event.into_iter().collect(), now, cause).await
        })
    }

    /// Begins to end a client's sessions: from this commit on it gets no token, until the last session has ended.
    /// `None`: there is no such client.
    pub async fn begin_revoking_client(&self, id: &str, now: i64, cause: &Cause) -> Result<Option<BulkWork>> {
        transaction!(self, |transaction| {
            raise_changes(transaction).await?;
            self.block_and_begin(transaction, block(id), id, Vec::new(), now, cause).await
        })
    }

    async fn block_and_begin(
        &self,
        transaction: &WriteConnection,
        update: UpdateMany<client::Entity>,
        id: &str,
        events: Vec<NewEvent>,
        now: i64,
        cause: &Cause,
    ) -> Result<Option<BulkWork>, Fault> {
        // Locks the client: a concurrent login commits before this continues, or finds the client blocked.
        if update.exec(transaction).await?.rows_affected == 0 {
            return Ok(None);
        }
        record_all(self, transaction, events).await?;
        let of = SessionsOf::Client(id.to_owned());
        self.begin_bulk(transaction, &of, RevokeReason::ClientRevoked, now, cause).await.map(Some)
    }

    /// Deletes a client. False if there is no such client; a conflict while it has sessions that have not ended or
    /// whose tokens may still be valid: revoke them first.
    pub async fn delete_client<'a>(&self, client: impl Into<ClientAt<'a>>, now: i64, cause: &Cause) -> Result<bool> {
        let client = client.into();
        let id = client.id;
        transaction!(self, |transaction| {
            raise_changes(transaction).await?;
            // Locked before its sessions are counted: a concurrent login waits, and then finds no client.
            let Some(before) = lock(transaction, client).await? else { return Ok(false) };
            let of_client = session::Entity::find().filter(session::Column::ClientId.eq(id));
            if of_client.filter(endable(now)).filter(in_current_epoch()).limit(1).one(transaction).await?.is_some() {
                return Err(Fault::Store(StoreError::Conflict(format!("client {id:?} still has live sessions"))));
            }
            client::Entity::delete_by_id(id).exec(transaction).await?;
            secrets::forget(transaction, id).await?;
            let detail = json!({ "before": described_client(&before) });
            let event = NewEvent::new(EventKind::ClientDeleted, cause).client(id).detail(detail);
            record(self, transaction, event).await?;
            Ok(true)
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
fn block(id: &str) -> UpdateMany<client::Entity> {
    change(id).col_expr(client::Column::Revoking, Expr::value(true))
}

/// Everything that an administrator sets, if nobody has changed the client since: compare-and-set on the version, so
/// that two administrators who read the same client don't undo each other's change.
fn write(update: UpdateMany<client::Entity>, row: &client::Model) -> UpdateMany<client::Entity> {
    update
        .col_expr(client::Column::Grants, Expr::value(row.grants.as_str()))
        .col_expr(client::Column::AnyScope, Expr::value(row.any_scope))
        .col_expr(client::Column::Scopes, Expr::value(row.scopes.as_str()))
        .col_expr(client::Column::Audience, Expr::value(row.audience.clone()))
        .col_expr(client::Column::Serves, Expr::value(row.serves.as_str()))
        .col_expr(client::Column::ForwardsAddress, Expr::value(row.forwards_address))
        .col_expr(client::Column::OwnScopes, Expr::value(row.own_scopes))
        .filter(client::Column::AuthVersion.eq(row.auth_version))
}

/// Locks a client until the commit. A conflict if it is not at the version that the caller has read.
async fn lock(transaction: &WriteConnection, client: ClientAt<'_>) -> Result<Option<client::Model>, Fault> {
    let row = client::Entity::find_by_id(client.id).lock_exclusive().one(transaction).await?;
    match (&row, client.version) {
        (Some(row), Some(version)) if row.auth_version != version => {
            let what = format!("the client {:?} was changed meanwhile; look at it and try again", row.id);
            Err(Fault::Store(StoreError::Conflict(what)))
        }
        _ => Ok(row),
    }
}

/// What was changed.
fn changes(before: &client::Model, after: &client::Model, cause: &Cause) -> Vec<NewEvent> {
    // Whether it is enabled is not written with the rest.
    let after = client::Model { enabled: before.enabled, ..after.clone() };
    let detail = difference(&described_client(before), &described_client(&after));
    let event = |detail| NewEvent::new(EventKind::ClientChanged, cause).client(&before.id).detail(detail);
    detail.map(event).into_iter().collect()
}

/// Inserts a client unless the id is taken.
pub(crate) async fn insert_client(
    store: &Store,
    transaction: &WriteConnection,
    client: &ClientRecord,
    cause: &Cause,
) -> Result<bool, Fault> {
    let row = client::Model::try_from(client.clone())?;
    // The subject is taken as well if two repeat one request.
    let taken = OnConflict::new().do_nothing().to_owned();
    let detail = json!({ "after": described_client(&row) });
    let event = NewEvent::new(EventKind::ClientCreated, cause).client(&client.id).detail(detail);
    let insert = client::Entity::insert(row.into_active_model()).on_conflict(taken);
    let is_new = insert.exec_without_returning(transaction).await? == 1;
    if is_new {
        // What a server of the release before has left of a client with this id.
        secrets::forget(transaction, &client.id).await?;
        secrets::insert(transaction, &client.id, &client.secrets).await?;
        record(store, transaction, event).await?;
    }
    Ok(is_new)
}
