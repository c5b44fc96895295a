//! The middleware that guards a whole scope of an application.

use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::body::EitherBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::{Error, HttpMessage};
use ficha_token::Scope;
use futures_util::TryFutureExt;
use futures_util::future::{Either, MapOk, Ready, ready};

use super::error::BearerError;
use super::guard::BearerGuard;
use crate::scopes::is_scope_name;
use crate::verifier::Verified;

/// Lets a request pass only with a good token that has the scopes. [`BearerGuard::require`] makes it.
///
/// It reads the headers only, never the body. A CORS middleware goes outside of it: a preflight request carries no
/// token.
#[derive(Clone)]
pub struct RequireScopes {
    inner: Arc<Inner>,
}

struct Inner {
    guard: BearerGuard,
    need: Need,
}

/// What a token must be allowed to do.
pub(super) enum Need {
    All(Vec<String>),
    Any(Vec<String>),
}

/// What the middleware has verified, kept in the request for the extractors behind it.
pub(super) struct Admitted {
    pub(super) guard: BearerGuard,
    pub(super) verified: Arc<Verified>,
}

impl RequireScopes {
    pub(super) fn new(guard: BearerGuard, need: Need) -> Self {
        // Such a name refuses every token, which is safe; but whoever wrote it meant something else.
        for name in need.names().iter().filter(|name| !is_scope_name(name)) {
            tracing::error!(scope = %name, "the required scope is no scope name (RFC 6749 section 3.3): no token has it");
        }
        Self { inner: Arc::new(Inner { guard, need }) }
    }
}

impl Need {
    fn names(&self) -> &[String] {
        match self {
            Self::All(names) | Self::Any(names) => names,
        }
    }

    fn allows(&self, granted: &Scope) -> bool {
        match self {
            Self::All(names) => names.iter().all(|name| granted.contains(name)),
            Self::Any(names) => names.iter().any(|name| granted.contains(name)),
        }
    }

    /// The scope that would be enough (RFC 6750 §3). Of several that would each do, the first: to name them all would
    /// say that all are needed.
    fn enough(&self) -> String {
        match self {
            Self::All(names) => names.join(" "),
            Self::Any(names) => names.first().cloned().unwrap_or_default(),
        }
    }
}

impl Inner {
    fn admit(&self, request: &ServiceRequest) -> Result<Arc<Verified>, BearerError> {
        let realm = self.guard.challenge_realm();
        let verified =
            self.guard.check(request.headers())?.ok_or_else(|| BearerError::Missing { realm: realm.clone() })?;
        if !self.need.allows(&verified.claims.scope) {
            return Err(BearerError::InsufficientScope { realm: realm.clone(), required: self.need.enough() });
        }
        Ok(verified)
    }
}

impl<S, B> Transform<S, ServiceRequest> for RequireScopes
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = RequireScopesService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(RequireScopesService { inner: Arc::clone(&self.inner), service }))
    }
}

/// The service that [`RequireScopes`] makes.
pub struct RequireScopesService<S> {
    inner: Arc<Inner>,
    service: S,
}

type Passed<F, B> = MapOk<F, fn(ServiceResponse<B>) -> ServiceResponse<EitherBody<B>>>;

impl<S, B> Service<ServiceRequest> for RequireScopesService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = Either<Ready<Result<Self::Response, Error>>, Passed<S::Future, B>>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.service.poll_ready(context)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        match self.inner.admit(&request) {
            Ok(verified) => {
                let admitted = Admitted { guard: self.inner.guard.clone(), verified };
                request.extensions_mut().insert(admitted);
                let widen: fn(_) -> _ = ServiceResponse::map_into_left_body;
                Either::Right(self.service.call(request).map_ok(widen))
            }
            // A response rather than Err, so that the middleware outside (CORS, default headers) still sees to it.
            Err(error) => {
                let (request, _payload) = request.into_parts();
                Either::Left(ready(Ok(ServiceResponse::from_err(error, request).map_into_right_body())))
            }
        }
    }
}
