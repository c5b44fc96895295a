//! Reading sessions in the order of their ids, which is that of their creation, in either direction.

use ficha_token::DENY_MARGIN_SECONDS;
use sea_orm::sea_query::{Condition, Order};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    Select,
};
use uuid::Uuid;

use crate::rows::session::{self, Column};
use crate::sessions::end::may_live;
use crate::{Result, SessionRecord, Store};

/// Which sessions are read. Each of these has an index, which a refresh does not change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionRange {
    /// Only this user's.
    pub user: Option<Uuid>,
    /// Only this client's.
    pub client: Option<String>,
    /// Only those created from this address.
    pub address: Option<String>,
    /// Only newer ones.
    pub newer_than: Option<Uuid>,
    /// Only older ones.
    pub older_than: Option<Uuid>,
}

/// Where reading begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// With the newest.
    NewestFirst,
    /// With the oldest.
    OldestFirst,
}

/// What the database compares of the sessions in a range: none of it has an index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionFit {
    /// What has become of it.
    pub state: Option<FitState>,
    /// Why it was revoked: a stored reason, or `purge`.
    pub reason: Option<String>,
    /// Created at or after, and before.
    pub created: (Option<i64>, Option<i64>),
    /// Last refreshed, or created, at or after, and before.
    pub rotated: (Option<i64>, Option<i64>),
    /// The time and the epoch by which the state is determined.
    pub now: i64,
    /// See [`SessionFit::now`].
    pub epoch: i64,
}

/// A state, as [`crate::SessionState`] has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FitState {
    /// It can be refreshed.
    Live,
    /// It has expired.
    Expired,
    /// It was revoked, or ended with all others of its epoch.
    Revoked,
}

/// A session that fits as far as the database can tell, with the texts that the caller compares.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Candidate {
    /// The session.
    pub id: Uuid,
    /// Its user; `None`: a client's own.
    pub user_id: Option<Uuid>,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
    /// Its epoch.
    pub epoch: i64,
    /// What it was granted, separated by spaces; `None`: it was not read.
    pub scopes: Option<String>,
    /// From where it was created.
    pub address: Option<String>,
    /// The program that created it.
    pub user_agent: Option<String>,
    expires_at: i64,
    idle_expires_at: i64,
    access_exp: i64,
}

impl Candidate {
    /// True if a revocation may still change it, if `epoch` is the current one. Those that expired long ago it can't.
    pub fn is_open(&self, now: i64, epoch: i64) -> bool {
        let may_live = may_live(self.expires_at, self.idle_expires_at, self.access_exp, now);
        self.revoked_at.is_none() && self.epoch == epoch && may_live
    }

    /// True if a purge has ended it and its tokens may still be valid: signed with a shared secret, they outlive that.
    pub fn outlives_purge(&self, now: i64, epoch: i64) -> bool {
        self.revoked_at.is_none() && self.epoch != epoch && self.access_exp + DENY_MARGIN_SECONDS > now
    }
}

impl SessionFit {
    /// True if it fits every session.
    pub fn is_everything(&self) -> bool {
        let Self { state, reason, created, rotated, .. } = self;
        state.is_none() && reason.is_none() && *created == (None, None) && *rotated == (None, None)
    }

    fn condition(&self) -> Condition {
        let unrevoked = || Condition::all().add(Column::RevokedAt.is_null());
        let current = || unrevoked().add(Column::Epoch.eq(self.epoch));
        let purged = || unrevoked().add(Column::Epoch.ne(self.epoch));
        let state = self.state.map(|state| match state {
            FitState::Live => current().add(Column::ExpiresAt.gt(self.now)).add(Column::IdleExpiresAt.gt(self.now)),
            FitState::Expired => {
                let over = Condition::any().add(Column::ExpiresAt.lte(self.now));
                current().add(over.add(Column::IdleExpiresAt.lte(self.now)))
            }
            FitState::Revoked => Condition::any().add(Column::RevokedAt.is_not_null()).add(purged()),
        });
        let reason = self.reason.as_deref().map(|reason| match reason {
            "purge" => purged(),
            stored => Condition::all().add(Column::RevokedAt.is_not_null()).add(Column::RevokedReason.eq(stored)),
        });
        let within = |column: Column, (from, to): (Option<i64>, Option<i64>)| {
            Condition::all().add_option(from.map(|from| column.gte(from))).add_option(to.map(|to| column.lt(to)))
        };
        Condition::all()
            .add_option(state)
            .add_option(reason)
            .add(within(Column::CreatedAt, self.created))
            .add(within(Column::RotatedAt, self.rotated))
    }
}

impl Store {
    /// At most `limit` sessions of a range.
    pub async fn scan_sessions(
        &self,
        range: &SessionRange,
        direction: Direction,
        limit: u64,
    ) -> Result<Vec<SessionRecord>> {
        let query = ordered(within(range), direction).limit(limit);
        query.all(self.reader()).await?.into_iter().map(SessionRecord::try_from).collect()
    }

    /// The sessions with these ids, at most 1,000.
    pub async fn sessions_of(&self, ids: &[Uuid]) -> Result<Vec<SessionRecord>> {
        let query = session::Entity::find().filter(Column::Id.is_in(ids.iter().copied()));
        query.all(self.reader()).await?.into_iter().map(SessionRecord::try_from).collect()
    }

    /// The first session of a range behind the next `count`: those are what a bounded search looks at. `None`: there are
    /// no more than these.
    pub async fn session_behind(&self, range: &SessionRange, direction: Direction, count: u64) -> Result<Option<Uuid>> {
        let query = ordered(within(range), direction).select_only().column(Column::Id).offset(count).limit(1);
        Ok(query.into_tuple().one(self.reader()).await?)
    }

    /// The sessions of a range that fit; with their texts only if the caller needs them.
    pub async fn fitting_sessions(
        &self,
        range: &SessionRange,
        fit: &SessionFit,
        texts: bool,
        direction: Direction,
    ) -> Result<Vec<Candidate>> {
        let times = [Column::ExpiresAt, Column::IdleExpiresAt, Column::AccessExp];
        let columns = [Column::Id, Column::UserId, Column::RevokedAt, Column::Epoch].into_iter().chain(times);
        let query = ordered(within(range).filter(fit.condition()), direction).select_only().columns(columns);
        let query = match texts {
            true => query.columns([Column::Scopes, Column::Address, Column::UserAgent]),
            false => query,
        };
        Ok(query.into_model::<Candidate>().all(self.reader()).await?)
    }

    /// How many sessions of a range fit, up to `most`.
    pub async fn count_fitting_sessions(&self, range: &SessionRange, fit: &SessionFit, most: u64) -> Result<u64> {
        let query = within(range).filter(fit.condition()).select_only().column(Column::Id).limit(most);
        count(query, self.reader()).await
    }
}

async fn count(query: Select<session::Entity>, database: &impl ConnectionTrait) -> Result<u64> {
    Ok(query.count(database).await?)
}

fn ordered(query: Select<session::Entity>, direction: Direction) -> Select<session::Entity> {
    let order = match direction {
        Direction::NewestFirst => Order::Desc,
        Direction::OldestFirst => Order::Asc,
    };
    query.order_by(Column::Id, order)
}

fn within(range: &SessionRange) -> Select<session::Entity> {
    let SessionRange { user, client, address, newer_than, older_than } = range;
    session::Entity::find().filter(
        Condition::all()
            .add_option(user.map(|user| Column::UserId.eq(user)))
            .add_option(client.as_ref().map(|client| Column::ClientId.eq(client.as_str())))
            .add_option(address.as_ref().map(|address| Column::Address.eq(address.as_str())))
            .add_option(newer_than.map(|id| Column::Id.gt(id)))
            .add_option(older_than.map(|id| Column::Id.lt(id))),
    )
}
