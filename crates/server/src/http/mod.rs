//! HTTP apart from the endpoints: TLS, networks, CORS, headers, limits, and running handlers to completion.

pub(crate) mod connections;
pub(crate) mod cors;
pub(crate) mod gate_listener;
pub(crate) mod headers;
pub(crate) mod host;
pub(crate) mod network;
pub(crate) mod request_id;
pub(crate) mod rlimit;
pub(crate) mod run_to_completion;
pub(crate) mod serve;
pub(crate) mod sse;
pub(crate) mod stream;
pub(crate) mod tls;
pub(crate) mod unknown_key;
pub(crate) mod unread_body;
pub(crate) mod watched;
