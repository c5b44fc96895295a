//! `/api/v1/sessions`: seeing sessions and ending them.

use std::collections::HashMap;

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use ficha_authority::{
    Actor, Began, EndedBy, PageFrom, SearchedState, SessionCount, SessionPage, SessionRecord, SessionSearch,
    SessionState, UserRecord, reason_of,
};
use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;
use uuid::Uuid;

use super::caller::caller;
use super::problem::{Problem, ProblemAnswer};
use super::query::Parameters;
use super::receipt::{ReceiptView, receipt, wait};
use crate::error::no_store;
use crate::state::State;

/// A session.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminSession)]
pub struct SessionView {
    /// The `sid` of its tokens.
    id: Uuid,
    /// Whose it is; null for a client's own.
    #[schema(required = true)]
    user: Option<UserName>,
    /// The client that it was issued to.
    client_id: String,
    /// The `sub` of its tokens: the user's id, or the client's own.
    subject: Uuid,
    /// What it was granted.
    scopes: Vec<String>,
    /// The `aud` of its tokens.
    audience: String,
    /// The user's roles, as in its tokens.
    roles: Vec<String>,
    /// `live`, `expired` or `revoked`.
    state: &'static str,
    created_at: String,
    /// When it was last refreshed, or created.
    refreshed_at: String,
    /// When it ends in any case.
    expires_at: String,
    /// When it ends unless it is refreshed.
    idle_expires_at: String,
    /// From where it was created.
    #[schema(required = true)]
    address: Option<String>,
    #[schema(required = true)]
    user_agent: Option<String>,
    /// How the user was authenticated (RFC 8176).
    amr: Vec<String>,
    /// When the user was authenticated.
    auth_time: String,
    /// When and why it ended early.
    #[schema(required = true)]
    ended: Option<Ended>,
}

/// A user, by id and name.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminUserName)]
pub struct UserName {
    id: Uuid,
    /// Null if the user was deleted, or the caller may not see names.
    #[schema(required = true)]
    name: Option<String>,
}

/// The end of a session.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminSessionEnded)]
pub struct Ended {
    /// Null for `purge`.
    #[schema(required = true)]
    at: Option<String>,
    reason: &'static str,
    /// Who ended it; null if that is not known, and in one's own list.
    #[schema(required = true)]
    by: Option<EndedActor>,
}

/// Who ended a session.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = AdminSessionEndedBy)]
pub struct EndedActor {
    /// `user`, `client`, `cli`, `server` or `anonymous`.
    kind: String,
    /// Null if it is not known, or was erased.
    #[schema(required = true)]
    name: Option<String>,
}

/// A page of sessions.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminSessionPage)]
pub struct SessionList {
    /// The newest first. Missing with `count=only`, as are `next` and `previous`.
    #[schema(required = false)]
    items: Vec<SessionView>,
    /// `after` for the next page; null at the end.
    next: Option<String>,
    /// `before` for the previous page; null at the beginning.
    previous: Option<String>,
    /// With `count=true`: how many there are, or `{"at_least": N}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = crate::api::schemas::count, required = false)]
    count: Option<Value>,
    /// If filters fit so few sessions that the search has stopped before the page was full: how many it looked at. It
    /// continues with `next`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    scanned: Option<u64>,
}

/// What a revocation did.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminRevoked)]
pub struct Revoked {
    /// How many sessions fit.
    pub matched: u64,
    /// How many it ended; the others had ended before.
    pub revoked: u64,
    /// With `wait`: who refuses their tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub receipt: Option<ReceiptView>,
}

/// Lists sessions, the newest first.
#[utoipa::path(
    get,
    path = "/api/v1/sessions",
    tag = "Admin",
    operation_id = "list_sessions",
    security(("token" = [])),
    params(
        ("user" = Option<String>, Query, description = "Only sessions of this user: name or id"),
        ("client" = Option<String>, Query, description = "Only sessions of this client"),
        ("address" = Option<String>, Query, description = "Only sessions from this address or network"),
        ("state" = Option<String>, Query, description = "`live`, `expired` or `revoked`"),
        ("scope" = Option<String>, Query, description = "Only sessions with this scope"),
        ("user_agent" = Option<String>, Query, description = "Only sessions whose user agent contains this"),
        ("created_after" = Option<String>, Query, description = "RFC 3339"),
        ("created_before" = Option<String>, Query, description = "RFC 3339"),
        ("refreshed_after" = Option<String>, Query, description = "RFC 3339"),
        ("refreshed_before" = Option<String>, Query, description = "RFC 3339"),
        ("reason" = Option<String>, Query, description = "Only sessions that ended for this reason"),
        ("limit" = Option<u64>, Query, description = "1 to 200; 50 if it is not given"),
        ("after" = Option<String>, Query, description = "The `next` of a page"),
        ("before" = Option<String>, Query, description = "The `previous` of a page"),
        ("count" = Option<String>, Query, description = "`true`: count them as well; `only`: nothing else"),
    ),
    responses(
        (status = 200, description = "A page", body = SessionList),
        (status = 400, description = "A parameter is unknown or wrong", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 503, description = "The database does not answer", body = ProblemAnswer),
    )
)]
pub async fn list(request: HttpRequest, state: Data<State>) -> HttpResponse {
    answered(&state, listed(&request, &state).await)
}

/// Shows one session.
#[utoipa::path(
    get,
    path = "/api/v1/sessions/{id}",
    tag = "Admin",
    operation_id = "show_session",
    security(("token" = [])),
    params(("id" = uuid::Uuid, Path, description = "The `sid` of its tokens")),
    responses(
        (status = 200, description = "The session", body = SessionView),
        (status = 400, description = "The Authorization header can't be read, or a parameter is unknown", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 404, description = "There is no such session", body = ProblemAnswer),
        (status = 503, description = "The database does not answer", body = ProblemAnswer),
    )
)]
pub async fn show(request: HttpRequest, id: Path<String>, state: Data<State>) -> HttpResponse {
    answered(&state, shown(&request, &id, &state).await)
}

/// Ends one session. When this answers, the session's tokens are denied.
#[utoipa::path(
    delete,
    path = "/api/v1/sessions/{id}",
    tag = "Admin",
    operation_id = "revoke_session",
    security(("token" = [])),
    params(
        ("id" = uuid::Uuid, Path, description = "The `sid` of its tokens"),
        (
            "wait" = Option<u64>, Query,
            description = "Wait up to this many seconds, 30 at most, for the resource servers, and say which refuse its tokens"
        ),
    ),
    responses(
        (status = 200, description = "It has ended", body = Revoked),
        (status = 400, description = "A parameter is unknown or wrong", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 404, description = "There is no such session", body = ProblemAnswer),
        (status = 503, description = "It may not have been committed; try again", body = ProblemAnswer),
    )
)]
pub async fn revoke(request: HttpRequest, id: Path<String>, state: Data<State>) -> HttpResponse {
    answered(&state, revoked(&request, &id, &state).await)
}

/// Answers with a body, or with a problem.
pub fn answered<T: Serialize>(state: &State, outcome: Result<T, Problem>) -> HttpResponse {
    match outcome {
        Ok(body) => {
            let mut response = HttpResponse::Ok();
            no_store(&mut response);
            response.json(body)
        }
        Err(problem) => problem.response(state),
    }
}

async fn listed(request: &HttpRequest, state: &State) -> Result<Value, Problem> {
    let actor = caller(request, state).await?;
    actor.require_seeing_sessions()?;
    let mut parameters = Parameters::of(request.query_string());
    let search = search(&mut parameters);
    let limit = parameters.number("limit", 1, 200).unwrap_or(50);
    let from = page_from(&mut parameters);
    let count = count(&mut parameters);
    parameters.finish()?;
    let admin = state.authority.admin();
    let counted = match count {
        Some(_) => Some(match admin.count_fitting_sessions(&actor, &search).await? {
            SessionCount::Exactly(count) => json!(count),
            SessionCount::AtLeast(count) => json!({ "at_least": count }),
        }),
        None => None,
    };
    if count == Some(true) {
        return Ok(json!({ "count": counted }));
    }
    let page = admin.search_sessions(&actor, &search, from, limit).await?;
    let list = SessionList {
        items: views(&actor, state, page.sessions).await?,
        next: page.next.map(|id| id.to_string()),
        previous: page.previous.map(|id| id.to_string()),
        count: counted,
        scanned: page.scanned,
    };
    Ok(json!(list))
}

async fn shown(request: &HttpRequest, id: &str, state: &State) -> Result<SessionView, Problem> {
    let actor = caller(request, state).await?;
    actor.require_seeing_sessions()?;
    Parameters::of(request.query_string()).finish()?;
    let found = state.authority.admin().session_and_state(&actor, session_id(id)).await?;
    views(&actor, state, vec![found]).await?.pop().ok_or_else(|| Problem::not_found("there is no such session"))
}

async fn revoked(request: &HttpRequest, id: &str, state: &State) -> Result<Revoked, Problem> {
    let actor = caller(request, state).await?;
    actor.require_ending_sessions()?;
    let mut parameters = Parameters::of(request.query_string());
    let wait = wait(&mut parameters);
    parameters.finish()?;
    let began = Began::now();
    let is_new = state.authority.admin().revoke_session(&actor, session_id(id)).await?;
    Ok(Revoked { matched: 1, revoked: is_new.into(), receipt: receipt(request, state, began, wait).await })
}

/// What is not an id is the id of nothing: the rule refuses it, or says that it is not there.
pub fn session_id(text: &str) -> Uuid {
    text.parse().unwrap_or_default()
}

/// The filter of the list, from its names and values, for the command line. An error says what is wrong.
pub fn session_search(pairs: impl IntoIterator<Item = (String, String)>) -> Result<SessionSearch, String> {
    let mut parameters = Parameters::of_pairs(pairs);
    let search = search(&mut parameters);
    parameters.finish().map_err(|problem| problem.to_string())?;
    Ok(search)
}

/// The filter, from the parameters that it is made of.
pub fn search(parameters: &mut Parameters) -> SessionSearch {
    SessionSearch {
        user: parameters.text("user"),
        client: parameters.text("client"),
        address: parameters.parsed("address", "an address or a network such as 192.0.2.0/24", |text| {
            crate::http::network::parse_network(text).ok()
        }),
        state: parameters.parsed("state", "`live`, `expired` or `revoked`", SearchedState::parse),
        scope: parameters.text("scope"),
        user_agent: parameters.text("user_agent"),
        created_after: parameters.time("created_after"),
        created_before: parameters.time("created_before"),
        refreshed_after: parameters.time("refreshed_after"),
        refreshed_before: parameters.time("refreshed_before"),
        reason: parameters.text("reason"),
    }
}

pub fn page_from(parameters: &mut Parameters) -> PageFrom {
    let cursor = |text: &str| text.parse::<Uuid>().ok();
    let after = parameters.parsed("after", "the `next` of a page", cursor);
    let before = parameters.parsed("before", "the `previous` of a page", cursor);
    match (after, before) {
        (Some(_), Some(_)) => {
            parameters.error("before", "it can't be combined with `after`");
            PageFrom::Newest
        }
        (Some(id), None) => PageFrom::OlderThan(id),
        (None, Some(id)) => PageFrom::NewerThan(id),
        (None, None) => PageFrom::Newest,
    }
}

/// Whether to count: `Some(true)` means nothing else.
pub fn count(parameters: &mut Parameters) -> Option<bool> {
    parameters.parsed("count", "`true` or `only`", |text| match text {
        "true" => Some(false),
        "only" => Some(true),
        _ => None,
    })
}

/// A count as it is answered: with false, there may be more.
pub fn counted((count, is_all): (u64, bool)) -> Value {
    if is_all { json!(count) } else { json!({ "at_least": count }) }
}

/// Sessions of one user, as they see them: without who else has ended one.
pub fn session_views(user: &UserRecord, sessions: Vec<(SessionRecord, SessionState)>) -> Vec<SessionView> {
    sessions.into_iter().map(|(session, state)| view(session, state, Some(user.name.clone()), None)).collect()
}

/// A page of a user's own sessions.
pub fn own_views(user: &UserRecord, page: SessionPage) -> SessionList {
    SessionList {
        items: session_views(user, page.sessions),
        next: page.next.map(|id| id.to_string()),
        previous: page.previous.map(|id| id.to_string()),
        count: None,
        scanned: None,
    }
}

/// A session as who asks may see it.
pub struct Seen {
    pub session: SessionRecord,
    pub state: SessionState,
    /// The name of its user, if there is one and who asks may see it.
    pub name: Option<String>,
    /// Who ended it, if that is known.
    pub by: Option<EndedBy>,
}

async fn views(
    actor: &Actor,
    state: &State,
    sessions: Vec<(SessionRecord, SessionState)>,
) -> Result<Vec<SessionView>, Problem> {
    let seen = seen(actor, state, sessions).await?;
    Ok(seen.into_iter().map(|Seen { session, state, name, by }| view(session, state, name, by)).collect())
}

/// Sessions with the names that belong to them.
pub async fn seen(
    actor: &Actor,
    state: &State,
    sessions: Vec<(SessionRecord, SessionState)>,
) -> Result<Vec<Seen>, ficha_authority::AdminError> {
    let ids: Vec<Uuid> = sessions.iter().filter_map(|(session, _)| session.user_id).collect();
    let names: HashMap<Uuid, String> = match state.authority.admin().user_names(actor, &ids).await {
        Ok(names) => names.into_iter().collect(),
        // Who may see sessions may not always see names.
        Err(ficha_authority::AdminError::Forbidden(_)) => HashMap::new(),
        Err(error) => return Err(error),
    };
    let ended = sessions.iter().filter(|(session, _)| session.revoked.is_some()).map(|(session, _)| session.id);
    let mut by = state.authority.admin().ended_by(actor, &ended.collect::<Vec<_>>()).await?;
    let seen = sessions.into_iter().map(|(session, state)| Seen {
        name: session.user_id.and_then(|id| names.get(&id).cloned()),
        by: by.remove(&session.id),
        session,
        state,
    });
    Ok(seen.collect())
}

/// A session as it is shown.
pub fn view(session: SessionRecord, state: SessionState, name: Option<String>, by: Option<EndedBy>) -> SessionView {
    let reason = reason_of(state);
    let by = by.map(|by| EndedActor { kind: by.kind, name: by.name });
    let auth_time = time_text(session.auth_time());
    SessionView {
        id: session.id,
        user: session.user_id.map(|id| UserName { id, name }),
        client_id: session.client_id,
        subject: session.subject,
        scopes: session.scopes.iter().map(str::to_owned).collect(),
        audience: session.audience,
        roles: session.roles,
        state: SearchedState::of(state).as_str(),
        created_at: time_text(session.created_at),
        refreshed_at: time_text(session.rotated_at),
        expires_at: time_text(session.expires_at),
        idle_expires_at: time_text(session.idle_expires_at),
        address: session.address,
        user_agent: session.user_agent,
        amr: session.authentication.map(|how| how.amr).unwrap_or_default(),
        auth_time,
        ended: reason.map(|reason| Ended { at: session.revoked.map(|(at, _)| time_text(at)), reason, by }),
    }
}

/// RFC 3339, UTC, from Unix milliseconds.
pub fn millis_text(unix: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix) * 1_000_000);
    time.unwrap_or(OffsetDateTime::UNIX_EPOCH).format(&Rfc3339).unwrap_or_default()
}

/// RFC 3339, UTC.
pub fn time_text(unix: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(unix).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(&Rfc3339).unwrap_or_default()
}
