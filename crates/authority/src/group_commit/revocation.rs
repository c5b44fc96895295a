//! Revocations that wait at the same time, as one transaction.

use std::sync::Arc;

use ficha_store::{Revocation, Store, StoreError, Target};
use ficha_token::Clock;

use crate::denylist::replica::Denylist;
use crate::foundation::Foundation;
use crate::group_commit::Batch;

/// Runs a batch of revocations in one transaction.
pub(crate) struct RevocationBatch {
    store: Store,
    clock: Arc<dyn Clock>,
    denylist: Arc<Denylist>,
}

impl RevocationBatch {
    pub(crate) fn new(base: &Foundation, denylist: Arc<Denylist>) -> Self {
        Self { store: base.store.clone(), clock: base.clock.clone(), denylist }
    }
}

impl Batch for RevocationBatch {
    type Job = Revocation;
    /// True if it was not revoked before; `None` if the session of who revokes has ended, so that nothing was changed.
    type Outcome = Option<bool>;
    type Key = [u8; 16];

    fn key(job: &Revocation) -> [u8; 16] {
        match &job.target {
            Target::Session(id, _) => id.into_bytes(),
            Target::Token(entry) => *entry.id.as_bytes(),
        }
    }

    async fn run(&self, jobs: Vec<Revocation>) -> Result<Vec<Option<bool>>, StoreError> {
        // By the earliest possible time: tokens that only a fast clock calls expired are still denied.
        let applied = self.store.revoke_batch(&jobs, self.denylist.expiry_now(&*self.clock)).await?;
        // In memory before the caller gets its answer, so that this server refuses at once.
        self.denylist.add(&applied.revoked.entries);
        Ok(applied.newly.into_iter().zip(applied.refused).map(|(newly, refused)| (!refused).then_some(newly)).collect())
    }
}
