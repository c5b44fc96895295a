//! `POST /token` (RFC 6749 §3.2).

use actix_web::http::header::ORIGIN;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use ficha_authority::{
    AuthenticatedClient, AuthorityError, CONSOLE, Grant, Issued, Password, PasswordRequest, RefreshAsked, is_resource,
};
use ficha_token::Scope;
use ficha_token::TokenResponse;
use utoipa::ToSchema;

use super::authenticate;
use crate::error::{ApiError, no_store};
use crate::http::unread_body::mark_authenticated;
use crate::request::form::Form;
use crate::state::State;

/// Issues tokens for a password, for a refresh token, or for the client itself.
#[utoipa::path(
    post,
    path = "/token",
    tag = "OAuth2",
    security((), ("basic" = [])),
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "Tokens (RFC 6749 section 5.1)", body = TokenAnswer),
        (status = 400, description = "Rejected (RFC 6749 section 5.2)", body = crate::error::ErrorAnswer),
        (status = 408, description = "The body did not arrive in time", body = crate::error::ErrorAnswer),
        (status = 413, description = "The body is too long", body = crate::error::ErrorAnswer),
        (status = 415, description = "The body is encoded", body = crate::error::ErrorAnswer),
        (status = 401, description = "The client did not authenticate", body = crate::error::ErrorAnswer),
        (
            status = 503,
            description = "The server is busy, or its database does not answer; Retry-After says when to try again",
            body = crate::error::ErrorAnswer
        ),
    )
)]
pub async fn token(request: HttpRequest, payload: Payload, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let form = Form::read(&request, payload).await?;
    let grant = Grant::parse(form.require("grant_type")?).ok_or(ApiError::UnsupportedGrantType)?;
    let scope = requested_scope(&form)?;
    let (client, trace) = authenticate(&state, &request, &form).await?;
    refuse_page(&request, &client)?;
    let resource = form.get("resource");
    if grant != Grant::RefreshToken {
        require_resource(&state, &client, resource, scope.as_ref())?;
    }
    let source = trace.on_behalf(client.record().forwards_address);
    let issued = match grant {
        Grant::Password => {
            let request = PasswordRequest {
                username: form.require("username")?.to_owned(),
                password: Password::new(form.require("password")?),
                scope,
            };
            state.authority.password_grant(&client, &source, request).await?
        }
        Grant::RefreshToken => {
            let token = form.require("refresh_token")?;
            state.authority.refresh_grant(&client, &source, token, RefreshAsked { scope, resource }).await?
        }
        Grant::ClientCredentials => state.authority.client_credentials_grant(&client, &source, scope).await?,
    };
    mark_authenticated(&request);
    Ok(answer(issued))
}

/// The console's client gets its tokens in the console, and no page of a browser gets one that may administer: what runs
/// there is not as safe as a command line.
fn refuse_page(request: &HttpRequest, client: &AuthenticatedClient) -> Result<(), ApiError> {
    let is_page = client.record().own_scopes && request.headers().contains_key(ORIGIN);
    if is_page || client.id() == CONSOLE { Err(ApiError::NotForPages) } else { Ok(()) }
}

/// RFC 8707 §2: a `resource` is where the token is to be used. It must be what the client's tokens are for.
fn require_resource(
    state: &State,
    client: &AuthenticatedClient,
    resource: Option<&str>,
    scope: Option<&Scope>,
) -> Result<(), ApiError> {
    let Some(resource) = resource else { return Ok(()) };
    let audience = state.authority.audience_of(client, scope);
    if is_resource(resource, &audience) { Ok(()) } else { Err(AuthorityError::WrongResource.into()) }
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

/// The form for `POST /token`.
#[derive(ToSchema)]
#[schema(as = TokenRequest)]
#[expect(dead_code, reason = "it only describes a form in the OpenAPI description")]
pub struct TokenForm {
    #[schema(schema_with = crate::api::schemas::grant_type)]
    grant_type: String,
    /// For `password`.
    #[schema(nullable = false)]
    username: Option<String>,
    /// For `password`.
    #[schema(nullable = false)]
    password: Option<String>,
    /// For `refresh_token`.
    #[schema(nullable = false)]
    refresh_token: Option<String>,
    /// Names separated by spaces. If omitted: everything that may be granted except `ficha:*`.
    #[schema(nullable = false)]
    scope: Option<String>,
    /// Where the token is to be used (RFC 8707): the audience of the client's tokens, an absolute URI.
    #[schema(nullable = false)]
    resource: Option<String>,
    /// For a client that does not authenticate with HTTP Basic.
    #[schema(nullable = false)]
    client_id: Option<String>,
    /// For a confidential client that does not authenticate with HTTP Basic.
    #[schema(nullable = false)]
    client_secret: Option<String>,
}

/// A token response (RFC 6749 section 5.1).
#[derive(ToSchema)]
#[schema(as = TokenResponse)]
#[expect(dead_code, reason = "it only describes a response in the OpenAPI description")]
pub struct TokenAnswer {
    access_token: String,
    /// Always `Bearer`.
    token_type: String,
    /// The lifetime of the access token, in seconds.
    expires_in: u64,
    #[schema(nullable = false)]
    refresh_token: Option<String>,
    scope: String,
}
