//! `POST /logout`: ends the session of the presented token.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use ficha_resource::Bearer;

use crate::error::{ApiError, no_store};
use crate::http::unread_body::mark_authenticated;
use crate::request::form::read_body;
use crate::state::State;

/// Ends the session of the presented token, and revokes all of its tokens.
#[utoipa::path(
    post,
    path = "/logout",
    tag = "Session",
    security(("password" = []), ("token" = [])),
    responses(
        (status = 204, description = "The session has ended"),
        (status = 400, description = "There is more than one token", body = crate::error::ErrorAnswer),
        (status = 401, description = "The token is missing or not valid (RFC 6750 section 3)", body = crate::error::ErrorAnswer),
        (status = 408, description = "The body did not arrive in time", body = crate::error::ErrorAnswer),
        (status = 413, description = "The body is too long", body = crate::error::ErrorAnswer),
        (status = 415, description = "The body is encoded", body = crate::error::ErrorAnswer),
        (
            status = 503,
            description = "The logout may not have been committed; try again",
            body = crate::error::ErrorAnswer
        ),
    )
)]
pub async fn logout(
    request: HttpRequest,
    token: Bearer,
    payload: Payload,
    state: Data<State>,
) -> Result<HttpResponse, actix_web::Error> {
    // RFC 6750 §2: a client must not use more than one method to send a token.
    state.guard.refuse_form_token(&request, &read_body(payload).await?)?;
    let source = state.proxies.trace(&request).sender();
    mark_authenticated(&request);
    state.authority.logout(&source, &token.claims).await.map_err(ApiError::from)?;
    let mut response = HttpResponse::NoContent();
    no_store(&mut response);
    Ok(response.finish())
}
