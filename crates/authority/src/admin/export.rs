//! Everything that is kept about one person, to be handed to them.

use ficha_store::{Direction, EventFilter, EventRecord, SessionRange, SessionRecord, SessionState, UserRecord};
use uuid::Uuid;

use super::event_search::Sight;
use super::powers::{Access, Area};
use super::{Actor, Admin, AdminError};

/// How many rows are read at a time.
const BATCH: u64 = 500;

/// Everything that is kept about a user.
#[derive(Debug, Clone)]
pub struct UserExport {
    /// The user.
    pub user: UserRecord,
    /// Their sessions, the newest first, whatever became of them.
    pub sessions: Vec<(SessionRecord, SessionState)>,
    /// What they did and what happened to them, the oldest first. Who else did something to them, and from where, is about
    /// another person, and missing.
    pub events: Vec<EventRecord>,
}

/// What somebody did to others says something about them, too.
fn of_person(mut event: EventRecord, person: Uuid) -> EventRecord {
    if event.user_id.is_some_and(|user| user != person) {
        event.detail = None;
    }
    event
}

impl Admin {
    /// Everything that is kept about the user with this id.
    pub async fn export_user(&self, actor: &Actor, id: Uuid) -> Result<UserExport, AdminError> {
        actor.require(Access::Read, Area::Users)?;
        let (store, user) = (&self.base.store, self.user_by_id(actor, id).await?);
        let mut range = SessionRange { user: Some(id), ..SessionRange::default() };
        let mut sessions = Vec::new();
        loop {
            let page = store.scan_sessions(&range, Direction::NewestFirst, BATCH).await?;
            let is_last = (page.len() as u64) < BATCH;
            range.older_than = page.last().map(|session| session.id);
            sessions.extend(self.with_states(page).await?);
            if is_last {
                break;
            }
        }
        let (about, sight) = (EventFilter { about: Some(id), ..EventFilter::default() }, Sight::Own(id));
        let (mut events, mut after) = (Vec::new(), 0);
        loop {
            let page = store.events_after(&about, after, BATCH).await?;
            let is_last = (page.len() as u64) < BATCH;
            after = page.last().and_then(|event| event.number).unwrap_or(after);
            events.extend(page.into_iter().map(|event| of_person(sight.shown(event), id)));
            if is_last {
                return Ok(UserExport { user, sessions, events });
            }
        }
    }
}
