//! Which tokens are accepted and which are refused. Test names begin with the numbers of the assertions that they
//! cover.

#![expect(clippy::unwrap_used, reason = "test helpers panic on failure, as tests do")]

mod claims;
mod confusion;
mod header;
mod keys;
mod malleability;
mod mutation;
mod support;
mod text;
