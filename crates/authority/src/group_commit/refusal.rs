//! Logins that were refused without checking the password: those that wait at the same time share a commit, and those of
//! one source for one account, or for accounts that it had not tried before, a row. So a flood costs few rows.

use ficha_store::{FailedLogin, Store, StoreError};
use uuid::Uuid;

use crate::foundation::Foundation;
use crate::group_commit::Batch;

/// Counts a batch of refused logins.
pub(crate) struct RefusalBatch {
    store: Store,
}

/// A login that was refused, with a key of its own: no two exclude each other.
pub(crate) struct RefusalJob {
    pub key: Uuid,
    pub login: FailedLogin,
}

impl RefusalBatch {
    pub(crate) fn new(base: &Foundation) -> Self {
        Self { store: base.store.clone() }
    }
}

impl Batch for RefusalBatch {
    type Job = RefusalJob;
    type Outcome = ();
    type Key = Uuid;

    fn key(job: &RefusalJob) -> Uuid {
        job.key
    }

    async fn run(&self, jobs: Vec<RefusalJob>) -> Result<Vec<()>, StoreError> {
        let logins: Vec<_> = jobs.into_iter().map(|job| job.login).collect();
        self.store.logins_refused(&logins).await?;
        Ok(vec![(); logins.len()])
    }
}
