//! `POST /api/v1/users`.

use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use ficha_authority::{Admin, AdminError, NewPassword, NewUser, Password, StoredHash};
use zeroize::Zeroizing;

use super::body::{self, invalid, scope};
use super::caller::caller;
use super::problem::{Problem, ProblemAnswer};
use super::query::Parameters;
use super::repeated::{mark, repeatable};
use super::user_views::{CreatedUser, NewUserBody};
use crate::error::no_store;
use crate::state::State;

/// Creates a user.
#[utoipa::path(
    post,
    path = "/api/v1/users",
    tag = "Admin",
    operation_id = "create_user",
    security(("token" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "A request that is repeated with it makes nothing twice")),
    request_body = NewUserBody,
    responses(
        (status = 201, description = "The user; `Location` is its address", body = CreatedUser),
        (status = 400, description = "A member is unknown or wrong", body = ProblemAnswer),
        (status = 401, description = "No valid token", body = ProblemAnswer),
        (status = 403, description = "The token does not allow this", body = ProblemAnswer),
        (status = 408, description = "The body did not arrive in time", body = ProblemAnswer),
        (status = 409, description = "The name is taken", body = ProblemAnswer),
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
            let address = state.site.endpoint(&format!("/api/v1/users/{}", created.user.id));
            response.insert_header((LOCATION, address)).json(created)
        }
    }
}

/// The user; and true if an earlier request with the same key has created it.
async fn created(request: &HttpRequest, payload: Payload, state: &State) -> Result<(CreatedUser, bool), Problem> {
    let actor = caller(request, state).await?;
    actor.require_changing_users()?;
    Parameters::of(request.query_string()).finish()?;
    let (new, bytes): (NewUserBody, _) = body::read_with_bytes(request, payload).await?;
    let admin = state.authority.admin();
    let repeatable = repeatable(request, &admin, &actor, &bytes).await?;
    if let Some(earlier) = &repeatable {
        if let Some(user) = found(admin.user_by_id(&actor, earlier.id).await)? {
            admin.note_created(earlier).await;
            return Ok((CreatedUser { user: user.into(), password: None }, true));
        }
        earlier.require_new()?;
    }
    let (new, made) = new_user(new, &admin)?;
    let Some(repeatable) = repeatable else {
        let user = admin.add_user(&actor, new).await?;
        return Ok((CreatedUser { user: user.into(), password: made }, false));
    };
    match admin.add_user_as(&actor, repeatable.id, new).await {
        Ok(user) => {
            admin.note_created(&repeatable).await;
            Ok((CreatedUser { user: user.into(), password: made }, false))
        }
        // Perhaps by the same request, at the same time.
        Err(error @ AdminError::Taken { .. }) => match found(admin.user_by_id(&actor, repeatable.id).await)? {
            Some(user) => Ok((CreatedUser { user: user.into(), password: None }, true)),
            None => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    }
}

/// The user to be created, and the one-time password if one was made.
fn new_user(new: NewUserBody, admin: &Admin) -> Result<(NewUser, Option<Zeroizing<String>>), Problem> {
    let (password, made) = match (&new.password, &new.password_hash) {
        (Some(_), Some(_)) => return Err(invalid("password_hash", "it can't be combined with `password`")),
        (Some(password), None) => (NewPassword::Plain(Password::new(password.as_str())), None),
        (None, Some(hash)) => {
            let hash: StoredHash =
                hash.parse().map_err(|_| invalid("password_hash", "it is in no format that is known"))?;
            (NewPassword::Imported(hash), None)
        }
        (None, None) if new.must_change == Some(false) => {
            return Err(invalid("must_change", "a password that is made here must be changed by the user"));
        }
        (None, None) => {
            let secret = admin.one_time_password();
            let made = Zeroizing::new(secret.expose().to_owned());
            (NewPassword::Plain(Password::new(secret.expose())), Some(made))
        }
    };
    let user = NewUser {
        name: new.name,
        email: new.email,
        password,
        scopes: scope("scopes", &new.scopes)?,
        roles: new.roles,
        must_change: new.must_change.unwrap_or(made.is_some()),
    };
    Ok((user, made))
}

/// What may not be there.
fn found<T>(outcome: Result<T, AdminError>) -> Result<Option<T>, AdminError> {
    match outcome {
        Ok(there) => Ok(Some(there)),
        Err(AdminError::NoSuch { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
