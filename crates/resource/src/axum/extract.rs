//! The extractors.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use axum_core::extract::{FromRef, FromRequestParts};
use http::HeaderMap;
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::error::BearerError;
use super::guard::BearerGuard;
use super::layer::Admitted;
use crate::custom::{NoExtra, custom_claims};
use crate::refusal::Refusal;
use crate::scopes::{AnyScope, RequiredScope};
use crate::verified::Verified;

/// A valid token with the scope `S` and the custom claims `C`. Without one the handler is not called, and the request
/// is refused (see [`Refusal`]).
///
/// ```
/// use ficha_resource::axum::Bearer;
/// use ficha_resource::scopes;
/// use serde::Deserialize;
///
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
/// ```
///
/// `Bearer<(NotesRead, NotesWrite)>` requires both scopes. For a handler that also serves requests without a token, use
/// [`MaybeBearer`].
pub struct Bearer<S = AnyScope, C = NoExtra> {
    /// The token's claims in a type of the service's: custom ones, or any others, such as `roles`. A token that lacks
    /// them, or has them in another shape, is refused with 403, and the log says what does not fit.
    pub custom: C,
    verified: Arc<Verified>,
    guard: BearerGuard,
    scope: PhantomData<fn() -> S>,
}

/// A valid token, or no token at all. An invalid token is still refused.
///
/// ```
/// # use ficha_resource::axum::MaybeBearer;
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

    /// Looks again whether the token has expired, been revoked or lost its key since it was verified: for streams and
    /// WebSockets, before each message, or every second. It takes less than a microsecond, never waits and sends no
    /// request. A [temporary](BearerError::is_temporary) error says nothing about the token.
    pub fn recheck(&self) -> Result<(), BearerError> {
        self.guard.recheck(&self.verified).map_err(|reason| self.guard.refuse(reason))
    }

    /// Refuses a request that also has a token in its form body (RFC 6750 §2): 400 `invalid_request`.
    ///
    /// The extractor does not read the body. A handler that reads a form calls this with the headers and the bytes of the
    /// body.
    pub fn refuse_form_token(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), BearerError> {
        self.guard.refuse_form_token(headers, body)
    }

    pub(super) fn refuse(&self, refusal: Refusal) -> BearerError {
        self.guard.refuse(refusal)
    }
}

impl<S: RequiredScope, C: DeserializeOwned + 'static> Bearer<S, C> {
    fn admit(guard: BearerGuard, verified: Option<Arc<Verified>>) -> Result<Self, BearerError> {
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
        let (verified, guard) = (Arc::clone(&self.verified), self.guard.clone());
        Self { custom: self.custom.clone(), verified, guard, scope: PhantomData }
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

impl<T, S, C> FromRequestParts<T> for Bearer<S, C>
where
    T: Send + Sync,
    BearerGuard: FromRef<T>,
    S: RequiredScope,
    C: DeserializeOwned + 'static,
{
    type Rejection = BearerError;

    async fn from_request_parts(parts: &mut Parts, state: &T) -> Result<Self, BearerError> {
        let (guard, verified) = verified(parts, state).await?;
        Self::admit(guard, verified)
    }
}

impl<T, S, C> FromRequestParts<T> for MaybeBearer<S, C>
where
    T: Send + Sync,
    BearerGuard: FromRef<T>,
    S: RequiredScope,
    C: DeserializeOwned + 'static,
{
    type Rejection = BearerError;

    async fn from_request_parts(parts: &mut Parts, state: &T) -> Result<Self, BearerError> {
        match verified(parts, state).await? {
            (_, None) => Ok(Self(None)),
            (guard, verified) => Bearer::admit(guard, verified).map(|bearer| Self(Some(bearer))),
        }
    }
}

/// The guard of the state, and the token. One that a layer for the same issuers has just verified is not verified again,
/// unless the state's guard does something else about a stale list; and what that guard does not set, the layer's does.
async fn verified<T>(parts: &Parts, state: &T) -> Result<(BearerGuard, Option<Arc<Verified>>), BearerError>
where
    BearerGuard: FromRef<T>,
{
    let guard = BearerGuard::from_ref(state);
    match parts.extensions.get::<Admitted>().filter(|admitted| guard.may_rely_on(&admitted.guard)) {
        Some(admitted) => Ok((guard.or(&admitted.guard), Some(Arc::clone(&admitted.verified)))),
        None => {
            let verified = guard.verify_headers(&parts.headers).await?;
            Ok((guard, verified))
        }
    }
}
