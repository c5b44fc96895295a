//! The adapter for actix-web: extractors, middleware, and the error responses of RFC 6750.
//!
//! The extractors only need `App::app_data(oauth2.clone())`. They look in the application's data for an
//! [`OAuth2PasswordBearer`](crate::OAuth2PasswordBearer), an [`HttpBearer`](crate::HttpBearer),
//! [`Issuers`](crate::Issuers) or a [`BearerGuard`].
//!
//! Of several values of one type the nearest is used, as always in actix-web. But actix-web does not say which of two
//! *types* is nearer. So if values of two types trust different issuers, every request gets a 500, and the log says
//! why. To avoid that, add both as [`BearerGuard`].

mod bearers;
mod error;
mod error_body;
mod extract;
mod guard;
mod header;
mod middleware;
mod roles;
mod seldom;
mod tokens;

pub use error::{BearerError, Realm, Refusal};
pub use error_body::ErrorBody;
pub use extract::{Bearer, Extraction, MaybeBearer, NoExtra};
pub use guard::BearerGuard;
pub use header::{Malformed, access_token_in_form, token_from_header};
pub use middleware::{RequireScopes, RequireScopesService};
pub use roles::HasRole;
