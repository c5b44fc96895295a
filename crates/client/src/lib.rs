// The program in it uses the middleware.
#![cfg_attr(feature = "middleware", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "middleware"),
    doc = "Obtains OAuth2 tokens for an app, keeps them, and refreshes them in time."
)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

#[cfg(feature = "admin")]
pub mod admin;
mod builder;
mod clock;
mod endpoints;
mod error;
mod exchange;
mod file_store;
#[cfg(feature = "middleware")]
mod middleware;
#[cfg(any(feature = "admin", feature = "middleware"))]
mod origin;
mod retry;
mod runtime;
mod session;
mod single_flight;
mod source;
mod state;
mod store;
mod tls;
mod tokens;
mod transport;

// Its programs must compile as they stand there.
#[cfg(all(doctest, feature = "middleware"))]
#[doc = include_str!("../../../docs/src/how-to/obtain-tokens.md")]
struct HowTo;

/// The attribute that an implementation of [`TokenStore`] needs.
pub use async_trait::async_trait;
pub use builder::TokenSourceBuilder;
pub use clock::{Clock, SystemClock};
pub use error::{Error, NetworkError};
pub use file_store::FileStore;
#[cfg(feature = "middleware")]
pub use middleware::BearerMiddleware;
#[cfg(feature = "middleware")]
pub use origin::BadOrigin;
pub use source::TokenSource;
pub use store::{MemoryStore, StoreError, StoreLock, TokenStore};
#[cfg(feature = "http-client")]
pub use tls::{http_client, http_client_trusting};
pub use tokens::{AccessToken, Grant, Tokens};
