#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod builder;
mod clock;
mod endpoints;
mod error;
mod exchange;
mod file_store;
mod flight;
mod middleware;
mod source;
mod store;
mod tokens;
mod transport;

pub use builder::Builder;
pub use clock::{Clock, SystemClock};
pub use error::Error;
pub use file_store::FileStore;
pub use middleware::{BadOrigin, BearerMiddleware};
pub use source::TokenSource;
pub use store::{MemoryStore, StoreError, StoreLock, TokenStore};
pub use tokens::{AccessToken, Tokens};
pub use transport::http_client;
