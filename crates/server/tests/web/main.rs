//! The server's metadata, keys, documentation and operation, and its HTTP behaviour.

mod certificates;
mod raw;
mod routes;

mod bodies;
mod connections;
mod cors;
mod docs;
mod gate;
mod https;
mod keys;
mod metadata;
mod methods;
mod neighbours;
mod oauth2_crate;
mod openapi;
mod operation;
mod origins;
mod pipelining;
mod proxies;
mod shared_secret;
mod smuggling;
mod tokens;
