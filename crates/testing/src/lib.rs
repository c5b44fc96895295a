//! Support for tests: an application on port 0 over a real database, a connection to PostgreSQL that can be cut, and a
//! headless browser.
#![allow(missing_docs, reason = "its readers are tests, and the names say it")]

mod app;
mod http;
pub mod webdriver;
pub mod wire;

pub use app::{App, ISSUER, Options, PASSWORD, Remains, foundation};
pub use http::{Client, Tokens, claims, client, error, part};
