//! Time: what tokens are issued and checked by, what decides that a row may be removed, and the database's own.

pub(crate) mod database;
pub(crate) mod expiry;
pub(crate) mod issuer;
