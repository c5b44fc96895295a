//! `/api/v1/jobs`: work of many transactions, which any server goes on with.

use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use ficha_authority::{JobRecord, JobReport};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::caller::caller;
use super::problem::{Problem, ProblemAnswer};
use super::query::Parameters;
use super::repeated::mark;
use super::sessions::{answered, time_text};
use crate::error::no_store;
use crate::state::State;

/// How many lines a report shows at most.
const MOST_LINES: usize = 10_000;

/// Something was accepted, and is done by a job.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminAccepted)]
pub struct Accepted {
    /// The job's id.
    job: Uuid,
    #[serde(skip)]
    is_replayed: bool,
}

/// A job.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminJob)]
pub struct JobView {
    id: Uuid,
    /// `revoke_sessions` or `import_users`.
    kind: &'static str,
    /// Who began it.
    by: JobActor,
    /// `receiving`, `queued`, `running`, `done`, `failed` or `stopped`.
    state: &'static str,
    /// Why, if that was said.
    #[schema(required = true)]
    why: Option<String>,
    /// How many items there are.
    total: i64,
    /// How many of them are done, `unchanged` included.
    done: i64,
    /// How many needed no change: the session had ended before, or there was a user of that name.
    unchanged: i64,
    /// How many could not be done.
    failed: i64,
    /// Lines of an import that could not be used; null in lists, and for other jobs.
    #[schema(required = true)]
    report: Option<Report>,
    /// Why it has failed or stopped.
    #[schema(required = true)]
    error: Option<String>,
    started_at: String,
    #[schema(required = true)]
    finished_at: Option<String>,
}

/// Who began a job.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminJobActor)]
struct JobActor {
    /// `user`, `client` or `cli`.
    kind: &'static str,
    /// Null after that user was erased.
    #[schema(required = true)]
    name: Option<String>,
}

/// What could not be imported.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminJobReport)]
struct Report {
    lines: Vec<ReportLine>,
    /// True if there are more; all are counted in `failed`.
    more: bool,
}

/// A line of the input that could not be used.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminJobReportLine)]
struct ReportLine {
    line: i64,
    problem: String,
}

/// A page of jobs, the newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminJobPage)]
pub struct JobList {
    items: Vec<JobView>,
    /// `after` for the next page; null at the end.
    #[schema(required = true)]
    next: Option<String>,
}

impl Accepted {
    pub fn new(job: Uuid) -> Self {
        Self { job, is_replayed: false }
    }

    /// The same for a request that was repeated.
    pub fn replayed(job: Uuid) -> Self {
        Self { job, is_replayed: true }
    }

    /// 202, with the address of the job.
    pub fn response(self, state: &State) -> HttpResponse {
        let mut response = HttpResponse::Accepted();
        no_store(&mut response);
        let address = state.site.endpoint(&format!("/api/v1/jobs/{}", self.job));
        mark(&mut response, self.is_replayed);
        response.insert_header((LOCATION, address)).json(self)
    }
}

impl From<JobRecord> for JobView {
    fn from(job: JobRecord) -> Self {
        let actor = &job.cause.actor;
        Self {
            id: job.id,
            kind: job.kind.as_str(),
            by: JobActor { kind: actor.kind(), name: actor.name().map(str::to_owned) },
            state: job.state.as_str(),
            why: job.why,
            total: job.total,
            done: job.done,
            unchanged: job.unchanged,
            failed: job.failed,
            report: None,
            error: job.error,
            started_at: time_text(job.started_at),
            finished_at: job.finished_at.map(time_text),
        }
    }
}

impl From<JobReport> for JobView {
    fn from(JobReport { job, lines }: JobReport) -> Self {
        let is_import = job.kind == ficha_authority::JobKind::ImportUsers;
        let more = job.failed > lines.len() as i64;
        let lines = lines.into_iter().take(MOST_LINES).map(|(line, problem)| ReportLine { line, problem }).collect();
        Self { report: is_import.then_some(Report { lines, more }), ..Self::from(job) }
    }
}

/// Lists jobs, the newest first: those of a kind that the caller may begin, or all.
#[utoipa::path(
    get,
    path = "/api/v1/jobs",
    tag = "Admin",
    operation_id = "list_jobs",
    security(("token" = [])),
    params(
        ("limit" = Option<u64>, Query, description = "1 to 200; 50 if it is not given"),
        ("after" = Option<Uuid>, Query, description = "The `next` of a page"),
    ),
    responses(
        (status = 200, description = "A page", body = JobList),
        (status = 400, description = "A parameter is unknown or wrong", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 503, description = "The database does not answer", body = ProblemAnswer),
    )
)]
pub async fn list(request: HttpRequest, state: Data<State>) -> HttpResponse {
    answered(&state, listed(&request, &state).await)
}

async fn listed(request: &HttpRequest, state: &State) -> Result<JobList, Problem> {
    let actor = caller(request, state).await?;
    actor.require_seeing_jobs()?;
    let mut parameters = Parameters::of(request.query_string());
    let limit = parameters.number("limit", 1, 200).unwrap_or(50);
    let after = parameters.parsed("after", "the `next` of a page", |text| Uuid::try_parse(text).ok());
    parameters.finish()?;
    let mut jobs = state.authority.admin().jobs(&actor, after, limit + 1).await?;
    let more = jobs.len() as u64 > limit;
    jobs.truncate(limit as usize);
    let next = jobs.last().map(|job| job.id.to_string()).filter(|_| more);
    Ok(JobList { items: jobs.into_iter().map(JobView::from).collect(), next })
}

/// Shows a job, and for an import which lines could not be used.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{id}",
    tag = "Admin",
    operation_id = "show_job",
    security(("token" = [])),
    params(("id" = Uuid, Path, description = "The job's id")),
    responses(
        (status = 200, description = "The job", body = JobView),
        (status = 400, description = "A parameter is unknown", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 404, description = "There is no such job, or it is of another kind", body = ProblemAnswer),
        (status = 503, description = "The database does not answer", body = ProblemAnswer),
    )
)]
pub async fn show(request: HttpRequest, id: Path<String>, state: Data<State>) -> HttpResponse {
    answered(&state, shown(&request, &id, &state).await)
}

async fn shown(request: &HttpRequest, id: &str, state: &State) -> Result<JobView, Problem> {
    let actor = caller(request, state).await?;
    actor.require_seeing_jobs()?;
    Parameters::of(request.query_string()).finish()?;
    Ok(state.authority.admin().job(&actor, parsed(id)?).await?.into())
}

/// Stops a job. What it has done stays; one that is over is left as it is.
#[utoipa::path(
    delete,
    path = "/api/v1/jobs/{id}",
    tag = "Admin",
    operation_id = "stop_job",
    security(("token" = [])),
    params(("id" = Uuid, Path, description = "The job's id")),
    responses(
        (status = 200, description = "The job as it is now", body = JobView),
        (status = 400, description = "A parameter is unknown", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 404, description = "There is no such job, or it is of another kind", body = ProblemAnswer),
        (status = 503, description = "It may not have been committed", body = ProblemAnswer),
    )
)]
pub async fn stop(request: HttpRequest, id: Path<String>, state: Data<State>) -> HttpResponse {
    answered(&state, stopped(&request, &id, &state).await)
}

async fn stopped(request: &HttpRequest, id: &str, state: &State) -> Result<JobView, Problem> {
    let actor = caller(request, state).await?;
    actor.require_stopping_jobs()?;
    Parameters::of(request.query_string()).finish()?;
    Ok(state.authority.admin().stop_job(&actor, parsed(id)?).await?.into())
}

fn parsed(id: &str) -> Result<Uuid, Problem> {
    Uuid::try_parse(id).map_err(|_| Problem::not_found("there is no such job"))
}
