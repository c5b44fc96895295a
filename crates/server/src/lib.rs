//! Ficha's HTTP: the endpoints over [`ficha_authority::Authority`], and nothing else.
#![forbid(unsafe_code)]

mod denylist;
mod docs;
mod error;
mod health;
mod http;
mod oauth;
mod openapi;
mod request;
mod routes;
mod server;
mod state;
mod users;

pub use http::cors::{WebOrigin, WebOriginError};
pub use http::network::{NetworkError, parse_network};
pub use http::tls::TlsSettings;
pub use ipnet::IpNet;
pub use server::{Server, ServerError, ServerSettings};
