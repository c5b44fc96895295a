//! Failed logins, counted for each account and source.
//!
//! Two rows hold what a login needs to know: that of its source, and one for the account as a whole, whose source is 16
//! zero bytes. They are always written in that order, so two logins never wait for one another in a circle.

use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, OnConflict};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};
use uuid::Uuid;

use crate::database::transaction::{statement, transaction};
use crate::database::write_connection::WriteConnection;
use crate::rows::login_failure::{Column, Entity, Model};
use crate::{LoginHistory, Result, Store};

/// The source of the row that counts for the account as a whole.
const WHOLE_ACCOUNT: Uuid = Uuid::nil();

/// A success is written down again after this long, in seconds. Between, a login without failures before it writes nothing.
const REMEMBER_AGAIN: i64 = 24 * 3600;

/// A source that got in is known for this long beyond what a failure is, in seconds: its row is touched that far ahead.
/// If it were forgotten like a failure, the failures of others could lock out a user who was away for a day.
const KNOWN_FOR: i64 = 400 * 24 * 3600;

impl Store {
    /// What is known of an account and a source.
    pub async fn login_history(&self, account: [u8; 16], source: [u8; 16]) -> Result<LoginHistory> {
        Ok(history(self.reader(), Uuid::from_bytes(account), Uuid::from_bytes(source)).await?)
    }

    /// Makes of failures of the future failures of `now`: they were counted while a clock was ahead, and would be held
    /// against the account until then.
    pub async fn clamp_login_failures(&self, account: [u8; 16], source: [u8; 16], now: i64) -> Result<()> {
        let (account, source) = (Uuid::from_bytes(account), Uuid::from_bytes(source));
        statement!(self, |database| {
            let clamp = Entity::update_many()
                .col_expr(Column::LastFailure, Expr::value(now))
                .filter(Column::Account.eq(account))
                .filter(Column::Source.is_in([source, WHOLE_ACCOUNT]))
                .filter(Column::LastFailure.gt(now));
            clamp.exec(database).await.map(drop)
        })
    }

    /// Forgets every failure that is held against an account, from wherever it came. Returns from how many sources there
    /// were some.
    pub async fn clear_login_failures(&self, account: [u8; 16]) -> Result<u64> {
        let account = Uuid::from_bytes(account);
        statement!(self, |database| {
            let clear = Entity::update_many()
                .col_expr(Column::Failures, Expr::value(0_i64))
                .col_expr(Column::LastFailure, Expr::value(0_i64))
                .filter(Column::Account.eq(account))
                .filter(Column::Failures.gt(0_i64));
            Ok(clear.exec(database).await?.rows_affected)
        })
    }

    /// Counts a failure; returns the counts with it.
    pub async fn login_failed(&self, account: [u8; 16], source: [u8; 16], now: i64) -> Result<LoginHistory> {
        let (account, source) = (Uuid::from_bytes(account), Uuid::from_bytes(source));
        transaction!(self, |transaction| {
            let of_source = count(transaction, account, source, now).await?;
            // A source that got in before is known: it never counts against the account.
            if of_source.succeeded_at == 0 {
                count(transaction, account, WHOLE_ACCOUNT, now).await?;
            }
            Ok(history(transaction, account, source).await?)
        })
    }

    /// Notes that this source got in to this account, and forgets its failures and the account's.
    pub async fn login_succeeded(&self, account: [u8; 16], source: [u8; 16], now: i64) -> Result<()> {
        let known = self.login_history(account, source).await?;
        if known.source_failures == 0
            && known.account_failures == 0
            && known.source_succeeded > now.saturating_sub(REMEMBER_AGAIN)
        {
            return Ok(());
        }
        let (account, source) = (Uuid::from_bytes(account), Uuid::from_bytes(source));
        transaction!(self, |transaction| {
            let touched_at = now.saturating_add(KNOWN_FOR);
            let row = Model { account, source, failures: 0, last_failure: 0, succeeded_at: now, touched_at };
            let again = OnConflict::columns([Column::Account, Column::Source])
                .update_columns([Column::Failures, Column::SucceededAt, Column::TouchedAt])
                .to_owned();
            Entity::insert(row.into_active_model()).on_conflict(again).exec_without_returning(transaction).await?;
            let forget = Entity::update_many()
                .col_expr(Column::Failures, Expr::value(0_i64))
                .filter(Column::Account.eq(account))
                .filter(Column::Source.eq(WHOLE_ACCOUNT));
            forget.exec(transaction).await?;
            Ok(())
        })
    }

    /// Deletes at most `limit` counts that were last touched before `older_than`. Returns how many.
    pub async fn prune_login_failures(&self, older_than: i64, limit: u64) -> Result<u64> {
        let query = Entity::find().filter(Column::TouchedAt.lt(older_than));
        let old = query.order_by_asc(Column::TouchedAt).limit(limit).all(self.reader()).await?;
        let mut deleted = 0;
        for chunk in old.chunks(CHUNK) {
            deleted += statement!(self, |database| {
                let pairs = chunk.iter().map(|row| (row.account, row.source));
                let gone = Expr::tuple([Expr::col(Column::Account), Expr::col(Column::Source)]).in_tuples(pairs);
                // Asked again: one that was touched meanwhile stays.
                let delete = Entity::delete_many().filter(gone).filter(Column::TouchedAt.lt(older_than));
                Ok(delete.exec(database).await?.rows_affected)
            })?;
        }
        Ok(deleted)
    }
}

/// How many rows one statement names.
const CHUNK: usize = 500;

/// Adds one to a row's count in one statement, so that none of two at once is lost.
async fn count(transaction: &WriteConnection, account: Uuid, source: Uuid, now: i64) -> Result<Model, DbErr> {
    let row = Model { account, source, failures: 1, last_failure: now, succeeded_at: 0, touched_at: now };
    let failures = Expr::col((Entity, Column::Failures)).add(1);
    // Only ever later: a failure must not make a source forgotten sooner that got in.
    let touched_at = Expr::col((Entity, Column::TouchedAt));
    let later = CaseStatement::new().case(touched_at.clone().gt(now), touched_at).finally(now);
    let again = OnConflict::columns([Column::Account, Column::Source])
        .value(Column::Failures, failures)
        .value(Column::TouchedAt, later)
        .update_columns([Column::LastFailure])
        .to_owned();
    Entity::insert(row.into_active_model()).on_conflict(again).exec_with_returning(transaction).await
}

pub(crate) async fn history(
    database: &impl ConnectionTrait,
    account: Uuid,
    source: Uuid,
) -> Result<LoginHistory, DbErr> {
    let mut history = LoginHistory::default();
    for row in both_rows(account, source).all(database).await? {
        if row.source == WHOLE_ACCOUNT {
            history.account_failures = row.failures;
            history.account_last_failure = row.last_failure;
        } else {
            history.source_failures = row.failures;
            history.source_last_failure = row.last_failure;
            history.source_succeeded = row.succeeded_at;
        }
    }
    Ok(history)
}

pub(crate) fn both_rows(account: Uuid, source: Uuid) -> sea_orm::Select<Entity> {
    Entity::find().filter(Column::Account.eq(account)).filter(Column::Source.is_in([source, WHOLE_ACCOUNT]))
}
