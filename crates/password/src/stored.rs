//! A stored hash, parsed once.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::alphabet::BCRYPT;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use zeroize::{Zeroize, Zeroizing};

use crate::argon::Argon2Hash;
use crate::format_error::{HashFormatError, parse_number};

/// bcrypt's own base64. It rejects trailing bits, so each salt and digest has exactly one spelling.
const BCRYPT_BASE64: GeneralPurpose = GeneralPurpose::new(&BCRYPT, NO_PAD);

/// No supported format is longer.
const MAX_TEXT: usize = 512;

const SALT_TEXT: usize = 22;
const DIGEST_TEXT: usize = 31;

/// The formats that a stored hash may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HashFormat {
    /// `$bcrypt-sha256$v=2,t=2b,r=12$salt$digest`: HMAC-SHA-256 keyed by the salt's text, base64, bcrypt. The format
    /// of new hashes.
    BcryptSha256V2,
    /// `$bcrypt-sha256$2b,12$salt$digest` (or `2a`): SHA-256, base64, bcrypt. passlib before 1.7.3.
    BcryptSha256V1,
    /// `$2a$`, `$2b$` and `$2y$`, also with Django's prefix `bcrypt$`.
    Bcrypt,
    /// Django's `bcrypt_sha256$$2b$…`: SHA-256, hexadecimal, bcrypt.
    DjangoBcryptSha256,
    /// `$argon2id$v=19$m=…,t=…,p=…$salt$hash`, also with Django's prefix `argon2`. More than 256 MiB, 16 passes or 16
    /// lanes are rejected. Each hashing thread may need that much memory at the same time.
    Argon2id,
}

/// A hash as stored in the database, known to be well formed. `Debug` shows neither salt nor digest.
#[derive(Clone)]
pub struct StoredHash {
    text: Zeroizing<String>,
    pub(crate) scheme: Scheme,
}

/// What a check of a [`StoredHash`] needs.
#[derive(Clone)]
pub(crate) enum Scheme {
    Bcrypt(BcryptHash),
    Argon2(Argon2Hash),
}

/// The parts of every format that ends in bcrypt.
#[derive(Clone)]
pub(crate) struct BcryptHash {
    pub(crate) format: HashFormat,
    pub(crate) cost: u32,
    pub(crate) salt: [u8; 16],
    pub(crate) digest: [u8; 23],
}

impl Drop for BcryptHash {
    fn drop(&mut self) {
        self.digest.zeroize();
    }
}

impl StoredHash {
    /// Parses `text`. The result can be checked without further errors.
    pub fn parse(text: &str) -> Result<Self, HashFormatError> {
        if text.len() > MAX_TEXT {
            return Err(HashFormatError::Shape);
        }
        Ok(Self { scheme: parse_scheme(text)?, text: Zeroizing::new(text.to_owned()) })
    }

    /// The text that was parsed, unchanged.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The format of the hash.
    pub fn format(&self) -> HashFormat {
        match &self.scheme {
            Scheme::Bcrypt(hash) => hash.format,
            Scheme::Argon2(_) => HashFormat::Argon2id,
        }
    }

    /// The bcrypt cost; `None` for argon2.
    pub fn cost(&self) -> Option<u32> {
        match &self.scheme {
            Scheme::Bcrypt(hash) => Some(hash.cost),
            Scheme::Argon2(_) => None,
        }
    }

    /// True if a new hash of this `cost` would have the same format and cost. If not, rehash it at the next successful
    /// login, also if the cost was lowered, so that logins become as cheap as configured.
    pub fn is_current(&self, cost: u32) -> bool {
        self.format() == HashFormat::BcryptSha256V2 && self.cost() == Some(cost)
    }

    /// The salt of a new hash as it appears in the text.
    pub(crate) fn salt_text(salt: &[u8; 16]) -> String {
        BCRYPT_BASE64.encode(salt)
    }

    /// A new hash in the current format.
    pub(crate) fn from_parts(cost: u32, salt: [u8; 16], digest: [u8; 23]) -> Self {
        let text =
            format!("$bcrypt-sha256$v=2,t=2b,r={cost}${}${}", Self::salt_text(&salt), BCRYPT_BASE64.encode(digest));
        let hash = BcryptHash { format: HashFormat::BcryptSha256V2, cost, salt, digest };
        Self { text: Zeroizing::new(text), scheme: Scheme::Bcrypt(hash) }
    }
}

impl FromStr for StoredHash {
    type Err = HashFormatError;

    fn from_str(text: &str) -> Result<Self, HashFormatError> {
        Self::parse(text)
    }
}

impl fmt::Display for StoredHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for StoredHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredHash").field("format", &self.format()).field("cost", &self.cost()).finish_non_exhaustive()
    }
}

fn parse_scheme(text: &str) -> Result<Scheme, HashFormatError> {
    if let Some(rest) = text.strip_prefix("$bcrypt-sha256$") {
        return parse_passlib(rest).map(Scheme::Bcrypt);
    }
    if let Some(rest) = text.strip_prefix("bcrypt_sha256$") {
        return parse_bcrypt(rest, HashFormat::DjangoBcryptSha256).map(Scheme::Bcrypt);
    }
    // Django writes `argon2` directly before the `$` of the usual form, and `bcrypt$` before the `$` of bcrypt's.
    if text.strip_prefix("argon2").unwrap_or(text).starts_with("$argon2id$") {
        let text = text.strip_prefix("argon2").unwrap_or(text);
        return Argon2Hash::parse(text).map(Scheme::Argon2);
    }
    parse_bcrypt(text.strip_prefix("bcrypt$").unwrap_or(text), HashFormat::Bcrypt).map(Scheme::Bcrypt)
}

/// What follows `$bcrypt-sha256$`. passlib does not pad the cost with zeros, and rejects a padded one.
fn parse_passlib(rest: &str) -> Result<BcryptHash, HashFormatError> {
    let mut parts = rest.split('$');
    let (Some(settings), Some(salt), Some(digest), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(HashFormatError::Shape);
    };
    let (format, cost) = if let Some(cost) = settings.strip_prefix("v=2,t=2b,r=") {
        (HashFormat::BcryptSha256V2, cost)
    } else if let Some(cost) = settings.strip_prefix("2b,").or_else(|| settings.strip_prefix("2a,")) {
        (HashFormat::BcryptSha256V1, cost)
    } else {
        return Err(HashFormatError::UnknownFormat);
    };
    if cost.starts_with('0') {
        return Err(HashFormatError::Cost);
    }
    bcrypt_parts(format, cost, salt, digest)
}

/// `$2b$12$` and 53 characters of salt and digest.
fn parse_bcrypt(text: &str, format: HashFormat) -> Result<BcryptHash, HashFormatError> {
    let rest = ["$2b$", "$2a$", "$2y$"].iter().find_map(|prefix| text.strip_prefix(prefix));
    let rest = rest.ok_or(HashFormatError::UnknownFormat)?;
    let (cost, rest) = rest.split_once('$').ok_or(HashFormatError::Shape)?;
    if cost.len() != 2 {
        return Err(HashFormatError::Cost);
    }
    // `split_at_checked` also refuses to split a multi-byte character.
    let (salt, digest) = rest.split_at_checked(SALT_TEXT).ok_or(HashFormatError::Shape)?;
    bcrypt_parts(format, cost, salt, digest)
}

fn bcrypt_parts(format: HashFormat, cost: &str, salt: &str, digest: &str) -> Result<BcryptHash, HashFormatError> {
    let cost = parse_number(cost).filter(|cost| (4..=31).contains(cost)).ok_or(HashFormatError::Cost)?;
    let salt = decode::<16>(salt, SALT_TEXT).ok_or(HashFormatError::Salt)?;
    let digest = decode::<23>(digest, DIGEST_TEXT).ok_or(HashFormatError::Digest)?;
    Ok(BcryptHash { format, cost, salt, digest })
}

fn decode<const BYTES: usize>(text: &str, length: usize) -> Option<[u8; BYTES]> {
    if text.len() != length {
        return None;
    }
    let bytes = Zeroizing::new(BCRYPT_BASE64.decode(text).ok()?);
    bytes.as_slice().try_into().ok()
}
