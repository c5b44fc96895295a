//! Tests of the library with a real server.
#![cfg(feature = "middleware")]
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod causes;
mod discovery;
mod faults;
mod files;
mod http;
mod logins;
mod middleware;
mod network;
mod outages;
mod refusals;
mod runtimes;
mod source;
mod stores;
mod world;
