//! Tests of the binary, run as users run it.
#![expect(clippy::unwrap_used, reason = "a panic fails the test, as it should")]

mod audit;
mod bench;
mod checkup;
mod commands;
mod configuration;
mod database_files;
mod database_urls;
mod fastapi;
mod follower;
mod generated;
mod grammar;
mod interop;
mod login;
mod logs;
mod notes;
mod passwords;
mod refusals;
mod remote;
mod serving;
mod sessions;
mod surroundings;
