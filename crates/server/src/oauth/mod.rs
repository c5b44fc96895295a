//! The OAuth endpoints.

pub mod introspect;
pub mod jwks;
pub mod logout;
pub mod metadata;
pub mod resource;
pub mod revoke;
pub mod token;

use actix_web::HttpRequest;
use ficha_authority::{AuthenticatedClient, AuthorityError};

use crate::error::ApiError;
use crate::http::unread_body::mark_authenticated;
use crate::request::client_credentials::client_credentials;
use crate::request::form::Form;
use crate::request::source::Trace;
use crate::state::State;

/// Authenticates the client of a request. Also returns where the request comes from.
async fn authenticate(
    state: &State,
    request: &HttpRequest,
    form: &Form,
) -> Result<(AuthenticatedClient, Trace), ApiError> {
    let credentials = client_credentials(request.headers(), form)?;
    let trace = state.proxies.trace(request);
    let client = state.authority.authenticate_client(&credentials, &trace.sender()).await?;
    if client.is_confidential() {
        mark_authenticated(request);
    }
    Ok((client, trace))
}

/// Introspection requires a confidential client; there is no default client for it.
async fn authenticate_confidential(
    state: &State,
    request: &HttpRequest,
    form: &Form,
) -> Result<AuthenticatedClient, ApiError> {
    let (client, _) = authenticate(state, request, form).await?;
    if !client.is_confidential() {
        return Err(AuthorityError::ClientAuthentication.into());
    }
    Ok(client)
}
