//! Extractors: what a handler's signature says is what it gets.

use std::fmt;
use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};

use super::error::BearerError;
use super::guard::BearerGuard;
use super::middleware::Admitted;
use crate::scopes::{AnyScope, RequiredScope};
use crate::verifier::Verified;

/// A request with a good token that has the scope `S`. Without one the handler is not called.
///
/// For a handler that also serves who has no token there is [`MaybeBearer`]. `Option<Bearer>` is not that: actix-web
/// makes `None` of every failure, so a revoked token would count as anonymous.
pub struct Bearer<S = AnyScope> {
    verified: Arc<Verified>,
    scope: PhantomData<fn() -> S>,
}

impl<S> Bearer<S> {
    /// The token, to keep beyond the request.
    pub fn into_inner(self) -> Arc<Verified> {
        self.verified
    }
}

impl<S> Deref for Bearer<S> {
    type Target = Verified;

    fn deref(&self) -> &Verified {
        &self.verified
    }
}

impl<S> Clone for Bearer<S> {
    fn clone(&self) -> Self {
        Self { verified: Arc::clone(&self.verified), scope: PhantomData }
    }
}

impl<S> fmt::Debug for Bearer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bearer").field(&self.verified).finish()
    }
}

/// A request with a good token, or with none. A token that is not good is refused: missing and invalid are different
/// things.
#[derive(Debug, Clone)]
pub struct MaybeBearer(pub Option<Bearer>);

impl<S: RequiredScope> FromRequest for Bearer<S> {
    type Error = BearerError;
    type Future = Ready<Result<Self, BearerError>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(bearer(request))
    }
}

impl FromRequest for MaybeBearer {
    type Error = BearerError;
    type Future = Ready<Result<Self, BearerError>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(match bearer(request) {
            Ok(bearer) => Ok(Self(Some(bearer))),
            Err(BearerError::Missing { .. }) => Ok(Self(None)),
            Err(error) => Err(error),
        })
    }
}

fn bearer<S: RequiredScope>(request: &HttpRequest) -> Result<Bearer<S>, BearerError> {
    let (guard, verified) = authenticate(request)?;
    let realm = || guard.challenge_realm().clone();
    let verified = verified.ok_or_else(|| BearerError::Missing { realm: realm() })?;
    if !S::allows(&verified.claims.scope) {
        return Err(BearerError::InsufficientScope { realm: realm(), required: S::NAME.to_owned() });
    }
    Ok(Bearer { verified, scope: PhantomData })
}

/// The guard that decides about this request, and the token if there is one. What a middleware of the same guard has
/// just verified is not verified again.
fn authenticate(request: &HttpRequest) -> Result<(BearerGuard, Option<Arc<Verified>>), BearerError> {
    let guard = request.app_data::<BearerGuard>();
    if let Some(admitted) = request.extensions().get::<Admitted>()
        && guard.is_none_or(|guard| guard.verifier().is(admitted.guard.verifier()))
    {
        return Ok((admitted.guard.clone(), Some(Arc::clone(&admitted.verified))));
    }
    let Some(guard) = guard else {
        tracing::error!(
            path = request.path(),
            "no BearerGuard in the application's data: add .app_data(guard.clone()) to the App"
        );
        return Err(BearerError::NotConfigured);
    };
    Ok((guard.clone(), guard.check(request.headers())?))
}
