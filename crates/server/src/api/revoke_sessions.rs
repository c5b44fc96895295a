//! `POST /api/v1/sessions/revoke`: ending all sessions that a filter fits.

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use ficha_authority::{Began, RevokeMatching};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};
use utoipa::ToSchema;
use uuid::Uuid;

use super::caller::caller;
use super::jobs::Accepted;
use super::problem::{FieldError, Problem, ProblemAnswer};
use super::query::Parameters;
use super::receipt::{receipt, wait};
use super::sessions::{Revoked, answered, search};
use crate::request::form::read_body;
use crate::state::State;

/// Which sessions to end.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AdminRevokeSessions)]
pub struct Request {
    /// The filter, with the parameters of the list; and `ids`, to name sessions. It needs one of `user`, `client`, `address`
    /// and `ids`.
    #[schema(value_type = Object, example = json!({ "user": "alice", "state": "live" }))]
    filter: Members,
    /// Sessions to spare.
    #[serde(default)]
    except: Vec<Uuid>,
    /// True to end the caller's own session as well, if the filter fits it.
    #[serde(default)]
    include_self: bool,
    /// True to only count them.
    dry_run: bool,
    /// How many there were at the dry run. If there are more by now, nothing is done.
    expected: Option<u64>,
    /// Why, for the event log.
    reason: Option<String>,
}

/// The members of a JSON object, as they were written: a map would keep the last of two with one name.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;

        impl<'de> Visitor<'de> for Visit {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Visit)
    }
}

/// How many sessions would be ended.
#[derive(Serialize)]
struct Matched {
    matched: u64,
}

/// What was done; of a dry run, `matched` alone. One schema for both: a generator can't tell them apart by what is missing.
#[derive(ToSchema)]
#[schema(as = AdminRevokedOrMatched)]
#[expect(dead_code, reason = "it only describes a response in the OpenAPI description")]
struct RevokedOrMatched {
    /// How many sessions the filter fits.
    matched: u64,
    /// How many of them were ended; missing after a dry run.
    #[schema(nullable = false)]
    revoked: Option<u64>,
    /// With `wait`: which resource servers refuse their tokens.
    #[schema(nullable = false)]
    receipt: Option<super::receipt::ReceiptView>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
    Matched(Matched),
    Revoked(Revoked),
    Job(Accepted),
}

/// A filter may fit very many sessions, and all are looked at: a few requests at a time.
static LOOKING: Semaphore = Semaphore::const_new(2);
/// How long one waits for its turn.
const TURN_WITHIN: Duration = Duration::from_secs(10);
/// The longest reason, in characters.
const MOST_REASON: usize = 200;

/// Ends all sessions that a filter fits: first `"dry_run": true`, then the same with the number that this answered.
#[utoipa::path(
    post,
    path = "/api/v1/sessions/revoke",
    tag = "Admin",
    operation_id = "revoke_sessions",
    security(("token" = [])),
    params((
        "wait" = Option<u64>, Query,
        description = "Wait up to this many seconds, 30 at most, for the resource servers, and say which refuse their tokens"
    )),
    request_body = Request,
    responses(
        (status = 200, description = "They have ended; or, for a dry run, how many they are (`matched` alone)", body = RevokedOrMatched),
        (status = 202, description = "They are more than 10,000: a job ends them", body = Accepted),
        (status = 400, description = "The filter is unknown, wrong or too wide", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 408, description = "The body did not arrive in time", body = ProblemAnswer),
        (status = 409, description = "There are more than expected; nothing was done", body = ProblemAnswer),
        (status = 413, description = "The body is too long", body = ProblemAnswer),
        (status = 415, description = "The body is encoded", body = ProblemAnswer),
        (status = 503, description = "Some of them may have ended; try again", body = ProblemAnswer),
    )
)]
pub async fn revoke(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    match revoked(&request, payload, &state).await {
        Ok(Answer::Job(job)) => job.response(&state),
        other => answered(&state, other),
    }
}

async fn revoked(request: &HttpRequest, payload: Payload, state: &State) -> Result<Answer, Problem> {
    let actor = caller(request, state).await?;
    actor.require_ending_sessions()?;
    let mut parameters = Parameters::of(request.query_string());
    let wait = wait(&mut parameters);
    parameters.finish()?;
    let body = read_body(payload).await.map_err(|error| Problem::of_body(&error))?;
    let body: Request = serde_json::from_slice(&body).map_err(|error| Problem::invalid_body(&error.to_string()))?;
    let (what, is_dry_run) = body.parse()?;
    let turn = turn(&what).await?;
    let admin = state.authority.admin();
    if is_dry_run {
        return Ok(Answer::Matched(Matched { matched: admin.count_matching(&actor, &what).await? }));
    }
    let began = Began::now();
    let done = admin.revoke_matching(&actor, &what).await?;
    drop(turn);
    if let Some(job) = done.job {
        admin.spawn_job(job);
        return Ok(Answer::Job(Accepted::new(job)));
    }
    let receipt = receipt(request, state, began, wait).await;
    Ok(Answer::Revoked(Revoked { matched: done.matched, revoked: done.revoked, receipt }))
}

/// What names ids or a user looks at few sessions, and never waits for others.
pub async fn turn(what: &RevokeMatching) -> Result<Option<SemaphorePermit<'static>>, Problem> {
    if what.ids.is_some() || what.search.user.is_some() {
        return Ok(None);
    }
    match tokio::time::timeout(TURN_WITHIN, LOOKING.acquire()).await {
        Ok(Ok(turn)) => Ok(Some(turn)),
        _ => {
            let problem =
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "others look for very many sessions");
            Err(problem.retry_after(5))
        }
    }
}

impl Request {
    fn parse(self) -> Result<(RevokeMatching, bool), Problem> {
        let Self { mut filter, except, include_self, dry_run, expected, reason } = self;
        let ids: Vec<_> = filter.0.extract_if(.., |(name, _)| name == "ids").map(|(_, value)| value).collect();
        let mut parameters = Parameters::of_members(filter.0);
        if ids.len() > 1 {
            parameters.error("ids", "it is given twice");
        }
        let ids = ids.into_iter().next();
        let search = search(&mut parameters);
        let ids = ids.and_then(|ids| match serde_json::from_value::<Vec<Uuid>>(ids) {
            Ok(ids) => Some(ids),
            Err(_) => {
                parameters.error("ids", "it must be a list of session ids");
                None
            }
        });
        if !dry_run && expected.is_none() {
            parameters.error("expected", "it must be the number that the dry run answered");
        }
        if reason.as_ref().is_some_and(|text| text.chars().count() > MOST_REASON || text.chars().any(char::is_control))
        {
            parameters.error("reason", "it must be at most 200 characters without control characters");
        }
        parameters.finish()?;
        let expected = expected.unwrap_or(0);
        Ok((RevokeMatching { search, ids, except, include_self, expected, reason }, dry_run))
    }
}

impl Problem {
    fn invalid_body(why: &str) -> Self {
        // serde's words name the member and the place, and quote at most a value that the caller has sent.
        Self::invalid(vec![FieldError { field: "body".into(), problem: why.to_owned() }])
    }
}
