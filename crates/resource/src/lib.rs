//! Checks the access tokens of [Ficha](https://github.com/ficha-auth/ficha) in a resource server, and refuses revoked
//! ones.
//!
//! These are JWTs of a profile of RFC 9068: `typ` is `at+jwt`; `iss`, `sub`, `aud`, `exp`, `iat`, `jti`, `client_id`,
//! `scope`, `sid` (the session) and `auth_time` are required; `sub`, `jti` and `sid` are UUIDs. Another server's tokens
//! are refused unless they have that shape, even if RFC 9068 allows them.
//!
//! ```no_run
//! # #[cfg(feature = "actix")]
//! # mod service {
//! use actix_web::{App, HttpServer, get};
//! use ficha_resource::{Bearer, OAuth2PasswordBearer, scopes};
//!
//! scopes! { NotesRead = "notes:read"; }
//!
//! #[get("/notes")]
//! async fn notes(user: Bearer<NotesRead>) -> String {
//!     format!("the notes of {}", user.claims.sub)
//! }
//!
//! #[actix_web::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let oauth2 = OAuth2PasswordBearer::discover("https://auth.example.com")
//!         .audience("notes")
//!         .credentials("notes-api", std::env::var("NOTES_SECRET")?)
//!         .build()
//!         .await?;
//!     let app = move || App::new().app_data(oauth2.clone()).service(notes);
//!     HttpServer::new(app).bind(("127.0.0.1", 8080))?.run().await?;
//!     Ok(())
//! }
//! # }
//! ```
//!
//! [`OAuth2PasswordBearer`] is the value that a service keeps: a [`Verifier`], and the background task that keeps its
//! keys and its replica of the denylist up to date.
//!
//! # Verifying
//!
//! | Method | What it does |
//! |---|---|
//! | `verify(presented).await` | verifies a token; waits up to 2 s if its key is just being fetched |
//! | `verify_now(presented)` | the same, but never waits |
//! | `recheck(&verified)` | looks again at what can have changed since: for streams and WebSockets |
//! | `readiness()` | tells whether tokens can be verified, and if not, why |
//!
//! [`OAuth2PasswordBearer`], [`HttpBearer`] and [`Issuers`] have them all. [`Presented`] is what a caller presents; a text
//! converts to it. A clone with `.on_stale(…)` has its own choice about a stale denylist, for a single route. A
//! [`Verifier`] does not depend on a web framework or a network: it looks keys up in a [`KeySource`] and revocations in a
//! [`DenySource`], compares the token with its [`VerifierSettings`], and caches the tokens that it has verified.
//!
//! # How do I …
//!
//! | … | With |
//! |---|---|
//! | require a scope or a role in a handler? | `Bearer<NotesRead>`, `HasRole<Editor>`; [`scopes!`] and [`roles!`] define the types |
//! | guard a whole part of an application? | `oauth2.require("notes:admin")` as middleware; in `axum`, a tower layer that also guards gRPC services of tonic |
//! | let a request pass without a token? | `MaybeBearer` |
//! | read custom claims? | `Bearer<AnyScope, MyClaims>`, where `MyClaims` implements `Deserialize` |
//! | end a stream or a WebSocket when its token is revoked? | [`OAuth2PasswordBearer::recheck`], at intervals |
//! | go on reading while the authorization server is down? | [`OAuth2PasswordBearer::on_stale`] for a single route, [`BearerBuilder::on_stale`] for all |
//! | accept the tokens of several issuers? | [`OAuth2PasswordBearer::any_of`] |
//! | know in a health check that tokens can be verified? | [`OAuth2PasswordBearer::readiness`] |
//! | export metrics? | [`OAuth2PasswordBearer::stats`] and [`Stats::prometheus`] |
//! | show the Authorize button of Swagger UI? | `OAuth2PasswordBearer::modify` |
//! | tell clients which server issues my tokens (RFC 9728)? | [`BearerBuilder::resource`] |
//! | use error bodies of my own? | `ErrorBody` |
//! | trust a private certificate authority? | [`BearerBuilder::root_certificate`] |
//! | use another web framework? | [`Presented::from_authorization`] reads the header, [`Refusal::response`] makes the response of RFC 6750; the example `notes_hyper` uses hyper alone |
//! | use keys or a denylist of my own? | [`Verifier`], [`KeySource`], [`DenySource`] |
//! | test my service without a server? | [`TestIssuer`] |
//!
//! # Features
//!
//! | Feature | Default | What it adds |
//! |---|---|---|
//! | `actix` | yes | extractors and middleware for actix-web 4 |
//! | `axum` | no | extractors for axum 0.8, and a tower layer, in the module `axum` |
//! | `openapi` | yes | security schemes for OpenAPI descriptions of utoipa 6, exported as `ficha_resource::utoipa` |
//! | `reqwest-0_13` | no | `BearerBuilder::http_client` with a client of reqwest 0.13, exported as `ficha_resource::reqwest` |
//!
//! The types of utoipa and of reqwest are public only with these features. A later major version of either will get a
//! feature of its own.
//!
//! # Requirements
//!
//! Unix, tokio, and Rust 1.94. Cryptography is aws-lc-rs, which needs a C compiler to build. Nothing is visible without a
//! `tracing` subscriber: the library logs why it can't read keys or denylist.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]

#[cfg(feature = "actix")]
mod actix;
mod authorization;
#[cfg(feature = "axum")]
pub mod axum;
mod build_error;
mod builder;
mod cache;
mod challenge;
#[cfg(any(feature = "actix", feature = "axum"))]
mod custom;
mod error;
mod high_water;
mod http_bearer;
mod issuers;
#[cfg(any(feature = "actix", feature = "axum"))]
mod need;
#[cfg(feature = "openapi")]
mod openapi;
mod password_bearer;
mod presented;
mod readiness;
mod refusal;
mod remote;
mod resource_metadata;
mod scopes;
#[cfg(any(feature = "actix", feature = "axum"))]
mod seldom;
mod source;
mod stats;
mod testing;
#[cfg(any(feature = "actix", feature = "axum"))]
mod tokens;
mod verified;
mod verifier;

#[cfg(feature = "actix")]
pub use actix::{
    Bearer, BearerError, BearerGuard, ErrorBody, Extraction, HasRole, MaybeBearer, Realm, RequireScopes,
    RequireScopesFuture, RequireScopesService,
};
pub use authorization::{Malformed, has_access_token_in_form};
pub use build_error::BuildError;
pub use builder::BearerBuilder;
pub use cache::CacheStats;
pub use challenge::Challenge;
#[cfg(any(feature = "actix", feature = "axum"))]
pub use custom::NoExtra;
pub use error::VerifyError;
pub use http_bearer::HttpBearer;
pub use issuers::Issuers;
pub use password_bearer::{Description, OAuth2PasswordBearer};
pub use presented::{Presented, Proof};
pub use readiness::{IssuersReadiness, NotReady, Readiness};
pub use refusal::{ErrorResponse, Refusal};
pub use resource_metadata::ResourceMetadata;
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
