//! Clocks: for issuing and checking tokens, for removing expired rows, and the database's own.

pub(crate) mod database;
pub(crate) mod expiry;
pub(crate) mod issuer;
