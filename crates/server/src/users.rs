//! `GET /users/me`: the user or client that a token was issued for.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use ficha_resource::Bearer;
use ficha_token::Scope;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::{ApiError, no_store};
use crate::http::unread_body::mark_authenticated;
use crate::state::State;

/// The user or client that a token was issued for.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    /// The token's `sub`.
    sub: Uuid,
    /// The user's name; omitted if a client obtained the token for itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    username: Option<String>,
    /// The user's e-mail address, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    email: Option<String>,
    /// The client that the token was issued to.
    client_id: String,
    /// The scope of the token.
    #[schema(value_type = String)]
    scope: Scope,
    /// The user's roles.
    roles: Vec<String>,
}

/// Returns the user or client that the presented token was issued for.
#[utoipa::path(
    get,
    path = "/users/me",
    tag = "Session",
    security(("password" = []), ("token" = [])),
    responses(
        (status = 200, description = "The user or client", body = Me),
        (status = 400, description = "There is more than one token", body = crate::error::ErrorAnswer),
        (status = 401, description = "The token is missing or not valid (RFC 6750 section 3)", body = crate::error::ErrorAnswer),
        (status = 503, description = "The database does not answer", body = crate::error::ErrorAnswer),
    )
)]
pub async fn me(request: HttpRequest, token: Bearer, state: Data<State>) -> Result<HttpResponse, ApiError> {
    mark_authenticated(&request);
    let claims = &token.claims;
    let user = state.authority.user(claims.sub).await?;
    let (username, email) = user.map(|user| (user.name, user.email)).unzip();
    let mut response = HttpResponse::Ok();
    no_store(&mut response);
    Ok(response.json(Me {
        sub: claims.sub,
        username,
        email: email.flatten(),
        client_id: claims.client_id.clone(),
        scope: claims.scope.clone(),
        roles: claims.roles.clone(),
    }))
}
