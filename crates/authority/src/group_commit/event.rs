//! Events that record nothing else that is stored, such as the retry of a refresh: those that wait at the same time
//! share a commit.

use ficha_store::{NewEvent, Store, StoreError};
use uuid::Uuid;

use crate::foundation::Foundation;
use crate::group_commit::Batch;

/// Writes a batch of events.
pub(crate) struct EventBatch {
    store: Store,
}

/// An event to be written, with a key of its own: no two exclude each other.
pub(crate) struct EventJob {
    pub key: Uuid,
    pub event: NewEvent,
}

impl EventBatch {
    pub(crate) fn new(base: &Foundation) -> Self {
        Self { store: base.store.clone() }
    }
}

impl Batch for EventBatch {
    type Job = EventJob;
    type Outcome = ();
    type Key = Uuid;

    fn key(job: &EventJob) -> Uuid {
        job.key
    }

    async fn run(&self, jobs: Vec<EventJob>) -> Result<Vec<()>, StoreError> {
        let events: Vec<_> = jobs.into_iter().map(|job| job.event).collect();
        self.store.record_events(&events).await?;
        Ok(vec![(); events.len()])
    }
}
