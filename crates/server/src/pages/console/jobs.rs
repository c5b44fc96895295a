//! `/console/jobs`: what takes longer than a request.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use ficha_authority::{JobKind, JobRecord, JobState};
use i18n_embed_fl::fl;
use uuid::Uuid;

use crate::api::query::Parameters;
use crate::pages::answer::{PageError, answered, html};
use crate::pages::form_guard::submitted;
use crate::pages::frame::Frame;
use crate::pages::see_other;
use crate::pages::texts::Texts;
use crate::pages::visitor::visitor;
use crate::pages::when::When;
use crate::state::State;

/// How many jobs a page shows.
const LIMIT: usize = 50;
/// How many unusable lines of an import a page shows.
const MOST_LINES: usize = 200;

#[derive(Template)]
#[template(path = "jobs.html")]
struct JobsPage {
    frame: Frame,
    rows: Vec<Row>,
    newer: Option<String>,
    older: Option<String>,
}

#[derive(Template)]
#[template(path = "job.html")]
struct JobPage {
    frame: Frame,
    job: Row,
    lines: Vec<(i64, String)>,
    /// True if there are more.
    more: bool,
    may_stop: bool,
}

/// A job, in words.
struct Row {
    id: String,
    kind: String,
    by: String,
    state: String,
    /// How its state looks.
    class: &'static str,
    is_running: bool,
    /// True if it has ended sessions: then one may ask who refuses them.
    has_ended_sessions: bool,
    progress: String,
    started: When,
    finished: Option<When>,
    error: String,
}

/// What kind of job it is, in words.
pub fn kind_text(texts: &Texts, kind: JobKind) -> String {
    match kind {
        JobKind::ImportUsers => fl!(texts, "job-import"),
        JobKind::RevokeSessions => fl!(texts, "job-revoke"),
    }
}

impl Row {
    fn new(frame: &Frame, job: &JobRecord) -> Self {
        let texts = frame.texts;
        let kind = kind_text(texts, job.kind);
        let (state, class) = match job.state {
            JobState::Receiving | JobState::Queued => (fl!(texts, "job-waiting"), "expired"),
            JobState::Running => (fl!(texts, "job-running"), "live"),
            JobState::Done => (fl!(texts, "job-done"), "live"),
            JobState::Failed => (fl!(texts, "job-failed"), "revoked"),
            JobState::Stopped => (fl!(texts, "job-stopped"), "expired"),
        };
        let done = job.done + job.failed;
        Self {
            id: job.id.to_string(),
            kind,
            by: job.cause.actor.name().unwrap_or_default().to_owned(),
            state,
            class,
            has_ended_sessions: job.kind == JobKind::RevokeSessions && job.done > 0,
            is_running: matches!(job.state, JobState::Receiving | JobState::Queued | JobState::Running),
            progress: fl!(texts, "job-progress", done = done, total = job.total, failed = job.failed),
            started: frame.when(job.started_at),
            finished: job.finished_at.map(|at| frame.when(at)),
            error: job.error.clone().unwrap_or_default(),
        }
    }
}

/// Lists jobs, the newest first.
pub async fn list(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let outcome = listed(&request, &state).await;
    answered(&request, &state, outcome).await
}

async fn listed(request: &HttpRequest, state: &State) -> Result<HttpResponse, PageError> {
    let visitor = visitor(request, state).await?;
    visitor.actor().require_seeing_jobs()?;
    let mut parameters = Parameters::of(request.query_string());
    let after = parameters.parsed("after", "the id of a job", |text| Uuid::try_parse(text).ok());
    parameters.finish()?;
    let mut jobs = state.authority.admin().jobs(visitor.actor(), after, LIMIT as u64 + 1).await?;
    let more = jobs.len() > LIMIT;
    jobs.truncate(LIMIT);
    let base = &visitor.frame.base;
    let page = JobsPage {
        newer: after.map(|_| format!("{base}/console/jobs")),
        older: jobs.last().filter(|_| more).map(|job| format!("{base}/console/jobs?after={}", job.id)),
        rows: jobs.iter().map(|job| Row::new(&visitor.frame, job)).collect(),
        frame: visitor.frame,
    };
    Ok(html(StatusCode::OK, &page))
}

/// Shows a job, with the lines of an import that could not be used.
pub async fn show(request: HttpRequest, id: Path<String>, state: Data<State>) -> HttpResponse {
    let outcome = shown(&request, &id, &state).await;
    answered(&request, &state, outcome).await
}

async fn shown(request: &HttpRequest, id: &str, state: &State) -> Result<HttpResponse, PageError> {
    let visitor = visitor(request, state).await?;
    visitor.actor().require_seeing_jobs()?;
    let report = state.authority.admin().job(visitor.actor(), parsed(id)?).await?;
    let page = JobPage {
        job: Row::new(&visitor.frame, &report.job),
        more: report.lines.len() > MOST_LINES,
        lines: report.lines.into_iter().take(MOST_LINES).collect(),
        may_stop: visitor.actor().require_stopping_jobs().is_ok(),
        frame: visitor.frame,
    };
    Ok(html(StatusCode::OK, &page))
}

/// Stops a job. What it has done stays.
pub async fn stop(request: HttpRequest, id: Path<String>, payload: Payload, state: Data<State>) -> HttpResponse {
    let outcome = stopped(&request, &id, payload, &state).await;
    answered(&request, &state, outcome).await
}

async fn stopped(request: &HttpRequest, id: &str, payload: Payload, state: &State) -> Result<HttpResponse, PageError> {
    let (visitor, _) = submitted(request, payload, state).await?;
    visitor.actor().require_stopping_jobs()?;
    let id = parsed(id)?;
    state.authority.admin().stop_job(visitor.actor(), id).await?;
    Ok(see_other(state, &format!("/console/jobs/{id}")))
}

fn parsed(id: &str) -> Result<Uuid, PageError> {
    Uuid::try_parse(id).map_err(|_| PageError::not_found())
}
