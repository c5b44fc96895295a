//! The denylist's rows and their numbering.

pub(crate) mod carry_over;
mod head;
mod packed;

use std::collections::{HashMap, HashSet};

use ficha_token::{DenyEntry, DenyId};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::database::transaction::{announce, statement};
use crate::database::write_connection::WriteConnection;
use crate::error::Fault;
use crate::rows::{denylist, denylist_head};
use crate::{DenyRow, Result, Store, StoreError};

/// How many rows one statement writes or names.
const CHUNK: usize = 500;
/// This many of the newest numbers are kept, even if they expired long ago: the cursor of an idle server or follower
/// may be at any of them, with the later ones still to read.
const KEPT_NUMBERS: i64 = 1_000;

impl Store {
    /// At most `limit` rows with a higher number, ordered by number.
    pub async fn deny_rows_after(&self, number: i64, limit: u64) -> Result<Vec<DenyRow>> {
        packed::fetch(self.reader(), rows_after(number, limit)).await
    }

    /// At most `limit` rows after the row with the number and tag `after`; `None` if there is no such row. One
    /// statement reads both, so they belong to the same history.
    pub async fn deny_rows_behind(&self, after: (i64, i64), limit: u64) -> Result<Option<Vec<DenyRow>>> {
        if after == (0, 0) {
            return self.deny_rows_after(0, limit).await.map(Some);
        }
        let rows = packed::fetch(self.reader(), rows_after(after.0 - 1, limit + 1)).await?;
        Ok(rows_if_first_is(after, rows))
    }

    /// Like [`Store::deny_rows_after`], but only those in force at `now`.
    pub async fn live_deny_rows(&self, now: i64, after_number: i64, limit: u64) -> Result<Vec<DenyRow>> {
        let query = rows_after(after_number, limit).filter(denylist::Column::Until.gt(now));
        packed::fetch(self.reader(), query).await
    }

    /// At most `limit` rows in force at `now` after the row with the number and tag `after`; `None` if there is no such
    /// row: it was pruned, or belongs to another history. One statement reads both, so the history can't change in
    /// between.
    pub async fn live_deny_rows_after(&self, now: i64, after: (i64, i64), limit: u64) -> Result<Option<Vec<DenyRow>>> {
        if after == (0, 0) {
            return self.live_deny_rows(now, 0, limit).await.map(Some);
        }
        let number = denylist::Column::Number;
        let wanted = Condition::any().add(number.eq(after.0)).add(denylist::Column::Until.gt(now));
        let rows = packed::fetch(self.reader(), rows_after(after.0 - 1, limit + 1).filter(wanted)).await?;
        Ok(rows_if_first_is(after, rows))
    }

    /// True if there is a row with this number and tag, or if it is the head, pruned or not. Number 0 with tag 0 comes
    /// before the first row of every history, so it always exists.
    pub async fn deny_row_exists(&self, number: i64, tag: i64) -> Result<bool> {
        if (number, tag) == (0, 0) {
            return Ok(true);
        }
        let row = denylist::Entity::find_by_id(number).one(self.reader()).await?;
        if row.is_some_and(|row| row.tag == tag) {
            return Ok(true);
        }
        let head = denylist_head::Entity::find_by_id(ONLY).one(self.reader()).await?;
        Ok(head.is_some_and(|head| (head.number, head.tag) == (number, tag)))
    }

    /// Deletes those of the oldest `limit` rows that had expired by `now`. Returns how many. The newest thousand
    /// numbers are kept, so that a reader's cursor at one of them is still valid after new rows have been added.
    ///
    /// Only the oldest are examined, so a long list that is all in force costs nothing: they expire first, give or take
    /// the lifetime of a token.
    pub async fn prune_denylist(&self, now: i64, limit: u64) -> Result<u64> {
        // Searched on a reading connection, so that SQLite's writer does not wait for rows that are kept.
        let oldest = denylist::Entity::find()
            .select_only()
            .columns([denylist::Column::Number, denylist::Column::Until])
            .order_by_asc(denylist::Column::Number)
            .limit(limit);
        let oldest: Vec<(i64, i64)> = oldest.into_tuple().all(self.reader()).await?;
        let newest = denylist_head::Entity::find_by_id(ONLY).one(self.reader()).await?.map_or(0, |head| head.number);
        let gone = oldest.into_iter().filter(|(number, until)| *until <= now && *number <= newest - KEPT_NUMBERS);
        let numbers: Vec<i64> = gone.map(|(number, _)| number).collect();
        let mut deleted = 0;
        for chunk in numbers.chunks(CHUNK) {
            deleted += statement!(self, |database| {
                let gone = denylist::Column::Number.is_in(chunk.iter().copied());
                Ok(denylist::Entity::delete_many().filter(gone).exec(database).await?.rows_affected)
            })?;
        }
        Ok(deleted)
    }
}

/// The id of the one row of `denylist_head`.
const ONLY: i32 = 1;

fn rows_after(number: i64, limit: u64) -> sea_orm::Select<denylist::Entity> {
    denylist::Entity::find()
        .filter(denylist::Column::Number.gt(number))
        .order_by_asc(denylist::Column::Number)
        .limit(limit)
}

/// The rows after the first one, if that is the row with the number and tag `after`.
fn rows_if_first_is(after: (i64, i64), mut rows: Vec<DenyRow>) -> Option<Vec<DenyRow>> {
    let known = rows.first().is_some_and(|row| (row.number, row.tag) == after);
    if !known {
        return None;
    }
    rows.remove(0);
    Some(rows)
}

/// Writes entries inside a transaction; returns the ids that are new. This must be the last thing that it locks.
///
/// The head's row is locked until the commit, so a transaction with later numbers also commits later: numbers are in
/// commit order, and a reader that has seen a number has seen all before it. The numbers of a transaction that rolls
/// back are used again.
pub(crate) async fn deny(
    store: &Store,
    transaction: &WriteConnection,
    entries: &[DenyEntry],
) -> Result<HashSet<DenyId>, Fault> {
    let mut wanted: HashMap<Uuid, i64> = HashMap::with_capacity(entries.len());
    for entry in entries {
        let until = wanted.entry(entry.id.to_uuid()).or_insert(entry.until);
        *until = entry.until.max(*until);
    }
    if wanted.is_empty() {
        return Ok(HashSet::new());
    }
    let head = denylist_head::Entity::find_by_id(ONLY).lock_exclusive().one(transaction).await?;
    let head = head.ok_or_else(|| StoreError::Corrupt("the row of `denylist_head` is missing".into()))?;
    // After the lock: the previous holder has committed, and this statement sees that.
    remove_known(transaction, &mut wanted).await?;
    // Sorted only so that tests can predict the order.
    let mut wanted: Vec<_> = wanted.into_iter().collect();
    wanted.sort_unstable();
    let rows: Vec<_> = (head.number + 1..)
        .zip(&wanted)
        .map(|(number, (id, until))| denylist::Model { number, id: *id, until: *until, tag: random_tag(store) })
        .collect();
    write(transaction, &rows).await?;
    Ok(rows.into_iter().map(|row| DenyId::from(row.id)).collect())
}

/// Removes from `wanted` what is already on the list for at least as long. Rows that expire sooner are deleted, to be
/// written again with a new number: a follower that has passed the old number would never read the row again.
async fn remove_known(transaction: &WriteConnection, wanted: &mut HashMap<Uuid, i64>) -> Result<(), DbErr> {
    let ids: Vec<_> = wanted.keys().copied().collect();
    let mut shorter = Vec::new();
    for chunk in ids.chunks(CHUNK) {
        let query = denylist::Entity::find().filter(denylist::Column::Id.is_in(chunk.iter().copied()));
        for row in query.all(transaction).await? {
            if wanted.get(&row.id).is_some_and(|until| row.until >= *until) {
                wanted.remove(&row.id);
            } else {
                shorter.push(row.number);
            }
        }
    }
    for chunk in shorter.chunks(CHUNK) {
        let gone = denylist::Column::Number.is_in(chunk.iter().copied());
        denylist::Entity::delete_many().filter(gone).exec(transaction).await?;
    }
    Ok(())
}

async fn write(transaction: &WriteConnection, rows: &[denylist::Model]) -> Result<(), DbErr> {
    let Some(newest) = rows.last() else {
        return Ok(());
    };
    for chunk in rows.chunks(CHUNK) {
        let models = chunk.iter().map(|row| row.clone().into_active_model());
        denylist::Entity::insert_many(models).exec_without_returning(transaction).await?;
    }
    let update = denylist_head::Entity::update_many()
        .col_expr(denylist_head::Column::Number, Expr::value(newest.number))
        .col_expr(denylist_head::Column::Tag, Expr::value(newest.tag))
        .filter(denylist_head::Column::Id.eq(ONLY));
    update.exec(transaction).await?;
    // The commit checks that this number is there before it reports success.
    transaction.took_number(newest.number, newest.tag);
    announce(transaction).await
}

fn random_tag(store: &Store) -> i64 {
    let mut bytes = [0; 8];
    store.options().entropy.fill(&mut bytes);
    i64::from_le_bytes(bytes)
}
