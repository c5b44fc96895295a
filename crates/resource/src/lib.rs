//! What a resource server puts in front of its handlers.
//!
//! A [`Verifier`] decides whether a token is good: it knows the keys ([`KeySource`]), what has been revoked
//! ([`DenySource`]) and what to expect ([`VerifierSettings`]), and remembers the tokens that it has verified. It knows
//! no web framework. The feature `actix` (on by default) puts `BearerGuard` over it: extractors, a middleware, and the
//! answers of RFC 6750.
#![forbid(unsafe_code)]

#[cfg(feature = "actix")]
pub mod actix;
mod build_error;
mod builder;
mod cache;
mod challenge;
mod error;
mod health;
mod http_bearer;
mod password_bearer;
mod remote;
mod scopes;
mod source;
mod verifier;

#[cfg(feature = "actix")]
pub use crate::actix::{
    Bearer, BearerError, BearerGuard, Malformed, MaybeBearer, Realm, RequireScopes, access_token_in_form,
    token_from_header,
};
pub use build_error::BuildError;
pub use builder::Builder;
pub use cache::CacheStats;
pub use challenge::Challenge;
pub use error::VerifyError;
pub use health::{DenylistStats, NotReady, Readiness, Stats};
pub use http_bearer::HttpBearer;
pub use password_bearer::{Description, OAuth2PasswordBearer};
pub use scopes::{AnyScope, RequiredScope, is_scope_name};
pub use source::{DenySource, DenyVerdict, KeyLookup, KeySource, OnStale};
pub use verifier::{Verified, Verifier, VerifierSettings};
