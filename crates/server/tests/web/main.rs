//! What the server says about itself, and how it speaks HTTP.

#[path = "../support/mod.rs"]
mod support;

mod certificates;
mod raw;
mod routes;
mod webdriver;

mod bodies;
mod cors;
mod docs;
mod https;
mod keys;
mod metadata;
mod methods;
mod oauth2_crate;
mod openapi;
mod operation;
mod origins;
mod shared_secret;
mod smuggling;
mod tokens;
