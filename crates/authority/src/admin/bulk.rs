//! Ending many sessions, one batch per transaction.

use std::collections::HashMap;
use std::time::Duration;

use ficha_store::{BulkRevocation, BulkStep, BulkWork, Revoked};
use tokio::time::Instant;
use uuid::Uuid;

use super::{Admin, AdminError};

/// How many sessions one transaction ends. Other revocations wait while it commits.
const SESSIONS_A_STEP: u64 = 1_000;
/// If a revocation has not moved for this long, its worker is taken to have stopped.
const STOPPED_AFTER: Duration = Duration::from_secs(5);
/// For how long an outage of the database is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a revocation that somebody else works on is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Notices revocations that do not move any more. It goes by tokio's clock, like all pauses and time limits: this is about
/// how long this process has watched, and not about the time at which anything is valid.
#[derive(Default)]
pub(crate) struct Stopped {
    seen: HashMap<Uuid, (BulkRevocation, Instant)>,
}

impl Stopped {
    /// True if `revocation` has not moved for [`STOPPED_AFTER`].
    fn is(&mut self, revocation: &BulkRevocation, now: Instant) -> bool {
        let (seen, since) = self.seen.entry(revocation.id).or_insert_with(|| (revocation.clone(), now));
        if seen != revocation {
            (*seen, *since) = (revocation.clone(), now);
        }
        now.saturating_duration_since(*since) >= STOPPED_AFTER
    }

    fn keep(&mut self, unfinished: &[BulkRevocation]) {
        self.seen.retain(|id, _| unfinished.iter().any(|revocation| revocation.id == *id));
    }
}

impl Admin {
    /// Ends the sessions that are still to be ended. The change itself is committed, and so is its event.
    pub(crate) async fn finish(&self, revoked: Revoked) -> Result<u64, AdminError> {
        self.publish(&revoked);
        let sessions = match revoked.rest {
            None => revoked.sessions,
            Some(work) => revoked.sessions + self.finish_bulk(work).await?,
        };
        self.catch_up().await?;
        Ok(sessions)
    }

    /// Ends the rest of the sessions, and returns how many it has ended in all. If another process has taken the work
    /// over, it waits for that one.
    pub(crate) async fn finish_bulk(&self, work: BulkWork) -> Result<u64, AdminError> {
        let (id, mut stopped) = (work.revocation, Stopped::default());
        let mut work = Some(work);
        loop {
            if let Some(mine) = work {
                self.end_patiently(mine).await?;
            }
            let Some(revocation) = self.base.store.bulk_revocation(id).await? else {
                return Err(AdminError::Conflict("the revocation was removed before it was complete".into()));
            };
            if revocation.finished {
                return Ok(revocation.sessions);
            }
            work = self.take_over(&mut stopped, &revocation).await?;
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Continues what a process that has stopped left half done.
    pub(crate) async fn continue_stopped(&self, stopped: &mut Stopped) -> Result<(), AdminError> {
        let unfinished = self.base.store.unfinished_bulk_revocations().await?;
        stopped.keep(&unfinished);
        for revocation in unfinished {
            if let Some(work) = self.take_over(stopped, &revocation).await? {
                tracing::warn!(revocation = %revocation.id, of = ?revocation.of, "continuing a revocation that had stopped");
                // Each by itself: a small one does not wait for a large one. If it fails, it is taken over again.
                let admin = self.clone();
                tokio::spawn(async move {
                    if let Err(error) = admin.end_until_taken_over(work).await {
                        tracing::error!(%error, revocation = %work.revocation, "a revocation could not be continued");
                    }
                });
            }
        }
        Ok(())
    }

    async fn take_over(
        &self,
        stopped: &mut Stopped,
        revocation: &BulkRevocation,
    ) -> Result<Option<BulkWork>, AdminError> {
        if !stopped.is(revocation, Instant::now()) {
            return Ok(None);
        }
        Ok(self.base.store.take_over_bulk_revocation(revocation).await?)
    }

    /// An outage does not end the work of minutes: nothing is lost by trying again.
    async fn end_patiently(&self, work: BulkWork) -> Result<(), AdminError> {
        let began = Instant::now();
        loop {
            match self.end_until_taken_over(work).await {
                Err(AdminError::Store(error)) if error.is_outage() && began.elapsed() < PATIENCE => {
                    tracing::warn!(%error, "the sessions could not be ended; trying again");
                    tokio::time::sleep(10 * LOOK).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn end_until_taken_over(&self, work: BulkWork) -> Result<(), AdminError> {
        let store = &self.base.store;
        loop {
            let began = Instant::now();
            match store
                .continue_bulk_revocation(work, self.ending_now(), self.base.clock.unix_millis(), SESSIONS_A_STEP)
                .await?
            {
                BulkStep::Ended(revoked) => self.publish(&revoked),
                BulkStep::Finished | BulkStep::TakenOver => return Ok(()),
            }
            // Half as long as the step took: others get the database and its locks a third of the time.
            tokio::time::sleep(began.elapsed() / 2).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use ficha_store::SessionsOf;

    use super::*;

    #[test]
    fn a_revocation_has_stopped_if_neither_its_place_nor_its_worker_changes() {
        let (first, second) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let begun = BulkRevocation {
            id: first,
            of: SessionsOf::User(first),
            worker: first,
            reached: None,
            sessions: 0,
            finished: false,
        };
        let moved = BulkRevocation { reached: Some(second), ..begun.clone() };
        let taken = BulkRevocation { worker: second, ..moved.clone() };
        let mut stopped = Stopped::default();
        let start = Instant::now();
        let mut is = |revocation: &BulkRevocation, after| stopped.is(revocation, start + Duration::from_secs(after));
        assert!(!is(&begun, 10) && !is(&begun, 14));
        assert!(!is(&moved, 15) && !is(&moved, 19));
        assert!(!is(&taken, 20) && !is(&taken, 24));
        assert!(is(&taken, 25));
    }
}
