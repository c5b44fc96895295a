//! Deleting what is personal about somebody from the log. The chain stays whole: its hashes cover commitments.

use sea_orm::sea_query::{Condition, Expr, ExprTrait};
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
        let mut ids = Vec::new();
        // Two searches, each over its own index, and on a reading connection.
        for personal in [happened_to(user), done_by(user)] {
            let query = event::Entity::find().select_only().column(event::Column::Id).filter(personal);
            let found: Vec<Uuid> = query.limit(limit).into_tuple().all(self.reader()).await?;
            ids.extend(found);
        }
        if ids.is_empty() {
            return Ok(0);
        }
        transaction!(self, |transaction| {
            let rows = event::Entity::find()
                .filter(event::Column::Id.is_in(ids.iter().copied()))
                .order_by_asc(event::Column::Id)
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

/// What the user did to themselves, and what clients and nobody known did: the address is taken for the user's.
const OWN_KINDS: [&str; 3] = ["user", "client", "anonymous"];

/// Events that happened to the user and still have something personal about them.
fn happened_to(user: Uuid) -> Condition {
    use event::Column;
    let by_nobody = Condition::all().add(Column::ActorId.is_null()).add(Column::ActorKind.is_in(OWN_KINDS));
    let own = Condition::any().add(Column::ActorId.eq(user)).add(by_nobody);
    let origin = Condition::all().add(own).add(Column::OriginSalt.is_not_null());
    let personal = Condition::any().add(Column::DetailSalt.is_not_null()).add(origin);
    Condition::all().add(Column::UserId.eq(user)).add(personal)
}

/// The same for what the user did to others. The condition is that of the index.
fn done_by(user: Uuid) -> Condition {
    use event::Column;
    let others =
        Condition::any().add(Column::UserId.is_null()).add(Expr::col(Column::UserId).ne(Expr::col(Column::ActorId)));
    Condition::all().add(Column::ActorId.eq(user)).add(others).add(Column::OriginSalt.is_not_null())
}

async fn erase(transaction: &WriteConnection, row: event::Model, user: Uuid) -> Result<(), Fault> {
    use event::Column;
    let (id, of_user) = (row.id, row.user_id == Some(user));
    let by_nobody = row.actor_id.is_none() && OWN_KINDS.contains(&&*row.actor_kind);
    let own = row.actor_id == Some(user) || (of_user && by_nobody);
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
