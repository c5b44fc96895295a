//! Roles in the signatures of handlers.

use std::fmt;
use std::marker::PhantomData;

use axum_core::extract::{FromRef, FromRequestParts};
use http::request::Parts;

use super::error::BearerError;
use super::extract::Bearer;
use super::guard::BearerGuard;
use crate::refusal::Refusal;
use crate::scopes::RequiredRole;

/// A valid token whose `roles` contain the role `R`. Put it beside [`Bearer`], which it may also replace: `editor.bearer` is
/// the token.
///
/// ```
/// use ficha_resource::axum::{Bearer, HasRole};
/// use ficha_resource::{roles, scopes};
///
/// scopes! { NotesWrite = "notes:write"; }
/// roles! { Editor = "editor"; }
///
/// async fn publish(user: Bearer<NotesWrite>, _editor: HasRole<Editor>) -> String {
///     format!("published by {}", user.claims.sub)
/// }
/// ```
pub struct HasRole<R> {
    /// The token.
    pub bearer: Bearer,
    role: PhantomData<fn() -> R>,
}

impl<R> fmt::Debug for HasRole<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HasRole").field(&self.bearer).finish()
    }
}

impl<T, R> FromRequestParts<T> for HasRole<R>
where
    T: Send + Sync,
    BearerGuard: FromRef<T>,
    R: RequiredRole,
{
    type Rejection = BearerError;

    async fn from_request_parts(parts: &mut Parts, state: &T) -> Result<Self, BearerError> {
        let bearer = Bearer::from_request_parts(parts, state).await?;
        if bearer.claims.roles.iter().any(|role| role == R::NAME) {
            return Ok(Self { bearer, role: PhantomData });
        }
        Err(bearer.refuse(Refusal::MissingRole { required: R::NAME.to_owned() }))
    }
}
