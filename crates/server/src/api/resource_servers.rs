//! `/api/v1/resource-servers`: who follows the denylist.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use ficha_authority::FollowerState;
use serde::Serialize;
use utoipa::ToSchema;

use super::caller::caller;
use super::problem::{Problem, ProblemAnswer};
use super::query::Parameters;
use super::sessions::{answered, millis_text};
use crate::state::State;

/// A resource server that has named itself.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminResourceServer)]
pub struct ResourceServerView {
    service: String,
    instance: String,
    /// From where it polls.
    #[schema(required = true)]
    address: Option<String>,
    /// The client with which it authenticates; null if it has no credentials.
    #[schema(required = true)]
    client_id: Option<String>,
    /// Against the newest entry: `applied`, `behind`, `cut_off` or `accepts_stale`, as in a receipt.
    state: &'static str,
    /// How many entries of the denylist it lacks, at most; null if it has shown none.
    #[schema(required = true)]
    cursor_lag: Option<i64>,
    /// How many milliseconds ago the first of them was written.
    #[schema(required = true)]
    lag_ms: Option<u64>,
    /// When its last poll arrived.
    last_seen: String,
    #[schema(required = true)]
    version: Option<String>,
    /// How many seconds it relies on an answer; null if it does not say.
    #[schema(required = true)]
    lease_seconds: Option<u64>,
    /// What it does with tokens after that: `refuse` or `accept`.
    stale: &'static str,
    /// When it refuses everything at the latest, unless it gets an answer before.
    #[schema(required = true)]
    refuses_at: Option<String>,
}

/// Who follows the denylist.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminResourceServers)]
pub struct ResourceServerList {
    /// By service and instance.
    items: Vec<ResourceServerView>,
    /// How many have not named themselves.
    unnamed: u64,
    /// How many servers have not said in time who follows them.
    silent: u64,
}

/// Lists the resource servers that follow the denylist, on all servers.
#[utoipa::path(
    get,
    path = "/api/v1/resource-servers",
    tag = "Admin",
    operation_id = "list_resource_servers",
    security(("token" = [])),
    responses(
        (status = 200, description = "All of them", body = ResourceServerList),
        (status = 400, description = "A parameter is unknown", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 503, description = "The database does not answer", body = ProblemAnswer),
    )
)]
pub async fn list(request: HttpRequest, state: Data<State>) -> HttpResponse {
    answered(&state, listed(&request, &state).await)
}

async fn listed(request: &HttpRequest, state: &State) -> Result<ResourceServerList, Problem> {
    let actor = caller(request, state).await?;
    actor.require_seeing_resource_servers()?;
    Parameters::of(request.query_string()).finish()?;
    let known = state.authority.admin().resource_servers(&actor).await?;
    let items = known.services.into_iter().map(view).collect();
    Ok(ResourceServerList { items, unnamed: known.unnamed, silent: known.silent })
}

fn view(one: FollowerState) -> ResourceServerView {
    ResourceServerView {
        service: one.service,
        instance: one.instance,
        address: one.address,
        client_id: one.client,
        state: one.standing.as_str(),
        cursor_lag: one.cursor_lag,
        lag_ms: one.lag_ms,
        last_seen: millis_text(one.last_seen),
        version: one.version,
        lease_seconds: one.lease_seconds,
        stale: if one.accepts_stale { "accept" } else { "refuse" },
        refuses_at: one.refuses_at.map(millis_text),
    }
}
