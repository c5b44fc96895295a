//! Clocks: for issuing and checking tokens, for removing expired rows, and the database's own.

pub(crate) mod database;
pub(crate) mod expiry;
pub(crate) mod issuer;

/// The id of this boot of the machine, if the system provides one (Linux).
pub(crate) fn boot_id() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}
