//! Checks requests, and creates the layer.

use std::sync::Arc;

use axum_core::extract::FromRef;
use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_TYPE};

use super::error::BearerError;
use super::error_body::ErrorBody;
use super::layer::RequireScopes;
use crate::authorization::{Malformed, has_access_token_in_form};
use crate::cache::CacheStats;
use crate::error::VerifyError;
use crate::http_bearer::HttpBearer;
use crate::issuers::Issuers;
use crate::need::Need;
use crate::password_bearer::OAuth2PasswordBearer;
use crate::presented::Presented;
use crate::refusal::Refusal;
use crate::source::OnStale;
use crate::tokens::Tokens;
use crate::verified::Verified;
use crate::verifier::Verifier;

/// The realm if none is set.
const DEFAULT_REALM: &str = "api";

/// Checks the bearer token of a request: what the extractors take from the router's state. Clones are cheap and share the
/// verifier.
///
/// ```
/// use axum::Router;
/// use axum::routing::get;
/// use ficha_resource::axum::{Bearer, BearerGuard};
/// use ficha_resource::{OnStale, TestIssuer};
///
/// async fn me(user: Bearer) -> String {
///     user.claims.sub.to_string()
/// }
///
/// // Reading still works while the authorization server is down.
/// let guard = BearerGuard::from(&TestIssuer::new().oauth2()).realm("archive").on_stale(OnStale::Accept);
/// let router: Router = Router::new().route("/me", get(me)).with_state(guard);
/// # drop(router);
/// ```
#[derive(Debug, Clone)]
pub struct BearerGuard {
    tokens: Tokens,
    realm: Option<Arc<str>>,
    on_stale: Option<OnStale>,
    error_body: Option<ErrorBody>,
    resource_metadata: Option<Arc<str>>,
}

impl BearerGuard {
    /// Creates a guard whose challenges say `realm="api"`.
    pub fn new(verifier: Verifier) -> Self {
        Self::of(Tokens::Verifier(verifier))
    }

    fn of(tokens: Tokens) -> Self {
        Self { tokens, realm: None, on_stale: None, error_body: None, resource_metadata: None }
    }

    /// Sets the realm of challenges (RFC 9110 §11.5).
    pub fn realm(mut self, realm: impl Into<Arc<str>>) -> Self {
        self.realm = Some(realm.into());
        self
    }

    /// Sets what to do here while the denylist is stale, regardless of what the rest of the service does.
    pub fn on_stale(mut self, on_stale: OnStale) -> Self {
        self.on_stale = Some(on_stale);
        self.tokens.note(on_stale);
        self
    }

    /// Sets where challenges say that the metadata of this resource is (RFC 9728 §5.1): an absolute URL. By default, it is
    /// that of [`BearerBuilder::resource`](crate::BearerBuilder::resource).
    pub fn resource_metadata(mut self, url: impl Into<Arc<str>>) -> Self {
        self.resource_metadata = Some(url.into());
        self
    }

    /// Sets the error bodies.
    pub fn error_body(mut self, body: ErrorBody) -> Self {
        self.error_body = Some(body);
        self
    }

    /// A layer that requires a valid token with this scope.
    ///
    /// # Panics
    /// If it is not one scope name (RFC 6749 §3.3): no token could have it.
    #[track_caller]
    pub fn require(&self, scope: impl Into<String>) -> RequireScopes {
        self.require_all([scope])
    }

    /// A layer that requires a valid token with all of these scopes.
    ///
    /// # Panics
    /// As [`BearerGuard::require`].
    #[track_caller]
    pub fn require_all(&self, scopes: impl IntoIterator<Item = impl Into<String>>) -> RequireScopes {
        RequireScopes::new(self.clone(), Need::All(scopes.into_iter().map(Into::into).collect()).checked())
    }

    /// A layer that requires a valid token with at least one of these scopes.
    ///
    /// # Panics
    /// As [`BearerGuard::require`], and if the list is empty.
    #[track_caller]
    pub fn require_any(&self, scopes: impl IntoIterator<Item = impl Into<String>>) -> RequireScopes {
        RequireScopes::new(self.clone(), Need::Any(scopes.into_iter().map(Into::into).collect()).checked())
    }

    /// A layer that requires a valid token with this role.
    ///
    /// # Panics
    /// If it is not one word of printable ASCII: no token could have it.
    #[track_caller]
    pub fn require_role(&self, role: impl Into<String>) -> RequireScopes {
        self.require_any_role([role])
    }

    /// A layer that requires a valid token with at least one of these roles.
    ///
    /// # Panics
    /// As [`BearerGuard::require_role`], and if the list is empty.
    #[track_caller]
    pub fn require_any_role(&self, roles: impl IntoIterator<Item = impl Into<String>>) -> RequireScopes {
        RequireScopes::new(self.clone(), Need::Role(roles.into_iter().map(Into::into).collect()).checked())
    }

    /// A layer that requires a valid token, whatever its scope.
    pub fn require_token(&self) -> RequireScopes {
        RequireScopes::new(self.clone(), Need::All(Vec::new()))
    }

    /// Verifies a token that did not arrive in the `Authorization` header. If its key is being fetched, this waits up to
    /// 2 s; see [`OAuth2PasswordBearer::verify`].
    pub async fn verify(&self, presented: impl Into<Presented<'_>>) -> Result<Arc<Verified>, VerifyError> {
        self.tokens.decide_waiting(presented.into(), self.on_stale).await
    }

    /// As [`BearerGuard::verify`], but never waits.
    pub fn verify_now<'a>(&self, presented: impl Into<Presented<'a>>) -> Result<Arc<Verified>, VerifyError> {
        self.tokens.decide(presented.into(), self.on_stale)
    }

    /// Verifies the token in these headers, as the extractors do. `None` means that there is none; an invalid token is an
    /// error.
    pub async fn verify_headers(&self, headers: &HeaderMap) -> Result<Option<Arc<Verified>>, BearerError> {
        let presented = Presented::from_authorization(headers.get_all(AUTHORIZATION));
        let Some(presented) = presented.map_err(|reason| self.refuse(reason))? else { return Ok(None) };
        self.verify(presented).await.map(Some).map_err(|reason| self.refuse(reason))
    }

    /// Looks again at what can have changed since a token was verified; see [`OAuth2PasswordBearer::recheck`].
    pub fn recheck(&self, verified: &Verified) -> Result<(), VerifyError> {
        self.tokens.decide_again(verified, self.on_stale)
    }

    /// Refuses a request that has a token in its header and another in its form body (RFC 6750 §2). Extractors and layer
    /// do not read the body: a handler that reads a form calls this.
    pub fn refuse_form_token(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), BearerError> {
        let presented = Presented::from_authorization(headers.get_all(AUTHORIZATION));
        let presented = presented.map_err(|reason| self.refuse(reason))?;
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if presented.is_some() && has_access_token_in_form(content_type, body) {
            return Err(self.refuse(Malformed::SentTwice));
        }
        Ok(())
    }

    /// Counters and size of the verified-token cache, as a sum if there are several issuers.
    pub fn cache_stats(&self) -> CacheStats {
        self.tokens.cache_stats()
    }

    pub(super) fn refuse(&self, refusal: impl Into<Refusal>) -> BearerError {
        let realm = self.realm.clone().unwrap_or_else(|| self.tokens.realm().unwrap_or(DEFAULT_REALM).into());
        let refusal = refusal.into();
        // The reason contains nothing from the token.
        tracing::debug!(reason = %refusal, "a request was refused");
        let metadata = self.resource_metadata.clone().or_else(|| self.tokens.resource_metadata().map(Into::into));
        BearerError::new(realm, refusal).with_body(self.error_body.as_ref()).with_metadata(metadata)
    }

    /// True if a token that `other` has accepted needs no other look: both trust the same issuers, and this one has no
    /// choice of its own about a stale list, or the same.
    pub(super) fn may_rely_on(&self, other: &Self) -> bool {
        self.tokens.is(&other.tokens) && (self.on_stale.is_none() || self.on_stale == other.on_stale)
    }

    /// Uses another guard's settings for what this one does not set.
    pub(super) fn or(mut self, other: &Self) -> Self {
        self.realm = self.realm.or_else(|| other.realm.clone());
        self.resource_metadata = self.resource_metadata.or_else(|| other.resource_metadata.clone());
        self.on_stale = self.on_stale.or(other.on_stale);
        self.error_body = self.error_body.or_else(|| other.error_body.clone());
        self
    }
}

impl From<&OAuth2PasswordBearer> for BearerGuard {
    fn from(bearer: &OAuth2PasswordBearer) -> Self {
        Self::of(Tokens::Bearer(bearer.clone()))
    }
}

impl From<&HttpBearer> for BearerGuard {
    fn from(bearer: &HttpBearer) -> Self {
        Self::from(bearer.as_bearer())
    }
}

impl From<&Issuers> for BearerGuard {
    fn from(issuers: &Issuers) -> Self {
        Self::of(Tokens::Issuers(issuers.clone()))
    }
}

impl FromRef<OAuth2PasswordBearer> for BearerGuard {
    fn from_ref(bearer: &OAuth2PasswordBearer) -> Self {
        Self::from(bearer)
    }
}

impl FromRef<HttpBearer> for BearerGuard {
    fn from_ref(bearer: &HttpBearer) -> Self {
        Self::from(bearer)
    }
}

impl FromRef<Issuers> for BearerGuard {
    fn from_ref(issuers: &Issuers) -> Self {
        Self::from(issuers)
    }
}
