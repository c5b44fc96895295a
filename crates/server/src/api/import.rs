//! `/api/v1/users/import`: a file of users, which a job creates.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Bytes, Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use ficha_authority::{AdminError, ImportFormat, JobState};
use futures_util::{Stream, StreamExt};
use tokio::sync::{Semaphore, SemaphorePermit};
use zeroize::Zeroizing;

use super::body::invalid;
use super::caller::caller;
use super::jobs::Accepted;
use super::problem::{Problem, ProblemAnswer};
use super::query::Parameters;
use super::repeated::repeatable;
use crate::state::State;

/// The longest file, in bytes: some 300,000 users.
pub const MOST_BYTES: usize = 64 * 1024 * 1024;
/// How long it may take to arrive.
const ARRIVES_WITHIN: Duration = Duration::from_secs(120);
/// A file is held in memory until it is written down: one at a time.
static READING: Semaphore = Semaphore::const_new(1);
/// How long one waits for its turn.
const TURN_WITHIN: Duration = Duration::from_secs(10);

/// Imports users from CSV or JSON lines. A line that can't be used is in the job's report, and the others are imported; a
/// user whose name is taken is left as they are, so that an import can be repeated.
#[utoipa::path(
    post,
    path = "/api/v1/users/import",
    tag = "Admin",
    operation_id = "import_users",
    security(("token" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "A request that is repeated with it makes nothing twice")),
    request_body(
        description = "CSV with a header, or one JSON object a line, of at most 64 MiB. The columns or members are `name`, \
            `password_hash`, and by choice `email`, `scopes`, `roles`, `enabled` and `must_change`.",
        content(
            (String = "text/csv", example = json!("name,password_hash,scopes\nalice,$2b$12$…,notes:read notes:write\n")),
            (String = "application/jsonl", example = json!("{\"name\": \"alice\", \"password_hash\": \"$2b$12$…\"}\n")),
        )
    ),
    responses(
        (status = 202, description = "It is accepted: a job imports them", body = Accepted),
        (status = 400, description = "The file as a whole can't be used", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 408, description = "The file did not arrive in time", body = ProblemAnswer),
        (status = 409, description = "Too many jobs are not over yet, or it was stopped meanwhile", body = ProblemAnswer),
        (status = 413, description = "The file is too long", body = ProblemAnswer),
        (status = 415, description = "The body is encoded", body = ProblemAnswer),
        (status = 422, description = "The key was used for another request", body = ProblemAnswer),
        (status = 503, description = "Another file is being read, or the database does not answer", body = ProblemAnswer),
    )
)]
pub async fn import(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    match imported(&request, payload, &state).await {
        Ok(job) => job.response(&state),
        Err(problem) => problem.response(&state),
    }
}

async fn imported(request: &HttpRequest, payload: Payload, state: &State) -> Result<Accepted, Problem> {
    let actor = caller(request, state).await?;
    actor.require_changing_users()?;
    Parameters::of(request.query_string()).finish()?;
    let format = format_of(request)?;
    let _turn = turn().await?;
    let file = in_time(read(payload)).await?;
    let admin = state.authority.admin();
    let Some(repeatable) = repeatable(request, &admin, &actor, &file).await? else {
        let job = admin.import_users(&actor, format, file).await?;
        admin.spawn_job(job);
        return Ok(Accepted::new(job));
    };
    match admin.job(&actor, repeatable.id).await {
        Ok(found) if found.job.state != JobState::Receiving => {
            admin.note_created(&repeatable).await;
            Ok(Accepted::replayed(found.job.id))
        }
        // What was not written down completely is written down anew.
        Ok(_) | Err(AdminError::NoSuch { .. }) => {
            repeatable.require_new()?;
            let job = admin.import_users_as(&actor, repeatable.id, format, file).await?;
            admin.note_created(&repeatable).await;
            admin.spawn_job(job);
            Ok(Accepted::new(job))
        }
        Err(error) => Err(error.into()),
    }
}

fn format_of(request: &HttpRequest) -> Result<ImportFormat, Problem> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "text/csv" => Ok(ImportFormat::Csv),
        "application/jsonl" | "application/x-ndjson" | "application/jsonlines" => Ok(ImportFormat::JsonLines),
        _ => Err(invalid("Content-Type", "it must be text/csv or application/jsonl")),
    }
}

/// The right to read a file: one is read at a time, and others wait for a while.
pub async fn turn() -> Result<SemaphorePermit<'static>, Problem> {
    match tokio::time::timeout(TURN_WITHIN, READING.acquire()).await {
        Ok(Ok(turn)) => Ok(turn),
        _ => {
            let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "another file is being read");
            Err(problem.retry_after(5))
        }
    }
}

/// What is read, if it arrives in time.
pub async fn in_time<T, E: From<Problem>>(reading: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let slow = |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "invalid", "the file did not arrive in time");
    tokio::time::timeout(ARRIVES_WITHIN, reading).await.map_err(slow)?
}

/// The whole file. It holds password hashes: its memory is wiped.
pub async fn read<E>(mut parts: impl Stream<Item = Result<Bytes, E>> + Unpin) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let mut file = Zeroizing::new(Vec::new());
    while let Some(part) = parts.next().await {
        let part = part.map_err(|_| invalid("body", "the file is incomplete"))?;
        if file.len() + part.len() > MOST_BYTES {
            let detail = format!("the file is longer than {} MiB: import it in parts", MOST_BYTES >> 20);
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "invalid", detail));
        }
        file.extend_from_slice(&part);
    }
    Ok(file)
}
