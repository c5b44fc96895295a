//! Reading the log by number.

use sea_orm::sea_query::{Condition, Expr, Order, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::rows::{event, event_chain, pending_event};
use crate::{EventChain, EventRecord, Result, Store, StoreError};

/// Which events are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Only events with this name; if it ends with `.`, those whose name begins with it.
    pub event: Option<String>,
    /// Only events that happened to this user.
    pub user: Option<Uuid>,
    /// Only events of this client.
    pub client: Option<String>,
    /// Only events of this session.
    pub session: Option<Uuid>,
    /// Only events that this user caused.
    pub actor: Option<Uuid>,
    /// Only events that this user caused, or that happened to them.
    pub about: Option<Uuid>,
    /// Only events at or after this time, in Unix milliseconds.
    pub since: Option<i64>,
    /// Only events before this time.
    pub until: Option<i64>,
    /// Only the numbers between these two, both included.
    pub numbers: Option<(i64, i64)>,
    /// Only events whose name begins with one of these; none: all.
    pub beginnings: Vec<&'static str>,
}

impl EventFilter {
    fn any_beginning(&self) -> Option<Condition> {
        let any =
            self.beginnings.iter().fold(Condition::any(), |any, name| any.add(event::Column::Event.starts_with(*name)));
        (!self.beginnings.is_empty()).then_some(any)
    }

    fn condition(&self) -> Condition {
        use event::Column;
        let name = self.event.as_deref().map(|name| match name.ends_with('.') {
            true => Column::Event.starts_with(name),
            false => Column::Event.eq(name),
        });
        Condition::all()
            .add_option(name)
            .add_option(self.user.map(|user| Column::UserId.eq(user)))
            .add_option(self.client.as_deref().map(|client| Column::ClientId.eq(client)))
            .add_option(self.session.map(|session| Column::SessionId.eq(session)))
            .add_option(self.actor.map(|actor| {
                let to_oneself = Column::UserId.eq(actor).and(Column::ActorId.eq(actor));
                to_oneself.or(done_to_others(actor))
            }))
            .add_option(self.about.map(|user| Column::UserId.eq(user).or(done_to_others(user))))
            .add_option(self.since.map(|since| Column::At.gte(since)))
            .add_option(self.until.map(|until| Column::At.lt(until)))
            .add_option(self.any_beginning())
            .add_option(self.numbers.map(|(lowest, highest)| Column::Number.between(lowest, highest)))
    }
}

/// What a user did to others, as the index has it.
fn done_to_others(actor: Uuid) -> SimpleExpr {
    use event::Column;
    let to_others = Column::UserId.is_null().or(Expr::col(Column::UserId).ne(Expr::col(Column::ActorId)));
    Column::ActorId.eq(actor).and(to_others)
}

impl Store {
    /// The lowest and the highest number of the events in a span of time, in Unix milliseconds; `None`: there is none.
    /// Numbers follow the time only roughly.
    pub async fn event_numbers_within(&self, since: Option<i64>, until: Option<i64>) -> Result<Option<(i64, i64)>> {
        use event::Column;
        let span = Condition::all()
            .add_option(since.map(|since| Column::At.gte(since)))
            .add_option(until.map(|until| Column::At.lt(until)));
        let ends = event::Entity::find()
            .select_only()
            .column_as(Column::Number.min(), "lowest")
            .column_as(Column::Number.max(), "highest")
            .filter(span);
        let ends: Option<(Option<i64>, Option<i64>)> = ends.into_tuple().one(self.reader()).await?;
        Ok(ends.and_then(|(lowest, highest)| lowest.zip(highest)))
    }

    /// The number of an event about this old, in Unix milliseconds: none that is older by more than the clocks of servers
    /// differ has a higher one. `None`: all are older.
    pub async fn event_number_at(&self, since: i64) -> Result<Option<i64>> {
        use event::Column;
        let query = event::Entity::find().select_only().column(Column::Number).filter(Column::At.gte(since));
        Ok(query.order_by_asc(Column::At).limit(1).into_tuple().one(self.reader()).await?)
    }

    /// At most `limit` events with a higher number than `after`, ordered by number.
    pub async fn events_after(&self, filter: &EventFilter, after: i64, limit: u64) -> Result<Vec<EventRecord>> {
        let query = event::Entity::find().filter(event::Column::Number.gt(after)).filter(filter.condition());
        self.events(query.order_by(event::Column::Number, Order::Asc).limit(limit)).await
    }

    /// At most `limit` events with a lower number than `before`, newest first. `None`: the newest.
    pub async fn events_before(
        &self,
        filter: &EventFilter,
        before: Option<i64>,
        limit: u64,
    ) -> Result<Vec<EventRecord>> {
        let numbered = event::Column::Number.lt(before.unwrap_or(i64::MAX));
        let query = event::Entity::find().filter(numbered).filter(filter.condition());
        self.events(query.order_by(event::Column::Number, Order::Desc).limit(limit)).await
    }

    /// The lowest number above `after` that is there, also if the rest of its row can't be read.
    pub async fn event_number_after(&self, after: i64) -> Result<Option<i64>> {
        let query = event::Entity::find().select_only().column(event::Column::Number);
        let query = query.filter(event::Column::Number.gt(after)).order_by_asc(event::Column::Number);
        Ok(query.limit(1).into_tuple().one(self.reader()).await?)
    }

    /// At most `limit` events without a number, the oldest first.
    pub async fn pending_events(&self, limit: u64) -> Result<Vec<EventRecord>> {
        let query = pending_event::Entity::find().order_by_asc(pending_event::Column::Id).limit(limit);
        Ok(query.all(self.reader()).await?.into_iter().map(EventRecord::from).collect())
    }

    /// How many events have no number.
    pub async fn count_pending_events(&self) -> Result<u64> {
        Ok(pending_event::Entity::find().count(self.reader()).await?)
    }

    /// The ends of the chain, and who continues it.
    pub async fn event_chain(&self) -> Result<EventChain> {
        let row = event_chain::Entity::find_by_id(ONLY).one(self.reader()).await?;
        row.ok_or_else(|| StoreError::Corrupt("the row of `event_chain` is missing".into()))?.try_into()
    }

    async fn events(&self, query: sea_orm::Select<event::Entity>) -> Result<Vec<EventRecord>> {
        Ok(query.all(self.reader()).await?.into_iter().map(EventRecord::from).collect())
    }
}

/// The id of the one row of `event_chain`.
pub(super) const ONLY: i32 = 1;
