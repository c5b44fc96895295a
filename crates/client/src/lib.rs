#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod builder;
mod clock;
mod endpoints;
mod error;
mod exchange;
mod file_store;
mod middleware;
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

/// The attribute that an implementation of [`TokenStore`] needs.
pub use async_trait::async_trait;
pub use builder::Builder;
pub use clock::{Clock, SystemClock};
pub use error::{Error, NetworkError};
pub use file_store::FileStore;
pub use middleware::{BadOrigin, BearerMiddleware};
pub use source::TokenSource;
pub use store::{MemoryStore, StoreError, StoreLock, TokenStore};
pub use tls::{http_client, http_client_trusting};
pub use tokens::{AccessToken, Grant, Tokens};
