//! Jobs: work of many transactions that an administrator has asked for. Any server can go on with it.

use ficha_store::{Cause, EventKind, JobKind, JobRecord, JobState, NewEvent, NewJob};
use serde_json::json;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::powers::Access;
use super::{Actor, Admin, AdminError};
use crate::keys::master_key::MasterKey;

/// How many lines that can't be used are kept for the report; all of them are counted.
pub(super) const MOST_LINES: usize = 10_000;

/// How many imports may be unfinished at the same time.
const MOST_IMPORTS: usize = 20;

/// A job with its report.
#[derive(Debug, Clone)]
pub struct JobReport {
    /// The job.
    pub job: JobRecord,
    /// Lines of its input that could not be used, and why; the first 10,000 of them.
    pub lines: Vec<(i64, String)>,
}

/// What is written down before a job is accepted.
pub(super) struct JobInput {
    pub id: Uuid,
    pub kind: JobKind,
    pub why: Option<String>,
    pub total: i64,
    /// Encrypted one by one; each is one transaction of the work.
    pub parts: Vec<Zeroizing<Vec<u8>>>,
    /// What can't be done, as is known already: all are counted, and these are kept.
    pub failed: i64,
    pub lines: Vec<(i64, String)>,
}

impl Admin {
    /// A page of the jobs that the actor may see, the newest first.
    pub async fn jobs(&self, actor: &Actor, before: Option<Uuid>, limit: u64) -> Result<Vec<JobRecord>, AdminError> {
        let kinds = actor.job_kinds(Access::Read)?;
        Ok(self.base.store.jobs(&kinds, before, limit).await?)
    }

    /// One of them, with its report. One of another kind is as if it were not there.
    pub async fn job(&self, actor: &Actor, id: Uuid) -> Result<JobReport, AdminError> {
        let kinds = actor.job_kinds(Access::Read)?;
        let job = self.base.store.job(id).await?.filter(|job| kinds.contains(&job.kind));
        let job = job.ok_or_else(|| no_job(id))?;
        let lines = self.base.store.job_lines(id, MOST_LINES as u64).await?;
        Ok(JobReport { job, lines })
    }

    /// Stops a job; what it has done stays. One that is over is left as it is.
    pub async fn stop_job(&self, actor: &Actor, id: Uuid) -> Result<JobRecord, AdminError> {
        let kinds = actor.job_kinds(Access::Write)?;
        let job = self.base.store.job(id).await?.filter(|job| kinds.contains(&job.kind));
        job.ok_or_else(|| no_job(id))?;
        let stopped = self.base.store.stop_job(id, &self.cause(actor), self.now()).await?;
        stopped.ok_or_else(|| no_job(id))
    }

    /// Writes a job down, encrypted, and accepts it. `events` makes what is recorded beside that.
    pub(super) async fn accept_job(
        &self,
        actor: &Actor,
        input: JobInput,
        events: impl FnOnce(&Cause) -> Vec<NewEvent>,
    ) -> Result<Uuid, AdminError> {
        let (master, store) = (self.key_of_jobs()?, &self.base.store);
        let new = NewJob {
            id: input.id,
            kind: input.kind,
            cause: self.cause(actor),
            why: input.why.clone(),
            total: input.total,
            failed: input.failed,
            now: self.now(),
        };
        let work = store.begin_job(&new).await?;
        let written = async {
            for (part, number) in input.parts.iter().zip(0..) {
                store.add_job_part(work, number, &self.seal(&master, new.id, number, part)).await?;
            }
            store.add_job_lines(work, &input.lines).await?;
            let detail = json!({ "job": new.id, "kind": new.kind.as_str(), "total": new.total });
            let accepted = NewEvent::new(EventKind::JobAccepted, &new.cause).detail(detail);
            let all = std::iter::once(accepted).chain(events(&new.cause)).collect();
            store.accept_job(work, &new.cause, all).await
        };
        if let Err(error) = written.await {
            // If this fails as well, it is deleted after an hour.
            if let Err(error) = store.abandon_job(work).await {
                tracing::debug!(%error, job = %new.id, "what was written of a job stays for a while");
            }
            return Err(error.into());
        }
        Ok(new.id)
    }

    /// Refuses an import that could not be accepted, before anything is done for it.
    pub(super) async fn require_room_for_import(&self) -> Result<(), AdminError> {
        self.key_of_jobs()?;
        // A revocation is never refused because of others.
        let is_waiting = |job: &&JobRecord| job.kind == JobKind::ImportUsers && job.state != JobState::Receiving;
        let waiting = self.base.store.unfinished_jobs().await?.iter().filter(is_waiting).count();
        if waiting < MOST_IMPORTS {
            return Ok(());
        }
        Err(AdminError::Conflict(format!("{MOST_IMPORTS} imports are not over yet; wait until one is")))
    }

    fn key_of_jobs(&self) -> Result<MasterKey, AdminError> {
        self.base.master_key.load()?.ok_or_else(|| {
            AdminError::Invalid(
                "there is no master key yet, and a job is encrypted with it: start the server once".into(),
            )
        })
    }

    fn seal(&self, master: &MasterKey, job: Uuid, number: i64, plain: &[u8]) -> Vec<u8> {
        master.seal(&*self.base.entropy, &part_name(job, number), plain)
    }
}

/// What a part is bound to: it can't be opened as another one.
pub(super) fn part_name(job: Uuid, number: i64) -> String {
    format!("job {job} part {number}")
}

fn no_job(id: Uuid) -> AdminError {
    AdminError::NoSuch { kind: "job", name: id.to_string() }
}
