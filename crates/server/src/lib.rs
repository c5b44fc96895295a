//! Ficha's HTTP: the endpoints over [`ficha_authority::Authority`], and nothing else.
#![forbid(unsafe_code)]

mod client_credentials;
mod cors;
mod denylist;
mod docs;
mod error;
mod files;
mod finish;
mod form;
mod headers;
mod health;
mod network;
mod oauth;
mod openapi;
mod origin;
mod routes;
mod server;
mod state;
mod tls;
mod users;

pub use cors::{WebOrigin, WebOriginError};
pub use network::{IpNetwork, NetworkError};
pub use server::{Server, ServerError, ServerSettings};
pub use tls::TlsSettings;
