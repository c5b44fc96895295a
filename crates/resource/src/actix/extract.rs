//! The extractors.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use serde::de::DeserializeOwned;

use super::error::BearerError;
use super::error_body::ErrorBody;
use super::guard::{BearerGuard, Look};
use super::middleware::Admitted;
use crate::custom::{NoExtra, custom_claims};
use crate::http_bearer::HttpBearer;
use crate::issuers::Issuers;
use crate::password_bearer::OAuth2PasswordBearer;
use crate::refusal::Refusal;
use crate::scopes::{AnyScope, RequiredScope};
use crate::source::OnStale;
use crate::verified::Verified;

/// A valid token with the scope `S` and the custom claims `C`. Without one the handler is not called, and the request
/// is refused (see [`Refusal`]).
///
/// ```
/// # use actix_web::{App, test::{TestRequest, call_and_read_body, init_service}, web};
/// # use ficha_resource::{Bearer, TestIssuer, scopes};
/// # use serde::Deserialize;
/// # use serde_json::json;
/// scopes! { NotesRead = "notes:read"; }
///
/// #[derive(Deserialize)]
/// struct Extra {
///     team: String,
/// }
///
/// async fn notes(user: Bearer<NotesRead, Extra>) -> String {
///     format!("the notes of {}", user.custom.team)
/// }
/// # actix_web::rt::System::new().block_on(async {
/// # let issuer = TestIssuer::new();
/// # let app = App::new().app_data(issuer.oauth2()).route("/notes", web::get().to(notes));
/// # let app = init_service(app).await;
/// # let token = issuer.token().scope("notes:read").claim("team", json!("blue")).sign();
/// # let request = TestRequest::get().uri("/notes").insert_header(("authorization", format!("Bearer {token}")));
/// # assert_eq!(call_and_read_body(&app, request.to_request()).await, "the notes of blue");
/// # });
/// ```
///
/// `Bearer<(NotesRead, NotesWrite)>` requires both scopes.
///
/// For a handler that also serves requests without a token, use [`MaybeBearer`]. Do not use `Option<Bearer>`: actix-web
/// turns every failure into `None`, so a revoked token would count as anonymous.
pub struct Bearer<S = AnyScope, C = NoExtra> {
    /// The token's claims in a type of the service's: custom ones, or any others, such as `roles`. A token that lacks
    /// them, or has them in another shape, is refused with 403, and the log says what does not fit.
    pub custom: C,
    verified: Arc<Verified>,
    guard: BearerGuard,
    scope: PhantomData<fn() -> S>,
}

/// A valid token, or no token at all. An invalid token is still refused, unlike with `Option<Bearer>`.
///
/// ```
/// # use ficha_resource::MaybeBearer;
/// async fn feed(user: MaybeBearer) -> String {
///     match user.0 {
///         Some(user) => format!("what {} follows", user.claims.sub),
///         None => "what is new".to_owned(),
///     }
/// }
/// ```
pub struct MaybeBearer<S = AnyScope, C = NoExtra>(pub Option<Bearer<S, C>>);

impl<S, C> Bearer<S, C> {
    /// The token, to keep it beyond the request.
    pub fn into_inner(self) -> Arc<Verified> {
        self.verified
    }

    /// Reads the claims into another type. Claims that do not fit are an error, 403.
    pub fn extra<T: DeserializeOwned + 'static>(&self) -> Result<T, BearerError> {
        custom_claims(&self.verified).map_err(|refusal| self.guard.refuse(refusal))
    }

    /// Looks again whether the token has expired, been revoked or lost its key since it was verified.
    ///
    /// A request is verified once, when it arrives. A stream or a WebSocket lives longer: call this before each message,
    /// or every second. It takes less than a microsecond, never waits and sends no request.
    ///
    /// A [temporary](BearerError::is_temporary) error says nothing about the token.
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use std::time::Duration;
    ///
    /// use actix_web::web::Bytes;
    /// use actix_web::{HttpResponse, Responder, rt};
    /// use ficha_resource::Bearer;
    ///
    /// /// Server-sent events that end at most a second after the token.
    /// async fn events(user: Bearer) -> impl Responder {
    ///     let events = futures_util::stream::unfold(user, |user| async move {
    ///         rt::time::sleep(Duration::from_secs(1)).await;
    ///         user.recheck().ok()?;
    ///         Some((Ok::<_, Infallible>(Bytes::from("data: still here\n\n")), user))
    ///     });
    ///     HttpResponse::Ok().content_type("text/event-stream").streaming(events)
    /// }
    /// ```
    pub fn recheck(&self) -> Result<(), BearerError> {
        self.guard.recheck(&self.verified).map_err(|reason| self.guard.refuse(reason))
    }

    pub(super) fn refuse(&self, refusal: Refusal) -> BearerError {
        self.guard.refuse(refusal)
    }

    /// Refuses a request that also has a token in its form body (RFC 6750 §2): 400 `invalid_request`.
    ///
    /// The extractor does not read the body. A handler that reads a form calls this with the bytes of the body.
    pub fn refuse_form_token(&self, request: &HttpRequest, body: &[u8]) -> Result<(), BearerError> {
        self.guard.refuse_form_token(request, body)
    }
}

impl<S: RequiredScope, C: DeserializeOwned + 'static> Bearer<S, C> {
    pub(super) fn admit(guard: BearerGuard, verified: Option<Arc<Verified>>) -> Result<Self, BearerError> {
        let Some(verified) = verified else { return Err(guard.refuse(Refusal::Missing)) };
        if !S::allows(&verified.claims.scope) {
            return Err(guard.refuse(Refusal::InsufficientScope { required: S::names().join(" ") }));
        }
        match custom_claims(&verified) {
            Ok(custom) => Ok(Self { custom, verified, guard, scope: PhantomData }),
            Err(refusal) => Err(guard.refuse(refusal)),
        }
    }
}

impl<S, C> Deref for Bearer<S, C> {
    type Target = Verified;

    fn deref(&self) -> &Verified {
        &self.verified
    }
}

impl<S, C: Clone> Clone for Bearer<S, C> {
    fn clone(&self) -> Self {
        Self {
            custom: self.custom.clone(),
            verified: Arc::clone(&self.verified),
            guard: self.guard.clone(),
            scope: PhantomData,
        }
    }
}

impl<S, C> fmt::Debug for Bearer<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bearer").field(&self.verified).finish()
    }
}

// Not derived: that would require it of the scope, too.
impl<S, C: Clone> Clone for MaybeBearer<S, C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S, C> fmt::Debug for MaybeBearer<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MaybeBearer").field(&self.0).finish()
    }
}

/// The future of an extractor. It is ready at once unless a key is being fetched.
///
/// actix-web awaits it, so a service never names it: see the example at [`Bearer`].
pub struct Extraction<T>(Inner<T>);

enum Inner<T> {
    /// `None` once it has been returned.
    Done(Option<Result<T, BearerError>>),
    Waiting(Pin<Box<dyn Future<Output = Result<T, BearerError>>>>),
}

// Only the boxed future is pinned.
impl<T> Unpin for Extraction<T> {}

impl<T> Extraction<T> {
    fn done(result: Result<T, BearerError>) -> Self {
        Self(Inner::Done(Some(result)))
    }
}

impl<T> Future for Extraction<T> {
    type Output = Result<T, BearerError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.get_mut().0 {
            Inner::Done(result) => Poll::Ready(result.take().expect("not polled again after it was ready")),
            Inner::Waiting(waiting) => waiting.as_mut().poll(context),
        }
    }
}

impl<T> fmt::Debug for Extraction<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extraction").finish_non_exhaustive()
    }
}

impl<S: RequiredScope, C: DeserializeOwned + 'static> FromRequest for Bearer<S, C> {
    type Error = BearerError;
    type Future = Extraction<Self>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        extract(request, Self::admit)
    }
}

impl<S: RequiredScope, C: DeserializeOwned + 'static> FromRequest for MaybeBearer<S, C> {
    type Error = BearerError;
    type Future = Extraction<Self>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        extract(request, |guard, verified| match verified {
            Some(_) => Bearer::admit(guard, verified).map(|bearer| Self(Some(bearer))),
            None => Ok(Self(None)),
        })
    }
}

pub(super) fn extract<T: 'static>(
    request: &HttpRequest,
    admit: fn(BearerGuard, Option<Arc<Verified>>) -> Result<T, BearerError>,
) -> Extraction<T> {
    let guard = match find_guard(request) {
        Ok(guard) => guard,
        Err(error) => return Extraction::done(Err(error.or_body(request.app_data::<ErrorBody>()))),
    };
    let (guard, admitted) = match guard {
        Found::Admitted(guard, verified) => (guard, Some(verified)),
        Found::Guard(guard) => (guard, None),
    };
    let guard = guard.or_data(request.app_data::<OnStale>(), request.app_data::<ErrorBody>());
    if admitted.is_some() {
        return Extraction::done(admit(guard, admitted));
    }
    match guard.look(request.headers()) {
        Look::Done(result) => Extraction::done(result.and_then(|verified| admit(guard, verified))),
        Look::Wait(token) => {
            let waiting = async move {
                let verified = guard.wait(&token).await?;
                admit(guard, Some(verified))
            };
            Extraction(Inner::Waiting(Box::pin(waiting)))
        }
    }
}

/// The guard for a request.
enum Found {
    Guard(BearerGuard),
    /// Middleware has just accepted the request.
    Admitted(BearerGuard, Arc<Verified>),
}

/// Finds the guard. A token that a middleware for the same issuers has just verified is not verified again.
fn find_guard(request: &HttpRequest) -> Result<Found, BearerError> {
    let guard = guard_in_data(request)?;
    let extensions = request.extensions();
    let Some(admitted) = extensions.get::<Admitted>() else {
        return guard.map(Found::Guard).ok_or_else(|| {
            tracing::error!(
                path = request.path(),
                "nothing in the application's data can check tokens: add .app_data(oauth2.clone()) to the App, without \
                 web::Data"
            );
            not_configured()
        });
    };
    // The middleware may accept a stale list where the handler does not.
    let wanted = guard.as_ref().and_then(BearerGuard::stale_choice).or(request.app_data::<OnStale>().copied());
    let is_trusted = guard.as_ref().is_none_or(|guard| guard.trusts_as(&admitted.guard));
    if is_trusted && (wanted.is_none() || wanted == admitted.guard.stale_choice()) {
        let guard = guard.map_or_else(|| admitted.guard.clone(), |guard| guard.or_guard(&admitted.guard));
        return Ok(Found::Admitted(guard, Arc::clone(&admitted.verified)));
    }
    let guard = guard.unwrap_or_else(|| admitted.guard.clone());
    Ok(Found::Guard(match wanted {
        Some(wanted) => guard.on_stale(wanted),
        None => guard,
    }))
}

/// The guard in the application's data, whichever type it has there.
fn guard_in_data(request: &HttpRequest) -> Result<Option<BearerGuard>, BearerError> {
    let found = [
        request.app_data::<BearerGuard>().cloned(),
        request.app_data::<OAuth2PasswordBearer>().map(BearerGuard::from),
        request.app_data::<HttpBearer>().map(BearerGuard::from),
        request.app_data::<Issuers>().map(BearerGuard::from),
    ];
    let mut found = found.into_iter().flatten();
    let first = found.next();
    if let Some(first) = &first
        && found.any(|other| !first.trusts_as(&other))
    {
        tracing::error!(
            path = request.path(),
            "the application's data has values of several types that trust different issuers, and actix-web does not \
             say which is nearer: add each as a BearerGuard"
        );
        return Err(not_configured());
    }
    Ok(first)
}

fn not_configured() -> BearerError {
    BearerError::new("", Refusal::NotConfigured)
}
