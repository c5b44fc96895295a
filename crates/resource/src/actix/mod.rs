//! The actix-web skin: a guard, extractors, a middleware, and the answers of RFC 6750.

mod error;
mod extract;
mod guard;
mod header;
mod middleware;

pub use error::{BearerError, Realm};
pub use extract::{Bearer, MaybeBearer};
pub use guard::BearerGuard;
pub use header::{Malformed, access_token_in_form, token_from_header};
pub use middleware::{RequireScopes, RequireScopesService};
