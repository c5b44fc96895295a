//! The HTTP endpoints over [`ficha_authority::Authority`].
#![forbid(unsafe_code)]

mod api;
mod denylist;
mod docs;
mod error;
mod gate;
mod health;
mod http;
mod oauth;
mod openapi;
mod pages;
mod request;
mod routes;
mod server;
mod state;
mod users;

pub use api::sessions::session_search;
pub use http::cors::{WebOrigin, WebOriginError};
pub use http::gate_listener::GateBind;
pub use http::network::{NetworkError, parse_network};
pub use http::tls::TlsSettings;
pub use ipnet::IpNet;
pub use server::{AdminSite, Listeners, Server, ServerError, ServerSettings};

/// Internals for the targets of `fuzz/`. Not part of the API.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::request::client_credentials::header_credentials;
    pub use crate::request::form::Form;
}
