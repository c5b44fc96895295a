//! The layer that guards a whole part of an application.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum_core::response::{IntoResponse, Response};
use http::Request;
use tower_layer::Layer;
use tower_service::Service;

use super::error::BearerError;
use super::grpc;
use super::guard::BearerGuard;
use crate::need::Need;
use crate::refusal::Refusal;
use crate::verified::Verified;

/// A layer that lets a request pass only with a valid token that has the required scopes, or a role.
/// [`BearerGuard::require`] creates it.
///
/// A gRPC service of tonic is guarded as well: [`Routes::into_axum_router`] makes a router of it. Its clients get a status of
/// gRPC (`UNAUTHENTICATED`, `PERMISSION_DENIED`, `UNAVAILABLE`).
///
/// [`Routes::into_axum_router`]: https://docs.rs/tonic/latest/tonic/service/struct.Routes.html#method.into_axum_router
///
/// It reads only the headers, never the body. Put CORS layers outside it, because a preflight request has no token. With
/// axum, use `Router::route_layer`, or `nest` the router: `Router::layer` guards the fallback as well, and unknown paths of a
/// merged router would be 401 instead of 404.
///
/// ```
/// use axum::Router;
/// use axum::routing::get;
/// use ficha_resource::TestIssuer;
/// use ficha_resource::axum::BearerGuard;
///
/// let guard = BearerGuard::from(&TestIssuer::new().oauth2());
/// let admin: Router = Router::new().route("/users", get(async || "all of them")).route_layer(guard.require("notes:admin"));
/// # drop(admin);
/// ```
#[derive(Debug, Clone)]
pub struct RequireScopes {
    guard: BearerGuard,
    need: Arc<Need>,
}

/// The service that [`RequireScopes`] puts in front of another one.
///
/// The router makes it, so a service never names it: see the example at [`RequireScopes`].
#[derive(Debug, Clone)]
pub struct RequireScopesService<S> {
    required: RequireScopes,
    inner: S,
}

/// The token that the layer has verified, stored in the request for the extractors behind it.
#[derive(Clone)]
pub(super) struct Admitted {
    pub(super) guard: BearerGuard,
    pub(super) verified: Arc<Verified>,
}

impl RequireScopes {
    pub(super) fn new(guard: BearerGuard, need: Need) -> Self {
        Self { guard, need: Arc::new(need) }
    }

    async fn admit<B>(&self, mut request: Request<B>) -> Result<Request<B>, BearerError> {
        let verified = self.guard.verify_headers(request.headers()).await?;
        let verified = verified.ok_or_else(|| self.guard.refuse(Refusal::Missing))?;
        if let Some(refusal) = self.need.refusal(&verified.claims) {
            return Err(self.guard.refuse(refusal));
        }
        request.extensions_mut().insert(Admitted { guard: self.guard.clone(), verified });
        Ok(request)
    }
}

impl<S> Layer<S> for RequireScopes {
    type Service = RequireScopesService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequireScopesService { required: self.clone(), inner }
    }
}

impl<S, B> Service<Request<B>> for RequireScopesService<S>
where
    S: Service<Request<B>, Response = Response> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that was found ready, and not its clone.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let required = self.required.clone();
        let is_grpc = grpc::is_grpc(request.headers());
        Box::pin(async move {
            match required.admit(request).await {
                Ok(request) => inner.call(request).await,
                Err(refused) if is_grpc => Ok(grpc::response(&refused.answer())),
                Err(refused) => Ok(refused.into_response()),
            }
        })
    }
}
