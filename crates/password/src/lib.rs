//! Password hashes: formats, bcrypt in lockstep, and the threads that run it.
//!
//! - [`Password`] is a password as typed; [`StoredHash`] is a stored hash, already parsed.
//! - [`Hashing`] checks a password against a hash on its own threads, several bcrypt hashes in [`lockstep`] on each.
//! - [`policy`] decides which new passwords are acceptable.
//!
//! New hashes have the format `$bcrypt-sha256$v=2,t=2b,r=…$…`, which Python's passlib reads and writes and in which
//! every byte of the password counts. See [`HashFormat`] for the other supported formats.
#![forbid(unsafe_code)]

mod argon;
mod cost;
mod format_error;
mod input;
pub mod lockstep;
mod password;
pub mod policy;
mod pool;
mod stored;
mod tables;

pub use cost::{Cost, CostOutOfRange};
pub use format_error::HashFormatError;
pub use password::{MAX_PASSWORD_BYTES, Password};
pub use pool::{Busy, Hashing, HashingSettings, HashingStats};
pub use stored::{HashFormat, StoredHash};
