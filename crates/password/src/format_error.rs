//! Why a stored hash is refused.

/// Why a stored hash can't be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashFormatError {
    /// None of the prefixes of [`HashFormat`].
    #[error("not a password hash in a format that can be read")]
    UnknownFormat,
    /// A part is missing, or there is one too many.
    #[error("the hash has too few or too many parts")]
    Shape,
    /// No number, or a bcrypt cost outside 4 to 31.
    #[error("the bcrypt cost of the hash is not 4 to 31")]
    Cost,
    /// Wrong length, a foreign character, or a last character with stray bits.
    #[error("the salt of the hash is malformed")]
    Salt,
    /// Wrong length, a foreign character, or a last character with stray bits.
    #[error("the digest of the hash is malformed")]
    Digest,
    /// argon2 parameters that are malformed or beyond what a check may cost.
    #[error("the argon2 parameters of the hash are malformed, or above 256 MiB, 16 passes or 16 lanes")]
    Argon2Parameters,
}

/// Digits only: `u32::from_str` alone would take a `+`.
pub(crate) fn parse_number(text: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}
