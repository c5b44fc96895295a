//! Checks requests, and creates the middleware.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};

use super::error::{BearerError, Realm};
use super::error_body::ErrorBody;
use super::middleware::RequireScopes;
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

/// Checks the bearer token of a request. Clones are cheap and share the verifier.
///
/// Most services don't need one, because [`OAuth2PasswordBearer`] has the same methods. Use it for a [`Verifier`] of
/// your own, or for a part of an application that differs from the rest:
///
/// ```
/// # use actix_web::web;
/// # use ficha_resource::{BearerGuard, OnStale, TestIssuer};
/// # let oauth2 = TestIssuer::new().oauth2();
/// // Reading still works while the authorization server is down.
/// let archive = BearerGuard::from(&oauth2).realm("archive").on_stale(OnStale::Accept);
/// web::scope("/archive").app_data(archive);
/// ```
///
/// # Which value counts
///
/// The extractors look in the application's data for an [`OAuth2PasswordBearer`], an [`HttpBearer`], [`Issuers`] or a
/// `BearerGuard`. Of several values of one type the nearest counts, as always in actix-web. Two values of one type at the
/// same place can't both be kept: the second replaces the first, and actix-web does not say so. To accept the tokens of
/// both, add [`OAuth2PasswordBearer::any_of`] the two.
///
/// Nor does actix-web say which of two *types* is nearer. If values of two types trust different issuers, every request
/// gets a 500, and the log says why. To avoid that, add both as `BearerGuard`.
#[derive(Debug, Clone)]
pub struct BearerGuard {
    tokens: Tokens,
    realm: Option<Realm>,
    on_stale: Option<OnStale>,
    error_body: Option<ErrorBody>,
    resource_metadata: Option<Arc<str>>,
}

/// The result of a check that did not wait.
pub(super) enum Look {
    Done(Result<Option<Arc<Verified>>, BearerError>),
    /// The key of this token is being fetched.
    Wait(String),
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
    pub fn realm(mut self, realm: impl Into<Realm>) -> Self {
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

    /// Middleware that requires a valid token with this scope.
    ///
    /// # Panics
    /// If it is not one scope name (RFC 6749 §3.3): no token could have it.
    #[track_caller]
    pub fn require(&self, scope: impl Into<String>) -> RequireScopes {
        self.require_all([scope])
    }

    /// Middleware that requires a valid token with all of these scopes.
    ///
    /// # Panics
    /// As [`BearerGuard::require`].
    #[track_caller]
    pub fn require_all(&self, scopes: impl IntoIterator<Item = impl Into<String>>) -> RequireScopes {
        RequireScopes::new(self.clone(), Need::All(scopes.into_iter().map(Into::into).collect()))
    }

    /// Middleware that requires a valid token with at least one of these scopes.
    ///
    /// # Panics
    /// As [`BearerGuard::require`], and if the list is empty.
    #[track_caller]
    pub fn require_any(&self, scopes: impl IntoIterator<Item = impl Into<String>>) -> RequireScopes {
        RequireScopes::new(self.clone(), Need::Any(scopes.into_iter().map(Into::into).collect()))
    }

    /// Middleware that requires a valid token with this role.
    ///
    /// # Panics
    /// If it is not one word of printable ASCII: no token could have it.
    #[track_caller]
    pub fn require_role(&self, role: impl Into<String>) -> RequireScopes {
        self.require_any_role([role])
    }

    /// Middleware that requires a valid token with at least one of these roles.
    ///
    /// # Panics
    /// As [`BearerGuard::require_role`], and if the list is empty.
    #[track_caller]
    pub fn require_any_role(&self, roles: impl IntoIterator<Item = impl Into<String>>) -> RequireScopes {
        RequireScopes::new(self.clone(), Need::Role(roles.into_iter().map(Into::into).collect()))
    }

    /// Middleware that requires a valid token, whatever its scope.
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
        match self.look(headers) {
            Look::Done(looked) => looked,
            Look::Wait(token) => self.wait(&token).await.map(Some),
        }
    }

    /// Looks again at what can have changed since a token was verified; see [`OAuth2PasswordBearer::recheck`].
    pub fn recheck(&self, verified: &Verified) -> Result<(), VerifyError> {
        self.tokens.decide_again(verified, self.on_stale)
    }

    /// Refuses a request that has a token in its header and another in its form body (RFC 6750 §2).
    ///
    /// Extractors and middleware do not read the body. A handler that reads a form calls this or
    /// [`Bearer::refuse_form_token`](super::Bearer::refuse_form_token).
    pub fn refuse_form_token(&self, request: &HttpRequest, body: &[u8]) -> Result<(), BearerError> {
        let headers = request.headers();
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

    /// Verifies the token in these headers, but says so if waiting could help.
    pub(super) fn look(&self, headers: &HeaderMap) -> Look {
        let presented = match Presented::from_authorization(headers.get_all(AUTHORIZATION)) {
            Ok(Some(presented)) => presented,
            Ok(None) => return Look::Done(Ok(None)),
            Err(reason) => return Look::Done(Err(self.refuse(reason))),
        };
        match self.verify_now(presented) {
            Ok(verified) => Look::Done(Ok(Some(verified))),
            Err(reason) if self.tokens.may_wait(&reason) => Look::Wait(presented.token.to_owned()),
            Err(reason) => Look::Done(Err(self.refuse(reason))),
        }
    }

    pub(super) async fn wait(&self, token: &str) -> Result<Arc<Verified>, BearerError> {
        self.verify(token).await.map_err(|reason| self.refuse(reason))
    }

    pub(super) fn refuse(&self, refusal: impl Into<Refusal>) -> BearerError {
        let realm = self.realm.clone().unwrap_or_else(|| Realm::from(self.tokens.realm().unwrap_or(DEFAULT_REALM)));
        let refusal = refusal.into();
        // The reason contains nothing from the token.
        tracing::debug!(reason = %refusal, "a request was refused");
        let metadata = self.resource_metadata.clone().or_else(|| self.tokens.resource_metadata().map(Into::into));
        BearerError::new(realm, refusal).or_body(self.error_body.as_ref()).with_metadata(metadata)
    }

    /// Uses the application's data for what the guard itself does not set.
    pub(super) fn or_data(mut self, on_stale: Option<&OnStale>, error_body: Option<&ErrorBody>) -> Self {
        self.on_stale = self.on_stale.or(on_stale.copied());
        self.error_body = self.error_body.or_else(|| error_body.cloned());
        self
    }

    /// Uses another guard's settings for what this one does not set.
    pub(super) fn or_guard(mut self, other: &Self) -> Self {
        self.realm = self.realm.or_else(|| other.realm.clone());
        self.resource_metadata = self.resource_metadata.or_else(|| other.resource_metadata.clone());
        self.or_data(other.on_stale.as_ref(), other.error_body.as_ref())
    }

    /// True if both accept the same tokens.
    pub(super) fn trusts_as(&self, other: &Self) -> bool {
        self.tokens.is(&other.tokens)
    }

    pub(super) fn stale_choice(&self) -> Option<OnStale> {
        self.on_stale
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
