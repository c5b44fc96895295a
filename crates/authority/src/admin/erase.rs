//! Erasing a person: deleting the user, and what is personal about them elsewhere.

use ficha_store::{Cause, Direction, EventFilter, EventKind, EventRecord, NewEvent, SessionRange};
use uuid::Uuid;

use super::powers::{Access, Area};
use super::{Actor, Admin, AdminError};
use crate::user_name::find_user;

/// How many rows one transaction changes.
const BATCH: u64 = 500;
/// How many of the events without a number are looked at.
const MOST_WAITING: u64 = 10_000;

/// What was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erased {
    /// How many sessions were ended.
    pub sessions: u64,
    /// In how many events something personal was deleted.
    pub events: u64,
}

impl Admin {
    /// Deletes a user, and deletes name, address, user agent and what was changed from their sessions and events. The log
    /// stays whole: its hashes cover commitments. `who` is a name; or the id of a user who was deleted, also to complete
    /// what was interrupted.
    pub async fn erase_user(&self, actor: &Actor, who: &str) -> Result<Erased, AdminError> {
        actor.require(Access::Write, Area::Users)?;
        let store = &self.base.store;
        let cause = store.check_actor(&self.cause(actor)).await?;
        let (id, sessions) = match find_user(store, who).await? {
            Some(user) if user.name != who => return Err(AdminError::OtherSpelling(user.id)),
            // By id: the name may be another's by then.
            Some(user) => (user.id, self.delete_user(actor, &user.id.to_string()).await?),
            None => {
                // What they held is not known any more.
                actor.require_any_scope()?;
                (self.id_of_deleted(who).await?, 0)
            }
        };
        self.erase(id, sessions, &cause).await
    }

    /// The same by the id of a user, deleted or not.
    pub async fn erase_user_by_id(&self, actor: &Actor, id: Uuid) -> Result<Erased, AdminError> {
        actor.require(Access::Write, Area::Users)?;
        let cause = self.base.store.check_actor(&self.cause(actor)).await?;
        let sessions = match self.base.store.user_by_id(id).await? {
            Some(user) => self.delete_user(actor, &user.id.to_string()).await?,
            None => {
                // Whether there ever was somebody with this id is not told to who may not do this.
                actor.require_any_scope()?;
                if !self.is_in_log(id).await? {
                    return Err(AdminError::NoSuch { kind: "user", name: id.to_string() });
                }
                0
            }
        };
        self.erase(id, sessions, &cause).await
    }

    /// True if something is kept about a user.
    async fn is_in_log(&self, id: Uuid) -> Result<bool, AdminError> {
        let store = &self.base.store;
        // Before the log: what gets its number meanwhile is there then.
        let waiting = store.pending_events(MOST_WAITING).await?;
        let about = EventFilter { about: Some(id), ..EventFilter::default() };
        let is_about = |event: &EventRecord| event.user_id == Some(id) || event.actor_id == Some(id);
        if waiting.iter().any(is_about) || !store.events_before(&about, None, 1).await?.is_empty() {
            return Ok(true);
        }
        // Sessions may be kept longer than the log.
        let range = SessionRange { user: Some(id), ..SessionRange::default() };
        Ok(!store.scan_sessions(&range, Direction::NewestFirst, 1).await?.is_empty())
    }

    async fn erase(&self, id: Uuid, sessions: u64, cause: &Cause) -> Result<Erased, AdminError> {
        let store = &self.base.store;
        while store.erase_sessions_of(id, BATCH).await? > 0 {}
        let mut events = 0;
        loop {
            match store.erase_events_of(id, BATCH).await? {
                0 => break,
                erased => events += erased,
            }
        }
        let event = NewEvent::new(EventKind::UserErased, cause).user(id);
        store.record_events(&[event.detail(serde_json::json!({ "events": events }))]).await?;
        Ok(Erased { sessions, events })
    }

    async fn id_of_deleted(&self, who: &str) -> Result<Uuid, AdminError> {
        let id = who.parse::<Uuid>().map_err(|_| AdminError::NoSuch { kind: "user", name: who.to_owned() })?;
        match self.base.store.user_by_id(id).await? {
            Some(user) => {
                Err(AdminError::Invalid(format!("this is the id of the user {:?}: give the name", user.name)))
            }
            None => Ok(id),
        }
    }
}
