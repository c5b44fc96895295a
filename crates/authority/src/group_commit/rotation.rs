//! Refreshes that wait at the same time, as one statement.

use std::collections::HashMap;
use std::sync::Arc;

use ficha_store::{Rotation, RotationTerms, SessionRecord, Store, StoreError};
use ficha_token::Clock;
use uuid::Uuid;

use crate::foundation::Foundation;
use crate::group_commit::Batch;
use crate::settings::Settings;

/// Rotates many sessions in one statement.
pub(crate) struct RotationBatch {
    store: Store,
    clock: Arc<dyn Clock>,
    settings: Arc<Settings>,
}

impl RotationBatch {
    pub(crate) fn new(base: &Foundation) -> Self {
        Self { store: base.store.clone(), clock: base.clock.clone(), settings: base.settings.clone() }
    }
}

impl Batch for RotationBatch {
    type Job = Rotation;
    /// The row after its rotation; `None`: the compare-and-set did not match.
    type Outcome = Option<SessionRecord>;
    /// One request per session in a batch: two for one session would match one row twice.
    type Key = Uuid;

    fn key(job: &Rotation) -> Uuid {
        job.session
    }

    async fn run(&self, jobs: Vec<Rotation>) -> Result<Vec<Option<SessionRecord>>, StoreError> {
        let now = self.clock.unix_now();
        let token = &self.settings.token;
        let terms = RotationTerms {
            now,
            access_exp: now + token.access_seconds(),
            idle_ttl: token.refresh_idle_ttl.as_secs() as i64,
        };
        let rotated = self.store.rotate_sessions(&jobs, terms).await?;
        let mut rotated: HashMap<Uuid, SessionRecord> = rotated.into_iter().map(|row| (row.id, row)).collect();
        Ok(jobs.iter().map(|job| rotated.remove(&job.session)).collect())
    }
}
