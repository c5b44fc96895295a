//! `/api/v1/keys`.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use ficha_authority::{Began, KeyRecord, Purged, key_state};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::{self, invalid};
use super::caller::caller;
use super::problem::{Problem, ProblemAnswer};
use super::query::Parameters;
use super::receipt::{ReceiptView, receipt, wait};
use super::sessions::{answered, time_text};
use crate::state::State;

/// A key, without any secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminKey)]
pub struct KeyView {
    kid: String,
    /// `sign` or `refresh`.
    purpose: &'static str,
    algorithm: String,
    /// `next`: published, not yet in use. `current`: in use. `old`: its tokens are still valid. `purged`: they are refused.
    state: &'static str,
    created_at: String,
    /// From when it signs.
    sign_from: String,
    /// When its last token has expired.
    #[schema(required = true)]
    expires_at: Option<String>,
    #[schema(required = true)]
    purged_at: Option<String>,
}

/// All keys.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminKeys)]
pub struct KeyList {
    items: Vec<KeyView>,
}

/// A new key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminRotated)]
pub struct Rotated {
    kid: String,
    /// From when it signs: once every service may have fetched it.
    sign_from: String,
}

/// The confirmation of a purge.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AdminPurge)]
pub struct PurgeBody {
    /// `purge`
    #[schema(example = "purge")]
    confirm: Option<String>,
}

/// What a purge did.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminPurged)]
pub struct PurgedView {
    /// True: every token that was issued before is refused.
    all: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    receipt: Option<ReceiptView>,
}

/// Lists the keys.
#[utoipa::path(
    get,
    path = "/api/v1/keys",
    tag = "Admin",
    operation_id = "list_keys",
    security(("token" = [])),
    responses(
        (status = 200, description = "All keys", body = KeyList),
        (status = 400, description = "A parameter is unknown", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 503, description = "The database does not answer", body = ProblemAnswer),
    )
)]
pub async fn list(request: HttpRequest, state: Data<State>) -> HttpResponse {
    answered(&state, listed(&request, &state).await)
}

async fn listed(request: &HttpRequest, state: &State) -> Result<KeyList, Problem> {
    let actor = caller(request, state).await?;
    let keys = state.authority.admin().keys(&actor).await?;
    Parameters::of(request.query_string()).finish()?;
    let now = state.authority.clock().unix_now();
    Ok(KeyList { items: keys.iter().map(|key| view(key, &keys, now)).collect() })
}

/// Publishes a new signing key. It signs once every service may have fetched it.
#[utoipa::path(
    post,
    path = "/api/v1/keys/rotate",
    tag = "Admin",
    operation_id = "rotate_key",
    security(("token" = [])),
    responses(
        (status = 200, description = "The new key", body = Rotated),
        (status = 400, description = "A parameter is unknown", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 409, description = "A new key was published a moment ago", body = ProblemAnswer),
        (status = 503, description = "It may not have been committed", body = ProblemAnswer),
    )
)]
pub async fn rotate(request: HttpRequest, state: Data<State>) -> HttpResponse {
    answered(&state, rotated(&request, &state).await)
}

async fn rotated(request: &HttpRequest, state: &State) -> Result<Rotated, Problem> {
    let actor = caller(request, state).await?;
    actor.require_changing_keys()?;
    Parameters::of(request.query_string()).finish()?;
    let (kid, from) = state.authority.admin().rotate_key(&actor).await?;
    Ok(Rotated { kid, sign_from: time_text(from) })
}

/// Replaces all keys and ends every session, the caller's own as well.
#[utoipa::path(
    post,
    path = "/api/v1/keys/purge",
    tag = "Admin",
    operation_id = "purge_keys",
    security(("token" = [])),
    params(("wait" = Option<u64>, Query, description = "Wait up to this many seconds for a receipt")),
    request_body = PurgeBody,
    responses(
        (status = 200, description = "Every session has ended", body = PurgedView),
        (status = 400, description = "It is not confirmed", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 408, description = "The body did not arrive in time", body = ProblemAnswer),
        (status = 413, description = "The body is too long", body = ProblemAnswer),
        (status = 415, description = "The body is encoded", body = ProblemAnswer),
        (status = 503, description = "It may not have been committed", body = ProblemAnswer),
    )
)]
pub async fn purge(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    answered(&state, purged(&request, payload, &state).await)
}

async fn purged(request: &HttpRequest, payload: Payload, state: &State) -> Result<PurgedView, Problem> {
    let actor = caller(request, state).await?;
    actor.require_changing_keys()?;
    let mut parameters = Parameters::of(request.query_string());
    let wait = wait(&mut parameters);
    parameters.finish()?;
    let body: PurgeBody = body::read(request, payload).await?;
    if body.confirm.as_deref() != Some("purge") {
        return Err(invalid("confirm", "it must be `purge`: every session ends, and everybody has to log in again"));
    }
    let began = Began::now();
    let done = state.authority.admin().purge_keys(&actor).await?;
    Ok(PurgedView { all: done == Purged::All, receipt: receipt(request, state, began, wait).await })
}

/// A key as it is shown, among all keys.
pub fn view(key: &KeyRecord, all: &[KeyRecord], now: i64) -> KeyView {
    KeyView {
        kid: key.kid.clone(),
        purpose: key.purpose.as_str(),
        algorithm: key.algorithm.clone(),
        state: key_state(key, all, now),
        created_at: time_text(key.created_at),
        sign_from: time_text(key.sign_from),
        expires_at: key.expires_at.map(time_text),
        purged_at: key.purged_at.map(time_text),
    }
}
