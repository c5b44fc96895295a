//! A step of a revocation of many sessions by filter.

use uuid::Uuid;

use super::{advance, still_ours};
use crate::database::transaction::transaction;
use crate::{JobStep, JobWork, NewEvent, Result, RevokeReason, Revoked, Store};

impl Store {
    /// Ends those of a part's sessions that have not ended; their rows, the denylist and the job's place change together.
    pub async fn revoke_part(
        &self,
        work: JobWork,
        part: i64,
        ids: &[Uuid],
        event: &NewEvent,
        now: i64,
    ) -> Result<JobStep<Revoked>> {
        let mut sorted = ids.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        transaction!(self, |transaction| {
            let job = still_ours(transaction, work).await?.filter(|job| job.next_part == part);
            let Some(job) = job else { return Ok(JobStep::NotOurs) };
            let revoked = self.end_listed(transaction, &sorted, RevokeReason::Admin, event, now).await?;
            let all = ids.len() as i64;
            advance(transaction, &job, all, all - i64::try_from(revoked.sessions).unwrap_or(all)).await?;
            Ok(JobStep::Done(revoked))
        })
    }
}
