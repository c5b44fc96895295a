//! Deleting what is personal about somebody from the log. The chain stays whole: its hashes cover commitments.

use sea_orm::sea_query::{Condition, Expr};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::database::transaction::transaction;
use crate::database::write_connection::WriteConnection;
use crate::error::Fault;
use crate::rows::event;
use crate::{EventRecord, Result, Store};

impl Store {
    /// Deletes names, addresses and details from at most `limit` events of a user, and the salts of the commitments to
    /// them. What somebody else did to the user keeps that other's name and address. Returns how many it changed; call
    /// it until that is 0.
    pub async fn erase_events_of(&self, user: Uuid, limit: u64) -> Result<u64> {
        transaction!(self, |transaction| {
            let rows = event::Entity::find()
                .filter(personal(user))
                .order_by_asc(event::Column::Id)
                .limit(limit)
                .lock_exclusive()
                .all(transaction)
                .await?;
            let erased = rows.len() as u64;
            for row in rows {
                erase(transaction, row, user).await?;
            }
            Ok(erased)
        })
    }
}

/// Events that still have something personal about the user.
fn personal(user: Uuid) -> Condition {
    use event::Column;
    let of_user = Condition::all().add(Column::UserId.eq(user));
    let detail = of_user.clone().add(Column::DetailSalt.is_not_null());
    // An attempt to log in that failed was made by nobody known: the address is taken for the user's.
    let nobody = of_user.add(Column::ActorKind.eq("anonymous")).add(Column::OriginSalt.is_not_null());
    let done_by = Condition::all().add(Column::ActorId.eq(user)).add(Column::OriginSalt.is_not_null());
    Condition::any().add(detail).add(nobody).add(done_by)
}

async fn erase(transaction: &WriteConnection, row: event::Model, user: Uuid) -> Result<(), Fault> {
    use event::Column;
    let own = row.actor_id == Some(user) || row.actor_kind == "anonymous";
    let (id, of_user) = (row.id, row.user_id == Some(user));
    let record = EventRecord::try_from(row)?;
    let mut update = event::Entity::update_many().filter(Column::Id.eq(id));
    if own && let Some(digest) = record.origin_digest() {
        update = update
            .col_expr(Column::ActorName, Expr::value(None::<String>))
            .col_expr(Column::Address, Expr::value(None::<String>))
            .col_expr(Column::OriginSalt, Expr::value(None::<Vec<u8>>))
            .col_expr(Column::OriginErased, Expr::value(digest.to_vec()));
    }
    if of_user && let Some(digest) = record.detail_digest() {
        update = update
            .col_expr(Column::Detail, Expr::value(None::<String>))
            .col_expr(Column::DetailSalt, Expr::value(None::<Vec<u8>>))
            .col_expr(Column::DetailErased, Expr::value(digest.to_vec()));
    }
    update.exec(transaction).await?;
    Ok(())
}
