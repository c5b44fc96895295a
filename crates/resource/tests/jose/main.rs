//! The verifier against public test vectors and against an attacker. A test name starts with the assertions that it
//! covers (docs/src/reference/assertions.md).

#![expect(clippy::unwrap_used, reason = "test helpers may panic, as tests do")]

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
