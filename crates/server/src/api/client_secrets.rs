//! `/api/v1/clients/{id}/secrets`: two may be valid, so that one is replaced without a gap.

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use ficha_authority::{ClientSecret, NewClientSecret, OtherSecrets, Secret};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::body::{self, invalid, time};
use super::caller::caller;
use super::problem::{Problem, ProblemAnswer};
use super::query::Parameters;
use super::repeated::{mark, repeatable};
use super::sessions::{answered, time_text};
use crate::error::no_store;
use crate::state::State;

/// A secret of a client, without the secret itself.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminClientSecret)]
pub struct SecretView {
    id: String,
    /// Null: before the server kept this.
    #[schema(required = true)]
    created_at: Option<String>,
    /// Up to a minute late; null: never, or not known.
    #[schema(required = true)]
    last_used_at: Option<String>,
    /// From when it is refused; null: never.
    #[schema(required = true)]
    expires_at: Option<String>,
}

/// A secret that was added.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminAddedSecret)]
pub struct AddedSecret {
    #[serde(flatten)]
    about: SecretView,
    /// The secret. It is shown only here, and not in the answer to a repeated request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    secret: Option<Zeroizing<String>>,
}

/// A secret to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AdminNewSecret)]
pub struct NewSecretBody {
    /// From when it is refused; null: never.
    #[schema(example = "2027-01-31T12:00:00Z")]
    expires_at: Option<String>,
    /// From when the secrets that the client has are refused, if they don't expire before; null: they stay as they are.
    others_expire_at: Option<String>,
    /// True to remove the secrets that the client has, in the same transaction.
    #[serde(default)]
    replace: bool,
}

/// What became of a secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminSecretRemoved)]
pub struct Removed {
    removed: bool,
}

/// Gives a client another secret, which is shown only here. The secrets that it has stay valid; two at most.
#[utoipa::path(
    post,
    path = "/api/v1/clients/{id}/secrets",
    tag = "Admin",
    operation_id = "add_client_secret",
    security(("token" = [])),
    params(
        ("id" = String, Path, description = "The `client_id`"),
        ("Idempotency-Key" = Option<String>, Header, description = "A request that is repeated with it makes nothing twice"),
    ),
    request_body = NewSecretBody,
    responses(
        (status = 201, description = "It is valid", body = AddedSecret),
        (status = 400, description = "A member is unknown or wrong, or it is a public client", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 404, description = "There is no such client", body = ProblemAnswer),
        (status = 408, description = "The body did not arrive in time", body = ProblemAnswer),
        (status = 409, description = "It has two valid secrets, or was changed meanwhile", body = ProblemAnswer),
        (status = 413, description = "The body is too long", body = ProblemAnswer),
        (status = 415, description = "The body is encoded", body = ProblemAnswer),
        (status = 422, description = "The key was used for another request", body = ProblemAnswer),
        (status = 503, description = "It may not have been committed", body = ProblemAnswer),
    )
)]
pub async fn add(request: HttpRequest, id: Path<String>, payload: Payload, state: Data<State>) -> HttpResponse {
    match added(&request, &id, payload, &state).await {
        Err(problem) => problem.response(&state),
        Ok(added) => {
            let mut response = HttpResponse::Created();
            no_store(&mut response);
            mark(&mut response, added.secret.is_none());
            response.json(added)
        }
    }
}

async fn added(request: &HttpRequest, id: &str, payload: Payload, state: &State) -> Result<AddedSecret, Problem> {
    let actor = caller(request, state).await?;
    actor.require_changing_clients()?;
    Parameters::of(request.query_string()).finish()?;
    let (new, bytes): (NewSecretBody, _) = body::read_with_bytes(request, payload).await?;
    let admin = state.authority.admin();
    let repeatable = repeatable(request, &admin, &actor, &bytes).await?;
    if let Some(earlier) = &repeatable {
        let client = admin.client(&actor, id).await?;
        if let Some(secret) = client.secrets.iter().find(|secret| secret.id == earlier.id) {
            admin.note_created(earlier).await;
            return Ok(AddedSecret { about: SecretView::from(secret), secret: None });
        }
        earlier.require_new()?;
    }
    let others = match (time("others_expire_at", new.others_expire_at.as_deref())?, new.replace) {
        (Some(_), true) => return Err(invalid("replace", "it can't be combined with `others_expire_at`")),
        (Some(until), false) => OtherSecrets::KeepUntil(until),
        (None, true) => OtherSecrets::Remove,
        (None, false) => OtherSecrets::Keep,
    };
    let new = NewClientSecret { expires_at: time("expires_at", new.expires_at.as_deref())?, others };
    let (stored, secret) = match &repeatable {
        None => admin.add_client_secret(&actor, id, new).await?,
        Some(repeatable) => {
            let added = admin.add_client_secret_as(&actor, id, repeatable.id, new).await?;
            admin.note_created(repeatable).await;
            added
        }
    };
    Ok(AddedSecret { about: SecretView::from(&stored), secret: Some(shown_once(&secret)) })
}

/// Removes a secret of a client. Its sessions go on: if the secret was stolen, end them as well.
#[utoipa::path(
    delete,
    path = "/api/v1/clients/{id}/secrets/{sid}",
    tag = "Admin",
    operation_id = "remove_client_secret",
    security(("token" = [])),
    params(
        ("id" = String, Path, description = "The `client_id`"),
        ("sid" = String, Path, description = "The secret's id, as the client shows it"),
    ),
    responses(
        (status = 200, description = "It is removed", body = Removed),
        (status = 400, description = "A parameter is unknown", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 404, description = "There is no such client or secret", body = ProblemAnswer),
        (status = 409, description = "It is the only valid one, or the client was changed meanwhile", body = ProblemAnswer),
        (status = 503, description = "It may not have been committed", body = ProblemAnswer),
    )
)]
pub async fn remove(request: HttpRequest, path: Path<(String, String)>, state: Data<State>) -> HttpResponse {
    let (id, sid) = path.into_inner();
    answered(&state, removed(&request, &id, &sid, &state).await)
}

async fn removed(request: &HttpRequest, id: &str, sid: &str, state: &State) -> Result<Removed, Problem> {
    let actor = caller(request, state).await?;
    actor.require_changing_clients()?;
    Parameters::of(request.query_string()).finish()?;
    let sid = Uuid::try_parse(sid).map_err(|_| Problem::not_found("the client has no such secret"))?;
    state.authority.admin().remove_client_secret(&actor, id, sid).await?;
    Ok(Removed { removed: true })
}

/// A secret as its only answer shows it.
pub fn shown_once(secret: &Secret) -> Zeroizing<String> {
    Zeroizing::new(secret.expose().to_owned())
}

impl From<&ClientSecret> for SecretView {
    fn from(secret: &ClientSecret) -> Self {
        Self {
            id: secret.id.to_string(),
            created_at: secret.created_at.map(time_text),
            last_used_at: secret.last_used_at.map(time_text),
            expires_at: secret.expires_at.map(time_text),
        }
    }
}
