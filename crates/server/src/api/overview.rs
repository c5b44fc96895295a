//! `/api/v1/overview`: the state of the whole, and what needs attention.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use ficha_authority::Overview;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::caller::caller;
use super::problem::{Problem, ProblemAnswer};
use super::query::Parameters;
use super::sessions::{answered, counted, time_text};
use crate::state::State;

/// How many minutes are shown, unless a request says so.
const MINUTES: u64 = 60;
/// A week.
const MOST_MINUTES: u64 = 7 * 24 * 60;

/// The state of the whole.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminOverview)]
pub struct OverviewView {
    /// How many sessions can be refreshed, as of a minute ago at most; or `{"at_least": N}`.
    #[schema(schema_with = crate::api::schemas::count)]
    live_sessions: Value,
    /// How many entries the denylist has.
    denylist: u64,
    keys: Vec<OverviewKey>,
    services: OverviewServices,
    /// What happened in each of the last minutes, the oldest first.
    series: Vec<OverviewMinute>,
    attention: Vec<AttentionView>,
}

/// A key, in short.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminOverviewKey)]
struct OverviewKey {
    kid: String,
    /// `sign` or `refresh`.
    purpose: &'static str,
    /// `next`, `current`, `old` or `purged`.
    state: &'static str,
    created_at: String,
    sign_from: String,
}

/// How many resource servers there are, by state.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = AdminOverviewServices)]
struct OverviewServices {
    applied: u64,
    behind: u64,
    cut_off: u64,
    accepts_stale: u64,
    /// How many have not named themselves.
    unnamed: u64,
    /// How many servers have not said in time who follows them.
    silent: u64,
    /// The longest delay of one that is applied or behind, in milliseconds.
    #[schema(required = true)]
    max_lag_ms: Option<u64>,
}

/// What happened in a minute, on all servers.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminOverviewMinute)]
struct OverviewMinute {
    at: String,
    logins: i64,
    login_failures: i64,
    refreshes: i64,
    revocations: i64,
}

/// Something that needs attention.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminAttention)]
struct AttentionView {
    /// A stable name, such as `service_behind`.
    kind: &'static str,
    /// What it is about, and what to do.
    detail: String,
    /// Since when, if that is known.
    #[schema(required = true)]
    since: Option<String>,
}

/// Shows the state of the whole, and what needs attention.
#[utoipa::path(
    get,
    path = "/api/v1/overview",
    tag = "Admin",
    operation_id = "show_overview",
    security(("token" = [])),
    params(("minutes" = Option<u64>, Query, description = "How many minutes `series` has, up to a week; 60 if it is not given")),
    responses(
        (status = 200, description = "The state of the whole", body = OverviewView),
        (status = 400, description = "A parameter is unknown or wrong", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 503, description = "The database does not answer", body = ProblemAnswer),
    )
)]
pub async fn show(request: HttpRequest, state: Data<State>) -> HttpResponse {
    answered(&state, shown(&request, &state).await)
}

async fn shown(request: &HttpRequest, state: &State) -> Result<OverviewView, Problem> {
    let actor = caller(request, state).await?;
    actor.require_seeing_resource_servers()?;
    let mut parameters = Parameters::of(request.query_string());
    let minutes = parameters.number("minutes", 1, MOST_MINUTES).unwrap_or(MINUTES);
    parameters.finish()?;
    Ok(state.authority.overview(&actor, minutes as i64).await?.into())
}

impl From<Overview> for OverviewView {
    fn from(overview: Overview) -> Self {
        let keys = overview.keys.into_iter().map(|(key, state)| OverviewKey {
            kid: key.kid,
            purpose: key.purpose.as_str(),
            state,
            created_at: time_text(key.created_at),
            sign_from: time_text(key.sign_from),
        });
        let series = overview.series.into_iter().map(|(minute, activity)| OverviewMinute {
            at: time_text(60 * minute),
            logins: activity.logins,
            login_failures: activity.login_failures,
            refreshes: activity.refreshes,
            revocations: activity.revocations,
        });
        let attention = overview.attention.into_iter().map(|one| AttentionView {
            kind: one.kind,
            detail: one.detail,
            since: one.since.map(time_text),
        });
        let (unnamed, silent) = (overview.services.unnamed, overview.services.silent);
        let mut services = OverviewServices { unnamed, silent, ..OverviewServices::default() };
        for one in &overview.services.services {
            match one.standing.as_str() {
                "applied" => services.applied += 1,
                "behind" => services.behind += 1,
                "accepts_stale" => services.accepts_stale += 1,
                _ => services.cut_off += 1,
            }
            services.max_lag_ms = services.max_lag_ms.max(one.lag_ms);
        }
        Self {
            live_sessions: counted(overview.live_sessions),
            denylist: overview.denylist,
            keys: keys.collect(),
            services,
            series: series.collect(),
            attention: attention.collect(),
        }
    }
}
