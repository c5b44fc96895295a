//! Errors in stored hashes.

/// Why a stored hash can't be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashFormatError {
    /// None of the prefixes of [`HashFormat`](crate::HashFormat).
    #[error("not a password hash in a supported format")]
    UnknownFormat,
    /// There are too few or too many parts.
    #[error("the hash has too few or too many parts")]
    Shape,
    /// Not a number, or a bcrypt cost outside 4 to 31.
    #[error("the bcrypt cost of the hash is not 4 to 31")]
    Cost,
    /// Wrong length, an invalid character, or stray bits in the last character.
    #[error("the salt of the hash is malformed")]
    Salt,
    /// Wrong length, an invalid character, or stray bits in the last character.
    #[error("the digest of the hash is malformed")]
    Digest,
    /// The argon2 parameters are malformed, or exceed what a check may cost.
    #[error("the argon2 parameters of the hash are malformed, or above 256 MiB, 16 passes or 16 lanes")]
    Argon2Parameters,
}

/// Digits only: `u32::from_str` alone would accept a `+`.
pub(crate) fn parse_number(text: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}
