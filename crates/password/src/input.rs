//! What each format passes to bcrypt for a password.

use std::fmt::Write;

use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::stored::{BcryptHash, HashFormat, StoredHash};

/// bcrypt reads at most this many bytes.
const MAX_KEY: usize = 72;

/// A key for bcrypt, with its terminating NUL if that fits: 1 to 72 bytes.
pub(crate) struct Key {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    /// True if every byte of the password counts. If not, the check still runs, for constant time, and then fails.
    pub(crate) whole: bool,
}

/// The key for checking `password` against `hash`.
pub(crate) fn key(hash: &BcryptHash, password: &[u8]) -> Key {
    match hash.format {
        HashFormat::BcryptSha256V2 => Key::of_digest(keyed(&hash.salt, password)),
        HashFormat::BcryptSha256V1 => Key::of_digest(base64(digest::digest(&digest::SHA256, password).as_ref())),
        HashFormat::DjangoBcryptSha256 => Key::of_digest(hex(digest::digest(&digest::SHA256, password).as_ref())),
        // C implementations stop at a NUL, so anything after it may not have counted.
        HashFormat::Bcrypt | HashFormat::Argon2id => {
            Key::new(password, password.len() <= MAX_KEY && !password.contains(&0))
        }
    }
}

/// The key for a new hash with this salt.
pub(crate) fn new_key(salt: &[u8; 16], password: &[u8]) -> Zeroizing<Vec<u8>> {
    Key::of_digest(keyed(salt, password)).bytes
}

impl Key {
    fn new(text: &[u8], whole: bool) -> Self {
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_KEY));
        bytes.extend(text.iter().copied().chain([0]).take(MAX_KEY));
        Self { bytes, whole }
    }

    fn of_digest(text: Zeroizing<String>) -> Self {
        Self::new(text.as_bytes(), true)
    }
}

/// HMAC-SHA-256, keyed like passlib with the 22 characters of the salt, not with its 16 bytes.
fn keyed(salt: &[u8; 16], password: &[u8]) -> Zeroizing<String> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, StoredHash::salt_text(salt).as_bytes());
    base64(hmac::sign(&key, password).as_ref())
}

fn base64(bytes: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(STANDARD.encode(bytes))
}

fn hex(bytes: &[u8]) -> Zeroizing<String> {
    // Allocated in full, so that growing leaves no partial copy in memory.
    let mut text = Zeroizing::new(String::with_capacity(2 * bytes.len()));
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
