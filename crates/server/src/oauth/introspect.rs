//! `POST /introspect` (RFC 7662).

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use ficha_authority::AuthorityError;
use ficha_resource::VerifyError;
use utoipa::ToSchema;

use super::authenticate_named;
use crate::error::{ApiError, no_store};
use crate::request::form::Form;
use crate::state::State;

/// Says whether a token is good, and what it stands for.
#[utoipa::path(
    post,
    path = "/introspect",
    tag = "OAuth2",
    request_body(content = IntrospectForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "What the token stands for; just {active: false} where it is no good, or not yours to see", body = IntrospectAnswer),
        (status = 400, description = "No token", body = crate::error::ErrorAnswer),
        (status = 401, description = "Not a confidential client, or not authenticated", body = crate::error::ErrorAnswer),
        (status = 503, description = "The server has lost its database, so it can't vouch for anything", body = crate::error::ErrorAnswer),
    )
)]
pub async fn introspect(request: HttpRequest, payload: Payload, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let form = Form::read(&request, payload).await?;
    let client = authenticate_named(&state, &request, &form).await?;
    let token = form.require("token")?;
    let answer = match state.guard.verify(token) {
        Ok(verified) => state.authority.introspect_access_token(&client, &verified.claims),
        Err(VerifyError::Invalid(_) | VerifyError::Denied) if state.authority.is_fresh() => {
            state.authority.introspect_refresh_token(&client, token).await?
        }
        // None of the others says anything about the token: an "inactive" here would log people out.
        Err(_) => return Err(AuthorityError::Stale.into()),
    };
    let mut response = HttpResponse::Ok();
    no_store(&mut response);
    Ok(response.json(answer))
}

/// What `POST /introspect` takes.
#[derive(ToSchema)]
#[schema(as = IntrospectRequest)]
#[expect(dead_code, reason = "it only describes a form, for the OpenAPI page")]
pub struct IntrospectForm {
    /// An access token, or a refresh token of the caller's own.
    token: String,
    /// Not asked.
    token_type_hint: Option<String>,
    /// Where the client does not authenticate by HTTP Basic.
    client_id: Option<String>,
    /// Where a confidential client does not authenticate by HTTP Basic.
    client_secret: Option<String>,
}

/// RFC 7662 §2.2.
#[derive(ToSchema)]
#[schema(as = IntrospectResponse)]
#[expect(dead_code, reason = "it only describes an answer, for the OpenAPI page")]
pub struct IntrospectAnswer {
    active: bool,
    scope: Option<String>,
    client_id: Option<String>,
    token_type: Option<String>,
    /// Unix seconds.
    exp: Option<i64>,
    /// Unix seconds.
    iat: Option<i64>,
    sub: Option<String>,
    aud: Option<String>,
    iss: Option<String>,
    jti: Option<String>,
    sid: Option<String>,
    /// Unix seconds.
    auth_time: Option<i64>,
    roles: Option<Vec<String>>,
}
