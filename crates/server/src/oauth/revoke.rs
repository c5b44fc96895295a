//! `POST /revoke` (RFC 7009).

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use super::authenticate;
use crate::error::{ApiError, no_store};
use crate::request::form::Form;
use crate::state::State;

/// Revokes an access token, or a refresh token with its whole session.
#[utoipa::path(
    post,
    path = "/revoke",
    tag = "OAuth2",
    request_body(content = crate::openapi::RevokeForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "It is good for nothing from now on, or never was (RFC 7009 section 2.2)"),
        (status = 400, description = "No token, or a token of another client", body = crate::openapi::ErrorAnswer),
        (status = 401, description = "The client did not authenticate", body = crate::openapi::ErrorAnswer),
        (status = 503, description = "Nothing was committed; try again", body = crate::openapi::ErrorAnswer),
    )
)]
pub async fn revoke(request: HttpRequest, payload: Payload, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let form = Form::read(&request, payload).await?;
    let (client, trace) = authenticate(&state, &request, &form).await?;
    let token = form.require("token")?;
    state.authority.revoke(&client, &trace.on_behalf(client.record().forwards_address), token).await?;
    let mut response = HttpResponse::Ok();
    no_store(&mut response);
    Ok(response.finish())
}
