//! The event log.

use std::collections::HashSet;
use std::time::Duration;

use ficha_store::{EventFilter, EventRecord};
use ficha_token::random_uuid;
use tokio::time::Instant;
use uuid::Uuid;

use super::powers::{Access, Area};
use super::{Actor, Admin, AdminError};
use crate::events::sequencer::{Sequencer, Step};
use crate::events::verify::{Verified, verify};

/// How many of the events without a number are waited for.
const MOST_WAITING: u64 = 10_000;
/// How often it is looked whether the waiting events have numbers.
const LOOK: Duration = Duration::from_millis(100);

fn ids(events: &[EventRecord]) -> impl Iterator<Item = Uuid> {
    events.iter().map(|event| event.id)
}

/// Which events are listed.
#[derive(Debug, Clone, Default)]
pub struct EventQuery {
    /// Only events with this name, or whose name begins with it if it ends with `.`.
    pub event: Option<String>,
    /// Only events that happened to the user with this name or id.
    pub user: Option<String>,
    /// Only events of this client.
    pub client: Option<String>,
    /// Only events of this session.
    pub session: Option<Uuid>,
}

impl Admin {
    /// Waits up to `limit` until the events that are committed now have numbers. If no server runs, this process numbers
    /// them. Returns how many still wait.
    pub async fn number_events(&self, actor: &Actor, limit: Duration) -> Result<u64, AdminError> {
        actor.require(Access::Read, Area::Events)?;
        let store = &self.base.store;
        let Some(master) = self.base.master_key.load()? else { return Ok(store.count_pending_events().await?) };
        let key = master.chain_key();
        let mut sequencer = Sequencer::new(store, &key, random_uuid(&*self.base.entropy));
        let (began, mut numbered) = (Instant::now(), false);
        let mut waiting: HashSet<Uuid> = ids(&store.pending_events(MOST_WAITING).await?).collect();
        while began.elapsed() < limit && !waiting.is_empty() {
            match sequencer.step(&store.event_chain().await?).await? {
                Step::Idle => break,
                Step::Numbered(..) => numbered = true,
                Step::NotMine => tokio::time::sleep(LOOK).await,
            }
            // Not those that have come since: while a server works, there are always some.
            let still: HashSet<Uuid> = ids(&store.pending_events(MOST_WAITING).await?).collect();
            waiting.retain(|id| still.contains(id));
        }
        if numbered {
            sequencer.release().await?;
        }
        Ok(waiting.len() as u64)
    }

    /// At most `limit` events with a higher number than `after`, in the order of their numbers.
    pub async fn events_after(
        &self,
        actor: &Actor,
        query: &EventQuery,
        after: i64,
        limit: u64,
    ) -> Result<Vec<EventRecord>, AdminError> {
        let filter = self.event_filter(actor, query).await?;
        Ok(self.base.store.events_after(&filter, after, limit).await?)
    }

    /// At most `limit` events with a lower number than `before`, newest first. `None`: the newest.
    pub async fn events_before(
        &self,
        actor: &Actor,
        query: &EventQuery,
        before: Option<i64>,
        limit: u64,
    ) -> Result<Vec<EventRecord>, AdminError> {
        let filter = self.event_filter(actor, query).await?;
        Ok(self.base.store.events_before(&filter, before, limit).await?)
    }

    /// Checks the whole log. `expected` is the number and the beginning of the hash of an event that was noted elsewhere.
    pub async fn verify_events(&self, actor: &Actor, expected: Option<(i64, &str)>) -> Result<Verified, AdminError> {
        actor.require(Access::Read, Area::Events)?;
        Ok(verify(&self.base.store, &self.master()?.chain_key(), expected).await?)
    }

    async fn event_filter(&self, actor: &Actor, query: &EventQuery) -> Result<EventFilter, AdminError> {
        actor.require(Access::Read, Area::Events)?;
        let user = match &query.user {
            None => None,
            Some(user) => Some(match user.parse::<Uuid>() {
                // A user who was deleted has no name any more.
                Ok(id) => id,
                Err(_) => self.find_user(user).await?.id,
            }),
        };
        Ok(EventFilter { event: query.event.clone(), user, client: query.client.clone(), session: query.session })
    }
}
