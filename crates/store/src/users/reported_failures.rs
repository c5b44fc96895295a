//! Failed logins as events, bounded in rows: of one source for one account, the first is an event, and then one event a
//! minute counts the others. Until it is written, they are counted in a committed row.

use std::collections::BTreeMap;

use sea_orm::sea_query::{Expr, ExprTrait, Func, LockBehavior, LockType, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use serde_json::json;
use uuid::Uuid;

use crate::database::transaction::{statement, transaction};
use crate::database::write_connection::WriteConnection;
use crate::error::Fault;
use crate::events::record;
use crate::rows::login_failure::{Column, Entity, Model};
use crate::{Cause, EventActor, EventKind, FailedLogin, NewEvent, Result, Store, time_text};

/// How many rows one transaction changes.
const ROWS: usize = 100;

/// How long failures are counted before the next event, in milliseconds.
const EVERY: i64 = 60_000;

impl Store {
    /// Records attempts that were refused without checking the password: they become part of events, and do not count
    /// for the throttle. Those of one source for one account share a row.
    pub async fn logins_refused(&self, refused: &[FailedLogin]) -> Result<()> {
        // In the order of the keys: two batches lock their rows in the same order.
        let mut by_row: BTreeMap<_, (i64, &FailedLogin)> = BTreeMap::new();
        for one in refused {
            by_row
                .entry((one.account, one.source))
                .and_modify(|(times, last)| (*times, *last) = (*times + 1, one))
                .or_insert((1, one));
        }
        // Others wait for each of these on SQLite.
        for part in by_row.into_values().collect::<Vec<_>>().chunks(ROWS) {
            transaction!(self, |transaction| {
                for (times, last) in part {
                    note(self, transaction, last, *times).await?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Deletes from counted failures whom they concern and where they came from.
    pub(crate) async fn erase_failures_of(&self, user: Uuid) -> Result<()> {
        statement!(self, |database| {
            // Only rows with failures to report have a user, and an index finds those.
            let update = Entity::update_many()
                .col_expr(Column::UserId, Expr::value(None::<Uuid>))
                .col_expr(Column::Address, Expr::value(None::<String>))
                .filter(Column::Unreported.gt(0_i64))
                .filter(Column::UserId.eq(user));
            update.exec(database).await.map(drop)
        })
    }

    /// Writes the events of at most `limit` rows whose failures have been counted for a minute. `at` is the time in Unix
    /// milliseconds. Returns how many.
    pub async fn report_failures(&self, at: i64, limit: u64) -> Result<u64> {
        let due =
            Column::Unreported.gt(0_i64).and(Column::ReportedAt.lte(at - EVERY).or(Column::ReportedAt.gt(at + EVERY)));
        if Entity::find().filter(due.clone()).limit(1).one(self.reader()).await?.is_none() {
            return Ok(0);
        }
        transaction!(self, |transaction| {
            // A row that is locked is being counted up, which writes its event if it is due.
            let rows = Entity::find()
                .filter(due.clone())
                .order_by_asc(Column::ReportedAt)
                .limit(limit)
                .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
                .all(transaction)
                .await?;
            let reported = rows.len() as u64;
            for row in rows {
                let cause = Cause {
                    actor: EventActor::Anonymous,
                    address: row.address.clone(),
                    request_id: None,
                    at,
                    session: None,
                };
                report(self, transaction, row, &cause).await?;
            }
            Ok(reported)
        })
    }
}

/// Counts failures of one source for one account, and writes their event if the last one was a minute ago.
pub(super) async fn note(
    store: &Store,
    transaction: &WriteConnection,
    failed: &FailedLogin,
    times: i64,
) -> Result<(), Fault> {
    let at = failed.cause.at;
    let row = Model {
        touched_at: at / 1_000,
        unreported: times,
        first_unreported: Some(at),
        last_unreported: Some(at),
        user_id: failed.user_id,
        client_id: Some(failed.client_id.clone()),
        address: failed.cause.address.clone(),
        ..Model::new(Uuid::from_bytes(failed.account), Uuid::from_bytes(failed.source))
    };
    let own = |column| Expr::col((Entity, column));
    let first = Func::coalesce([own(Column::FirstUnreported), Expr::value(at)]);
    let add = OnConflict::columns([Column::Account, Column::Source])
        .value(Column::Unreported, own(Column::Unreported).add(times))
        .value(Column::FirstUnreported, first)
        .update_columns([Column::LastUnreported, Column::UserId, Column::ClientId, Column::Address])
        .to_owned();
    let row = Entity::insert(row.into_active_model()).on_conflict(add).exec_with_returning(transaction).await?;
    // Also if the last report lies in the future: it was written while the clock was ahead.
    if row.reported_at.is_none_or(|reported| !(reported..reported + EVERY).contains(&at)) {
        report(store, transaction, row, &failed.cause).await?;
    }
    Ok(())
}

/// Writes the event of a locked row, and begins to count anew.
async fn report(store: &Store, transaction: &WriteConnection, row: Model, cause: &Cause) -> Result<(), Fault> {
    let first = row.first_unreported.unwrap_or(cause.at);
    let last = row.last_unreported.unwrap_or(cause.at);
    let detail = json!({ "count": row.unreported, "first": time_text(first), "last": time_text(last) });
    let event = NewEvent::new(EventKind::LoginFailed, cause).user(row.user_id).detail(detail);
    record(store, transaction, NewEvent { client_id: row.client_id, ..event }).await?;
    let reset = Entity::update_many()
        .col_expr(Column::Unreported, Expr::value(0_i64))
        .col_expr(Column::FirstUnreported, Expr::value(None::<i64>))
        .col_expr(Column::LastUnreported, Expr::value(None::<i64>))
        .col_expr(Column::ReportedAt, Expr::value(cause.at))
        .col_expr(Column::UserId, Expr::value(None::<Uuid>))
        .col_expr(Column::ClientId, Expr::value(None::<String>))
        .col_expr(Column::Address, Expr::value(None::<String>))
        .filter(Column::Account.eq(row.account))
        .filter(Column::Source.eq(row.source));
    reset.exec(transaction).await?;
    Ok(())
}
