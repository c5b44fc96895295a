//! The library against a real server.

mod discovery;
mod faults;
mod files;
mod middleware;
mod network;
mod source;
#[path = "../../../server/tests/support/mod.rs"]
mod support;
mod world;
