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

/// What the admin API shows, for a program that shows the same of the database itself.
pub mod views {
    pub use crate::api::client_secrets::SecretView;
    pub use crate::api::client_views::ClientView;
    pub use crate::api::jobs::JobView;
    pub use crate::api::keys::{KeyView, view as key_view};
    pub use crate::api::receipt::{ReceiptView, view as receipt_view};
    pub use crate::api::sessions::{SessionView, view as session_view};
    pub use crate::api::user_views::{ShownUser, UserView};
}

/// Internals for the targets of `fuzz/`. Not part of the API.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::request::client_credentials::header_credentials;
    pub use crate::request::form::Form;
}
