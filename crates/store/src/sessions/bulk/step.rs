//! One step of a revocation of many sessions.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::json;
use uuid::Uuid;

use crate::database::globals::raise_changes;
use crate::database::transaction::transaction;
use crate::database::write_connection::WriteConnection;
use crate::error::Fault;
use crate::events::record;
use crate::rows::{bulk_revocation, client, parse_scope, session, split_names, user};
use crate::sessions::bulk::event_of;
use crate::sessions::end::{end_sessions, is_endable, lock_sessions, write_roles};
use crate::{BulkStep, BulkWork, Result, RevokeReason, SessionsOf, Store};

impl Store {
    /// Examines the next `limit` sessions, and ends those that have not ended. If there are none left, it unblocks the
    /// client or the user.
    /// `at` is the time in Unix milliseconds, for the event.
    pub async fn continue_bulk_revocation(&self, work: BulkWork, now: i64, at: i64, limit: u64) -> Result<BulkStep> {
        let step = transaction!(self, |transaction| self.end_batch(transaction, work, now, at, limit).await)?;
        match step {
            // While they are blocked no session is added, so none is left now either. It takes another transaction,
            // since the lock order begins with `globals` and the client.
            BulkStep::Finished => transaction!(self, |transaction| finish(self, transaction, work, now, at).await),
            step => Ok(step),
        }
    }

    async fn end_batch(
        &self,
        transaction: &WriteConnection,
        work: BulkWork,
        now: i64,
        at: i64,
        limit: u64,
    ) -> Result<BulkStep, Fault> {
        let Some(of) = owner(transaction, work).await? else {
            return Ok(BulkStep::TakenOver);
        };
        let rights = match &of {
            SessionsOf::User(id) => user::Entity::find_by_id(*id).lock_shared().one(transaction).await?,
            SessionsOf::Client(_) => None,
        };
        let Some(row) = still_ours(transaction, work).await? else {
            return Ok(BulkStep::TakenOver);
        };
        let mut page = page(transaction, &of, row.reached, limit).await?;
        let Some(reached) = page.last().copied() else {
            return Ok(BulkStep::Finished);
        };
        page.sort_unstable();
        let sessions = lock_sessions(transaction, &page).await?;
        let reason = row.why()?;
        let (mut ended, mut kept) = (Vec::new(), Vec::new());
        for session in sessions.iter().filter(|session| is_endable(session, now)) {
            match &rights {
                // Rights that can't be read are none: an error would keep the user blocked for ever.
                Some(user) if reason == RevokeReason::RightsChanged && fits(session, user).unwrap_or(false) => {
                    kept.push(session.id);
                }
                _ => ended.push(session),
            }
        }
        let event = event_of(&of, &row.cause(at));
        let revoked = end_sessions(self, transaction, &ended, reason, event, now).await?;
        if let Some(user) = &rights
            && reason == RevokeReason::RightsChanged
        {
            write_roles(transaction, &kept, &user.roles).await?;
        }
        advance(transaction, &row, reached, revoked.sessions).await?;
        Ok(BulkStep::Ended(revoked))
    }
}

/// Whose sessions end, read without a lock: it never changes, and its lock comes first.
async fn owner(transaction: &WriteConnection, work: BulkWork) -> Result<Option<SessionsOf>, Fault> {
    let row = bulk_revocation::Entity::find_by_id(work.revocation).one(transaction).await?;
    Ok(row.map(|row| row.of()).transpose()?)
}

/// Locks the row. `None` if another worker has taken over or it has finished.
async fn still_ours(transaction: &WriteConnection, work: BulkWork) -> Result<Option<bulk_revocation::Model>, Fault> {
    let row = bulk_revocation::Entity::find_by_id(work.revocation).lock_exclusive().one(transaction).await?;
    Ok(row.filter(|row| row.worker == work.worker && row.finished_at.is_none()))
}

/// The next `limit` sessions, the newest first. Sessions that have ended count too, so that a step reads no more than
/// that.
async fn page(
    transaction: &WriteConnection,
    of: &SessionsOf,
    reached: Option<Uuid>,
    limit: u64,
) -> Result<Vec<Uuid>, Fault> {
    let query = session::Entity::find().select_only().column(session::Column::Id);
    let query = match of {
        SessionsOf::Client(id) => query.filter(session::Column::ClientId.eq(id.as_str())),
        SessionsOf::User(id) => query.filter(session::Column::UserId.eq(*id)),
    };
    let query = match reached {
        Some(reached) => query.filter(session::Column::Id.lt(reached)),
        None => query,
    };
    Ok(query.order_by_desc(session::Column::Id).limit(limit).into_tuple().all(transaction).await?)
}

/// True if the user still has every scope and role of the session.
pub(crate) fn fits(session: &session::Model, user: &user::Model) -> Result<bool, Fault> {
    let roles = split_names(&user.roles);
    let has_roles = split_names(&session.roles).iter().all(|role| roles.contains(role));
    Ok(has_roles && parse_scope(&session.scopes)?.is_subset(&parse_scope(&user.scopes)?))
}

async fn advance(
    transaction: &WriteConnection,
    row: &bulk_revocation::Model,
    reached: Uuid,
    ended: u64,
) -> Result<(), Fault> {
    use bulk_revocation::Column;
    let sessions = row.sessions.saturating_add(i64::try_from(ended).unwrap_or(i64::MAX));
    let update = bulk_revocation::Entity::update_many()
        .col_expr(Column::Reached, Expr::value(reached))
        .col_expr(Column::Sessions, Expr::value(sessions))
        .filter(Column::Id.eq(row.id));
    update.exec(transaction).await?;
    Ok(())
}

/// Unblocks the client or the user, unless another worker has taken over: it may have begun again for another reason.
async fn finish(
    store: &Store,
    transaction: &WriteConnection,
    work: BulkWork,
    now: i64,
    at: i64,
) -> Result<BulkStep, Fault> {
    use bulk_revocation::Column;
    let Some(of) = owner(transaction, work).await? else { return Ok(BulkStep::TakenOver) };
    let row = match &of {
        SessionsOf::Client(id) => {
            raise_changes(transaction).await?;
            client::Entity::find_by_id(id).lock_exclusive().one(transaction).await?;
            let Some(row) = still_ours(transaction, work).await? else { return Ok(BulkStep::TakenOver) };
            let update = client::Entity::update_many().col_expr(client::Column::Revoking, Expr::value(false));
            update.filter(client::Column::Id.eq(id)).exec(transaction).await?;
            row
        }
        SessionsOf::User(id) => {
            user::Entity::find_by_id(*id).lock_exclusive().one(transaction).await?;
            let Some(row) = still_ours(transaction, work).await? else { return Ok(BulkStep::TakenOver) };
            let update = user::Entity::update_many().col_expr(user::Column::Revoking, Expr::value(false));
            update.filter(user::Column::Id.eq(*id)).exec(transaction).await?;
            row
        }
    };
    let ends = json!({ "reason": row.reason, "total": row.sessions, "ends": true });
    record(store, transaction, event_of(&of, &row.cause(at)).detail(ends)).await?;
    let update = bulk_revocation::Entity::update_many()
        .col_expr(Column::FinishedAt, Expr::value(now))
        .filter(Column::Id.eq(work.revocation));
    update.exec(transaction).await?;
    Ok(BulkStep::Finished)
}
