//! `POST /introspect` (RFC 7662).

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use ficha_authority::AuthorityError;
use ficha_resource::VerifyError;
use ficha_token::TokenError;
use utoipa::ToSchema;

use super::authenticate_confidential;
use crate::error::{ApiError, no_store};
use crate::request::form::Form;
use crate::state::State;

/// Tells whether a token is active, and describes it.
#[utoipa::path(
    post,
    path = "/introspect",
    tag = "OAuth2",
    security((), ("basic" = [])),
    request_body(content = IntrospectForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (
            status = 200,
            description = "A description of the token; only {active: false} if it is invalid or not for the caller",
            body = IntrospectAnswer
        ),
        (status = 400, description = "The parameter token is missing", body = crate::error::ErrorAnswer),
        (status = 408, description = "The body did not arrive in time", body = crate::error::ErrorAnswer),
        (status = 413, description = "The body is too long", body = crate::error::ErrorAnswer),
        (status = 415, description = "The body is encoded", body = crate::error::ErrorAnswer),
        (
            status = 401,
            description = "The client did not authenticate, or is not confidential",
            body = crate::error::ErrorAnswer
        ),
        (
            status = 503,
            description = "The database does not answer, so the server can't tell whether the token is revoked",
            body = crate::error::ErrorAnswer
        ),
    )
)]
pub async fn introspect(request: HttpRequest, payload: Payload, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let form = Form::read(&request, payload).await?;
    let client = authenticate_confidential(&state, &request, &form).await?;
    let token = form.require("token")?;
    let mut verified = state.guard.verify_now(token);
    if matches!(verified, Err(VerifyError::Invalid(TokenError::UnknownKey))) {
        // Another server may have signed with a key that is not known here yet.
        state.authority.load_unknown_key(token).await.map_err(AuthorityError::from)?;
        verified = state.guard.verify_now(token);
    }
    let answer = match verified {
        Ok(verified) => state.authority.introspect_access_token(&client, &verified.claims),
        Err(VerifyError::Invalid(_) | VerifyError::Denied) if state.authority.is_fresh() => {
            state.authority.introspect_refresh_token(&client, token).await?
        }
        // The other errors say nothing about the token: `active: false` would log users out.
        Err(_) if state.authority.is_fresh() && state.authority.doubts_clock() => {
            return Err(AuthorityError::ClockInDoubt.into());
        }
        Err(_) => return Err(AuthorityError::Stale.into()),
    };
    let mut response = HttpResponse::Ok();
    no_store(&mut response);
    Ok(response.json(answer))
}

/// The form for `POST /introspect`.
#[derive(ToSchema)]
#[schema(as = IntrospectRequest)]
#[expect(dead_code, reason = "it only describes a form in the OpenAPI description")]
pub struct IntrospectForm {
    /// An access token, or a refresh token that was issued to the caller.
    token: String,
    /// Ignored.
    #[schema(nullable = false)]
    token_type_hint: Option<String>,
    /// For a client that does not authenticate with HTTP Basic.
    #[schema(nullable = false)]
    client_id: Option<String>,
    /// For a confidential client that does not authenticate with HTTP Basic.
    #[schema(nullable = false)]
    client_secret: Option<String>,
}

/// An introspection response (RFC 7662 section 2.2).
#[derive(ToSchema)]
#[schema(as = IntrospectResponse)]
#[expect(dead_code, reason = "it only describes a response in the OpenAPI description")]
pub struct IntrospectAnswer {
    active: bool,
    #[schema(nullable = false)]
    scope: Option<String>,
    #[schema(nullable = false)]
    client_id: Option<String>,
    #[schema(nullable = false)]
    token_type: Option<String>,
    /// Unix seconds.
    #[schema(nullable = false)]
    exp: Option<i64>,
    /// Unix seconds.
    #[schema(nullable = false)]
    iat: Option<i64>,
    #[schema(nullable = false)]
    sub: Option<String>,
    #[schema(nullable = false)]
    aud: Option<String>,
    #[schema(nullable = false)]
    iss: Option<String>,
    #[schema(nullable = false)]
    jti: Option<String>,
    #[schema(nullable = false)]
    sid: Option<String>,
    /// Unix seconds.
    #[schema(nullable = false)]
    auth_time: Option<i64>,
    #[schema(nullable = false)]
    roles: Option<Vec<String>>,
}
