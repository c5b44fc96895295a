//! The middleware that guards a whole part of an application.

use std::fmt;
use std::future::{Ready, ready};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::body::EitherBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::{Error, HttpMessage};
use ficha_token::AccessClaims;
use futures_util::TryFutureExt;
use futures_util::future::{Either, FutureExt, LocalBoxFuture, MapOk};

use super::error::{BearerError, Refusal};
use super::error_body::ErrorBody;
use super::guard::{BearerGuard, Look};
use crate::scopes::is_scope_name;
use crate::source::OnStale;
use crate::verified::Verified;

/// Middleware that lets a request pass only with a valid token that has the required scopes, or a role.
/// [`OAuth2PasswordBearer::require`](crate::OAuth2PasswordBearer::require) creates it.
///
/// It reads only the headers, never the body. Put CORS middleware outside it, because a preflight request has no token.
#[derive(Debug, Clone)]
pub struct RequireScopes {
    guard: BearerGuard,
    need: Arc<Need>,
}

/// The scopes, or the role, that a token must have.
#[derive(Debug)]
pub(super) enum Need {
    All(Vec<String>),
    Any(Vec<String>),
    /// At least one of these roles.
    Role(Vec<String>),
}

/// The token that the middleware has verified, stored in the request for the extractors behind it.
pub(super) struct Admitted {
    pub(super) guard: BearerGuard,
    pub(super) verified: Arc<Verified>,
}

impl RequireScopes {
    /// # Panics
    /// If no token can have what is needed: a mistake that would refuse every request.
    #[track_caller]
    pub(super) fn new(guard: BearerGuard, need: Need) -> Self {
        let (names, what) = match &need {
            Need::All(names) | Need::Any(names) => (names, "scope"),
            Need::Role(names) => (names, "role"),
        };
        // Roles have the characters of scopes.
        if let Some(name) = names.iter().find(|name| !is_scope_name(name)) {
            panic!(
                "no token can have the {what} {name:?}: it must be one word of printable ASCII, without spaces, \\ and \""
            );
        }
        assert!(!names.is_empty() || matches!(need, Need::All(_)), "no {what} is named, so no token could pass");
        Self { guard, need: Arc::new(need) }
    }

    /// Sets what to do here while the denylist is stale, regardless of what the rest of the service does.
    ///
    /// ```
    /// # use actix_web::web;
    /// # use ficha_resource::{OnStale, TestIssuer};
    /// # let oauth2 = TestIssuer::new().oauth2();
    /// web::scope("/archive").wrap(oauth2.require("notes:read").on_stale(OnStale::Accept));
    /// ```
    pub fn on_stale(mut self, on_stale: OnStale) -> Self {
        self.guard = self.guard.on_stale(on_stale);
        self
    }

    /// Sets the error bodies.
    pub fn error_body(mut self, body: ErrorBody) -> Self {
        self.guard = self.guard.error_body(body);
        self
    }
}

impl Need {
    /// Why a token with these claims may not pass. If any of several scopes or roles is sufficient, the first is named:
    /// naming them all in the challenge would say that all are required (RFC 6750 §3).
    fn refusal(&self, claims: &AccessClaims) -> Option<Refusal> {
        let first = |names: &[String]| names.first().cloned().unwrap_or_default();
        let (passes, refusal) = match self {
            Self::All(names) => (
                names.iter().all(|name| claims.scope.contains(name)),
                Refusal::InsufficientScope { required: names.join(" ") },
            ),
            Self::Any(names) => (
                names.iter().any(|name| claims.scope.contains(name)),
                Refusal::InsufficientScope { required: first(names) },
            ),
            Self::Role(names) => {
                (names.iter().any(|name| claims.roles.contains(name)), Refusal::MissingRole { required: first(names) })
            }
        };
        (!passes).then_some(refusal)
    }
}

impl Need {
    fn admit(&self, guard: BearerGuard, verified: Option<Arc<Verified>>) -> Result<Admitted, BearerError> {
        let Some(verified) = verified else { return Err(guard.refuse(Refusal::Missing)) };
        match self.refusal(&verified.claims) {
            Some(refusal) => Err(guard.refuse(refusal)),
            None => Ok(Admitted { guard, verified }),
        }
    }
}

impl<S, B> Transform<S, ServiceRequest> for RequireScopes
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = RequireScopesService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(RequireScopesService { required: self.clone(), service: Rc::new(service) }))
    }
}

/// The service that [`RequireScopes`] creates.
pub struct RequireScopesService<S> {
    required: RequireScopes,
    service: Rc<S>,
}

impl<S> fmt::Debug for RequireScopesService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireScopesService").field("required", &self.required).finish_non_exhaustive()
    }
}

type Answer<B> = Result<ServiceResponse<EitherBody<B>>, Error>;
type Passed<F, B> = MapOk<F, fn(ServiceResponse<B>) -> ServiceResponse<EitherBody<B>>>;
/// Passed on or refused without waiting.
type AtOnce<F, B> = Either<Passed<F, B>, Ready<Answer<B>>>;

impl<S, B> Service<ServiceRequest> for RequireScopesService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = Either<AtOnce<S::Future, B>, LocalBoxFuture<'static, Answer<B>>>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.service.poll_ready(context)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let RequireScopes { guard, need } = &self.required;
        let guard = guard.clone().or_data(request.app_data::<OnStale>(), request.app_data::<ErrorBody>());
        // Waits only if a key is being fetched.
        match guard.look(request.headers()) {
            Look::Done(looked) => {
                let admitted = looked.and_then(|verified| need.admit(guard, verified));
                Either::Left(answer(&*self.service, request, admitted))
            }
            Look::Wait(token) => {
                let (need, service) = (Arc::clone(need), Rc::clone(&self.service));
                let waiting = async move {
                    let admitted = guard.wait(&token).await.and_then(|verified| need.admit(guard, Some(verified)));
                    answer(&*service, request, admitted).await
                };
                Either::Right(waiting.boxed_local())
            }
        }
    }
}

/// Passes the request on, or refuses it.
fn answer<S, B>(service: &S, request: ServiceRequest, admitted: Result<Admitted, BearerError>) -> AtOnce<S::Future, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    match admitted {
        Ok(admitted) => {
            request.extensions_mut().insert(admitted);
            let widen: fn(_) -> _ = ServiceResponse::map_into_left_body;
            Either::Left(service.call(request).map_ok(widen))
        }
        // A response rather than Err, so that outer middleware (CORS, default headers) still processes it.
        Err(error) => {
            let (request, _payload) = request.into_parts();
            Either::Right(ready(Ok(ServiceResponse::from_err(error, request).map_into_right_body())))
        }
    }
}
