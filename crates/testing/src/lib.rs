//! Support for tests: a server on port 0 over a real database, a proxy to PostgreSQL that can drop traffic, and a
//! headless browser.
#![allow(missing_docs, reason = "only tests use it, and the names say it")]

mod app;
mod copies;
mod http;
mod waiting;
pub mod webdriver;
pub mod wire;

pub use app::{App, ISSUER, Options, PASSWORD, Remains, foundation, tester};
pub use copies::copy_session;
pub use http::{Client, Tokens, claims, client, error, part};
pub use waiting::{eventually, stays};
