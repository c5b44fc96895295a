//! `POST /token` (RFC 6749 §3.2).

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use ficha_authority::{Grant, Issued, Password, PasswordRequest};
use ficha_token::Scope;
use ficha_token::TokenResponse;

use super::authenticate;
use crate::error::{ApiError, no_store};
use crate::request::form::Form;
use crate::state::State;

/// Issues tokens: for a password, for a refresh token, or for a client itself.
#[utoipa::path(
    post,
    path = "/token",
    tag = "OAuth2",
    request_body(content = crate::openapi::TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "Tokens (RFC 6749 section 5.1)", body = crate::openapi::TokenAnswer),
        (status = 400, description = "Refused (RFC 6749 section 5.2)", body = crate::openapi::ErrorAnswer),
        (status = 401, description = "The client did not authenticate", body = crate::openapi::ErrorAnswer),
        (status = 503, description = "Busy, or without its database; Retry-After says when", body = crate::openapi::ErrorAnswer),
    )
)]
pub async fn token(request: HttpRequest, payload: Payload, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let form = Form::read(&request, payload).await?;
    let grant = Grant::parse(form.require("grant_type")?).ok_or(ApiError::UnsupportedGrantType)?;
    let scope = requested_scope(&form)?;
    let (client, trace) = authenticate(&state, &request, &form).await?;
    let origin = trace.on_behalf(client.record().forwards_address);
    let issued = match grant {
        Grant::Password => {
            let request = PasswordRequest {
                username: form.require("username")?.to_owned(),
                password: Password::new(form.require("password")?),
                scope,
            };
            state.authority.password_grant(&client, &origin, request).await?
        }
        Grant::RefreshToken => {
            let token = form.require("refresh_token")?;
            state.authority.refresh_grant(&client, &origin, token, scope).await?
        }
        Grant::ClientCredentials => state.authority.client_credentials_grant(&client, &origin, scope).await?,
    };
    Ok(answer(issued))
}

fn requested_scope(form: &Form) -> Result<Option<Scope>, ApiError> {
    form.get("scope").map(|text| text.parse().map_err(|_| ApiError::MalformedScope)).transpose()
}

fn answer(issued: Issued) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    no_store(&mut response);
    response.json(TokenResponse::new(
        issued.access_token.expose().to_owned(),
        issued.expires_in,
        issued.refresh_token.map(|token| token.expose().to_owned()),
        issued.scope,
    ))
}
