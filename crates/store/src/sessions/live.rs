//! When a session is live, in one place: as a condition for the database and for a row that was read.

use sea_orm::sea_query::{Condition, Query, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use crate::database::globals::ONLY;
use crate::rows::{globals, session};
use crate::{Result, RevokeReason, SessionRecord, Store};

/// What has become of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionState {
    /// It can be refreshed.
    Live,
    /// It was not revoked, and has expired.
    Expired,
    /// It was revoked.
    Revoked(RevokeReason),
    /// All sessions of its epoch were ended at once.
    Purged,
}

impl SessionRecord {
    /// When the user proved who they are; for a client's own session, when it was created.
    pub fn auth_time(&self) -> i64 {
        self.authentication.as_ref().map_or(self.created_at, |how| how.at)
    }

    /// Its state at `now`, if `epoch` is the current one.
    pub fn state(&self, now: i64, epoch: i64) -> SessionState {
        match self.revoked {
            Some((_, reason)) => SessionState::Revoked(reason),
            None if self.epoch != epoch => SessionState::Purged,
            None if self.expires_at <= now || self.idle_expires_at <= now => SessionState::Expired,
            None => SessionState::Live,
        }
    }
}

impl Store {
    /// The session with this id, if it is live at `now`: one statement, so that all of it is of one moment.
    pub async fn live_session(&self, id: Uuid, now: i64) -> Result<Option<SessionRecord>> {
        let row = session::Entity::find_by_id(id).filter(live(now)).one(self.reader()).await?;
        row.map(SessionRecord::try_from).transpose()
    }

    /// The session with this id, even if it has ended, and its state at `now`.
    pub async fn session_and_state(&self, id: Uuid, now: i64) -> Result<Option<(SessionRecord, SessionState)>> {
        let globals = globals::Entity::find_by_id(ONLY);
        // The epoch first: if a purge comes between the two, the session is of an epoch that is not current any more
        // with the next read, and the compare-and-set of a refresh refuses it in any case.
        let Some(epoch) = globals.one(self.reader()).await?.map(|row| row.epoch) else { return Ok(None) };
        let session = self.session(id).await?;
        Ok(session.map(|session| (session.clone(), session.state(now, epoch))))
    }
}

/// [`SessionState::Live`] as a condition for the database.
pub(crate) fn live(now: i64) -> Condition {
    Condition::all()
        .add(session::Column::RevokedAt.is_null())
        .add(in_current_epoch())
        .add(session::Column::ExpiresAt.gt(now))
        .add(session::Column::IdleExpiresAt.gt(now))
}

pub(crate) fn in_current_epoch() -> SimpleExpr {
    let epoch = Query::select()
        .column(globals::Column::Epoch)
        .from(globals::Entity)
        .and_where(globals::Column::Id.eq(ONLY))
        .take();
    session::Column::Epoch.in_subquery(epoch)
}
