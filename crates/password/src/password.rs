//! A password as typed.

use std::fmt;

use zeroize::Zeroizing;

/// The longest password that is checked or stored, in bytes. A longer one fails like a wrong one.
pub const MAX_PASSWORD_BYTES: usize = 256;

/// A plain password as typed: UTF-8, unchanged. Redacted in `Debug`, wiped when dropped.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes the password as received. Nothing is trimmed or normalised.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The bytes that are hashed.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The text, for the policy.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// True if it is longer than [`MAX_PASSWORD_BYTES`].
    pub(crate) fn is_too_long(&self) -> bool {
        self.0.len() > MAX_PASSWORD_BYTES
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Password::new("correct horse")), "Password(redacted)");
    }

    #[test]
    fn the_bytes_are_unchanged() {
        assert_eq!(Password::new(" naïve\u{301} +%&= ").as_bytes(), " naïve\u{301} +%&= ".as_bytes());
    }
}
