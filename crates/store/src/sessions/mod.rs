//! Sessions: reading and pruning them.

pub(crate) mod bulk;
mod client_credentials;
pub(crate) mod create;
pub(crate) mod end;
pub(crate) mod live;
pub(crate) mod revoke;
mod rotate;
pub(crate) mod scan;

use ficha_token::DENY_MARGIN_SECONDS;
use sea_orm::sea_query::{Condition, Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::database::transaction::statement;
use crate::rows::session;
use crate::sessions::live::live;
use crate::{Result, SessionRecord, Store};

/// How many ids are read to count sessions.
const COUNTED_AT_ONCE: u64 = 100_000;

/// Which sessions to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionFilter {
    /// Only this user's.
    pub user: Option<Uuid>,
    /// Only this client's.
    pub client: Option<String>,
    /// Only those that have neither expired nor been revoked by this time.
    pub live_at: Option<i64>,
}

impl Store {
    /// The session with this id, even if it has ended.
    pub async fn session(&self, id: Uuid) -> Result<Option<SessionRecord>> {
        let row = session::Entity::find_by_id(id).one(self.reader()).await?;
        row.map(SessionRecord::try_from).transpose()
    }

    /// At most `limit` sessions, newest first. `after` is the last id of the previous page.
    pub async fn list_sessions(
        &self,
        filter: &SessionFilter,
        after: Option<Uuid>,
        limit: u64,
    ) -> Result<Vec<SessionRecord>> {
        let query = list(filter, after, limit);
        query.all(self.reader()).await?.into_iter().map(SessionRecord::try_from).collect()
    }

    /// How many sessions there are.
    pub async fn count_sessions(&self, filter: &SessionFilter) -> Result<u64> {
        let (mut after, mut count) = (None, 0);
        loop {
            // Page by page: one statement over millions of rows could take longer than PostgreSQL allows.
            let query = list(filter, after, COUNTED_AT_ONCE).select_only().column(session::Column::Id);
            let page: Vec<Uuid> = query.into_tuple().all(self.reader()).await?;
            count += page.len() as u64;
            if (page.len() as u64) < COUNTED_AT_ONCE {
                return Ok(count);
            }
            after = page.last().copied();
        }
    }

    /// Deletes address and user agent from at most `limit` sessions of a user, the address from what is counted of failed
    /// logins, and name and address from revocations that the user began. Returns how many sessions it changed; call it until that is 0.
    pub async fn erase_sessions_of(&self, user: Uuid, limit: u64) -> Result<u64> {
        let personal = session::Column::Address.is_not_null().or(session::Column::UserAgent.is_not_null());
        let query = session::Entity::find().select_only().column(session::Column::Id);
        let query = query.filter(session::Column::UserId.eq(user)).filter(personal).limit(limit);
        let ids: Vec<Uuid> = query.into_tuple().all(self.reader()).await?;
        if ids.is_empty() {
            self.erase_failures_of(user).await?;
            return self.erase_causes_of(user).await.map(|()| 0);
        }
        statement!(self, |database| {
            let update = session::Entity::update_many()
                .col_expr(session::Column::Address, Expr::value(None::<String>))
                .col_expr(session::Column::UserAgent, Expr::value(None::<String>))
                .filter(session::Column::Id.is_in(ids.iter().copied()));
            Ok(update.exec(database).await?.rows_affected)
        })
    }

    /// Examines the next `limit` sessions after the id `after`, and deletes those that have expired, whose last token is no
    /// longer denied, and that ended at least `keep` seconds ago. Returns where to continue, `None` at the end, and how
    /// many it deleted.
    pub async fn prune_sessions(
        &self,
        after: Option<Uuid>,
        limit: u64,
        now: i64,
        keep: i64,
    ) -> Result<(Option<Uuid>, u64)> {
        let mut page = session::Entity::find().order_by_asc(session::Column::Id).limit(limit);
        if let Some(after) = after {
            page = page.filter(session::Column::Id.gt(after));
        }
        let page = page.all(self.reader()).await?;
        let last = page.last().filter(|_| page.len() as u64 == limit).map(|row| row.id);
        let ended: Vec<_> = page.iter().filter(|row| is_over(row, now, keep)).map(|row| row.id).collect();
        if ended.is_empty() {
            return Ok((last, 0));
        }
        // Checked again in the statement: a session may have been refreshed meanwhile.
        let deleted = statement!(self, |database| {
            let delete = session::Entity::delete_many()
                .filter(session::Column::Id.is_in(ended.iter().copied()))
                .filter(over(now, keep));
            Ok(delete.exec(database).await?.rows_affected)
        })?;
        Ok((last, deleted))
    }
}

pub(crate) fn list(filter: &SessionFilter, after: Option<Uuid>, limit: u64) -> sea_orm::Select<session::Entity> {
    let mut query = session::Entity::find().order_by_desc(session::Column::Id).limit(limit);
    if let Some(after) = after {
        query = query.filter(session::Column::Id.lt(after));
    }
    if let Some(user) = filter.user {
        query = query.filter(session::Column::UserId.eq(user));
    }
    if let Some(client) = &filter.client {
        query = query.filter(session::Column::ClientId.eq(client.as_str()));
    }
    if let Some(now) = filter.live_at {
        query = query.filter(live(now));
    }
    query
}

/// True if it has expired, and so has the denial of its last token, and it ended at least `keep` seconds ago: until then,
/// lists show what became of it. A revoked session ended when it was revoked.
fn is_over(row: &session::Model, now: i64, keep: i64) -> bool {
    let expired_by = |time: i64| row.idle_expires_at <= time || row.expires_at <= time;
    let ended = row.revoked_at.map_or_else(|| expired_by(now - keep), |at| at <= now - keep);
    expired_by(now) && ended && row.access_exp + DENY_MARGIN_SECONDS <= now
}

/// [`is_over`] as a condition for the database.
fn over(now: i64, keep: i64) -> Condition {
    use session::Column;
    let expired_by = |time: i64| Condition::any().add(Column::IdleExpiresAt.lte(time)).add(Column::ExpiresAt.lte(time));
    let ended = Condition::any()
        .add(Column::RevokedAt.lte(now - keep))
        .add(Condition::all().add(Column::RevokedAt.is_null()).add(expired_by(now - keep)));
    Condition::all().add(expired_by(now)).add(ended).add(Column::AccessExp.lte(now - DENY_MARGIN_SECONDS))
}
