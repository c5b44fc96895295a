//! `/api/v1/audit`: the event log.

use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use ficha_authority::{Actor, Admin, EventQuery, EventSearch, EventView, EventsFrom, Sight};
use ficha_resource::Verified;
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;
use utoipa::ToSchema;

use super::caller::{caller, caller_and_token};
use super::csv;
use super::problem::{Problem, ProblemAnswer};
use super::query::Parameters;
use super::sessions::{answered, count, counted};
use crate::error::no_store;
use crate::state::State;

/// How many events a part of an export has.
const PART: u64 = 500;

/// A page of events.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminEventPage)]
pub struct EventList {
    /// The newest first. Missing with `count=only`, as are `next` and `previous`.
    #[schema(value_type = Vec<EventSchema>, required = false)]
    items: Vec<EventView>,
    /// `after` for the next page, of older events; null at the end.
    next: Option<String>,
    /// `before` for the previous page; null at the beginning.
    previous: Option<String>,
    /// With `count=true`: how many there are, or `{"at_least": N}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = crate::api::schemas::count, required = false)]
    count: Option<Value>,
    /// If filters fit so few events that the search has stopped before the page was full: how many it looked at. It
    /// continues with `next`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    scanned: Option<u64>,
}

/// An event.
#[derive(ToSchema)]
#[schema(as = AdminEvent)]
#[expect(dead_code, reason = "it only describes a response in the OpenAPI description")]
pub struct EventSchema {
    number: i64,
    /// RFC 3339, UTC, with milliseconds.
    at: String,
    event: String,
    #[schema(value_type = Object, example = json!({ "kind": "user", "name": "admin", "id": "0198c0de-0000-7000-8000-000000000001" }))]
    actor: Value,
    #[schema(required = true)]
    user: Option<String>,
    #[schema(required = true)]
    client: Option<String>,
    #[schema(required = true)]
    session: Option<String>,
    #[schema(required = true)]
    address: Option<String>,
    #[schema(required = true)]
    request_id: Option<String>,
    #[schema(value_type = Option<Object>, required = true)]
    detail: Option<Value>,
    /// The hash of this event and all before it.
    hash: String,
}

/// Lists events, the newest first. With `ficha:account` alone: what the caller did, and what happened to them.
#[utoipa::path(
    get,
    path = "/api/v1/audit",
    tag = "Admin",
    operation_id = "list_events",
    security(("token" = [])),
    params(
        ("event" = Option<String>, Query, description = "Only events of this name; `login.` for all whose name begins so"),
        ("user" = Option<String>, Query, description = "Only events that happened to this user: name or id"),
        ("client" = Option<String>, Query, description = "Only events of this client"),
        ("session" = Option<String>, Query, description = "Only events of this session"),
        ("actor" = Option<String>, Query, description = "Only events that this user or program caused: name or id"),
        ("address" = Option<String>, Query, description = "Only events from this address or network"),
        ("since" = Option<String>, Query, description = "RFC 3339: at or after this time"),
        ("until" = Option<String>, Query, description = "RFC 3339: before this time"),
        ("limit" = Option<u64>, Query, description = "1 to 200; 50 if it is not given"),
        ("after" = Option<String>, Query, description = "The `next` of a page"),
        ("before" = Option<String>, Query, description = "The `previous` of a page"),
        ("count" = Option<String>, Query, description = "`true`: count them as well; `only`: nothing else"),
    ),
    responses(
        (status = 200, description = "A page", body = EventList),
        (status = 400, description = "A parameter is unknown or wrong", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 503, description = "The database does not answer", body = ProblemAnswer),
    )
)]
pub async fn list(request: HttpRequest, state: Data<State>) -> HttpResponse {
    answered(&state, listed(&request, &state, Actor::sight_of_log).await)
}

/// Lists what the caller did, and what happened to them, whatever else they may see.
#[utoipa::path(
    get,
    path = "/api/v1/me/events",
    tag = "Account",
    operation_id = "list_own_events",
    security(("token" = [])),
    params(
        ("event" = Option<String>, Query, description = "Only events of this name; `login.` for all whose name begins so"),
        ("client" = Option<String>, Query, description = "Only events of this client"),
        ("session" = Option<String>, Query, description = "Only events of this session"),
        ("since" = Option<String>, Query, description = "RFC 3339: at or after this time"),
        ("until" = Option<String>, Query, description = "RFC 3339: before this time"),
        ("limit" = Option<u64>, Query, description = "1 to 200; 50 if it is not given"),
        ("after" = Option<String>, Query, description = "The `next` of a page"),
        ("before" = Option<String>, Query, description = "The `previous` of a page"),
        ("count" = Option<String>, Query, description = "`true`: count them as well; `only`: nothing else"),
    ),
    responses(
        (status = 200, description = "A page", body = EventList),
        (status = 400, description = "A parameter is unknown or wrong", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 503, description = "The database does not answer", body = ProblemAnswer),
    )
)]
pub async fn own(request: HttpRequest, state: Data<State>) -> HttpResponse {
    answered(&state, listed(&request, &state, Actor::sight_of_own).await)
}

/// Exports events, the oldest first, while they are read.
#[utoipa::path(
    get,
    path = "/api/v1/audit/export",
    tag = "Admin",
    operation_id = "export_events",
    security(("token" = [])),
    params(
        ("format" = Option<String>, Query, description = "`jsonl`, a JSON object a line, or `csv`; `jsonl` if it is not given"),
        ("event" = Option<String>, Query, description = "As in the list"),
        ("user" = Option<String>, Query, description = "As in the list"),
        ("client" = Option<String>, Query, description = "As in the list"),
        ("session" = Option<String>, Query, description = "As in the list"),
        ("actor" = Option<String>, Query, description = "As in the list"),
        ("address" = Option<String>, Query, description = "As in the list"),
        ("since" = Option<String>, Query, description = "As in the list"),
        ("until" = Option<String>, Query, description = "As in the list"),
        ("after" = Option<u64>, Query, description = "Only events with a higher number"),
    ),
    responses(
        (status = 200, description = "All that fit. If it fails half-way, the connection is closed without an end of the body",
            content((String = "application/jsonl"), (String = "text/csv"))),
        (status = 400, description = "A parameter is unknown or wrong", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 503, description = "The database does not answer", body = ProblemAnswer),
    )
)]
pub async fn export(request: HttpRequest, state: Data<State>) -> HttpResponse {
    match exported(&request, &state).await {
        Ok(export) => export.response(),
        Err(problem) => problem.response(&state),
    }
}

async fn listed(
    request: &HttpRequest,
    state: &State,
    sight: fn(&Actor) -> Result<Sight, ficha_authority::AdminError>,
) -> Result<Value, Problem> {
    let actor = caller(request, state).await?;
    let sight = sight(&actor)?;
    let mut parameters = Parameters::of(request.query_string());
    let query = query(&mut parameters);
    let limit = parameters.number("limit", 1, 200).unwrap_or(50);
    let from = from(&mut parameters);
    let count = count(&mut parameters);
    parameters.finish()?;
    let admin = state.authority.admin();
    let search = admin.event_search(&actor, &query, sight).await?;
    let counted = match count {
        Some(_) => Some(counted(admin.count_events(&search).await?)),
        None => None,
    };
    if count == Some(true) {
        return Ok(json!({ "count": counted }));
    }
    let page = admin.search_events(&search, from, limit as usize).await?;
    Ok(json!(EventList {
        count: counted,
        items: page.events.into_iter().map(EventView::from).collect(),
        next: page.next.map(|number| number.to_string()),
        previous: page.previous.map(|number| number.to_string()),
        scanned: page.scanned,
    }))
}

/// What is asked for, from the parameters that it is made of.
pub fn query(parameters: &mut Parameters) -> EventQuery {
    EventQuery {
        event: parameters.text("event"),
        user: parameters.text("user"),
        client: parameters.text("client"),
        session: parameters.parsed("session", "the id of a session", |text| text.parse().ok()),
        actor: parameters.text("actor"),
        address: parameters.parsed("address", "an address or a network such as 192.0.2.0/24", |text| {
            crate::http::network::parse_network(text).ok()
        }),
        since: parameters.millis("since"),
        until: parameters.millis("until"),
    }
}

/// Where a page begins.
pub fn from(parameters: &mut Parameters) -> EventsFrom {
    let number = |text: &str| text.parse::<i64>().ok().filter(|number| *number >= 0);
    let after = parameters.parsed("after", "the `next` of a page", number);
    let before = parameters.parsed("before", "the `previous` of a page", number);
    match (after, before) {
        (Some(_), Some(_)) => {
            parameters.error("before", "it can't be combined with `after`");
            EventsFrom::Newest
        }
        (Some(number), None) => EventsFrom::Before(number),
        (None, Some(number)) => EventsFrom::After(number),
        (None, None) => EventsFrom::Newest,
    }
}

/// An export that has begun.
struct Export {
    admin: Admin,
    state: State,
    token: Arc<Verified>,
    search: EventSearch,
    /// The number after which it goes on; `None`: it is complete.
    after: Option<i64>,
    is_csv: bool,
    first: Vec<u8>,
}

async fn exported(request: &HttpRequest, state: &Data<State>) -> Result<Export, Problem> {
    let (actor, token) = caller_and_token(request, state).await?;
    let sight = actor.sight_of_log()?;
    let mut parameters = Parameters::of(request.query_string());
    let query = query(&mut parameters);
    let format = parameters.parsed("format", "`jsonl` or `csv`", |text| match text {
        "jsonl" => Some(false),
        "csv" => Some(true),
        _ => None,
    });
    let after = parameters.number("after", 0, i64::MAX as u64).unwrap_or(0) as i64;
    parameters.finish()?;
    let admin = state.authority.admin();
    let search = admin.event_search(&actor, &query, sight).await?;
    let is_csv = format.unwrap_or(false);
    let mut export =
        Export { admin, state: (***state).clone(), token, search, after: Some(after), is_csv, first: Vec::new() };
    // The first part is read before the answer begins, so that an error still has a status.
    export.first = if is_csv { csv::head() } else { Vec::new() };
    let part = export.part().await?;
    export.first.extend(part);
    Ok(export)
}

impl Export {
    /// The next part. Empty only if nothing of it fits.
    async fn part(&mut self) -> Result<Vec<u8>, Problem> {
        let Some(after) = self.after else { return Ok(Vec::new()) };
        let (events, next) = self.admin.events_following(&self.search, after, PART).await?;
        self.after = next;
        let events: Vec<EventView> = events.into_iter().map(EventView::from).collect();
        Ok(if self.is_csv {
            csv::rows(&events)
        } else {
            events.iter().flat_map(|event| event.line().into_bytes()).collect()
        })
    }

    fn response(mut self) -> HttpResponse {
        let mut response = HttpResponse::Ok();
        no_store(&mut response);
        let (kind, name) = match self.is_csv {
            true => ("text/csv; charset=utf-8", "attachment; filename=\"events.csv\""),
            false => ("application/jsonl", "attachment; filename=\"events.jsonl\""),
        };
        response.content_type(kind).insert_header(("content-disposition", name));
        let first = std::mem::take(&mut self.first);
        let parts = futures_util::stream::unfold((Some(first), self), |(first, mut export)| async move {
            if let Some(first) = first {
                return Some((Ok(Bytes::from(first)), (None, export)));
            }
            export.after?;
            // It ends with the session of who reads, and is then not mistaken for a whole one.
            let part = match export.state.guard.recheck(&export.token) {
                Ok(()) => export.part().await.map(Bytes::from).map_err(|problem| problem.to_string()),
                Err(error) => Err(error.to_string()),
            };
            if part.is_err() {
                export.after = None;
            }
            Some((part.map_err(std::io::Error::other), (None, export)))
        });
        response.streaming(parts)
    }
}
