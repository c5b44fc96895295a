//! Tokens: issued from a session, read, introspected and revoked.

pub(crate) mod introspect;
pub(crate) mod issue;
pub(crate) mod read;
pub(crate) mod refresh_token;
pub(crate) mod revoke;
pub(crate) mod sealed;
