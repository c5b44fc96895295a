//! The secrets of clients.

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{change, lock};
use crate::database::globals::raise_changes;
use crate::database::transaction::transaction;
use crate::database::write_connection::WriteConnection;
use crate::error::Fault;
use crate::events::described::shown_time;
use crate::events::record_all;
use crate::rows::client::lasting;
use crate::rows::{client, client_secret};
use crate::{Cause, ClientAt, ClientSecret, EventKind, NewEvent, Result, Store};

/// How many uses one transaction writes.
const CHUNK: usize = 200;

/// That a secret was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretUse {
    /// The client.
    pub client_id: String,
    /// The secret.
    pub secret: Uuid,
    /// When.
    pub at: i64,
}

impl Store {
    /// Gives a client exactly these secrets, if it is still at the version that was read, and raises that: the lock on
    /// its row makes two changes of the same version one change and one conflict. False: there is no such client.
    ///
    /// What is known of the last use of a secret that stays is not changed.
    pub async fn set_client_secrets(
        &self,
        client: ClientAt<'_>,
        secrets: &[ClientSecret],
        cause: &Cause,
    ) -> Result<bool> {
        transaction!(self, |transaction| {
            raise_changes(transaction).await?;
            let Some(before) = lock(transaction, client).await? else { return Ok(false) };
            let update = change(client.id).col_expr(client::Column::SecretHash, lasting_hash(secrets));
            update.exec(transaction).await?;
            let events = replace(transaction, before, secrets, cause).await?;
            record_all(self, transaction, events).await?;
            Ok(true)
        })
    }

    /// Writes when secrets were last used; an earlier time than the stored one changes nothing.
    pub async fn note_secret_uses(&self, uses: &[SecretUse]) -> Result<()> {
        use client_secret::Column;
        let mut uses: Vec<_> = uses.iter().collect();
        // In one order: two servers that write the same rows don't wait for each other.
        uses.sort_unstable_by_key(|used| (&used.client_id, used.secret));
        for chunk in uses.chunks(CHUNK) {
            transaction!(self, |transaction| {
                for used in chunk {
                    let older = Condition::any().add(Column::LastUsedAt.is_null()).add(Column::LastUsedAt.lt(used.at));
                    let update = client_secret::Entity::update_many()
                        .col_expr(Column::LastUsedAt, Expr::value(used.at))
                        .filter(Column::ClientId.eq(used.client_id.as_str()))
                        .filter(Column::Id.eq(used.secret))
                        .filter(older);
                    update.exec(transaction).await?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    pub(super) async fn secrets_of(&self, clients: &[&str]) -> Result<Vec<client_secret::Model>> {
        let of = client_secret::Entity::find().filter(client_secret::Column::ClientId.is_in(clients.iter().copied()));
        Ok(of.all(self.reader()).await?)
    }
}

/// The hash for the row of the client, which servers of the release before read.
pub(super) fn lasting_hash(secrets: &[ClientSecret]) -> Expr {
    Expr::value(lasting(secrets).map(|secret| secret.hash.to_vec()))
}

/// Makes these the rows of a client that is locked, and returns what is to be recorded of that.
pub(super) async fn replace(
    transaction: &WriteConnection,
    client: client::Model,
    secrets: &[ClientSecret],
    cause: &Cause,
) -> Result<Vec<NewEvent>, Fault> {
    use client_secret::Column;
    let id = client.id.clone();
    let rows = client_secret::Entity::find().filter(Column::ClientId.eq(&id)).all(transaction).await?;
    let before = client.with_secrets(rows)?.secrets;
    let kept: Vec<_> = secrets.iter().map(|secret| secret.id).collect();
    let others =
        client_secret::Entity::delete_many().filter(Column::ClientId.eq(&id)).filter(Column::Id.is_not_in(kept));
    others.exec(transaction).await?;
    insert(transaction, &id, secrets).await?;
    Ok(changes(&id, &before, secrets, cause))
}

/// Adds what is not there, and writes when the others expire.
pub(super) async fn insert(
    transaction: &WriteConnection,
    client_id: &str,
    secrets: &[ClientSecret],
) -> Result<(), Fault> {
    use client_secret::Column;
    for secret in secrets {
        // A row that counted for nothing may have this id; its last use was that of another secret.
        let other = client_secret::Entity::delete_many()
            .filter(Column::ClientId.eq(client_id))
            .filter(Column::Id.eq(secret.id))
            .filter(Column::Hash.ne(secret.hash.to_vec()));
        other.exec(transaction).await?;
        let there = OnConflict::columns([Column::ClientId, Column::Id]).update_column(Column::ExpiresAt).to_owned();
        let row = client_secret::Model::of(client_id, secret).into_active_model();
        client_secret::Entity::insert(row).on_conflict(there).exec_without_returning(transaction).await?;
    }
    Ok(())
}

/// Removes all secrets of a client that is not there any more.
pub(super) async fn forget(transaction: &WriteConnection, client_id: &str) -> Result<(), Fault> {
    let of = client_secret::Entity::delete_many().filter(client_secret::Column::ClientId.eq(client_id));
    of.exec(transaction).await?;
    Ok(())
}

/// What was added, removed, and given another expiry.
fn changes(id: &str, before: &[ClientSecret], after: &[ClientSecret], cause: &Cause) -> Vec<NewEvent> {
    let event = |kind, detail| NewEvent::new(kind, cause).client(id).detail(detail);
    let in_both = |one: &ClientSecret, others: &[ClientSecret]| others.iter().any(|other| other.id == one.id);
    let added = after.iter().filter(|one| !in_both(one, before));
    let removed = before.iter().filter(|one| !in_both(one, after));
    let changed = after.iter().filter_map(|now| {
        let was = before.iter().find(|was| was.id == now.id && was.expires_at != now.expires_at)?;
        Some(json!({ "before": shown(was), "after": shown(now) }))
    });
    let added = added.map(|secret| event(EventKind::ClientSecretAdded, shown(secret)));
    let removed = removed.map(|secret| event(EventKind::ClientSecretRemoved, json!({ "secret": secret.id })));
    added.chain(removed).chain(changed.map(|detail| event(EventKind::ClientChanged, detail))).collect()
}

fn shown(secret: &ClientSecret) -> Value {
    json!({ "secret": secret.id, "expires_at": secret.expires_at.and_then(shown_time) })
}
