//! The table `audit`, to which servers of the previous version write until the last of them is replaced.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::json;
use uuid::Uuid;

use crate::database::transaction::transaction;
use crate::events::record_all;
use crate::rows::old_audit::{Column, Entity, Model};
use crate::{Cause, EventActor, EventKind, NewEvent, Result, Store};

impl Store {
    /// Moves at most `limit` rows of the table `audit` to the event log, the oldest first. Returns how many.
    pub async fn adopt_audit(&self, limit: u64) -> Result<u64> {
        let query = Entity::find().order_by_asc(Column::Id).limit(limit);
        let ids: Vec<Uuid> = query.select_only().column(Column::Id).into_tuple().all(self.reader()).await?;
        if ids.is_empty() {
            return Ok(0);
        }
        transaction!(self, |transaction| {
            // Whoever deletes a row writes its event: another server that moves the same ones waits, and finds none.
            let taken = Entity::find().filter(Column::Id.is_in(ids.iter().copied())).lock_exclusive();
            let rows = taken.all(transaction).await?;
            let events: Vec<_> = rows.iter().filter_map(event).collect();
            record_all(self, transaction, events).await?;
            let gone = Entity::delete_many().filter(Column::Id.is_in(rows.iter().map(|row| row.id)));
            Ok(gone.exec(transaction).await?.rows_affected)
        })
    }
}

fn event(row: &Model) -> Option<NewEvent> {
    let actor = match row.actor.as_deref() {
        Some("cli") => EventActor::Cli { name: "unknown".into() },
        Some(name) => EventActor::Server { name: name.to_owned() },
        None => row.client_id.clone().map_or(EventActor::Anonymous, |id| EventActor::Client { id }),
    };
    let at = row.at.saturating_mul(1_000);
    let cause = Cause { actor, address: row.address.clone(), request_id: None, at, session: None };
    Some(NewEvent {
        user_id: row.user_id,
        client_id: row.client_id.clone(),
        session_id: row.session_id,
        detail: row.detail.as_ref().map(|text| json!({ "text": text })),
        ..NewEvent::new(kind(&row.event)?, &cause)
    })
}

/// What an event of the previous version is called now. All of its names are here.
fn kind(name: &str) -> Option<EventKind> {
    Some(match name {
        "user.added" => EventKind::UserCreated,
        "user.rights_changed" | "user.email_changed" => EventKind::UserChanged,
        "user.sessions_revoked" | "client.sessions_revoked" | "sessions.ended" => EventKind::SessionsRevoked,
        "client.added" => EventKind::ClientCreated,
        "client.secret_changed" => EventKind::ClientSecretAdded,
        name => return EventKind::parse(name),
    })
}
