//! `/api/v1/me`: users look after themselves.

use actix_web::http::header::AUTHORIZATION;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use ficha_authority::{Began, OwnPassword, Password, SigningSettings};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::body::{self, invalid};
use super::caller::{caller, not_available, require_own_host};
use super::problem::{Problem, ProblemAnswer};
use super::query::Parameters;
use super::receipt::{receipt, wait};
use super::sessions::{Revoked, SessionList, answered, own_views, page_from, session_id};
use super::user_views::UserView;
use crate::state::State;

/// Shows the user who asks.
#[utoipa::path(
    get,
    path = "/api/v1/me",
    tag = "Account",
    operation_id = "show_own_user",
    security(("token" = [])),
    responses(
        (status = 200, description = "The user", body = UserView),
        (status = 400, description = "A parameter is unknown", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token lacks the scope ficha:account", body = ProblemAnswer),
        (status = 503, description = "The database does not answer", body = ProblemAnswer),
    )
)]
pub async fn show(request: HttpRequest, state: Data<State>) -> HttpResponse {
    answered(&state, shown(&request, &state).await)
}

async fn shown(request: &HttpRequest, state: &State) -> Result<UserView, Problem> {
    let actor = caller(request, state).await?;
    actor.sight_of_own()?;
    Parameters::of(request.query_string()).finish()?;
    Ok(state.authority.admin().own_user(&actor).await?.into())
}

/// Lists the user's sessions, the newest first.
#[utoipa::path(
    get,
    path = "/api/v1/me/sessions",
    tag = "Account",
    operation_id = "list_own_sessions",
    security(("token" = [])),
    params(
        ("limit" = Option<u64>, Query, description = "1 to 200; 50 if it is not given"),
        ("after" = Option<String>, Query, description = "The `next` of a page"),
        ("before" = Option<String>, Query, description = "The `previous` of a page"),
    ),
    responses(
        (status = 200, description = "A page", body = SessionList),
        (status = 400, description = "A parameter is unknown or wrong", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token lacks the scope ficha:account", body = ProblemAnswer),
        (status = 503, description = "The database does not answer", body = ProblemAnswer),
    )
)]
pub async fn sessions(request: HttpRequest, state: Data<State>) -> HttpResponse {
    answered(&state, sessions_listed(&request, &state).await)
}

async fn sessions_listed(request: &HttpRequest, state: &State) -> Result<SessionList, Problem> {
    let actor = caller(request, state).await?;
    actor.sight_of_own()?;
    let mut parameters = Parameters::of(request.query_string());
    let limit = parameters.number("limit", 1, 200).unwrap_or(50);
    let from = page_from(&mut parameters);
    parameters.finish()?;
    let admin = state.authority.admin();
    let (user, page) = (admin.own_user(&actor).await?, admin.own_sessions(&actor, from, limit).await?);
    Ok(own_views(&user, page))
}

/// Ends one of the user's sessions.
#[utoipa::path(
    delete,
    path = "/api/v1/me/sessions/{id}",
    tag = "Account",
    operation_id = "revoke_own_session",
    security(("token" = [])),
    params(
        ("id" = uuid::Uuid, Path, description = "The `sid` of its tokens"),
        ("wait" = Option<u64>, Query, description = "Wait up to this many seconds for a receipt"),
    ),
    responses(
        (status = 200, description = "It has ended", body = Revoked),
        (status = 400, description = "A parameter is unknown or wrong", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token lacks the scope ficha:account", body = ProblemAnswer),
        (status = 404, description = "The user has no such session", body = ProblemAnswer),
        (status = 503, description = "It may not have been committed; try again", body = ProblemAnswer),
    )
)]
pub async fn revoke_session(request: HttpRequest, id: Path<String>, state: Data<State>) -> HttpResponse {
    answered(&state, session_revoked(&request, &id, &state).await)
}

async fn session_revoked(request: &HttpRequest, id: &str, state: &State) -> Result<Revoked, Problem> {
    let actor = caller(request, state).await?;
    actor.sight_of_own()?;
    let mut parameters = Parameters::of(request.query_string());
    let wait = wait(&mut parameters);
    parameters.finish()?;
    let began = Began::now();
    let is_new = state.authority.admin().revoke_own_session(&actor, session_id(id)).await?;
    Ok(Revoked { matched: 1, revoked: is_new.into(), receipt: receipt(request, state, began, wait).await })
}

/// Ends all the user's sessions but the one that asks.
#[utoipa::path(
    post,
    path = "/api/v1/me/sessions/revoke-others",
    tag = "Account",
    operation_id = "revoke_other_sessions",
    security(("token" = [])),
    params(("wait" = Option<u64>, Query, description = "Wait up to this many seconds for a receipt")),
    responses(
        (status = 200, description = "They have ended", body = Revoked),
        (status = 400, description = "A parameter is unknown or wrong", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token lacks the scope ficha:account", body = ProblemAnswer),
        (status = 503, description = "Some of them may have ended; try again", body = ProblemAnswer),
    )
)]
pub async fn revoke_others(request: HttpRequest, state: Data<State>) -> HttpResponse {
    answered(&state, others_revoked(&request, &state).await)
}

async fn others_revoked(request: &HttpRequest, state: &State) -> Result<Revoked, Problem> {
    let actor = caller(request, state).await?;
    actor.sight_of_own()?;
    let mut parameters = Parameters::of(request.query_string());
    let wait = wait(&mut parameters);
    parameters.finish()?;
    let began = Began::now();
    let revoked = state.authority.admin().revoke_other_sessions(&actor).await?;
    Ok(Revoked { matched: revoked, revoked, receipt: receipt(request, state, began, wait).await })
}

/// A password to be changed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AccountPassword)]
pub struct PasswordBody {
    /// Required without a token; with one, it must not be given.
    username: Option<String>,
    #[schema(value_type = String)]
    old_password: Zeroizing<String>,
    #[schema(value_type = String)]
    new_password: Zeroizing<String>,
}

/// How many sessions the change has ended.
#[derive(Serialize, ToSchema)]
#[schema(as = AccountPasswordChanged)]
pub struct PasswordChanged {
    revoked: u64,
}

/// Changes the user's own password, and ends all their sessions. With a token, or with the user name.
#[utoipa::path(
    post,
    path = "/api/v1/me/password",
    tag = "Account",
    operation_id = "change_own_password",
    security((), ("token" = [])),
    request_body = PasswordBody,
    responses(
        (status = 200, description = "It is changed", body = PasswordChanged),
        (status = 400, description = "The new password is too weak, or a member is unknown", body = ProblemAnswer),
        (status = 401, description = "The token is not valid", body = ProblemAnswer),
        (status = 403, description = "The name or the old password is wrong, or the token lacks the scope", body = ProblemAnswer),
        (status = 408, description = "The body did not arrive in time", body = ProblemAnswer),
        (status = 409, description = "The user was changed meanwhile", body = ProblemAnswer),
        (status = 413, description = "The body is too long", body = ProblemAnswer),
        (status = 415, description = "The body is encoded", body = ProblemAnswer),
        (status = 503, description = "It may not have been committed, or too many passwords are being hashed", body = ProblemAnswer),
    )
)]
pub async fn change_password(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    answered(&state, password_changed(&request, payload, &state).await)
}

async fn password_changed(request: &HttpRequest, payload: Payload, state: &State) -> Result<PasswordChanged, Problem> {
    let bearer = match request.headers().contains_key(AUTHORIZATION) {
        true => {
            let actor = caller(request, state).await?;
            actor.sight_of_own()?;
            Some((state.authority.admin().own_user(&actor).await?.name, actor.session()))
        }
        false if matches!(state.authority.settings().signing, SigningSettings::SharedSecret(_)) => {
            return Err(not_available());
        }
        false => {
            require_own_host(request, state)?;
            None
        }
    };
    Parameters::of(request.query_string()).finish()?;
    let wanted: PasswordBody = body::read(request, payload).await?;
    let (name, session) = match (bearer, wanted.username) {
        (None, Some(name)) => (name, None),
        (Some((name, session)), None) => (name, session),
        (None, None) => return Err(invalid("username", "it is needed without a token")),
        (Some(_), Some(_)) => return Err(invalid("username", "the token already says who it is")),
    };
    let source = state.proxies.trace(request).sender();
    let change = OwnPassword {
        name,
        old: Password::new(wanted.old_password.as_str()),
        new: Password::new(wanted.new_password.as_str()),
        session,
    };
    Ok(PasswordChanged { revoked: state.authority.change_own_password(&source, change).await? })
}
