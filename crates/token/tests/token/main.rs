//! What a token of ours is and what is refused. Test names carry the line of the standards that they cover.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop by panicking, as tests do")]

mod claims;
mod confusion;
mod header;
mod keys;
mod malleability;
mod mutation;
mod support;
mod text;
