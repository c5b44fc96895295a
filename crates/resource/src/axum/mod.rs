//! The adapter for axum 0.8 and tower: extractors, a layer, and the error responses of RFC 6750. The names are those of the
//! adapter for actix-web, at the root of this crate.
//!
//! The router's state is what checks the tokens, or has it:
//!
//! ```
//! use axum::Router;
//! use axum::extract::FromRef;
//! use axum::routing::{get, post};
//! use ficha_resource::axum::{Bearer, BearerGuard};
//! use ficha_resource::{OAuth2PasswordBearer, TestIssuer, scopes};
//!
//! scopes! {
//!     NotesRead = "notes:read";
//!     NotesWrite = "notes:write";
//! }
//!
//! #[derive(Clone)]
//! struct Service {
//!     oauth2: OAuth2PasswordBearer,
//! }
//!
//! impl FromRef<Service> for BearerGuard {
//!     fn from_ref(service: &Service) -> Self {
//!         Self::from(&service.oauth2)
//!     }
//! }
//!
//! async fn notes(user: Bearer<NotesRead>) -> String {
//!     format!("the notes of {}", user.claims.sub)
//! }
//!
//! async fn add(_user: Bearer<(NotesRead, NotesWrite)>) -> &'static str {
//!     "added"
//! }
//!
//! // In a service: OAuth2PasswordBearer::discover("https://auth.example.com").audience("notes").build().await?
//! let oauth2 = TestIssuer::new().oauth2();
//! let admin = Router::new().route("/", get(|| async { "for administrators" }));
//! let app: Router = Router::new()
//!     .route("/notes", get(notes).post(add))
//!     .nest("/admin", admin.layer(BearerGuard::from(&oauth2).require("notes:admin")))
//!     .with_state(Service { oauth2 });
//! ```
//!
//! A router whose whole state is an [`OAuth2PasswordBearer`], an [`HttpBearer`] or [`Issuers`] needs no `FromRef` of its own.
//!
//! `Option<Bearer>` does not compile: it would have to say whether a revoked token counts as none. Use [`MaybeBearer`].
//!
//! [`OAuth2PasswordBearer`]: crate::OAuth2PasswordBearer
//! [`HttpBearer`]: crate::HttpBearer
//! [`Issuers`]: crate::Issuers

mod error;
mod error_body;
mod extract;
mod grpc;
mod guard;
mod layer;
mod metadata;
mod roles;

pub use error::BearerError;
pub use error_body::ErrorBody;
pub use extract::{Bearer, MaybeBearer};
pub use guard::BearerGuard;
pub use layer::{RequireScopes, RequireScopesService};
pub use roles::HasRole;

pub use crate::custom::NoExtra;
