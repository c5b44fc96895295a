//! `/api/v1/users`.

use actix_web::http::header::{ETAG, IF_MATCH};
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use ficha_authority::{
    Actor, Admin, Began, EventView, FailedLogins, NewPassword, PageFrom, Password, UserChange, UserExport, UserRecord,
    UserSearch,
};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::body::{self, invalid, not_null, scope};
use super::caller::caller;
use super::etag;
use super::problem::{Problem, ProblemAnswer};
use super::query::Parameters;
use super::receipt::{receipt, wait};
use super::sessions::{answered, count, counted, page_from, session_views};
use super::user_views::{ChangedUser, Done, ExportView, SetPassword, ShownUser, UserList, UserPatch, UserView};
use crate::error::no_store;
use crate::state::State;

/// Lists users, the newest first.
#[utoipa::path(
    get,
    path = "/api/v1/users",
    tag = "Admin",
    operation_id = "list_users",
    security(("token" = [])),
    params(
        ("name" = Option<String>, Query, description = "Only users whose name contains this"),
        ("email" = Option<String>, Query, description = "Only users whose e-mail address contains this"),
        ("enabled" = Option<bool>, Query, description = "Only users that can log in, or that can't"),
        ("scope" = Option<String>, Query, description = "Only users with this scope"),
        ("role" = Option<String>, Query, description = "Only users with this role"),
        ("created_after" = Option<String>, Query, description = "RFC 3339"),
        ("created_before" = Option<String>, Query, description = "RFC 3339"),
        ("limit" = Option<u64>, Query, description = "1 to 200; 50 if it is not given"),
        ("after" = Option<String>, Query, description = "The `next` of a page"),
        ("before" = Option<String>, Query, description = "The `previous` of a page"),
        ("count" = Option<String>, Query, description = "`true`: count them as well; `only`: nothing else"),
    ),
    responses(
        (status = 200, description = "A page", body = UserList),
        (status = 400, description = "A parameter is unknown or wrong", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 503, description = "The database does not answer", body = ProblemAnswer),
    )
)]
pub async fn list(request: HttpRequest, state: Data<State>) -> HttpResponse {
    answered(&state, listed(&request, &state).await)
}

async fn listed(request: &HttpRequest, state: &State) -> Result<Value, Problem> {
    let actor = caller(request, state).await?;
    actor.require_seeing_users()?;
    let mut parameters = Parameters::of(request.query_string());
    let search = search(&mut parameters);
    let limit = parameters.number("limit", 1, 200).unwrap_or(50);
    let from: PageFrom = page_from(&mut parameters);
    let count = count(&mut parameters);
    parameters.finish()?;
    let admin = state.authority.admin();
    let counted = match count {
        Some(_) => Some(counted(admin.count_users(&actor, &search).await?)),
        None => None,
    };
    if count == Some(true) {
        return Ok(json!({ "count": counted }));
    }
    let page = admin.search_users(&actor, &search, from, limit as usize).await?;
    Ok(json!(UserList {
        count: counted,
        items: page.users.into_iter().map(UserView::from).collect(),
        next: page.next.map(|id| id.to_string()),
        previous: page.previous.map(|id| id.to_string()),
        scanned: page.scanned,
    }))
}

/// The filter, from the parameters that it is made of.
pub fn search(parameters: &mut Parameters) -> UserSearch {
    UserSearch {
        name: parameters.text("name"),
        email: parameters.text("email"),
        enabled: parameters.parsed("enabled", "`true` or `false`", |text| text.parse().ok()),
        scope: parameters.text("scope"),
        role: parameters.text("role"),
        created_after: parameters.time("created_after"),
        created_before: parameters.time("created_before"),
    }
}

/// Shows a user.
#[utoipa::path(
    get,
    path = "/api/v1/users/{id}",
    tag = "Admin",
    operation_id = "show_user",
    security(("token" = [])),
    params(("id" = String, Path, description = "The user's id or name")),
    responses(
        (status = 200, description = "The user; `ETag` is its version, which failed logins don't change", body = ShownUser,
            headers(("ETag" = String, description = "The version, for `If-Match`"))),
        (status = 400, description = "A parameter is unknown", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 404, description = "There is no such user", body = ProblemAnswer),
        (status = 503, description = "The database does not answer", body = ProblemAnswer),
    )
)]
pub async fn show(request: HttpRequest, id: Path<String>, state: Data<State>) -> HttpResponse {
    match shown(&request, &id, &state).await {
        Err(problem) => problem.response(&state),
        Ok((user, failed)) => {
            let mut response = HttpResponse::Ok();
            no_store(&mut response);
            response.insert_header((ETAG, version(&user))).json(ShownUser::new(user, failed))
        }
    }
}

async fn shown(request: &HttpRequest, id: &str, state: &State) -> Result<(UserRecord, FailedLogins), Problem> {
    let actor = caller(request, state).await?;
    actor.require_seeing_users()?;
    Parameters::of(request.query_string()).finish()?;
    let admin = state.authority.admin();
    let user = admin.user_by_id(&actor, admin.user_id(&actor, id).await?).await?;
    let failed = admin.failed_logins(&actor, &user).await?;
    Ok((user, failed))
}

/// Exports everything that is kept about a user, to be handed to them.
#[utoipa::path(
    get,
    path = "/api/v1/users/{id}/export",
    tag = "Admin",
    operation_id = "export_user",
    security(("token" = [])),
    params(("id" = String, Path, description = "The user's id or name")),
    responses(
        (status = 200, description = "All of it", body = ExportView),
        (status = 400, description = "A parameter is unknown", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 404, description = "There is no such user", body = ProblemAnswer),
        (status = 503, description = "The database does not answer", body = ProblemAnswer),
    )
)]
pub async fn export(request: HttpRequest, id: Path<String>, state: Data<State>) -> HttpResponse {
    answered(&state, exported(&request, &id, &state).await)
}

async fn exported(request: &HttpRequest, id: &str, state: &State) -> Result<ExportView, Problem> {
    let actor = caller(request, state).await?;
    actor.require_seeing_users()?;
    Parameters::of(request.query_string()).finish()?;
    let admin = state.authority.admin();
    Ok(export_view(admin.export_user(&actor, admin.user_id(&actor, id).await?).await?))
}

/// Everything that is kept about a user.
pub fn export_view(all: UserExport) -> ExportView {
    ExportView {
        sessions: session_views(&all.user, all.sessions),
        user: all.user.into(),
        events: all.events.into_iter().map(EventView::from).collect(),
    }
}

/// Changes a user, all at once. Sessions with rights that the user no longer has end.
#[utoipa::path(
    patch,
    path = "/api/v1/users/{id}",
    tag = "Admin",
    operation_id = "change_user",
    security(("token" = [])),
    params(
        ("id" = String, Path, description = "The user's id or name"),
        ("If-Match" = Option<String>, Header, description = "Only if this is still the version (`ETag`)"),
        ("wait" = Option<u64>, Query, description = "Wait up to this many seconds for a receipt"),
    ),
    request_body(content = UserPatch, content_type = "application/merge-patch+json"),
    responses(
        (status = 200, description = "The user as it is now", body = ChangedUser,
            headers(("ETag" = String, description = "The version, for `If-Match`"))),
        (status = 400, description = "A member is unknown or wrong", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 404, description = "There is no such user", body = ProblemAnswer),
        (status = 408, description = "The body did not arrive in time", body = ProblemAnswer),
        (status = 409, description = "It was changed meanwhile, or is the last administrator", body = ProblemAnswer),
        (status = 412, description = "It is not that version any more", body = ProblemAnswer),
        (status = 413, description = "The body is too long", body = ProblemAnswer),
        (status = 415, description = "The body is encoded", body = ProblemAnswer),
        (status = 503, description = "It may not have been committed", body = ProblemAnswer),
    )
)]
pub async fn change(request: HttpRequest, id: Path<String>, payload: Payload, state: Data<State>) -> HttpResponse {
    match changed(&request, &id, payload, &state).await {
        Err(problem) => problem.response(&state),
        Ok((version, changed)) => {
            let mut response = HttpResponse::Ok();
            no_store(&mut response);
            response.insert_header((ETAG, version)).json(changed)
        }
    }
}

async fn changed(
    request: &HttpRequest,
    id: &str,
    payload: Payload,
    state: &State,
) -> Result<(String, ChangedUser), Problem> {
    let actor = caller(request, state).await?;
    actor.require_changing_users()?;
    let wait = only_wait(request)?;
    let patch: UserPatch = body::read(request, payload).await?;
    let admin = state.authority.admin();
    let seen = admin.user_by_id(&actor, admin.user_id(&actor, id).await?).await?;
    etag::require_match(request, &version(&seen))?;
    let change = UserChange {
        email: patch.email,
        scopes: patch.scopes.map(|scopes| scope("scopes", &scopes.unwrap_or_default())).transpose()?,
        roles: patch.roles.map(Option::unwrap_or_default),
        enabled: not_null("enabled", patch.enabled)?,
        must_change: not_null("must_change", patch.must_change)?,
    };
    let began = Began::now();
    let revoked = admin.change_user(&actor, &seen, &change).await?;
    let receipt = receipt(request, state, began, wait).await;
    let user = admin.user_by_id(&actor, seen.id).await?;
    Ok((version(&user), ChangedUser { user: user.into(), revoked, receipt }))
}

/// Deletes a user, and ends their sessions.
#[utoipa::path(
    delete,
    path = "/api/v1/users/{id}",
    tag = "Admin",
    operation_id = "delete_user",
    security(("token" = [])),
    params(
        ("id" = String, Path, description = "The user's id or name"),
        ("If-Match" = Option<String>, Header, description = "Only if this is still the version (`ETag`)"),
        ("wait" = Option<u64>, Query, description = "Wait up to this many seconds for a receipt"),
    ),
    responses(
        (status = 200, description = "The user is deleted", body = Done),
        (status = 400, description = "A parameter is unknown or wrong", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 404, description = "There is no such user", body = ProblemAnswer),
        (status = 409, description = "It was changed meanwhile, or is the last administrator", body = ProblemAnswer),
        (status = 412, description = "It is not that version any more", body = ProblemAnswer),
        (status = 503, description = "It may not have been committed", body = ProblemAnswer),
    )
)]
pub async fn delete(request: HttpRequest, id: Path<String>, state: Data<State>) -> HttpResponse {
    let done = act(&request, &id, &state, async |admin: &Admin, actor: &Actor, name: &str| {
        Ok(Done { revoked: admin.delete_user(actor, name).await?, ..Done::default() })
    });
    answered(&state, done.await)
}

/// Sets a user's password, or makes a one-time one, and ends their sessions.
#[utoipa::path(
    post,
    path = "/api/v1/users/{id}/password",
    tag = "Admin",
    operation_id = "set_user_password",
    security(("token" = [])),
    params(
        ("id" = String, Path, description = "The user's id or name"),
        ("If-Match" = Option<String>, Header, description = "Only if this is still the version (`ETag`)"),
        ("wait" = Option<u64>, Query, description = "Wait up to this many seconds for a receipt"),
    ),
    request_body = SetPassword,
    responses(
        (status = 200, description = "It is set", body = Done),
        (status = 400, description = "The password is too weak, or a member is unknown", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 404, description = "There is no such user", body = ProblemAnswer),
        (status = 408, description = "The body did not arrive in time", body = ProblemAnswer),
        (status = 409, description = "The user was changed meanwhile", body = ProblemAnswer),
        (status = 413, description = "The body is too long", body = ProblemAnswer),
        (status = 415, description = "The body is encoded", body = ProblemAnswer),
        (status = 412, description = "It is not that version any more", body = ProblemAnswer),
        (status = 503, description = "It may not have been committed", body = ProblemAnswer),
    )
)]
pub async fn set_password(
    request: HttpRequest,
    id: Path<String>,
    payload: Payload,
    state: Data<State>,
) -> HttpResponse {
    answered(&state, password_set(&request, &id, payload, &state).await)
}

async fn password_set(request: &HttpRequest, id: &str, payload: Payload, state: &State) -> Result<Done, Problem> {
    let actor = caller(request, state).await?;
    actor.require_changing_users()?;
    let wait = only_wait(request)?;
    let wanted: SetPassword = body::read(request, payload).await?;
    let admin = state.authority.admin();
    let user = admin.user_by_id(&actor, admin.user_id(&actor, id).await?).await?;
    etag::require_match(request, &version(&user))?;
    let who = user.id.to_string();
    let must_change = wanted.must_change.unwrap_or(true);
    let began = Began::now();
    let (revoked, password) = match wanted.password {
        Some(password) => {
            let password = NewPassword::Plain(Password::new(password.as_str()));
            (admin.replace_password(&actor, &who, password, must_change).await?, None)
        }
        None if !must_change => {
            return Err(invalid("must_change", "a password that is made here must be changed by the user"));
        }
        None => {
            let (secret, revoked) = admin.set_one_time_password(&actor, &who).await?;
            (revoked, Some(Zeroizing::new(secret.expose().to_owned())))
        }
    };
    Ok(Done { revoked, password, receipt: receipt(request, state, began, wait).await, ..Done::default() })
}

/// Does something to a user: `disable` and `enable`, `unlock` after failed logins, `revoke-sessions`, `erase`.
#[utoipa::path(
    post,
    path = "/api/v1/users/{id}/{action}",
    tag = "Admin",
    operation_id = "act_on_user",
    security(("token" = [])),
    params(
        ("id" = String, Path, description = "The user's id or name; for `erase` also of a user who was deleted"),
        ("action" = String, Path, description = "`disable`, `enable`, `unlock`, `revoke-sessions` or `erase`"),
        ("If-Match" = Option<String>, Header, description = "Only if this is still the version (`ETag`)"),
        ("wait" = Option<u64>, Query, description = "Wait up to this many seconds for a receipt"),
    ),
    responses(
        (status = 200, description = "It is done", body = Done),
        (status = 400, description = "A parameter is unknown or wrong", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 404, description = "There is no such user or action", body = ProblemAnswer),
        (status = 409, description = "It was changed meanwhile, or is the last administrator", body = ProblemAnswer),
        (status = 412, description = "It is not that version any more", body = ProblemAnswer),
        (status = 503, description = "It may not have been committed", body = ProblemAnswer),
    )
)]
pub async fn action(request: HttpRequest, path: Path<(String, String)>, state: Data<State>) -> HttpResponse {
    let (id, action) = path.into_inner();
    let run = async |admin: &Admin, actor: &Actor, name: &str| {
        let mut done = Done::default();
        match action.as_str() {
            "disable" => done.revoked = admin.set_user_enabled(actor, name, false).await?,
            "enable" => done.revoked = admin.set_user_enabled(actor, name, true).await?,
            "unlock" => done.cleared = Some(admin.unlock_user(actor, name).await?),
            "revoke-sessions" => done.revoked = admin.revoke_user(actor, name).await?,
            "erase" => {
                let erased = admin.erase_user_by_id(actor, name.parse().unwrap_or_default()).await?;
                (done.revoked, done.events) = (erased.sessions, Some(erased.events));
            }
            _ => return Err(Problem::not_found("there is nothing at this path")),
        }
        Ok(done)
    };
    answered(&state, act(&request, &id, &state, run).await)
}

/// Runs an action on the user with this id.
async fn act(
    request: &HttpRequest,
    id: &str,
    state: &State,
    run: impl AsyncFnOnce(&Admin, &Actor, &str) -> Result<Done, Problem>,
) -> Result<Done, Problem> {
    let actor = caller(request, state).await?;
    // Who may end sessions may end those of a user; the rules themselves ask for the rest.
    if actor.require_changing_users().is_err() {
        if !request.path().ends_with("/revoke-sessions") {
            actor.require_changing_users()?;
        }
        actor.require_ending_sessions()?;
    }
    let wait = only_wait(request)?;
    let admin = state.authority.admin();
    let id = admin.user_id(&actor, id).await?;
    let is_there = !admin.user_names(&actor, &[id]).await?.is_empty();
    // What is left of a user who was deleted can still be erased.
    if !is_there && (id.is_nil() || !request.path().ends_with("/erase")) {
        return Err(Problem::not_found("there is no such user"));
    }
    if is_there && request.headers().contains_key(IF_MATCH) {
        etag::require_match(request, &version(&admin.user_by_id(&actor, id).await?))?;
    }
    let began = Began::now();
    // By id: the name may be another's by the time that the rule looks.
    let done = run(&admin, &actor, &id.to_string()).await?;
    Ok(Done { receipt: receipt(request, state, began, wait).await, ..done })
}

fn only_wait(request: &HttpRequest) -> Result<Option<std::time::Duration>, Problem> {
    let mut parameters = Parameters::of(request.query_string());
    let wait = wait(&mut parameters);
    parameters.finish()?;
    Ok(wait)
}

/// Which state of a user this is.
pub fn version(user: &UserRecord) -> String {
    etag::of(&UserView::from(user.clone()), user.auth_version)
}
