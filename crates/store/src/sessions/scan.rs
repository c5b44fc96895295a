//! Reading sessions in the order of their ids, which is that of their creation, in either direction.

use sea_orm::sea_query::Order;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::rows::session;
use crate::{Result, SessionRecord, Store};

/// Which sessions are read. Each of these has an index, which a refresh does not change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionRange {
    /// Only this user's.
    pub user: Option<Uuid>,
    /// Only this client's.
    pub client: Option<String>,
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

impl Store {
    /// At most `limit` sessions of a range.
    pub async fn scan_sessions(
        &self,
        range: &SessionRange,
        direction: Direction,
        limit: u64,
    ) -> Result<Vec<SessionRecord>> {
        use session::Column;
        let order = match direction {
            Direction::NewestFirst => Order::Desc,
            Direction::OldestFirst => Order::Asc,
        };
        let mut query = session::Entity::find().order_by(Column::Id, order).limit(limit);
        if let Some(user) = range.user {
            query = query.filter(Column::UserId.eq(user));
        }
        if let Some(client) = &range.client {
            query = query.filter(Column::ClientId.eq(client.as_str()));
        }
        if let Some(id) = range.newer_than {
            query = query.filter(Column::Id.gt(id));
        }
        if let Some(id) = range.older_than {
            query = query.filter(Column::Id.lt(id));
        }
        query.all(self.reader()).await?.into_iter().map(SessionRecord::try_from).collect()
    }
}
