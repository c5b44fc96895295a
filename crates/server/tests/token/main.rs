//! `POST /token` over HTTP, on both databases.

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
