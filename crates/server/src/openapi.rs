//! The OpenAPI description, and the shapes that only it needs.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use utoipa::openapi::security::{Flow, HttpAuthScheme, HttpBuilder, OAuth2, Password, Scopes, SecurityScheme};
use utoipa::openapi::{OpenApi as Description, Server};
use utoipa::{OpenApi, ToSchema};

use crate::error::ApiError;
use crate::state::State;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Ficha",
        description = "An OAuth2 password-flow authorization server whose tokens can be taken back."
    ),
    paths(
        crate::oauth::token::token,
        crate::oauth::revoke::revoke,
        crate::oauth::introspect::introspect,
        crate::oauth::logout::logout,
        crate::oauth::jwks::jwks,
        crate::oauth::metadata::metadata,
        crate::denylist::denylist,
        crate::users::me,
        crate::health::live,
        crate::health::ready,
        crate::health::metrics,
    )
)]
struct Endpoints;

/// What `POST /token` takes.
#[derive(ToSchema)]
#[schema(as = TokenRequest)]
#[expect(dead_code, reason = "it only describes a form, for the OpenAPI page")]
pub struct TokenForm {
    /// `password`, `refresh_token` or `client_credentials`.
    grant_type: String,
    /// With `password`.
    username: Option<String>,
    /// With `password`.
    password: Option<String>,
    /// With `refresh_token`.
    refresh_token: Option<String>,
    /// Names separated by spaces; left out: all that may be granted but `ficha:*`.
    scope: Option<String>,
    /// Where the client does not authenticate by HTTP Basic.
    client_id: Option<String>,
    /// Where a confidential client does not authenticate by HTTP Basic.
    client_secret: Option<String>,
}

/// What `POST /revoke` takes.
#[derive(ToSchema)]
#[schema(as = RevokeRequest)]
#[expect(dead_code, reason = "it only describes a form, for the OpenAPI page")]
pub struct RevokeForm {
    /// An access token or a refresh token.
    token: String,
    /// Not asked: what a token is follows from the token.
    token_type_hint: Option<String>,
    /// Where the client does not authenticate by HTTP Basic.
    client_id: Option<String>,
    /// Where a confidential client does not authenticate by HTTP Basic.
    client_secret: Option<String>,
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

/// RFC 6749 §5.1.
#[derive(ToSchema)]
#[schema(as = TokenResponse)]
#[expect(dead_code, reason = "it only describes an answer, for the OpenAPI page")]
pub struct TokenAnswer {
    access_token: String,
    /// `Bearer`.
    token_type: String,
    /// Seconds.
    expires_in: u64,
    refresh_token: Option<String>,
    scope: String,
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

/// What `GET /denylist` answers.
#[derive(ToSchema)]
#[schema(as = DenylistPage)]
#[expect(dead_code, reason = "it only describes an answer, for the OpenAPI page")]
pub struct DenylistAnswer {
    /// The request's nonce, where it had one.
    nonce: Option<String>,
    /// The next request's `after`. Opaque.
    cursor: String,
    /// True if the request's cursor was not known, so that this is all that is denied. Add it, and take nothing away.
    reset: bool,
    /// True if there is more now; left out otherwise.
    more: Option<bool>,
    /// Each is an id in UUID form and, in Unix seconds, until when it is denied.
    #[schema(value_type = Vec<Vec<Object>>, example = json!([["0198c0de-0000-7000-8000-000000000001", 1763800000]]))]
    entries: Vec<(String, i64)>,
}

/// RFC 6749 §5.2.
#[derive(ToSchema)]
#[schema(as = Error)]
#[expect(dead_code, reason = "it only describes an answer, for the OpenAPI page")]
pub struct ErrorAnswer {
    error: String,
    error_description: Option<String>,
}

/// `GET /openapi.json`: made anew each time, since the scopes live in the database.
pub async fn openapi(state: Data<State>) -> Result<HttpResponse, ApiError> {
    let scopes = state.authority.admin().scopes().await?;
    let description = describe(state.authority.settings().issuer.path(), scopes);
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-cache")).json(description))
}

/// The description, with the password flow as its security scheme.
fn describe(base_path: &str, scopes: Vec<(String, String)>) -> Description {
    let mut description = Endpoints::openapi();
    if !base_path.is_empty() {
        description.servers = Some(vec![Server::new(base_path)]);
    }
    // Relative to the page, so that Authorize works by whatever name the server is reached.
    let token_url = format!("{base_path}/token");
    let flow = Password::with_refresh_url(token_url.clone(), Scopes::from_iter(scopes), token_url);
    let components = description.components.get_or_insert_with(Default::default);
    components.add_security_scheme("password", SecurityScheme::OAuth2(OAuth2::new([Flow::Password(flow)])));
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    components.add_security_scheme("token", SecurityScheme::Http(bearer));
    description
}
