//! The middleware that guards a whole part of an application.

use std::fmt;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::body::EitherBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::{Error, HttpMessage};
use pin_project_lite::pin_project;

use super::error::BearerError;
use super::error_body::ErrorBody;
use super::guard::{BearerGuard, Look};
use crate::need::Need;
use crate::refusal::Refusal;
use crate::source::OnStale;
use crate::verified::Verified;

/// Middleware that lets a request pass only with a valid token that has the required scopes, or a role.
/// [`OAuth2PasswordBearer::require`](crate::OAuth2PasswordBearer::require) creates it.
///
/// It reads only the headers, never the body. Put CORS middleware outside it, because a preflight request has no token.
///
/// ```
/// use actix_web::{App, HttpResponse, test, web};
/// use ficha_resource::TestIssuer;
///
/// # actix_web::rt::System::new().block_on(async {
/// let issuer = TestIssuer::new();
/// let admin = web::scope("/admin")
///     .wrap(issuer.oauth2().require("notes:admin"))
///     .route("/users", web::get().to(HttpResponse::Ok));
/// let app = test::init_service(App::new().service(admin)).await;
///
/// let token = issuer.token().scope("notes:read").sign();
/// let request = test::TestRequest::get().uri("/admin/users").insert_header(("authorization", format!("Bearer {token}")));
/// let refused = test::try_call_service(&app, request.to_request()).await;
/// # let status = refused.map_or_else(|error| error.as_response_error().status_code(), |response| response.status());
/// # assert_eq!(status, 403);
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct RequireScopes {
    guard: BearerGuard,
    need: Arc<Need>,
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
        Self { guard, need: Arc::new(need.checked()) }
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

fn admit(need: &Need, guard: BearerGuard, verified: Option<Arc<Verified>>) -> Result<Admitted, BearerError> {
    let Some(verified) = verified else { return Err(guard.refuse(Refusal::Missing)) };
    match need.refusal(&verified.claims) {
        Some(refusal) => Err(guard.refuse(refusal)),
        None => Ok(Admitted { guard, verified }),
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
///
/// actix-web makes it, so a service never names it: see the example at [`RequireScopes`].
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

pin_project! {
    /// The future of a [`RequireScopesService`]. It allocates only if a key is being fetched.
    ///
    /// actix-web awaits it, so a service never names it: see the example at [`RequireScopes`].
    pub struct RequireScopesFuture<F, B> {
        #[pin]
        state: State<F, B>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, B> {
        /// Passed on to the service behind.
        Passed { #[pin] next: F },
        /// Refused. `None` once the answer has been returned.
        Refused { answer: Option<Answer<B>> },
        /// Waits for a key.
        Waiting { waiting: Pin<Box<dyn Future<Output = Answer<B>>>> },
    }
}

impl<F, B> From<State<F, B>> for RequireScopesFuture<F, B> {
    fn from(state: State<F, B>) -> Self {
        Self { state }
    }
}

impl<F, B> Future for RequireScopesFuture<F, B>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
{
    type Output = Answer<B>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Passed { next } => next.poll(context).map_ok(ServiceResponse::map_into_left_body),
            StateProjection::Refused { answer } => {
                Poll::Ready(answer.take().expect("not polled again after it was ready"))
            }
            StateProjection::Waiting { waiting } => waiting.as_mut().poll(context),
        }
    }
}

impl<F, B> fmt::Debug for RequireScopesFuture<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireScopesFuture").finish_non_exhaustive()
    }
}

impl<S, B> Service<ServiceRequest> for RequireScopesService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = RequireScopesFuture<S::Future, B>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.service.poll_ready(context)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let RequireScopes { guard, need } = &self.required;
        let guard = guard.clone().or_data(request.app_data::<OnStale>(), request.app_data::<ErrorBody>());
        // Waits only if a key is being fetched.
        match guard.look(request.headers()) {
            Look::Done(looked) => {
                let admitted = looked.and_then(|verified| admit(need, guard, verified));
                answer(&*self.service, request, admitted).into()
            }
            Look::Wait(token) => {
                let (need, service) = (Arc::clone(need), Rc::clone(&self.service));
                let waiting = async move {
                    let admitted = guard.wait(&token).await.and_then(|verified| admit(&need, guard, Some(verified)));
                    RequireScopesFuture::from(answer(&*service, request, admitted)).await
                };
                State::Waiting { waiting: Box::pin(waiting) }.into()
            }
        }
    }
}

/// Passes the request on, or refuses it.
fn answer<S, B>(service: &S, request: ServiceRequest, admitted: Result<Admitted, BearerError>) -> State<S::Future, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    match admitted {
        Ok(admitted) => {
            request.extensions_mut().insert(admitted);
            State::Passed { next: service.call(request) }
        }
        // A response rather than Err, so that outer middleware (CORS, default headers) still processes it.
        Err(error) => {
            let (request, _payload) = request.into_parts();
            State::Refused { answer: Some(Ok(ServiceResponse::from_err(error, request).map_into_right_body())) }
        }
    }
}
