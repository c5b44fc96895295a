//! `/api/v1/scopes`: what scopes mean.

use actix_web::http::header::{IF_MATCH, IF_NONE_MATCH};
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use ficha_authority::AdminError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body;
use super::caller::caller;
use super::problem::{Problem, ProblemAnswer};
use super::query::Parameters;
use super::sessions::answered;
use crate::state::State;

/// A declared scope.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminScope)]
pub struct ScopeView {
    name: String,
    /// What it allows, as people read it.
    description: String,
}

/// All declared scopes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminScopes)]
pub struct ScopeList {
    /// By name.
    items: Vec<ScopeView>,
}

/// What a scope allows.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AdminScopeBody)]
pub struct ScopeBody {
    #[schema(example = "Read your notes")]
    description: String,
}

/// The longest description, in characters.
const MOST: usize = 500;

/// Lists the declared scopes.
#[utoipa::path(
    get,
    path = "/api/v1/scopes",
    tag = "Admin",
    operation_id = "list_scopes",
    security(("token" = [])),
    responses(
        (status = 200, description = "All of them", body = ScopeList),
        (status = 400, description = "A parameter is unknown", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 503, description = "The database does not answer", body = ProblemAnswer),
    )
)]
pub async fn list(request: HttpRequest, state: Data<State>) -> HttpResponse {
    answered(&state, listed(&request, &state).await)
}

async fn listed(request: &HttpRequest, state: &State) -> Result<ScopeList, Problem> {
    let actor = caller(request, state).await?;
    let scopes = state.authority.admin().scopes(&actor).await?;
    Parameters::of(request.query_string()).finish()?;
    let items = scopes.into_iter().map(|(name, description)| ScopeView { name, description });
    Ok(ScopeList { items: items.collect() })
}

/// Shows a declared scope.
#[utoipa::path(
    get,
    path = "/api/v1/scopes/{name}",
    tag = "Admin",
    operation_id = "show_scope",
    security(("token" = [])),
    params(("name" = String, Path, description = "The scope")),
    responses(
        (status = 200, description = "The scope", body = ScopeView),
        (status = 400, description = "A parameter is unknown", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 404, description = "It is not declared", body = ProblemAnswer),
        (status = 503, description = "The database does not answer", body = ProblemAnswer),
    )
)]
pub async fn show(request: HttpRequest, name: Path<String>, state: Data<State>) -> HttpResponse {
    answered(&state, shown(&request, &name, &state).await)
}

async fn shown(request: &HttpRequest, name: &str, state: &State) -> Result<ScopeView, Problem> {
    let found = listed(request, state).await?.items.into_iter().find(|scope| scope.name == name);
    found.ok_or_else(|| Problem::not_found("there is no such scope"))
}

/// Declares a scope, or describes it anew. To do it twice changes nothing.
#[utoipa::path(
    put,
    path = "/api/v1/scopes/{name}",
    tag = "Admin",
    operation_id = "declare_scope",
    security(("token" = [])),
    params(
        ("name" = String, Path, description = "The scope"),
        ("If-Match" = Option<String>, Header, description = "`*`: only if it is declared"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only if it is not declared yet"),
    ),
    request_body = ScopeBody,
    responses(
        (status = 200, description = "It is declared", body = ScopeView),
        (status = 400, description = "It is not one scope name, or a member is wrong", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 408, description = "The body did not arrive in time", body = ProblemAnswer),
        (status = 412, description = "It is declared already, or is not", body = ProblemAnswer),
        (status = 413, description = "The body is too long", body = ProblemAnswer),
        (status = 415, description = "The body is encoded", body = ProblemAnswer),
        (status = 503, description = "It may not have been committed", body = ProblemAnswer),
    )
)]
pub async fn declare(request: HttpRequest, name: Path<String>, payload: Payload, state: Data<State>) -> HttpResponse {
    answered(&state, declared(&request, &name, payload, &state).await)
}

async fn declared(request: &HttpRequest, name: &str, payload: Payload, state: &State) -> Result<ScopeView, Problem> {
    let actor = caller(request, state).await?;
    actor.require_changing_scopes()?;
    Parameters::of(request.query_string()).finish()?;
    let ScopeBody { description } = body::read(request, payload).await?;
    let admin = state.authority.admin();
    let wanted = precondition(request)?;
    // Without a condition, an empty one would keep what a declared scope has.
    if wanted.is_none() && !is_description(&description) {
        return Err(body::invalid("description", "it must be 1 to 500 characters without control characters"));
    }
    match wanted {
        None => admin.declare_scope(&actor, name, &description).await?,
        Some(true) => or_failed(admin.describe_scope(&actor, name, &description).await)?,
        Some(false) => or_failed(admin.add_scope(&actor, name, &description).await)?,
    }
    Ok(ScopeView { name: name.to_owned(), description })
}

/// Whether the scope must be declared (`If-Match: *`) or must not be (`If-None-Match: *`; RFC 9110 §13.1). A scope has no
/// entity tag, so one that is named matches nothing.
fn precondition(request: &HttpRequest) -> Result<Option<bool>, Problem> {
    let named = |name| request.headers().get(name).map(|value| value.as_bytes() == b"*");
    match (named(IF_MATCH), named(IF_NONE_MATCH)) {
        (None, None | Some(false)) => Ok(None),
        (None, Some(true)) => Ok(Some(false)),
        (Some(true), None | Some(false)) => Ok(Some(true)),
        (Some(false), _) => Err(Problem::precondition_failed().because("a scope has no entity tag: use `If-Match: *`")),
        (Some(true), Some(true)) => {
            Err(Problem::precondition_failed().because("a scope can't be declared and not be declared"))
        }
    }
}

fn or_failed(done: Result<(), AdminError>) -> Result<(), Problem> {
    done.map_err(|error| match error {
        AdminError::Taken { .. } => Problem::precondition_failed().because("the scope is declared already"),
        AdminError::NoSuch { .. } => Problem::precondition_failed().because("the scope is not declared"),
        other => other.into(),
    })
}

/// True if a scope can be described so.
pub fn is_description(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= MOST && !text.chars().any(char::is_control)
}

/// What became of a scope.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminScopeRemoved)]
pub struct Removed {
    removed: bool,
}

/// Removes the declaration of a scope. Users and clients that have the scope keep it.
#[utoipa::path(
    delete,
    path = "/api/v1/scopes/{name}",
    tag = "Admin",
    operation_id = "remove_scope",
    security(("token" = [])),
    params(("name" = String, Path, description = "The scope")),
    responses(
        (status = 200, description = "It is not declared any more", body = Removed),
        (status = 400, description = "A parameter is unknown, or the scope is the server's own", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 404, description = "It is not declared", body = ProblemAnswer),
        (status = 503, description = "It may not have been committed", body = ProblemAnswer),
    )
)]
pub async fn remove(request: HttpRequest, name: Path<String>, state: Data<State>) -> HttpResponse {
    answered(&state, removed(&request, &name, &state).await)
}

async fn removed(request: &HttpRequest, name: &str, state: &State) -> Result<Removed, Problem> {
    let actor = caller(request, state).await?;
    actor.require_changing_scopes()?;
    Parameters::of(request.query_string()).finish()?;
    state.authority.admin().remove_scope(&actor, name).await?;
    Ok(Removed { removed: true })
}
