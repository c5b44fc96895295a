//! Requests that may be repeated: which id belongs to which key.
//!
//! A key is bound to the id of what its first request creates, before that is created. A repeated request creates with
//! the same id, which can be there only once.

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};
use uuid::Uuid;

use crate::database::transaction::{statement, transaction};
use crate::rows::idempotency_key;
use crate::{Result, Store};

/// A key as one caller has used it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Who sent it: keys of different callers have nothing to do with each other.
    pub actor: String,
    /// As it was sent.
    pub key: String,
    /// A keyed hash of what was asked for.
    pub request: [u8; 16],
}

/// What a key is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BoundTo {
    /// This id: the key is new.
    New(Uuid),
    /// This id, by an earlier request for the same.
    Earlier {
        /// The id.
        object: Uuid,
        /// True if it was created.
        created: bool,
    },
    /// Another request.
    Other,
}

impl Store {
    /// Binds a key to `object`, unless it is bound already. One statement: of two at once, the second sees the first's.
    pub async fn bind_key(&self, key: &IdempotencyKey, object: Uuid, now: i64) -> Result<BoundTo> {
        use idempotency_key::{Column, Entity, Model};
        let row = Model {
            actor: key.actor.clone(),
            key: key.key.clone(),
            request: key.request.to_vec(),
            object,
            created: false,
            created_at: now,
        };
        transaction!(self, |transaction| {
            let bound = OnConflict::columns([Column::Actor, Column::Key]).do_nothing().to_owned();
            let insert = Entity::insert(row.clone().into_active_model()).on_conflict(bound);
            if insert.exec_without_returning(transaction).await? == 1 {
                return Ok(BoundTo::New(object));
            }
            let there = Entity::find_by_id((row.actor.clone(), row.key.clone())).one(transaction).await?;
            Ok(match there {
                Some(there) if there.request == row.request => {
                    BoundTo::Earlier { object: there.object, created: there.created }
                }
                _ => BoundTo::Other,
            })
        })
    }

    /// Notes that what a key is bound to was created: if it is missing later, it was deleted.
    pub async fn mark_created(&self, key: &IdempotencyKey) -> Result<()> {
        use idempotency_key::{Column, Entity};
        statement!(self, |database| {
            let update = Entity::update_many().col_expr(Column::Created, Expr::value(true));
            let update = update.filter(Column::Actor.eq(key.actor.as_str())).filter(Column::Key.eq(key.key.as_str()));
            update.exec(database).await.map(drop)
        })
    }

    /// Forgets keys from before `older_than`.
    pub async fn prune_keys_of_requests(&self, older_than: i64) -> Result<u64> {
        statement!(self, |database| {
            let old = idempotency_key::Column::CreatedAt.lt(older_than);
            Ok(idempotency_key::Entity::delete_many().filter(old).exec(database).await?.rows_affected)
        })
    }
}
