//! The adapter for actix-web: extractors, middleware, and the error responses of RFC 6750.

mod bearers;
mod error;
mod error_body;
mod extract;
mod guard;
mod metadata;
mod middleware;
mod roles;

pub use error::{BearerError, Realm};
pub use error_body::ErrorBody;
pub use extract::{Bearer, Extraction, MaybeBearer};
pub use guard::BearerGuard;
pub use middleware::{RequireScopes, RequireScopesFuture, RequireScopesService};
pub use roles::HasRole;
