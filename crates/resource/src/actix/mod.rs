//! The actix-web skin: extractors, a middleware, and the answers of RFC 6750.
//!
//! `App::app_data(oauth2.clone())` is all that the extractors need: they find an
//! [`OAuth2PasswordBearer`](crate::OAuth2PasswordBearer), an [`HttpBearer`](crate::HttpBearer), several
//! [`Issuers`](crate::Issuers) or a [`BearerGuard`] there. The nearest of one kind counts, as with all of actix-web's
//! data. actix-web does not say which of two *kinds* is nearer, so where two kinds would trust different issuers, nobody
//! gets in (500, and the log says why): give both as [`BearerGuard`].

mod bearers;
mod error;
mod error_body;
mod extract;
mod guard;
mod header;
mod middleware;
mod tokens;

pub use error::{BearerError, Realm, Refusal};
pub use error_body::ErrorBody;
pub use extract::{Bearer, Extraction, MaybeBearer, NoExtra};
pub use guard::BearerGuard;
pub use header::{Malformed, access_token_in_form, token_from_header};
pub use middleware::{RequireScopes, RequireScopesService};
