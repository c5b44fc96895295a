//! The library against a real server.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod discovery;
mod faults;
mod files;
mod middleware;
mod network;
mod source;
#[path = "../../../server/tests/support/mod.rs"]
mod support;
mod world;
