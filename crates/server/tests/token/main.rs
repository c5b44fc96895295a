//! `POST /token` over HTTP, on both databases.

mod arbitrary;
mod busy;
mod clients;
mod default_client;
mod errors;
mod form;
mod hashes;
mod matrix;
mod races;
mod raw;
mod same_response;
mod scopes;
mod sessions;
mod throttle;
