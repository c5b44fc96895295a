//! What an administrator sees at a glance.

use std::collections::BTreeMap;

use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Order};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};
use uuid::Uuid;

use crate::database::transaction::{statement, transaction};
use crate::rows::{activity, client_secret, job, session};
use crate::sessions::live::live;
use crate::{ClientRecord, JobState, Result, Store};

/// An hour, in minutes.
const HOUR: i64 = 60;

/// How much happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Activity {
    /// Successful logins.
    pub logins: i64,
    /// Failed logins.
    pub login_failures: i64,
    /// Refreshes.
    pub refreshes: i64,
    /// Revocations.
    pub revocations: i64,
}

impl Activity {
    /// True if nothing happened.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// Adds to a row of `activity`, in a transaction.
async fn add(transaction: &impl ConnectionTrait, minute: i64, more: Activity) -> std::result::Result<(), DbErr> {
    use activity::{Column, Entity, Model};
    let empty = Model { minute, logins: 0, login_failures: 0, refreshes: 0, revocations: 0 };
    let there = OnConflict::column(Column::Minute).do_nothing().to_owned();
    let insert = Entity::insert(empty.into_active_model()).on_conflict(there);
    insert.exec_without_returning(transaction).await?;
    let update = Entity::update_many()
        .col_expr(Column::Logins, Expr::col(Column::Logins).add(more.logins))
        .col_expr(Column::LoginFailures, Expr::col(Column::LoginFailures).add(more.login_failures))
        .col_expr(Column::Refreshes, Expr::col(Column::Refreshes).add(more.refreshes))
        .col_expr(Column::Revocations, Expr::col(Column::Revocations).add(more.revocations))
        .filter(Column::Minute.eq(minute));
    update.exec(transaction).await?;
    Ok(())
}

impl Store {
    /// Adds to what happened in a minute, which is counted from 1970. Servers that add to the same minute wait for each
    /// other at its row.
    pub async fn add_activity(&self, minute: i64, more: Activity) -> Result<()> {
        transaction!(self, |transaction| Ok(add(transaction, minute, more).await?))
    }

    /// Keeps what happened before a minute by the hour: the minutes of each hour become one row, at its first minute. Of two
    /// servers that do so at once, each minute is deleted, and counted, by one alone.
    pub async fn thin_activity(&self, before: i64) -> Result<u64> {
        use activity::{Column, Entity};
        // Only whole hours: one is thinned out at once.
        let before = before - before.rem_euclid(HOUR);
        transaction!(self, |transaction| {
            let within = Expr::col(Column::Minute).modulo(HOUR).ne(0);
            let thinned = Entity::delete_many().filter(Column::Minute.lt(before)).filter(within);
            let rows = thinned.exec_with_returning(transaction).await?;
            let mut hours: BTreeMap<i64, Activity> = BTreeMap::new();
            for row in &rows {
                let hour = hours.entry(row.minute - row.minute.rem_euclid(HOUR)).or_default();
                hour.logins += row.logins;
                hour.login_failures += row.login_failures;
                hour.refreshes += row.refreshes;
                hour.revocations += row.revocations;
            }
            for (hour, more) in hours {
                add(transaction, hour, more).await?;
            }
            Ok(rows.len() as u64)
        })
    }

    /// What happened from a minute on, by minute, or by the hour where it was thinned out. Minutes without anything are
    /// missing.
    pub async fn activity_since(&self, minute: i64) -> Result<Vec<(i64, Activity)>> {
        let query = activity::Entity::find().filter(activity::Column::Minute.gte(minute));
        let rows = query.order_by_asc(activity::Column::Minute).all(self.reader()).await?;
        let shown = |row: activity::Model| {
            let activity::Model { minute, logins, login_failures, refreshes, revocations } = row;
            (minute, Activity { logins, login_failures, refreshes, revocations })
        };
        Ok(rows.into_iter().map(shown).collect())
    }

    /// Deletes what happened before a minute.
    pub async fn prune_activity(&self, minute: i64) -> Result<u64> {
        statement!(self, |database| {
            let old = activity::Entity::delete_many().filter(activity::Column::Minute.lt(minute));
            Ok(old.exec(database).await?.rows_affected)
        })
    }

    /// How many sessions are live, up to `most`.
    pub async fn count_live_sessions(&self, now: i64, most: u64) -> Result<u64> {
        let query = session::Entity::find().select_only().column(session::Column::Id).filter(live(now)).limit(most);
        let ids: Vec<Uuid> = query.into_tuple().all(self.reader()).await?;
        Ok(ids.len() as u64)
    }

    /// Clients whose secrets all expire until `until`, or have expired, the next first; at most 100.
    pub async fn clients_whose_secrets_expire(&self, until: i64) -> Result<Vec<ClientRecord>> {
        use client_secret::Column;
        let last = Expr::col(Column::ExpiresAt).max();
        // One that never expires is not counted.
        let all = Expr::col(Column::ExpiresAt).count().eq(Expr::col(Column::Id).count());
        let query = client_secret::Entity::find().select_only().column(Column::ClientId).group_by(Column::ClientId);
        let query = query.having(all).having(last.clone().lte(until)).order_by(last, Order::Asc).limit(100);
        let ids: Vec<String> = query.into_tuple().all(self.reader()).await?;
        let mut clients = Vec::new();
        for id in ids {
            clients.extend(self.client(&id).await?);
        }
        Ok(clients)
    }

    /// Jobs that have failed since: kind and time.
    pub async fn failed_jobs(&self, since: i64) -> Result<Vec<(String, i64)>> {
        use job::Column;
        let query = job::Entity::find().select_only().columns([Column::Kind, Column::FinishedAt]);
        let query = query.filter(Column::State.eq(JobState::Failed.as_str())).filter(Column::FinishedAt.gte(since));
        Ok(query.order_by_desc(Column::Id).limit(100).into_tuple().all(self.reader()).await?)
    }
}
