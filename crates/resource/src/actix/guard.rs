//! The value that an application holds: it checks requests, and makes the middleware.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::HeaderMap;

use super::error::{BearerError, Realm};
use super::header::{Malformed, access_token_in_form, token_from_header};
use super::middleware::{Need, RequireScopes};
use crate::verifier::{Verified, Verifier};

/// What the challenge calls this service unless [`BearerGuard::realm`] says otherwise.
const DEFAULT_REALM: &str = "api";

/// Checks the bearer token of a request. A clone is cheap and shares the verifier.
///
/// `App::app_data(guard.clone())` makes the extractors [`Bearer`](super::Bearer) and
/// [`MaybeBearer`](super::MaybeBearer) work; `.wrap(guard.require("notes:admin"))` guards a whole scope.
#[derive(Clone)]
pub struct BearerGuard {
    verifier: Verifier,
    realm: Realm,
}

impl BearerGuard {
    /// A guard whose challenges say `realm="api"`.
    pub fn new(verifier: Verifier) -> Self {
        Self { verifier, realm: Realm::from(DEFAULT_REALM) }
    }

    /// Names what is protected, for the challenge (RFC 9110 §11.5).
    pub fn realm(mut self, realm: impl Into<Realm>) -> Self {
        self.realm = realm.into();
        self
    }

    /// The verifier within.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// A middleware that lets a request pass if its token has this scope.
    pub fn require(&self, scope: impl Into<String>) -> RequireScopes {
        self.require_all([scope])
    }

    /// A middleware that lets a request pass if its token has each of these scopes.
    pub fn require_all(&self, scopes: impl IntoIterator<Item = impl Into<String>>) -> RequireScopes {
        RequireScopes::new(self.clone(), Need::All(scopes.into_iter().map(Into::into).collect()))
    }

    /// A middleware that lets a request pass if its token has one of these scopes. Of an empty list it has none.
    pub fn require_any(&self, scopes: impl IntoIterator<Item = impl Into<String>>) -> RequireScopes {
        RequireScopes::new(self.clone(), Need::Any(scopes.into_iter().map(Into::into).collect()))
    }

    /// A middleware that lets a request pass if its token is good, whatever its scope.
    pub fn require_token(&self) -> RequireScopes {
        RequireScopes::new(self.clone(), Need::All(Vec::new()))
    }

    /// Checks the token of these headers. `None` says that they have none; a token that is not good is an error.
    pub fn check(&self, headers: &HeaderMap) -> Result<Option<Arc<Verified>>, BearerError> {
        let token = token_from_header(headers)
            .map_err(|reason| BearerError::Malformed { realm: self.realm.clone(), reason })?;
        let Some(token) = token else { return Ok(None) };
        self.verifier
            .verify(token)
            .map(Some)
            .map_err(|reason| BearerError::Refused { realm: self.realm.clone(), reason })
    }

    /// Refuses a request that has a token in its header and another in its form body (RFC 6750 §2).
    ///
    /// Extractors and middleware leave the body to the handler, so a handler that reads a form calls this itself.
    pub fn check_form(&self, request: &HttpRequest, body: &[u8]) -> Result<(), BearerError> {
        let realm = || self.realm.clone();
        let token =
            token_from_header(request.headers()).map_err(|reason| BearerError::Malformed { realm: realm(), reason })?;
        if token.is_some() && access_token_in_form(request.headers(), body) {
            return Err(BearerError::Malformed { realm: realm(), reason: Malformed::SentTwice });
        }
        Ok(())
    }

    pub(super) fn challenge_realm(&self) -> &Realm {
        &self.realm
    }
}
