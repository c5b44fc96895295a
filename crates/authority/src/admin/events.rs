//! The event log.

use std::collections::HashSet;
use std::time::Duration;

use ficha_store::{EventKind, EventRecord, NewEvent};
use ficha_token::random_uuid;
use serde_json::json;
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
            let step = sequencer.step(&store.event_chain().await?).await?;
            match step {
                Step::Idle => {}
                Step::Numbered(..) => numbered = true,
                Step::NotMine => tokio::time::sleep(LOOK).await,
            }
            // Not those that have come since: while a server works, there are always some.
            let still: HashSet<Uuid> = ids(&store.pending_events(MOST_WAITING).await?).collect();
            waiting.retain(|id| still.contains(id));
            // Another server has numbered them.
            if let Step::Idle = step {
                break;
            }
        }
        if numbered {
            sequencer.release().await?;
        }
        Ok(waiting.len() as u64)
    }

    /// The number of the newest event; 0: there is none.
    pub async fn newest_event(&self, actor: &Actor) -> Result<i64, AdminError> {
        actor.require(Access::Read, Area::Events)?;
        Ok(self.base.store.event_chain().await?.newest.number)
    }

    /// Records that an administrator has read something: `what` is the path, and `query` the names of the parameters.
    pub async fn record_reading(&self, actor: &Actor, what: &str, query: &[String]) -> Result<(), AdminError> {
        let detail = json!({ "path": what, "parameters": query });
        let event = NewEvent::new(EventKind::AdminRead, &self.cause(actor)).detail(detail);
        Ok(self.base.store.record_events(&[event]).await?)
    }

    /// Checks the whole log. `expected` is the number and the beginning of the hash of an event that was noted elsewhere.
    pub async fn verify_events(&self, actor: &Actor, expected: Option<(i64, &str)>) -> Result<Verified, AdminError> {
        actor.require(Access::Read, Area::Events)?;
        self.require_started().await?;
        Ok(verify(&self.base.store, &self.master()?.chain_key(), expected).await?)
    }
}
