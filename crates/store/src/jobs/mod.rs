//! Jobs: accepting them, handing them to one worker, and their end.
//!
//! A job's row carries the name of its worker. Each step locks the row and checks that name, so that a worker who was
//! taken for dead changes nothing any more (a fencing token). In the lock order that row comes after `globals` and before
//! users and sessions.

mod import;
mod revoke;

use ficha_token::random_uuid;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, UpdateMany};
use serde_json::json;
use uuid::Uuid;

use crate::database::transaction::{statement, transaction};
use crate::database::write_connection::WriteConnection;
use crate::error::Fault;
use crate::events::actor::check;
use crate::events::record_all;
use crate::rows::{job, job_line, job_part};
use crate::{Cause, EventKind, JobKind, JobRecord, JobState, JobWork, NewEvent, NewJob, Result, Store, StoreError};

/// How many rows one statement writes.
const CHUNK: usize = 500;

impl Store {
    /// Begins a job: its parts can be written, by who has the returned right. Refused if the session of who begins it has
    /// ended. If it was begun before and never accepted, it begins anew.
    pub async fn begin_job(&self, new: &NewJob) -> Result<JobWork> {
        let work = JobWork { job: new.id, worker: random_uuid(&*self.options().entropy) };
        let row = job::Model {
            id: new.id,
            kind: new.kind.as_str().to_owned(),
            state: JobState::Receiving.as_str().to_owned(),
            cause: serde_json::to_string(&new.cause).unwrap_or_default(),
            session: new.cause.session,
            why: new.why.clone(),
            total: new.total,
            done: 0,
            unchanged: 0,
            failed: new.failed,
            worker: work.worker,
            moved: 0,
            next_part: 0,
            started_at: new.now,
            finished_at: None,
            error: None,
        };
        transaction!(self, |transaction| {
            if let Some(before) = job::Entity::find_by_id(new.id).lock_exclusive().one(transaction).await? {
                if before.state != JobState::Receiving.as_str() {
                    return Err(meanwhile());
                }
                forget(transaction, new.id).await?;
            }
            check(transaction, &new.cause).await?;
            let there = OnConflict::column(job::Column::Id).do_nothing().to_owned();
            let insert = job::Entity::insert(row.clone().into_active_model()).on_conflict(there);
            if insert.exec_without_returning(transaction).await? == 1 { Ok(work) } else { Err(meanwhile()) }
        })
    }

    /// Writes a part of what a job works on.
    pub async fn add_job_part(&self, work: JobWork, number: i64, sealed: &[u8]) -> Result<()> {
        let row = job_part::Model { job: work.job, number, sealed: sealed.to_vec() };
        transaction!(self, |transaction| {
            still_receiving(transaction, work).await?;
            let row = row.clone().into_active_model();
            job_part::Entity::insert(row).exec_without_returning(transaction).await?;
            Ok(())
        })
    }

    /// Writes which lines can't be used, and why.
    pub async fn add_job_lines(&self, work: JobWork, lines: &[(i64, String)]) -> Result<()> {
        for chunk in lines.chunks(CHUNK) {
            transaction!(self, |transaction| {
                still_receiving(transaction, work).await?;
                let rows = chunk.iter().map(|(line, problem)| {
                    job_line::Model { job: work.job, line: *line, problem: problem.clone() }.into_active_model()
                });
                let there =
                    OnConflict::columns([job_line::Column::Job, job_line::Column::Line]).do_nothing().to_owned();
                job_line::Entity::insert_many(rows).on_conflict(there).exec_without_returning(transaction).await?;
                Ok(())
            })?;
        }
        Ok(())
    }

    /// All is written: any server may begin. Refused if the session of who begins it has ended.
    pub async fn accept_job(&self, work: JobWork, cause: &Cause, events: Vec<NewEvent>) -> Result<()> {
        transaction!(self, |transaction| {
            still_receiving(transaction, work).await?;
            check(transaction, cause).await?;
            let update = job::Entity::update_many()
                .col_expr(job::Column::State, Expr::value(JobState::Queued.as_str()))
                .filter(job::Column::Id.eq(work.job));
            update.exec(transaction).await?;
            record_all(self, transaction, events.clone()).await.map(drop)
        })
    }

    /// It could not be written down: nothing of it is kept.
    pub async fn abandon_job(&self, work: JobWork) -> Result<()> {
        transaction!(self, |transaction| {
            still_receiving(transaction, work).await?;
            forget(transaction, work.job).await
        })
    }

    /// A job.
    pub async fn job(&self, id: Uuid) -> Result<Option<JobRecord>> {
        job::Entity::find_by_id(id).one(self.reader()).await?.map(JobRecord::try_from).transpose()
    }

    /// At most `limit` jobs of these kinds before `before`, the newest first.
    pub async fn jobs(&self, kinds: &[JobKind], before: Option<Uuid>, limit: u64) -> Result<Vec<JobRecord>> {
        let mut query = job::Entity::find().order_by_desc(job::Column::Id).limit(limit);
        query = query.filter(job::Column::Kind.is_in(kinds.iter().map(|kind| kind.as_str())));
        if let Some(before) = before {
            query = query.filter(job::Column::Id.lt(before));
        }
        Ok(readable(query.all(self.reader()).await?))
    }

    /// The jobs that are not over, the oldest first.
    pub async fn unfinished_jobs(&self) -> Result<Vec<JobRecord>> {
        let open = job::Entity::find().filter(job::Column::FinishedAt.is_null()).order_by_asc(job::Column::Id);
        Ok(readable(open.all(self.reader()).await?))
    }

    /// The lines that could not be used, from the first on.
    pub async fn job_lines(&self, job: Uuid, limit: u64) -> Result<Vec<(i64, String)>> {
        let query = job_line::Entity::find().filter(job_line::Column::Job.eq(job));
        let rows = query.order_by_asc(job_line::Column::Line).limit(limit).all(self.reader()).await?;
        Ok(rows.into_iter().map(|row| (row.line, row.problem)).collect())
    }

    /// A part of what a job works on; `None`: there are no more.
    pub async fn job_part(&self, job: Uuid, number: i64) -> Result<Option<Vec<u8>>> {
        Ok(job_part::Entity::find_by_id((job, number)).one(self.reader()).await?.map(|row| row.sealed))
    }

    /// Takes a job that has not moved since `seen` was read: compare-and-set in one statement. `None`: somebody else was
    /// faster.
    pub async fn take_job(&self, seen: &JobRecord) -> Result<Option<JobWork>> {
        let work = JobWork { job: seen.id, worker: random_uuid(&*self.options().entropy) };
        let taken = statement!(self, |database| {
            let update = job::Entity::update_many()
                .col_expr(job::Column::Worker, Expr::value(work.worker))
                .col_expr(job::Column::State, Expr::value(JobState::Running.as_str()))
                .filter(job::Column::Id.eq(seen.id))
                .filter(job::Column::Worker.eq(seen.worker))
                .filter(job::Column::Moved.eq(seen.moved))
                .filter(job::Column::State.is_in([JobState::Queued.as_str(), JobState::Running.as_str()]));
            Ok(update.exec(database).await?.rows_affected == 1)
        })?;
        Ok(taken.then_some(work))
    }

    /// Ends a job, if `work` still has the right to: it becomes `state`, and what it worked on is deleted.
    pub async fn finish_job(&self, work: JobWork, state: JobState, error: Option<&str>, now: i64) -> Result<bool> {
        transaction!(self, |transaction| {
            if still_ours(transaction, work).await?.is_none() {
                return Ok(false);
            }
            end(transaction, work.job, state, error, now).await?;
            Ok(true)
        })
    }

    /// Stops a job that is not over, whoever works on it: the step that it is at is completed, and no other begins.
    /// Returns the job as it then is.
    pub async fn stop_job(&self, id: Uuid, cause: &Cause, now: i64) -> Result<Option<JobRecord>> {
        let why = format!("stopped by {} {}", cause.actor.kind(), cause.actor.name().unwrap_or("?"));
        let found = transaction!(self, |transaction| {
            // Before the session of who stops it, as in every step.
            let Some(row) = job::Entity::find_by_id(id).lock_exclusive().one(transaction).await? else {
                return Ok(false);
            };
            let cause = check(transaction, cause).await?;
            if row.finished_at.is_none() {
                end(transaction, id, JobState::Stopped, Some(&why), now).await?;
                let detail = json!({ "job": id, "kind": row.kind, "done": row.done, "total": row.total });
                let event = NewEvent::new(EventKind::JobStopped, &cause).detail(detail);
                record_all(self, transaction, vec![event]).await?;
            }
            Ok(true)
        })?;
        if found { self.job(id).await } else { Ok(None) }
    }

    /// Deletes jobs that ended before `older_than`, and those that were begun before `unaccepted` and never accepted.
    pub async fn prune_jobs(&self, older_than: i64, unaccepted: i64) -> Result<u64> {
        let receiving = job::Column::State.eq(JobState::Receiving.as_str()).and(job::Column::StartedAt.lt(unaccepted));
        let gone = job::Column::FinishedAt.lt(older_than).or(receiving);
        let query = job::Entity::find().select_only().column(job::Column::Id).filter(gone.clone()).limit(100);
        let ids: Vec<Uuid> = query.into_tuple().all(self.reader()).await?;
        let mut deleted = 0;
        for id in ids {
            deleted += transaction!(self, |transaction| {
                let row = job::Entity::find_by_id(id).filter(gone.clone()).lock_exclusive().one(transaction).await?;
                // It may have been accepted meanwhile.
                if row.is_none() {
                    return Ok(0);
                }
                forget(transaction, id).await?;
                Ok(1)
            })?;
        }
        Ok(deleted)
    }
}

/// Rows that a newer release has written may say what this one does not know: they are for servers of that release.
fn readable(rows: Vec<job::Model>) -> Vec<JobRecord> {
    let read = rows.into_iter().map(JobRecord::try_from);
    read.filter_map(|job| job.inspect_err(|error| tracing::debug!(%error, "a job is skipped")).ok()).collect()
}

fn meanwhile() -> Fault {
    Fault::Store(StoreError::Conflict("the job was begun again or stopped meanwhile".into()))
}

/// Locks the job's row, if it is still being written by who has this right.
async fn still_receiving(transaction: &WriteConnection, work: JobWork) -> Result<(), Fault> {
    match still_ours(transaction, work).await? {
        Some(row) if row.state == JobState::Receiving.as_str() => Ok(()),
        _ => Err(meanwhile()),
    }
}

/// Deletes all of a job.
async fn forget(transaction: &WriteConnection, id: Uuid) -> Result<(), Fault> {
    job_part::Entity::delete_many().filter(job_part::Column::Job.eq(id)).exec(transaction).await?;
    job_line::Entity::delete_many().filter(job_line::Column::Job.eq(id)).exec(transaction).await?;
    job::Entity::delete_by_id(id).exec(transaction).await?;
    Ok(())
}

/// Locks the job's row. `None` if another worker has taken over, or it is over.
async fn still_ours(transaction: &WriteConnection, work: JobWork) -> Result<Option<job::Model>, Fault> {
    let row = job::Entity::find_by_id(work.job).lock_exclusive().one(transaction).await?;
    Ok(row.filter(|row| row.worker == work.worker && row.finished_at.is_none()))
}

/// A part is done: how many items of it are, and how many of those needed no change.
async fn advance(transaction: &WriteConnection, row: &job::Model, done: i64, unchanged: i64) -> Result<(), Fault> {
    use job::Column;
    let update: UpdateMany<job::Entity> = job::Entity::update_many()
        .col_expr(Column::Done, Expr::col(Column::Done).add(done))
        .col_expr(Column::Unchanged, Expr::col(Column::Unchanged).add(unchanged))
        .col_expr(Column::Moved, Expr::col(Column::Moved).add(1))
        .col_expr(Column::NextPart, Expr::col(Column::NextPart).add(1))
        .filter(Column::Id.eq(row.id));
    update.exec(transaction).await?;
    let part = job_part::Entity::delete_by_id((row.id, row.next_part));
    part.exec(transaction).await?;
    Ok(())
}

async fn end(
    transaction: &WriteConnection,
    id: Uuid,
    state: JobState,
    error: Option<&str>,
    now: i64,
) -> Result<(), Fault> {
    use job::Column;
    let update = job::Entity::update_many()
        .col_expr(Column::State, Expr::value(state.as_str()))
        .col_expr(Column::Error, Expr::value(error.map(str::to_owned)))
        .col_expr(Column::FinishedAt, Expr::value(now))
        .filter(Column::Id.eq(id));
    update.exec(transaction).await?;
    job_part::Entity::delete_many().filter(job_part::Column::Job.eq(id)).exec(transaction).await?;
    Ok(())
}
