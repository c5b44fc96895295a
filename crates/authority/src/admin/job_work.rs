//! Working on jobs: one worker at a time, one part a transaction.

use std::collections::HashMap;
use std::time::Duration;

use ficha_store::{Cause, EventKind, JobKind, JobRecord, JobState, JobStep, JobWork, NewEvent, StoreError};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use uuid::Uuid;

use super::jobs::part_name;
use super::{Admin, AdminError};
use crate::keys::master_key::MasterKey;

/// If a job that is being worked on has not moved for this long, its worker is taken to have stopped.
const STOPPED_AFTER: Duration = Duration::from_secs(5);
/// How long the process that accepted a job may take to begin it.
const BEGIN_WITHIN: Duration = Duration::from_secs(1);
/// For how long an outage of the database is waited for, and how often it is tried again.
const PATIENCE: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_secs(1);

/// Imports take turns: each would slow down the other, and all of them the logins. Revocations never wait.
static IMPORTING: Semaphore = Semaphore::const_new(1);

/// Notices jobs that do not move. It goes by tokio's clock: this is about how long this process has watched.
#[derive(Default)]
pub(crate) struct Idle {
    seen: HashMap<Uuid, (JobRecord, Instant)>,
}

impl Idle {
    fn is(&mut self, job: &JobRecord, now: Instant) -> bool {
        let (seen, since) = self.seen.entry(job.id).or_insert_with(|| (job.clone(), now));
        if !job.stands_still_since(seen) {
            (*seen, *since) = (job.clone(), now);
        }
        let patience = if job.state == JobState::Queued { BEGIN_WITHIN } else { STOPPED_AFTER };
        now.saturating_duration_since(*since) >= patience
    }
}

impl Admin {
    /// Works on a job that was just accepted, in the background. If this process dies, another server goes on with it.
    pub fn spawn_job(&self, id: Uuid) {
        let admin = self.clone();
        tokio::spawn(async move {
            if let Err(error) = admin.run_job(id).await {
                tracing::error!(%error, job = %id, "a job could not be begun; it will be tried again");
            }
        });
    }

    /// Works on a job until it is over, or somebody else does.
    pub async fn run_job(&self, id: Uuid) -> Result<(), AdminError> {
        let Some(job) = self.base.store.job(id).await? else { return Ok(()) };
        let _turn = match job.kind {
            JobKind::ImportUsers => IMPORTING.acquire().await.ok(),
            JobKind::RevokeSessions => None,
        };
        // As it was before it waited for its turn: if somebody else has begun meanwhile, it is theirs.
        match self.base.store.take_job(&job).await? {
            Some(work) => self.work_patiently(work).await,
            None => Ok(()),
        }
    }

    /// Continues what no process works on any more.
    pub(crate) async fn continue_jobs(&self, idle: &mut Idle) -> Result<(), AdminError> {
        let unfinished = self.base.store.unfinished_jobs().await?;
        idle.seen.retain(|id, _| unfinished.iter().any(|job| job.id == *id));
        let is_import = |job: &JobRecord| job.kind == JobKind::ImportUsers;
        for job in unfinished.iter().filter(|job| job.state != JobState::Receiving) {
            if !idle.is(job, Instant::now()) {
                continue;
            }
            // It waits for its turn, perhaps at another server.
            let is_running = |other: &JobRecord| is_import(other) && other.state == JobState::Running;
            if is_import(job) && job.state == JobState::Queued && unfinished.iter().any(is_running) {
                continue;
            }
            let turn = match job.kind {
                JobKind::ImportUsers => match IMPORTING.try_acquire() {
                    Ok(turn) => Some(turn),
                    Err(_) => continue,
                },
                JobKind::RevokeSessions => None,
            };
            let Some(work) = self.base.store.take_job(job).await? else { continue };
            tracing::warn!(job = %job.id, kind = job.kind.as_str(), "continuing a job that had stopped");
            let admin = self.clone();
            tokio::spawn(async move {
                let _turn = turn;
                if let Err(error) = admin.work_patiently(work).await {
                    tracing::error!(%error, job = %work.job, "a job could not be continued");
                }
            });
        }
        Ok(())
    }

    /// An outage does not end the work of minutes: nothing is lost by trying again.
    async fn work_patiently(&self, work: JobWork) -> Result<(), AdminError> {
        let mut failing_since = None;
        loop {
            let error = match self.work_on(work).await {
                Err(AdminError::Store(error)) if error.is_outage() => error,
                outcome => return outcome,
            };
            let since = *failing_since.get_or_insert_with(Instant::now);
            if since.elapsed() > PATIENCE {
                return Err(AdminError::Store(error));
            }
            tracing::warn!(%error, job = %work.job, "a job has to wait for the database");
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn work_on(&self, work: JobWork) -> Result<(), AdminError> {
        let store = &self.base.store;
        let master = self.base.master_key.load_existing()?;
        loop {
            let began = Instant::now();
            let Some(job) = store.job(work.job).await?.filter(|job| job.is_of(work)) else { return Ok(()) };
            let Some(sealed) = store.job_part(job.id, job.next_part).await? else {
                store.finish_job(work, JobState::Done, None, self.now()).await?;
                return Ok(());
            };
            let (state, why) = match self.work_on_part(work, &job, &master, &sealed).await {
                Ok(()) => {
                    // Half as long as the step took: others get the database a third of the time.
                    tokio::time::sleep(began.elapsed() / 2).await;
                    continue;
                }
                Err(AdminError::Store(error)) if error.is_outage() => return Err(AdminError::Store(error)),
                Err(AdminError::ActorEnded) => (JobState::Stopped, "the session of who began it has ended".to_owned()),
                Err(error) => {
                    tracing::error!(%error, job = %job.id, "a job has failed");
                    (JobState::Failed, error.to_string())
                }
            };
            store.finish_job(work, state, Some(&why), self.now()).await?;
            return Ok(());
        }
    }

    async fn work_on_part(
        &self,
        work: JobWork,
        job: &JobRecord,
        master: &MasterKey,
        sealed: &[u8],
    ) -> Result<(), AdminError> {
        let plain = master.open(&part_name(job.id, job.next_part), sealed).ok_or_else(|| {
            AdminError::Store(StoreError::Corrupt("a part of the job: another master key has encrypted it".into()))
        })?;
        let cause = Cause { at: self.base.clock.unix_millis(), ..job.cause.clone() };
        match job.kind {
            JobKind::ImportUsers => {
                let users = self.users_of_part(&plain)?;
                self.base.store.import_users(work, job.next_part, &users, &cause).await?;
            }
            JobKind::RevokeSessions => {
                // What has begun is completed, whatever becomes of who began it.
                let cause = Cause { session: None, ..cause };
                let event = NewEvent::new(EventKind::SessionsRevoked, &cause);
                let event = event.detail(json!({ "job": job.id, "why": job.why }));
                let ids = unpacked(&plain)?;
                let step = self.base.store.revoke_part(work, job.next_part, &ids, &event, self.ending_now()).await?;
                if let JobStep::Done(revoked) = step {
                    self.metrics.revocations.add(revoked.sessions);
                    self.finish(revoked).await?;
                }
            }
        }
        Ok(())
    }
}

/// Ids as a part holds them: 16 bytes each.
pub(super) fn packed(ids: &[Uuid]) -> Vec<u8> {
    ids.iter().flat_map(|id| *id.as_bytes()).collect()
}

fn unpacked(part: &[u8]) -> Result<Vec<Uuid>, AdminError> {
    let ids = part.chunks(16).map(Uuid::from_slice);
    ids.collect::<Result<_, _>>().map_err(|_| AdminError::Invalid("a part of the job can't be read".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_were_written() {
        let ids: Vec<Uuid> = (0..5).map(Uuid::from_u128).collect();
        assert_eq!(unpacked(&packed(&ids)).unwrap(), ids);
        assert!(unpacked(&packed(&ids)[..79]).is_err());
    }
}
