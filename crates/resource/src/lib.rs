//! What a resource server puts in front of its handlers.
//!
//! A [`Verifier`] decides whether a token is good: it knows the keys ([`KeySource`]), what has been revoked
//! ([`DenySource`]) and what to expect ([`VerifierSettings`]), and remembers the tokens that it has verified. It knows
//! no web framework. [`OAuth2PasswordBearer`] is a verifier with everything that feeds it, the value that a service
//! holds. The feature `actix` (on by default) makes extractors and middleware of it, with the answers of RFC 6750; the
//! feature `openapi` (on by default) lets it write itself into an OpenAPI description.
//!
//! - A handler says what it needs: `Bearer`, `Bearer<NotesRead>`, `Bearer<NotesRead, MyClaims>`, `MaybeBearer`.
//! - A part of an application is guarded whole: `oauth2.require("notes:admin")`.
//! - [`Issuers`] take the tokens of several issuers, [`TestIssuer`] mints them in a test.
#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]

#[cfg(feature = "actix")]
pub mod actix;
mod build_error;
mod builder;
mod cache;
mod challenge;
mod error;
mod health;
mod high_water;
mod http_bearer;
mod issuers;
#[cfg(feature = "openapi")]
mod openapi;
mod password_bearer;
mod remote;
mod scopes;
mod source;
pub mod testing;
mod verified;
mod verifier;

#[cfg(feature = "actix")]
pub use crate::actix::{
    Bearer, BearerError, BearerGuard, ErrorBody, Malformed, MaybeBearer, NoExtra, Realm, Refusal, RequireScopes,
    access_token_in_form, token_from_header,
};
pub use build_error::BuildError;
pub use builder::Builder;
pub use cache::CacheStats;
pub use challenge::Challenge;
pub use error::VerifyError;
pub use health::{DenylistStats, NotReady, Readiness, Stats};
pub use http_bearer::HttpBearer;
pub use issuers::Issuers;
pub use password_bearer::{Description, OAuth2PasswordBearer};
pub use scopes::{AnyScope, RequiredScope, is_scope_name};
pub use source::{DenySource, DenyVerdict, KeyLookup, KeySource, OnStale};
pub use testing::TestIssuer;
pub use verified::Verified;
pub use verifier::{Verifier, VerifierSettings};

// What the signatures here are made of, so that nobody has to find the right version of the crates that it comes from.
pub use ficha_token::MAX_LEEWAY_SECONDS;
pub use ficha_token::{
    AccessClaims, Algorithm, Clock, DENY_MARGIN_SECONDS, DenyEntry, DenyId, DenySet, Expected, Jwk, JwkSet, KeyError,
    ManualClock, OAuthErrorCode, Scope, ScopeError, SignError, SigningKey, SystemClock, TokenError, UnknownAlgorithm,
    VerifyingKey,
};
pub use {reqwest, serde_json, time, uuid};

/// The code in README.md is run.
#[cfg(all(doctest, feature = "actix"))]
#[doc = include_str!("../README.md")]
struct Readme;
