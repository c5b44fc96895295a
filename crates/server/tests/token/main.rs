//! `POST /token` over HTTP, on both databases.

#[path = "../support/mod.rs"]
mod support;

mod arbitrary;
mod busy;
mod clients;
mod default_client;
mod errors;
mod form;
mod hashes;
mod matrix;
mod one_answer;
mod races;
mod raw;
mod scopes;
mod sessions;
mod throttle;
