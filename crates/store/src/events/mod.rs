//! Writing events, in the transaction of what they record.
//!
//! A row gets no number here: numbers in the order of commits need a lock, and no login waits for another's. The
//! sequencer gives them afterwards ([`sequence`]).

pub(crate) mod described;
mod erase;
mod old_audit;
mod prune;
pub(crate) mod read;
mod sequence;

use std::sync::atomic::{AtomicU64, Ordering};

use sea_orm::{EntityTrait, IntoActiveModel};
use uuid::Uuid;

use crate::database::transaction::transaction;
use crate::database::write_connection::WriteConnection;
use crate::error::Fault;
use crate::rows::event;
use crate::{NewEvent, Result, Store};

/// The most events that one statement writes. A power of two, see [`parts`].
const CHUNK: usize = 64;

impl Store {
    /// Writes events that record nothing else that is stored.
    pub async fn record_events(&self, events: &[NewEvent]) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        transaction!(self, |transaction| record_all(self, transaction, events).await.map(drop))
    }
}

/// Writes an event inside a transaction. Returns its id.
pub(crate) async fn record(store: &Store, transaction: &WriteConnection, event: NewEvent) -> Result<Uuid, Fault> {
    let row = row(store, event);
    let id = row.id;
    event::Entity::insert(row.into_active_model()).exec_without_returning(transaction).await?;
    Ok(id)
}

/// Writes several events inside a transaction. Returns their ids, in their order.
pub(crate) async fn record_all(
    store: &Store,
    transaction: &WriteConnection,
    events: &[NewEvent],
) -> Result<Vec<Uuid>, Fault> {
    let rows: Vec<_> = events.iter().map(|event| row(store, event.clone())).collect();
    let ids = rows.iter().map(|row| row.id).collect();
    for part in parts(&rows) {
        let models = part.iter().map(|row| row.clone().into_active_model());
        event::Entity::insert_many(models).exec_without_returning(transaction).await?;
    }
    Ok(ids)
}

fn row(store: &Store, event: NewEvent) -> event::Model {
    let NewEvent { kind, cause, user_id, client_id, session_id, detail } = event;
    let actor_name = cause.actor.name().map(str::to_owned);
    let has_origin = actor_name.is_some() || cause.address.is_some();
    event::Model {
        id: next_id(store, cause.at),
        number: None,
        at: cause.at,
        event: kind.as_str().to_owned(),
        actor_kind: cause.actor.kind().to_owned(),
        actor_id: cause.actor.user_id(),
        user_id,
        client_id,
        session_id,
        request_id: cause.request_id,
        actor_name,
        address: cause.address,
        origin_salt: has_origin.then(|| salt(store)),
        origin_erased: None,
        detail_salt: detail.is_some().then(|| salt(store)),
        detail: detail.map(|detail| detail.to_string()),
        detail_erased: None,
        hash: None,
    }
}

/// Cuts rows into parts whose lengths are powers of two, so that a connection prepares few different statements.
fn parts<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let length = 1 << rows.len().min(CHUNK).checked_ilog2()?;
        let (part, rest) = rows.split_at(length);
        rows = rest;
        Some(part)
    })
}

/// A UUIDv7 that is larger than all before it in this process: several events of one transaction keep their order, and
/// so do those on both sides of a clock that is put back. The counter is the part of 12 bits (RFC 9562 §6.2, method 1).
fn next_id(store: &Store, at: i64) -> Uuid {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let now = u64::try_from(at).unwrap_or_default() << 12;
    let next = |last: u64| now.max(last + 1);
    let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
    let id = next(last.unwrap_or_else(|last| last));
    let mut bytes = [0; 10];
    store.options().entropy.fill(&mut bytes);
    bytes[..2].copy_from_slice(&((id & 0x0fff) as u16).to_be_bytes());
    uuid::Builder::from_unix_timestamp_millis(id >> 12, &bytes).into_uuid()
}

fn salt(store: &Store) -> Vec<u8> {
    let mut salt = vec![0; 16];
    store.options().entropy.fill(&mut salt);
    salt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_powers_of_two_and_leave_nothing_out() {
        for length in [0, 1, 2, 3, 37, 64, 65, 200] {
            let rows: Vec<usize> = (0..length).collect();
            let cut: Vec<&[usize]> = parts(&rows).collect();
            assert_eq!(cut.concat(), rows);
            assert!(cut.iter().all(|part| part.len().is_power_of_two() && part.len() <= CHUNK));
        }
    }
}
