//! Checks the access tokens of [Ficha](https://github.com/ficha-auth/ficha) in a resource server, and refuses revoked
//! ones.
//!
//! These are JWTs of a profile of RFC 9068: `typ` is `at+jwt`; `iss`, `sub`, `aud`, `exp`, `iat`, `jti`, `client_id`,
//! `scope`, `sid` (the session) and `auth_time` are required; `sub`, `jti` and `sid` are UUIDs. Another server's tokens
//! are refused unless they have that shape, even if RFC 9068 allows them.
//!
//! [`OAuth2PasswordBearer`] is the value that a service keeps: a [`Verifier`], and the background task that keeps its
//! keys and its replica of the denylist up to date. With the feature `actix` (on by default) it provides extractors and
//! middleware, which answer as RFC 6750 requires; with the feature `openapi` (on by default) it adds its security
//! scheme to an OpenAPI description.
//!
//! - A handler states what it needs: `Bearer`, `Bearer<NotesRead>`, `Bearer<NotesRead, MyClaims>`, `MaybeBearer`.
//! - Middleware guards a whole part of an application: `oauth2.require("notes:admin")`.
//! - [`Issuers`] accepts the tokens of several issuers.
//! - [`TestIssuer`] issues tokens in tests.
//!
//! A [`Verifier`] decides whether a token is valid, and does not depend on a web framework. It looks keys up in a
//! [`KeySource`] and revocations in a [`DenySource`], compares the token with its [`VerifierSettings`], and caches the
//! tokens that it has verified.
#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]

#[cfg(feature = "actix")]
mod actix;
mod authorization;
mod build_error;
mod builder;
mod cache;
mod challenge;
mod error;
mod high_water;
mod http_bearer;
mod issuers;
#[cfg(feature = "openapi")]
mod openapi;
mod password_bearer;
mod presented;
mod readiness;
mod refusal;
mod remote;
mod scopes;
mod source;
mod stats;
mod testing;
mod verified;
mod verifier;

#[cfg(feature = "actix")]
pub use actix::{
    Bearer, BearerError, BearerGuard, ErrorBody, Extraction, HasRole, MaybeBearer, NoExtra, Realm, RequireScopes,
    RequireScopesFuture, RequireScopesService,
};
pub use authorization::{Malformed, has_access_token_in_form};
pub use build_error::BuildError;
pub use builder::BearerBuilder;
pub use cache::CacheStats;
pub use challenge::Challenge;
pub use error::VerifyError;
pub use http_bearer::HttpBearer;
pub use issuers::Issuers;
pub use password_bearer::{Description, OAuth2PasswordBearer};
pub use presented::{Presented, Proof};
pub use readiness::{IssuersReadiness, NotReady, Readiness};
pub use refusal::{ErrorResponse, Refusal};
pub use scopes::{AnyScope, RequiredRole, RequiredScope, is_scope_name};
pub use source::{DenySource, DenyVerdict, KeyLookup, KeySource, OnStale};
pub use stats::{DenylistStats, Stats};
pub use testing::{TestIssuer, TestToken};
pub use verified::Verified;
pub use verifier::{Verifier, VerifierSettings};

// Types that the public API uses, so that its users need not depend on matching versions of those crates.
pub use ficha_token::MAX_LEEWAY_SECONDS;
pub use ficha_token::{
    AccessClaims, Algorithm, Clock, DENY_MARGIN_SECONDS, DenyEntry, DenyId, DenySet, Expected, Jwk, JwkSet, KeyError,
    KeyProblem, KeySetError, ManualClock, OAuthErrorCode, Scope, ScopeError, SignError, SigningKey, SystemClock,
    TokenError, UnknownAlgorithm, VerifyingKey,
};
#[cfg(feature = "reqwest-0_13")]
pub use reqwest;
#[cfg(feature = "openapi")]
pub use utoipa;
pub use {serde_json, time, uuid};

/// Runs the code in README.md as doc tests.
#[cfg(all(doctest, feature = "actix"))]
#[doc = include_str!("../README.md")]
struct Readme;
