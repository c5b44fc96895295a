//! Failed logins, counted per account and source.
//!
//! A login reads three rows: that of its source for the account, one for the account as a whole, whose source is 16 zero
//! bytes, and one for the source as a whole, whose account is 16 zero bytes. They are always written in that order, so
//! two logins never deadlock.

use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, OnConflict};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::json;
use uuid::Uuid;

use crate::database::transaction::{statement, transaction};
use crate::database::write_connection::WriteConnection;
use crate::events::record;
use crate::rows::login_failure::{Column, Entity, Model};
use crate::users::reported_failures::note;
use crate::users::update::lock;
use crate::{AccountFailures, Cause, EventKind, FailedLogin, LoginHistory, NewEvent, Result, Store, UserAt};

/// The source of the row for the account as a whole.
const WHOLE_ACCOUNT: Uuid = Uuid::nil();

/// The account of the row for the source as a whole.
const ANY_ACCOUNT: Uuid = Uuid::nil();

/// A success is recorded again after this many seconds. Until then, a login without previous failures writes nothing.
const RECORD_AGAIN_AFTER: i64 = 24 * 3600;

/// A source that has logged in is remembered for this many seconds longer than a failure: `touched_at` is set that far
/// ahead. If it were forgotten as soon as a failure is, others' failures could lock out a user who was away for a day.
const KNOWN_FOR: i64 = 400 * 24 * 3600;

/// How many sources are read of an account.
const MOST_SOURCES: u64 = 1_000;

impl Store {
    /// The login history of an account and a source.
    pub async fn login_history(&self, account: [u8; 16], source: [u8; 16]) -> Result<LoginHistory> {
        Ok(history(self.reader(), Uuid::from_bytes(account), Uuid::from_bytes(source)).await?)
    }

    /// The failures counted against an account: at most a thousand sources, those with most failures first. What a history
    /// says of a source for all accounts is not read.
    pub async fn failures_of_account(&self, account: [u8; 16]) -> Result<AccountFailures> {
        let rows = Entity::find()
            .filter(Column::Account.eq(Uuid::from_bytes(account)))
            .filter(Column::Failures.gt(0_i64))
            .order_by_desc(Column::Failures)
            .order_by_asc(Column::Source)
            .limit(MOST_SOURCES);
        let mut found = AccountFailures::default();
        for row in rows.all(self.reader()).await? {
            match row.source {
                WHOLE_ACCOUNT => {
                    found.whole = LoginHistory {
                        account_failures: row.failures,
                        account_last_failure: row.last_failure,
                        ..found.whole
                    };
                }
                _ => found.sources.push(LoginHistory {
                    source_failures: row.failures,
                    source_last_failure: row.last_failure,
                    source_succeeded: row.succeeded_at,
                    ..LoginHistory::default()
                }),
            }
        }
        Ok(found)
    }

    /// Moves failures dated in the future to `now`: they were counted while a clock was ahead, and would count against
    /// the account until that time.
    pub async fn clamp_login_failures(&self, account: [u8; 16], source: [u8; 16], now: i64) -> Result<()> {
        let (account, source) = (Uuid::from_bytes(account), Uuid::from_bytes(source));
        statement!(self, |database| {
            let clamp = Entity::update_many()
                .col_expr(Column::LastFailure, Expr::value(now))
                .filter(rows_of(account, source))
                .filter(Column::LastFailure.gt(now));
            clamp.exec(database).await.map(drop)
        })
    }

    /// Clears all failures counted against an account, from any source. Returns how many rows had failures: one per
    /// source, and the one for the account as a whole.
    pub async fn clear_login_failures(&self, account: [u8; 16]) -> Result<u64> {
        let account = Uuid::from_bytes(account);
        statement!(self, |database| Ok(clear(account).exec(database).await?.rows_affected))
    }

    /// The same as an administrator's change, for the user of that account.
    pub async fn unlock_user(&self, account: [u8; 16], user: impl Into<UserAt>, cause: &Cause) -> Result<u64> {
        let (account, user) = (Uuid::from_bytes(account), user.into());
        transaction!(self, |transaction| {
            lock(transaction, user).await?;
            let cleared = clear(account).exec(transaction).await?.rows_affected;
            let event = NewEvent::new(EventKind::UserUnlocked, cause).user(user.id);
            record(self, transaction, event.detail(json!({ "cleared": cleared }))).await?;
            Ok(cleared)
        })
    }

    /// Counts a failure and returns the new counts. The first one of a source and an account in a minute is an event;
    /// the others are counted for the next.
    pub async fn login_failed(&self, failed: &FailedLogin, now: i64) -> Result<LoginHistory> {
        let (account, source) = (Uuid::from_bytes(failed.account), Uuid::from_bytes(failed.source));
        transaction!(self, |transaction| {
            let of_source = count(transaction, account, source, now).await?;
            note(self, transaction, failed, 1).await?;
            // A source that has logged in before never counts against the account.
            if of_source.succeeded_at == 0 {
                count(transaction, account, WHOLE_ACCOUNT, now).await?;
            }
            count(transaction, ANY_ACCOUNT, source, now).await?;
            Ok(history(transaction, account, source).await?)
        })
    }

    /// Records that this source has logged in to this account, and clears its failures and the account's.
    pub async fn login_succeeded(&self, account: [u8; 16], source: [u8; 16], now: i64) -> Result<()> {
        let known = self.login_history(account, source).await?;
        if known.source_failures == 0
            && known.account_failures == 0
            && known.source_succeeded > now.saturating_sub(RECORD_AGAIN_AFTER)
        {
            return Ok(());
        }
        let (account, source) = (Uuid::from_bytes(account), Uuid::from_bytes(source));
        transaction!(self, |transaction| {
            let touched_at = now.saturating_add(KNOWN_FOR);
            let row = Model { succeeded_at: now, touched_at, ..Model::new(account, source) };
            let replace = OnConflict::columns([Column::Account, Column::Source])
                .update_columns([Column::Failures, Column::SucceededAt, Column::TouchedAt])
                .to_owned();
            Entity::insert(row.into_active_model()).on_conflict(replace).exec_without_returning(transaction).await?;
            let clear = Entity::update_many()
                .col_expr(Column::Failures, Expr::value(0_i64))
                .filter(Column::Account.eq(account))
                .filter(Column::Source.eq(WHOLE_ACCOUNT));
            clear.exec(transaction).await?;
            Ok(())
        })
    }

    /// Deletes at most `limit` counts that were last touched before `older_than`. Returns how many.
    pub async fn prune_login_failures(&self, older_than: i64, limit: u64) -> Result<u64> {
        let query = Entity::find().filter(forgotten(older_than));
        let old = query.order_by_asc(Column::TouchedAt).limit(limit).all(self.reader()).await?;
        let mut deleted = 0;
        for chunk in old.chunks(CHUNK) {
            deleted += statement!(self, |database| {
                let pairs = chunk.iter().map(|row| (row.account, row.source));
                let gone = Expr::tuple([Expr::col(Column::Account), Expr::col(Column::Source)]).in_tuples(pairs);
                // Checked again: a row that was touched meanwhile is kept.
                let delete = Entity::delete_many().filter(gone).filter(forgotten(older_than));
                Ok(delete.exec(database).await?.rows_affected)
            })?;
        }
        Ok(deleted)
    }
}

fn clear(account: Uuid) -> sea_orm::UpdateMany<Entity> {
    Entity::update_many()
        .col_expr(Column::Failures, Expr::value(0_i64))
        .col_expr(Column::LastFailure, Expr::value(0_i64))
        .filter(Column::Account.eq(account))
        .filter(Column::Failures.gt(0_i64))
}

/// Old, and reported.
fn forgotten(older_than: i64) -> Expr {
    Column::TouchedAt.lt(older_than).and(Column::Unreported.eq(0_i64))
}

/// How many rows one statement names.
const CHUNK: usize = 500;

/// Increments a row's count in one statement, so that concurrent failures are all counted.
async fn count(transaction: &WriteConnection, account: Uuid, source: Uuid, now: i64) -> Result<Model, DbErr> {
    let row = Model { failures: 1, last_failure: now, touched_at: now, ..Model::new(account, source) };
    let before = Expr::col((Entity, Column::Failures));
    let failures = if account == ANY_ACCOUNT { forgiven(before, now) } else { before }.add(1);
    // Never earlier than before: a failure must not make us forget sooner a source that has logged in.
    let touched_at = Expr::col((Entity, Column::TouchedAt));
    let later = CaseStatement::new().case(touched_at.clone().gt(now), touched_at).finally(now);
    let increment = OnConflict::columns([Column::Account, Column::Source])
        .value(Column::Failures, failures)
        .value(Column::TouchedAt, later)
        .update_columns([Column::LastFailure])
        .to_owned();
    Entity::insert(row.into_active_model()).on_conflict(increment).exec_with_returning(transaction).await
}

pub(crate) async fn history(
    database: &impl ConnectionTrait,
    account: Uuid,
    source: Uuid,
) -> Result<LoginHistory, DbErr> {
    let mut history = LoginHistory::default();
    for row in all_rows(account, source).all(database).await? {
        if row.account == ANY_ACCOUNT {
            history.all_failures = row.failures;
            history.all_last_failure = row.last_failure;
        } else if row.source == WHOLE_ACCOUNT {
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

pub(crate) fn all_rows(account: Uuid, source: Uuid) -> sea_orm::Select<Entity> {
    Entity::find().filter(rows_of(account, source))
}

/// The rows that a login reads, by their keys.
fn rows_of(account: Uuid, source: Uuid) -> Expr {
    let keys = [(account, source), (account, WHOLE_ACCOUNT), (ANY_ACCOUNT, source)];
    Expr::tuple([Expr::col(Column::Account), Expr::col(Column::Source)]).in_tuples(keys)
}

/// What is left of a count by now; not below zero.
fn forgiven(failures: Expr, now: i64) -> Expr {
    let passed = Expr::value(now).sub(Expr::col((Entity, Column::LastFailure)));
    let left = failures.sub(passed.div(LoginHistory::FORGIVEN_EVERY));
    CaseStatement::new().case(left.clone().gt(0_i64), left).finally(0_i64).into()
}
