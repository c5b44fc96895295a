//! The verifier against public vectors and against an attacker. Test names carry the line of the standards that they
//! cover.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop by panicking, as tests do")]

mod algorithms;
mod claims;
mod cost;
mod header_keys;
mod header_members;
mod json_text;
mod mutation;
mod signatures;
mod support;
mod text;
mod vectors;
