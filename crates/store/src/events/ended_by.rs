//! Who ended a session.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use crate::rows::{event, pending_event, session};
use crate::{Result, Store};

/// Who ended a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedBy {
    /// `user`, `client`, `cli`, `server` or `anonymous`.
    pub kind: String,
    /// The name; `None` if it is not known, or was erased.
    pub name: Option<String>,
    /// The id, if it is a user.
    pub id: Option<Uuid>,
}

impl Store {
    /// Who ended these sessions, at most 1,000, as far as there is an event of it.
    pub async fn ended_by(&self, sessions: &[Uuid]) -> Result<HashMap<Uuid, EndedBy>> {
        use session::Column;
        let query = session::Entity::find().select_only().column(Column::Id).column(Column::RevokedEvent);
        let query = query.filter(Column::Id.is_in(sessions.iter().copied())).filter(Column::RevokedEvent.is_not_null());
        let ended: Vec<(Uuid, Uuid)> = query.into_tuple().all(self.reader()).await?;
        if ended.is_empty() {
            return Ok(HashMap::new());
        }
        let events = || ended.iter().map(|(_, event)| *event);
        type Row = (Uuid, String, Option<String>, Option<Uuid>);
        // What has just happened has no number yet. It is looked for first: it moves from here to the log.
        use pending_event::Column as Pending;
        let columns = [Pending::Id, Pending::ActorKind, Pending::ActorName, Pending::ActorId];
        let pending = pending_event::Entity::find().select_only().columns(columns).filter(Pending::Id.is_in(events()));
        let mut rows: Vec<Row> = pending.into_tuple().all(self.reader()).await?;
        // The log has no index by id, but one by time, and an id begins with the time of its event.
        use event::Column as Event;
        let columns = [Event::Id, Event::ActorKind, Event::ActorName, Event::ActorId];
        let numbered = event::Entity::find().select_only().columns(columns);
        let numbered = numbered.filter(Event::At.is_in(events().map(millis_of))).filter(Event::Id.is_in(events()));
        rows.extend(numbered.into_tuple::<Row>().all(self.reader()).await?);
        let actors: HashMap<Uuid, EndedBy> =
            rows.into_iter().map(|(event, kind, name, id)| (event, EndedBy { kind, name, id })).collect();
        Ok(ended.iter().filter_map(|(session, event)| Some((*session, actors.get(event)?.clone()))).collect())
    }
}

/// The time in a UUIDv7, in Unix milliseconds. That of an event after the clock was put back is later than the event: who
/// ended the session is then not known.
fn millis_of(id: Uuid) -> i64 {
    i64::try_from(id.as_u128() >> 80).unwrap_or(i64::MAX)
}
