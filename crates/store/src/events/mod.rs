//! Writing events, in the transaction of what they record.
//!
//! A row gets no number here: numbers in the order of commits need a lock, and no login waits for another's. It waits in
//! a table of its own, without indexes, until the sequencer moves it to the log ([`sequence`]).

pub(crate) mod actor;
pub(crate) mod described;
pub(crate) mod ended_by;
mod erase;
mod old_audit;
mod prune;
pub(crate) mod read;
mod sequence;

use std::sync::atomic::{AtomicU64, Ordering};

use sea_orm::ActiveValue::NotSet;
use sea_orm::{EntityTrait, IntoActiveModel};
use uuid::Uuid;

use crate::database::transaction::transaction;
use crate::database::write_connection::WriteConnection;
use crate::error::Fault;
use crate::rows::pending_event;
use crate::{NewEvent, Result, Store};

/// The most events that one statement writes.
const CHUNK: usize = 64;

impl Store {
    /// Writes events that record nothing else that is stored.
    pub async fn record_events(&self, events: &[NewEvent]) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        transaction!(self, |transaction| record_all(self, transaction, events.to_vec()).await.map(drop))
    }
}

/// Writes an event inside a transaction. Returns its id. If the session of its actor has ended, nothing of the transaction
/// happens.
pub(crate) async fn record(store: &Store, transaction: &WriteConnection, event: NewEvent) -> Result<Uuid, Fault> {
    actor::require_live(transaction, std::slice::from_ref(&event)).await?;
    let row = row(store, event);
    let id = row.id;
    pending_event::Entity::insert(new_row(row)).exec_without_returning(transaction).await?;
    Ok(id)
}

/// Writes several events inside a transaction, as [`record`]. Returns their ids, in their order.
pub(crate) async fn record_all(
    store: &Store,
    transaction: &WriteConnection,
    events: Vec<NewEvent>,
) -> Result<Vec<Uuid>, Fault> {
    actor::require_live(transaction, &events).await?;
    let rows: Vec<_> = events.into_iter().map(|event| row(store, event)).collect();
    let ids = rows.iter().map(|row| row.id).collect();
    let mut rows = rows.into_iter();
    for length in parts(rows.len()) {
        let part = rows.by_ref().take(length).map(new_row);
        pending_event::Entity::insert_many(part).exec_without_returning(transaction).await?;
    }
    Ok(ids)
}

fn row(store: &Store, event: NewEvent) -> pending_event::Model {
    pending_event::Model::new(next_id(store, event.cause.at), event, || salt(store))
}

/// Without the columns that a new event does not have.
fn new_row(row: pending_event::Model) -> pending_event::ActiveModel {
    pending_event::ActiveModel { origin_erased: NotSet, detail_erased: NotSet, ..row.into_active_model() }
}

/// Cuts `rows` rows into parts of few different lengths, so that a connection prepares few different statements: at most
/// one part of less than 8, after parts of [`CHUNK`] and one that is as long as possible.
fn parts(mut rows: usize) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let length = match rows.min(CHUNK) {
            0 => return None,
            few @ 1..8 => few,
            some @ 8..32 => some / 4 * 4,
            many => many / 8 * 8,
        };
        rows -= length;
        Some(length)
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
    fn rows_are_cut_into_two_parts_of_few_lengths() {
        let mut lengths = std::collections::HashSet::new();
        for rows in 0..=CHUNK {
            let cut: Vec<usize> = parts(rows).collect();
            assert_eq!(cut.iter().sum::<usize>(), rows);
            assert!(cut.len() <= 2 && !cut.contains(&0), "{rows}: {cut:?}");
            lengths.extend(cut);
        }
        assert!(lengths.len() < 20, "{lengths:?}");
        assert_eq!(parts(3 * CHUNK + 1).collect::<Vec<_>>(), [CHUNK, CHUNK, CHUNK, 1]);
    }
}
