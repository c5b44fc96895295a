//! Keys: the ring in memory, the master key that seals what is stored, and secrets.

pub(crate) mod key_ring;
pub(crate) mod master_key;
pub(crate) mod secret;
