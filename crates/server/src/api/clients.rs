//! `/api/v1/clients`.

use actix_web::http::header::{ETAG, LOCATION};
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use ficha_authority::{
    Actor, Admin, AdminError, Began, ClientChange, ClientRecord, ClientScopes, ClientSecret, Grant, NewClient,
    Repeatable,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::{Value, json};

use super::body::{self, invalid, not_null, scope};
use super::caller::caller;
use super::client_secrets::shown_once;
use super::client_views::{ChangedClient, ClientList, ClientPatch, ClientView, CreatedClient, Deleted, NewClientBody};
use super::etag;
use super::problem::{Problem, ProblemAnswer};
use super::query::Parameters;
use super::receipt::{receipt, wait};
use super::repeated::{mark, repeatable};
use super::sessions::answered;
use crate::error::no_store;
use crate::state::State;

/// Lists clients, sorted by id.
#[utoipa::path(
    get,
    path = "/api/v1/clients",
    tag = "Admin",
    operation_id = "list_clients",
    security(("token" = [])),
    params(
        ("limit" = Option<u64>, Query, description = "1 to 200; 50 if it is not given"),
        ("after" = Option<String>, Query, description = "The `next` of a page"),
    ),
    responses(
        (status = 200, description = "A page", body = ClientList),
        (status = 400, description = "A parameter is unknown or wrong", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 503, description = "The database does not answer", body = ProblemAnswer),
    )
)]
pub async fn list(request: HttpRequest, state: Data<State>) -> HttpResponse {
    answered(&state, listed(&request, &state).await)
}

async fn listed(request: &HttpRequest, state: &State) -> Result<ClientList, Problem> {
    let actor = caller(request, state).await?;
    actor.require_seeing_clients()?;
    let mut parameters = Parameters::of(request.query_string());
    let limit = parameters.number("limit", 1, 200).unwrap_or(50);
    let after = parameters.text("after");
    parameters.finish()?;
    let mut clients = state.authority.admin().clients(&actor, after.as_deref(), limit + 1).await?;
    let more = clients.len() as u64 > limit;
    clients.truncate(limit as usize);
    let next = clients.last().map(|client| client.id.clone()).filter(|_| more);
    Ok(ClientList { items: clients.into_iter().map(ClientView::from).collect(), next })
}

/// Creates a client. Its secret is shown only here.
#[utoipa::path(
    post,
    path = "/api/v1/clients",
    tag = "Admin",
    operation_id = "create_client",
    security(("token" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "A request that is repeated with it makes nothing twice")),
    request_body = NewClientBody,
    responses(
        (status = 201, description = "The client; `Location` is its address", body = CreatedClient),
        (status = 400, description = "A member is unknown or wrong", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 408, description = "The body did not arrive in time", body = ProblemAnswer),
        (status = 409, description = "The id is taken", body = ProblemAnswer),
        (status = 413, description = "The body is too long", body = ProblemAnswer),
        (status = 415, description = "The body is encoded", body = ProblemAnswer),
        (status = 422, description = "The key was used for another request", body = ProblemAnswer),
        (status = 503, description = "It may not have been committed", body = ProblemAnswer),
    )
)]
pub async fn create(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    match created(&request, payload, &state).await {
        Err(problem) => problem.response(&state),
        Ok(created) => {
            let mut response = HttpResponse::Created();
            no_store(&mut response);
            let (created, is_replayed) = created;
            mark(&mut response, is_replayed);
            let id = utf8_percent_encode(&created.client.id, NON_ALPHANUMERIC);
            let address = state.site.endpoint(&format!("/api/v1/clients/{id}"));
            response.insert_header((LOCATION, address)).json(created)
        }
    }
}

/// The client; and true if an earlier request with the same key has created it.
async fn created(request: &HttpRequest, payload: Payload, state: &State) -> Result<(CreatedClient, bool), Problem> {
    let actor = caller(request, state).await?;
    actor.require_changing_clients()?;
    Parameters::of(request.query_string()).finish()?;
    let (new, bytes): (NewClientBody, _) = body::read_with_bytes(request, payload).await?;
    let admin = state.authority.admin();
    let repeatable = repeatable(request, &admin, &actor, &bytes).await?;
    let earlier = |client: ClientRecord| (CreatedClient { client: client.into(), secret: None }, true);
    if let Some(repeatable) = &repeatable {
        if let Some(client) = with_subject(&admin, &actor, &new.id, repeatable).await? {
            admin.note_created(repeatable).await;
            return Ok(earlier(client));
        }
        repeatable.require_new()?;
    }
    let new = NewClient {
        id: new.id,
        public: new.public,
        grants: grants(&new.grants)?,
        scopes: scopes(&new.scopes)?,
        audience: new.audience,
        serves: new.serves,
        forwards_address: new.forwards_address,
        own_scopes: new.own_scopes,
    };
    let Some(repeatable) = repeatable else {
        let (client, secret) = admin.add_client(&actor, new).await?;
        return Ok((CreatedClient { client: client.into(), secret: secret.as_ref().map(shown_once) }, false));
    };
    let id = new.id.clone();
    match admin.add_client_as(&actor, repeatable.id, new).await {
        Ok((client, secret)) => {
            admin.note_created(&repeatable).await;
            Ok((CreatedClient { client: client.into(), secret: secret.as_ref().map(shown_once) }, false))
        }
        // Perhaps by the same request, at the same time.
        Err(error @ AdminError::Taken { .. }) => {
            with_subject(&admin, &actor, &id, &repeatable).await?.map(earlier).ok_or_else(|| error.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// The client that a repeatable request has created.
async fn with_subject(
    admin: &Admin,
    actor: &Actor,
    id: &str,
    repeatable: &Repeatable,
) -> Result<Option<ClientRecord>, AdminError> {
    match admin.client(actor, id).await {
        Ok(client) => Ok(Some(client).filter(|client| client.subject == repeatable.id)),
        Err(AdminError::NoSuch { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Shows a client.
#[utoipa::path(
    get,
    path = "/api/v1/clients/{id}",
    tag = "Admin",
    operation_id = "show_client",
    security(("token" = [])),
    params(("id" = String, Path, description = "The `client_id`")),
    responses(
        (status = 200, description = "The client; `ETag` is its version", body = ClientView,
            headers(("ETag" = String, description = "The version, for `If-Match`"))),
        (status = 400, description = "A parameter is unknown", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 404, description = "There is no such client", body = ProblemAnswer),
        (status = 503, description = "The database does not answer", body = ProblemAnswer),
    )
)]
pub async fn show(request: HttpRequest, id: Path<String>, state: Data<State>) -> HttpResponse {
    match shown(&request, &id, &state).await {
        Err(problem) => problem.response(&state),
        Ok(client) => with_version(&client, &ClientView::from(client.clone())),
    }
}

async fn shown(request: &HttpRequest, id: &str, state: &State) -> Result<ClientRecord, Problem> {
    let actor = caller(request, state).await?;
    actor.require_seeing_clients()?;
    Parameters::of(request.query_string()).finish()?;
    Ok(state.authority.admin().client(&actor, id).await?)
}

/// Changes a client. If it loses rights or its secrets, or is disabled, its sessions end.
#[utoipa::path(
    patch,
    path = "/api/v1/clients/{id}",
    tag = "Admin",
    operation_id = "change_client",
    security(("token" = [])),
    params(
        ("id" = String, Path, description = "The `client_id`"),
        ("If-Match" = Option<String>, Header, description = "Only if this is still the version (`ETag`)"),
        ("wait" = Option<u64>, Query, description = "Wait up to this many seconds for a receipt"),
    ),
    request_body(content = ClientPatch, content_type = "application/merge-patch+json"),
    responses(
        (status = 200, description = "The client as it is now", body = ChangedClient,
            headers(("ETag" = String, description = "The version, for `If-Match`"))),
        (status = 400, description = "A member is unknown or wrong", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 404, description = "There is no such client", body = ProblemAnswer),
        (status = 408, description = "The body did not arrive in time", body = ProblemAnswer),
        (status = 409, description = "It was changed meanwhile", body = ProblemAnswer),
        (status = 412, description = "It is not that version any more", body = ProblemAnswer),
        (status = 413, description = "The body is too long", body = ProblemAnswer),
        (status = 415, description = "The body is encoded", body = ProblemAnswer),
        (status = 503, description = "It may not have been committed", body = ProblemAnswer),
    )
)]
pub async fn change(request: HttpRequest, id: Path<String>, payload: Payload, state: Data<State>) -> HttpResponse {
    match changed(&request, &id, payload, &state).await {
        Err(problem) => problem.response(&state),
        Ok((client, changed)) => with_version(&client, &changed),
    }
}

async fn changed(
    request: &HttpRequest,
    id: &str,
    payload: Payload,
    state: &State,
) -> Result<(ClientRecord, ChangedClient), Problem> {
    let actor = caller(request, state).await?;
    actor.require_changing_clients()?;
    let mut parameters = Parameters::of(request.query_string());
    let wait = wait(&mut parameters);
    parameters.finish()?;
    let patch: ClientPatch = body::read(request, payload).await?;
    let admin = state.authority.admin();
    let seen = admin.client(&actor, id).await?;
    etag::require_match(request, &version(&seen))?;
    let enabled = not_null("enabled", patch.enabled)?;
    let change = ClientChange {
        public: not_null("public", patch.public)?,
        grants: not_null("grants", patch.grants)?.map(|names| grants(&names)).transpose()?,
        scopes: patch.scopes.map(|value| scopes(&value.unwrap_or_else(|| json!([])))).transpose()?,
        audience: patch.audience,
        serves: patch.serves.map(Option::unwrap_or_default),
        forwards_address: not_null("forwards_address", patch.forwards_address)?,
        own_scopes: not_null("own_scopes", patch.own_scopes)?,
    };
    let began = Began::now();
    let (revoked, written, secret) = match enabled {
        Some(_) if !change.is_empty() => {
            // Each is one transaction, and the two would not be one.
            return Err(invalid("enabled", "it must be changed alone"));
        }
        Some(enabled) => (admin.set_client_enabled_at(&actor, &seen, enabled).await?, None, None),
        None => {
            let changed = admin.change_client_at(&actor, &seen, change).await?;
            (changed.sessions, Some(changed.client), changed.secret)
        }
    };
    let receipt = receipt(request, state, began, wait).await;
    let client = match (admin.client(&actor, id).await, written) {
        (Ok(client), _) => client,
        // The only answer that shows the secret must not be lost to what happens after the commit.
        (Err(_), Some(written)) if secret.is_some() => written,
        (Err(error), _) => return Err(error.into()),
    };
    let secret = secret.as_ref().map(shown_once);
    Ok((client.clone(), ChangedClient { client: client.into(), secret, revoked, receipt }))
}

/// Ends a client's sessions, and deletes it.
#[utoipa::path(
    delete,
    path = "/api/v1/clients/{id}",
    tag = "Admin",
    operation_id = "delete_client",
    security(("token" = [])),
    params(
        ("id" = String, Path, description = "The `client_id`"),
        ("If-Match" = Option<String>, Header, description = "Only if this is still the version (`ETag`)"),
        ("wait" = Option<u64>, Query, description = "Wait up to this many seconds for a receipt"),
    ),
    responses(
        (status = 200, description = "It is deleted", body = Deleted),
        (status = 400, description = "A parameter is unknown or wrong", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 404, description = "There is no such client", body = ProblemAnswer),
        (status = 409, description = "It was changed meanwhile", body = ProblemAnswer),
        (status = 412, description = "It is not that version any more", body = ProblemAnswer),
        (status = 503, description = "It may not have been committed", body = ProblemAnswer),
    )
)]
pub async fn delete(request: HttpRequest, id: Path<String>, state: Data<State>) -> HttpResponse {
    answered(&state, deleted(&request, &id, &state).await)
}

async fn deleted(request: &HttpRequest, id: &str, state: &State) -> Result<Deleted, Problem> {
    let actor = caller(request, state).await?;
    actor.require_changing_clients()?;
    let mut parameters = Parameters::of(request.query_string());
    let wait = wait(&mut parameters);
    parameters.finish()?;
    let admin = state.authority.admin();
    etag::require_match(request, &version(&admin.client(&actor, id).await?))?;
    let began = Began::now();
    let revoked = admin.delete_client(&actor, id).await?;
    Ok(Deleted { revoked, receipt: receipt(request, state, began, wait).await })
}

fn with_version(client: &ClientRecord, body: &impl Serialize) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    no_store(&mut response);
    response.insert_header((ETAG, version(client))).json(body)
}

/// Which state of a client this is.
pub fn version(client: &ClientRecord) -> String {
    // That a secret was used is no change.
    let unused = client.secrets.iter().map(|secret| ClientSecret { last_used_at: None, ..secret.clone() });
    let client = ClientRecord { secrets: unused.collect(), ..client.clone() };
    etag::of(&ClientView::from(client.clone()), client.auth_version)
}

fn grants(names: &[String]) -> Result<Vec<Grant>, Problem> {
    let parsed = names.iter().map(|name| Grant::parse(name)).collect::<Option<Vec<_>>>();
    parsed.ok_or_else(|| invalid("grants", "each must be `password`, `refresh_token` or `client_credentials`"))
}

fn scopes(value: &Value) -> Result<ClientScopes, Problem> {
    match value {
        Value::String(any) if any == "any" => Ok(ClientScopes::Any),
        Value::Array(names) => {
            let names: Option<Vec<String>> = names.iter().map(|name| name.as_str().map(str::to_owned)).collect();
            let names = names.ok_or_else(|| invalid("scopes", "it must be a list of names, or \"any\""))?;
            Ok(ClientScopes::Only(scope("scopes", &names)?))
        }
        _ => Err(invalid("scopes", "it must be a list of names, or \"any\"")),
    }
}
