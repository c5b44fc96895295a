//! Roles in the signatures of handlers.

use std::fmt;
use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use super::error::BearerError;
use super::extract::{Bearer, Extraction, extract};
use crate::refusal::Refusal;
use crate::scopes::{AnyScope, RequiredRole};

/// A valid token whose `roles` contain the role `R`. Put it beside [`Bearer`], which it may also replace: `editor.bearer` is
/// the token.
///
/// ```
/// # use actix_web::{App, test::{TestRequest, call_service, init_service}, web};
/// # use ficha_resource::{Bearer, HasRole, TestIssuer, roles, scopes};
/// scopes! { NotesWrite = "notes:write"; }
/// roles! { Editor = "editor"; }
///
/// async fn publish(user: Bearer<NotesWrite>, _editor: HasRole<Editor>) -> String {
///     format!("published by {}", user.claims.sub)
/// }
/// # actix_web::rt::System::new().block_on(async {
/// # let issuer = TestIssuer::new();
/// # let app = App::new().app_data(issuer.oauth2()).route("/publish", web::post().to(publish));
/// # let app = init_service(app).await;
/// # for (roles, status) in [(&["editor"][..], 200), (&[], 403)] {
/// #     let token = issuer.token().scope("notes:write").roles(roles.iter().copied()).sign();
/// #     let request = TestRequest::post().uri("/publish").insert_header(("authorization", format!("Bearer {token}")));
/// #     assert_eq!(call_service(&app, request.to_request()).await.status(), status);
/// # }
/// # });
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

impl<R: RequiredRole> FromRequest for HasRole<R> {
    type Error = BearerError;
    type Future = Extraction<Self>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        extract(request, |guard, verified| {
            let bearer = Bearer::<AnyScope>::admit(guard, verified)?;
            if bearer.claims.roles.iter().any(|role| role == R::NAME) {
                return Ok(Self { bearer, role: PhantomData });
            }
            Err(bearer.refuse(Refusal::MissingRole { required: R::NAME.to_owned() }))
        })
    }
}
