//! Who acts must still be signed in when the change commits.

use std::collections::HashSet;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::database::transaction::transaction;
use crate::database::write_connection::WriteConnection;
use crate::error::Fault;
use crate::rows::session;
use crate::sessions::live::live;
use crate::{Cause, EventKind, NewEvent, Result as StoreResult, Store, StoreError};

impl Store {
    /// Refuses what consists of several transactions if the session of who does it has ended. Returns the cause for the
    /// events of what follows: what has begun is completed.
    pub async fn check_actor(&self, cause: &Cause) -> StoreResult<Cause> {
        transaction!(self, |transaction| check(transaction, cause).await)
    }
}

/// Refuses a change whose actor's session has ended. The session is locked until the commit: a revocation of it is seen
/// here, or waits and then comes later than the change.
pub(super) async fn require_live(transaction: &WriteConnection, events: &[NewEvent]) -> Result<(), Fault> {
    if ended(transaction, events.iter()).await?.is_empty() { Ok(()) } else { Err(Fault::Store(StoreError::ActorEnded)) }
}

/// The same at the beginning of a transaction that may end the actor's own session. Returns the cause for its events.
pub(crate) async fn check(transaction: &WriteConnection, cause: &Cause) -> Result<Cause, Fault> {
    require_live(transaction, &[NewEvent::new(EventKind::SessionsRevoked, cause)]).await?;
    Ok(Cause { session: None, ..cause.clone() })
}

/// The sessions of actors that have ended.
pub(crate) async fn ended(
    transaction: &WriteConnection,
    events: impl Iterator<Item = &NewEvent>,
) -> Result<HashSet<Uuid>, Fault> {
    let (mut acting, mut now) = (HashSet::new(), 0);
    for (session, at) in events.filter_map(|event| event.cause.session.map(|session| (session, event.cause.at))) {
        acting.insert(session);
        now = at.div_euclid(1_000).max(now);
    }
    if acting.is_empty() {
        return Ok(acting);
    }
    let query = session::Entity::find().filter(session::Column::Id.is_in(acting.iter().copied())).filter(live(now));
    for row in query.order_by_asc(session::Column::Id).lock_shared().all(transaction).await? {
        acting.remove(&row.id);
    }
    Ok(acting)
}
