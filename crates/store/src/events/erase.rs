//! Deleting what is personal about somebody from the log. The chain stays whole: its hashes cover commitments.

use sea_orm::sea_query::{Condition, Expr, ExprTrait, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use crate::database::transaction::transaction;
use crate::database::write_connection::WriteConnection;
use crate::error::Fault;
use crate::events::read::ONLY;
use crate::rows::{event, event_chain, pending_event};
use crate::{Commitment, EventRecord, Result, Store};

impl Store {
    /// Deletes names, addresses and details from at most some `limit` events of a user, and the salts of the commitments
    /// to them. What somebody else did to the user keeps that other's name and address. Returns how many it changed; call
    /// it until that is 0.
    pub async fn erase_events_of(&self, user: Uuid, limit: u64) -> Result<u64> {
        loop {
            // Those without a number first: one that gets its number meanwhile is found in the log.
            let ids = self.pending_of(user, limit).await?;
            let numbers = self.numbers_of(user, limit).await?;
            if ids.is_empty() && numbers.is_empty() {
                return Ok(0);
            }
            match self.erase_these(user, &ids, &numbers).await? {
                // They were all moved to the log in between.
                0 => {}
                erased => return Ok(erased),
            }
        }
    }

    async fn pending_of(&self, user: Uuid, limit: u64) -> Result<Vec<Uuid>> {
        use pending_event::{Column, Entity};
        let personal = Condition::any().add(happened_to(user)).add(done_by(user));
        let query = Entity::find().select_only().column(Column::Id).filter(personal).limit(limit);
        Ok(query.into_tuple().all(self.reader()).await?)
    }

    /// Two searches, each over its own index.
    async fn numbers_of(&self, user: Uuid, limit: u64) -> Result<Vec<i64>> {
        let mut numbers = Vec::new();
        for personal in [happened_to(user), done_by(user)] {
            let query = event::Entity::find().select_only().column(event::Column::Number).filter(personal);
            let found: Vec<i64> = query.limit(limit).into_tuple().all(self.reader()).await?;
            numbers.extend(found);
        }
        Ok(numbers)
    }

    async fn erase_these(&self, user: Uuid, ids: &[Uuid], numbers: &[i64]) -> Result<u64> {
        transaction!(self, |transaction| {
            // The sequencer waits: it moves an event as it was before, or as it is after this.
            event_chain::Entity::find_by_id(ONLY).lock_exclusive().one(transaction).await?;
            let pending = pending_event::Entity::find()
                .filter(pending_event::Column::Id.is_in(ids.iter().copied()))
                .all(transaction)
                .await?;
            let logged = event::Entity::find()
                .filter(event::Column::Number.is_in(numbers.iter().copied()))
                .all(transaction)
                .await?;
            let erased = (pending.len() + logged.len()) as u64;
            for row in pending {
                let of = Expr::col("id").eq(row.id);
                erase(transaction, "events_pending", of, row.into(), user).await?;
            }
            for row in logged {
                let of = Expr::col("number").eq(row.number);
                erase(transaction, "events", of, row.into(), user).await?;
            }
            Ok(erased)
        })
    }
}

/// What the user did to themselves, and what clients and nobody known did: the address is taken for the user's.
const OWN_KINDS: [&str; 3] = ["user", "client", "anonymous"];

/// Events that happened to the user and still have something personal about them.
fn happened_to(user: Uuid) -> Condition {
    let by_nobody = Condition::all().add(col("actor_id").is_null()).add(col("actor_kind").is_in(OWN_KINDS));
    let own = Condition::any().add(col("actor_id").eq(user)).add(by_nobody);
    let origin = Condition::all().add(own).add(col("origin_salt").is_not_null());
    let personal = Condition::any().add(col("detail_salt").is_not_null()).add(origin);
    Condition::all().add(col("user_id").eq(user)).add(personal)
}

/// The same for what the user did to others. The condition is that of the index.
fn done_by(user: Uuid) -> Condition {
    let others = Condition::any().add(col("user_id").is_null()).add(col("user_id").ne(col("actor_id")));
    Condition::all().add(col("actor_id").eq(user)).add(others).add(col("origin_salt").is_not_null())
}

/// A column of either table of events.
fn col(name: &'static str) -> Expr {
    Expr::col(name)
}

async fn erase(
    transaction: &WriteConnection,
    table: &'static str,
    of: Expr,
    event: EventRecord,
    user: Uuid,
) -> Result<(), Fault> {
    let of_user = event.user_id == Some(user);
    let by_nobody = event.actor_id.is_none() && OWN_KINDS.contains(&&*event.actor_kind);
    let own = event.actor_id == Some(user) || (of_user && by_nobody);
    let nothing = || Expr::value(None::<String>);
    let no_salt = || Expr::value(None::<Vec<u8>>);
    let mut update = Query::update().table(table).and_where(of).take();
    if own && event.origin != Commitment::Nothing {
        update.value("actor_name", nothing()).value("address", nothing()).value("origin_salt", no_salt());
        // There is no digest if somebody else has written the salt. The event does not fit then, and never will.
        event.origin_digest().map(|digest| update.value("origin_erased", digest.to_vec()));
    }
    if of_user && event.detail_commitment != Commitment::Nothing {
        update.value("detail", nothing()).value("detail_salt", no_salt());
        event.detail_digest().map(|digest| update.value("detail_erased", digest.to_vec()));
    }
    if !update.get_values().is_empty() {
        transaction.execute(&update).await?;
    }
    Ok(())
}
