//! Ending sessions inside a transaction: the rows and the denylist change together or not at all.

use ficha_token::{DENY_MARGIN_SECONDS, DenyEntry, DenyId};
use sea_orm::sea_query::{CaseStatement, Condition, Expr, ExprTrait, SimpleExpr};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::database::globals::current_epoch;
use crate::database::write_connection::WriteConnection;
use crate::denylist::deny;
use crate::error::Fault;
use crate::events::record;
use crate::rows::session;
use crate::sessions::live::in_current_epoch;
use crate::{NewEvent, RevokeReason, Revoked, Store};

/// How many ids one statement names.
const CHUNK: usize = 1_000;

/// How many sessions of a user one transaction ends. While it commits, other revocations wait.
const MOST_AT_ONCE: u64 = 1_000;

/// For this many seconds after it has expired, a session is still ended: a refresh that began before that may have waited
/// for a connection or a lock, and go by the time at which it began.
const REFRESH_MAY_LAG: i64 = 60;

/// Sessions that can still be ended: not revoked, and either refreshable or with a token that may still be valid.
pub(crate) fn endable(now: i64) -> Condition {
    let then = now - REFRESH_MAY_LAG;
    let refreshable =
        Condition::all().add(session::Column::ExpiresAt.gt(then)).add(session::Column::IdleExpiresAt.gt(then));
    let token_lives = session::Column::AccessExp.gt(now - DENY_MARGIN_SECONDS);
    Condition::all().add(session::Column::RevokedAt.is_null()).add(Condition::any().add(refreshable).add(token_lives))
}

/// [`endable`] for a row that was read.
pub(crate) fn is_endable(row: &session::Model, now: i64) -> bool {
    row.revoked_at.is_none() && may_live(row.expires_at, row.idle_expires_at, row.access_exp, now)
}

/// True if a session with these times, which was not revoked, can be refreshed or has a token that may still be valid.
pub(crate) fn may_live(expires_at: i64, idle_expires_at: i64, access_exp: i64, now: i64) -> bool {
    let then = now - REFRESH_MAY_LAG;
    (expires_at > then && idle_expires_at > then) || access_exp + DENY_MARGIN_SECONDS > now
}

/// The denylist entry for a session's tokens, if any of them may still be valid.
pub(crate) fn deny_entry(row: &session::Model, now: i64) -> Option<DenyEntry> {
    let until = row.access_exp + DENY_MARGIN_SECONDS;
    (until > now).then(|| DenyEntry::new(DenyId::from(row.id), until))
}

/// Locks these sessions in the order of their ids and then reads them. `ids` must be sorted.
///
/// A refresh that commits first has raised `access_exp` before we read it; one that comes later finds the session
/// revoked.
pub(crate) async fn lock_sessions(transaction: &WriteConnection, ids: &[Uuid]) -> Result<Vec<session::Model>, DbErr> {
    let mut rows = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(CHUNK) {
        let query = session::Entity::find()
            .filter(session::Column::Id.is_in(chunk.iter().copied()))
            .order_by_asc(session::Column::Id)
            .lock_exclusive();
        rows.extend(query.all(transaction).await?);
    }
    Ok(rows)
}

/// Locks a user's sessions that have not ended, in the order of their ids. `None`: they are more than
/// [`MOST_AT_ONCE`]. The user's row must be locked: otherwise there may be more of them by the time this returns.
///
/// With them come those that a purge has ended and whose tokens may still be valid, not locked: nothing of them changes.
pub(crate) async fn lock_sessions_of_user(
    transaction: &WriteConnection,
    user: Uuid,
    now: i64,
) -> Result<Option<Vec<session::Model>>, DbErr> {
    let query = session::Entity::find()
        .filter(session::Column::UserId.eq(user))
        .filter(endable(now))
        .filter(in_current_epoch())
        .order_by_asc(session::Column::Id)
        .limit(MOST_AT_ONCE + 1)
        .lock_exclusive();
    let mut sessions = query.all(transaction).await?;
    if sessions.len() as u64 > MOST_AT_ONCE {
        return Ok(None);
    }
    let purged = session::Entity::find()
        .filter(session::Column::UserId.eq(user))
        .filter(session::Column::RevokedAt.is_null())
        .filter(session::Column::AccessExp.gt(now - DENY_MARGIN_SECONDS))
        .filter(in_current_epoch().not());
    sessions.extend(purged.all(transaction).await?);
    Ok(Some(sessions))
}

/// Gives sessions of a user the roles that the user has now.
pub(crate) async fn write_roles(transaction: &WriteConnection, ids: &[Uuid], roles: &str) -> Result<(), DbErr> {
    for chunk in ids.chunks(CHUNK) {
        let update = session::Entity::update_many()
            .col_expr(session::Column::Roles, Expr::value(roles))
            .filter(session::Column::Id.is_in(chunk.iter().copied()));
        update.exec(transaction).await?;
    }
    Ok(())
}

/// Ends locked sessions for one reason, and puts those with a token that may still be valid on the denylist. Their end
/// is recorded as one event, with how many there were beside the detail that it has; if there were none, there is none.
///
/// Those that a purge has ended keep that reason, and are not counted again. Their tokens are denied all the same: signed
/// with a shared secret, they outlive the purge.
pub(crate) async fn end_sessions(
    store: &Store,
    transaction: &WriteConnection,
    sessions: &[&session::Model],
    reason: RevokeReason,
    event: NewEvent,
    now: i64,
) -> Result<Revoked, Fault> {
    if sessions.is_empty() {
        return Ok(Revoked::default());
    }
    let entries: Vec<_> = sessions.iter().filter_map(|row| deny_entry(row, now)).collect();
    let epoch = current_epoch(transaction).await?;
    let open: Vec<_> = sessions.iter().filter(|row| row.epoch == epoch).collect();
    if open.is_empty() {
        deny(store, transaction, &entries).await?;
        return Ok(Revoked { entries, ..Revoked::default() });
    }
    let mut detail = json!({ "reason": reason.as_str(), "count": open.len() });
    if let (Some(Value::Object(more)), Some(detail)) = (&event.detail, detail.as_object_mut()) {
        detail.extend(more.clone());
    }
    let event = record(store, transaction, event.detail(detail)).await?;
    let ended: Vec<_> = open.iter().map(|row| Ended { row, reason, event }).collect();
    mark_revoked(transaction, &ended, now).await?;
    deny(store, transaction, &entries).await?;
    Ok(Revoked { sessions: ended.len() as u64, entries, rest: None })
}

/// A session that ends.
pub(crate) struct Ended<'a> {
    /// Its row, locked.
    pub row: &'a session::Model,
    pub reason: RevokeReason,
    /// The event that records it.
    pub event: Uuid,
}

/// Marks locked sessions as revoked.
pub(crate) async fn mark_revoked(transaction: &WriteConnection, ended: &[Ended<'_>], now: i64) -> Result<(), DbErr> {
    for reason in RevokeReason::ALL {
        let ended: Vec<_> = ended.iter().filter(|ended| ended.reason == reason).collect();
        for chunk in ended.chunks(CHUNK) {
            let update = session::Entity::update_many()
                .col_expr(session::Column::RevokedAt, Expr::value(now))
                .col_expr(session::Column::RevokedReason, Expr::value(reason.as_str()))
                .col_expr(session::Column::RevokedEvent, event_of(chunk))
                .col_expr(session::Column::LiveKey, Expr::value(None::<String>))
                .filter(session::Column::Id.is_in(chunk.iter().map(|ended| ended.row.id)));
            update.exec(transaction).await?;
        }
    }
    Ok(())
}

/// One event for all of them, or one for each.
fn event_of(ended: &[&Ended<'_>]) -> SimpleExpr {
    let first = ended.first().map(|ended| ended.event);
    if ended.iter().all(|ended| Some(ended.event) == first) {
        return Expr::value(first);
    }
    let id = || Expr::col(session::Column::Id);
    let events = ended.iter().fold(CaseStatement::new(), |case, ended| case.case(id().eq(ended.row.id), ended.event));
    events.into()
}
