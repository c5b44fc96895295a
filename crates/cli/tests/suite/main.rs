//! The binary, run as its users run it.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod bench;
mod commands;
mod configuration;
mod follower;
mod login;
mod passwords;
mod refusals;
mod serving;
mod sessions;
