//! Who ended a session.

use std::collections::{HashMap, HashSet};

use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect};
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

/// How many milliseconds an event may be from where it is looked for: its request has read the clock some time before it is
/// recorded, and the events of others come in between.
const APART: i64 = 10_000;
/// How many events are looked for at once.
const CHUNK: usize = 100;

/// The id of an event, and what [`EndedBy`] has.
type Row = (Uuid, String, Option<String>, Option<Uuid>);

/// A session that was ended.
struct End {
    session: Uuid,
    event: Uuid,
    /// In Unix milliseconds.
    at: i64,
}

impl Store {
    /// Who ended these sessions, at most 1,000, as far as there is an event of it.
    pub async fn ended_by(&self, sessions: &[Uuid]) -> Result<HashMap<Uuid, EndedBy>> {
        use session::Column;
        let query =
            session::Entity::find().select_only().columns([Column::Id, Column::RevokedEvent, Column::RevokedAt]);
        let query = query.filter(Column::Id.is_in(sessions.iter().copied())).filter(Column::RevokedEvent.is_not_null());
        let ended: Vec<(Uuid, Uuid, Option<i64>)> = query.into_tuple().all(self.reader()).await?;
        let ended = ended.into_iter().map(|(session, event, at)| End { session, event, at: at.unwrap_or(0) * 1_000 });
        let ended: Vec<End> = ended.collect();
        if ended.is_empty() {
            return Ok(HashMap::new());
        }
        // What has just happened has no number yet. It is looked for first: it moves from here to the log.
        let mut rows = self.pending_ends(&ended).await?;
        // The log has no index by id, but one by time, and most ids begin with the very time of their event.
        let exact = ended.iter().map(|end| millis_of(end.event));
        rows.extend(
            self.numbered_ends(&ended.iter().collect::<Vec<_>>(), event::Column::At.is_in(exact).into()).await?,
        );
        let found: HashSet<Uuid> = rows.iter().map(|(event, ..)| *event).collect();
        let missing: Vec<&End> = ended.iter().filter(|end| !found.contains(&end.event)).collect();
        for chunk in missing.chunks(CHUNK) {
            let within = |any: Condition, (from, to)| any.add(event::Column::At.between(from, to));
            let times = stretches(chunk).into_iter().fold(Condition::any(), within);
            rows.extend(self.numbered_ends(chunk, times).await?);
        }
        let actors: HashMap<Uuid, EndedBy> =
            rows.into_iter().map(|(event, kind, name, id)| (event, EndedBy { kind, name, id })).collect();
        Ok(ended.iter().filter_map(|end| Some((end.session, actors.get(&end.event)?.clone()))).collect())
    }

    async fn pending_ends(&self, ended: &[End]) -> Result<Vec<Row>> {
        use pending_event::Column;
        let columns = [Column::Id, Column::ActorKind, Column::ActorName, Column::ActorId];
        let query = pending_event::Entity::find().select_only().columns(columns);
        let query = query.filter(Column::Id.is_in(ended.iter().map(|end| end.event)));
        Ok(query.into_tuple().all(self.reader()).await?)
    }

    /// Those in the log that are of these times.
    async fn numbered_ends(&self, ended: &[&End], times: Condition) -> Result<Vec<Row>> {
        use event::Column;
        let columns = [Column::Id, Column::ActorKind, Column::ActorName, Column::ActorId];
        let query = event::Entity::find().select_only().columns(columns).filter(times);
        let query = query.filter(Column::Id.is_in(ended.iter().map(|end| end.event)));
        Ok(query.into_tuple().all(self.reader()).await?)
    }
}

/// The time in a UUIDv7, in Unix milliseconds: that of the event, or of one that was recorded before it, which may be later.
fn millis_of(id: Uuid) -> i64 {
    i64::try_from(id.as_u128() >> 80).unwrap_or(i64::MAX)
}

/// Where events are that were recorded after a later one, in Unix milliseconds, from and to: shortly before the time in the id,
/// or, if the clock was put back, about when the session ended. Those that overlap are one.
fn stretches(ended: &[&End]) -> Vec<(i64, i64)> {
    let of = |end: &&End| {
        let id = millis_of(end.event);
        [(id.saturating_sub(APART), id), (end.at - APART, end.at + APART)]
    };
    let mut all: Vec<(i64, i64)> = ended.iter().flat_map(of).collect();
    all.sort_unstable();
    let mut merged: Vec<(i64, i64)> = Vec::new();
    for (from, to) in all {
        match merged.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => merged.push((from, to)),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_that_overlap_are_one() {
        let end = |id: u64, at: i64| End {
            session: Uuid::nil(),
            event: uuid::Builder::from_unix_timestamp_millis(id, &[0; 10]).into_uuid(),
            at,
        };
        let (near, far) = (end(100_000, 95_000), end(1_000_000, 200_000));
        assert_eq!(stretches(&[&far, &near]), [(85_000, 105_000), (190_000, 210_000), (990_000, 1_000_000)]);
    }
}
