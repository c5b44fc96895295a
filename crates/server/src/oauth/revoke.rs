//! `POST /revoke` (RFC 7009).

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use utoipa::ToSchema;

use super::authenticate;
use crate::error::{ApiError, no_store};
use crate::request::form::Form;
use crate::state::State;

/// Revokes an access token, or a refresh token with its whole session.
#[utoipa::path(
    post,
    path = "/revoke",
    tag = "OAuth2",
    security((), ("basic" = [])),
    request_body(content = RevokeForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The token is no longer valid, or never was (RFC 7009 section 2.2)", body = Object, example = json!({})),
        (
            status = 400,
            description = "The parameter token is missing, or the token belongs to another client",
            body = crate::error::ErrorAnswer
        ),
        (status = 408, description = "The body did not arrive in time", body = crate::error::ErrorAnswer),
        (status = 413, description = "The body is too long", body = crate::error::ErrorAnswer),
        (status = 415, description = "The body is encoded", body = crate::error::ErrorAnswer),
        (status = 401, description = "The client did not authenticate", body = crate::error::ErrorAnswer),
        (
            status = 503,
            description = "The revocation may not have been committed; try again",
            body = crate::error::ErrorAnswer
        ),
    )
)]
pub async fn revoke(request: HttpRequest, payload: Payload, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let form = Form::read(&request, payload).await?;
    let (client, trace) = authenticate(&state, &request, &form).await?;
    let token = form.require("token")?;
    state.authority.revoke(&client, &trace.on_behalf(client.record().forwards_address), token).await?;
    let mut response = HttpResponse::Ok();
    no_store(&mut response);
    // RFC 7009 §2.2: clients ignore it. Some parse every body as JSON, and fail on an empty one.
    Ok(response.json(serde_json::json!({})))
}

/// The form for `POST /revoke`.
#[derive(ToSchema)]
#[schema(as = RevokeRequest)]
#[expect(dead_code, reason = "it only describes a form in the OpenAPI description")]
pub struct RevokeForm {
    /// An access token or a refresh token.
    token: String,
    /// Ignored: the server can tell the type from the token itself.
    #[schema(nullable = false)]
    token_type_hint: Option<String>,
    /// For a client that does not authenticate with HTTP Basic.
    #[schema(nullable = false)]
    client_id: Option<String>,
    /// For a confidential client that does not authenticate with HTTP Basic.
    #[schema(nullable = false)]
    client_secret: Option<String>,
}
