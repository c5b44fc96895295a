//! Secrets that are never printed.

use std::fmt;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ficha_token::Entropy;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A text that must not be shown: `Debug` hides it, and its memory is wiped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// 256 random bits, in base64url.
    pub fn random(entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(bytes.as_mut());
        Self::new(URL_SAFE_NO_PAD.encode(bytes.as_ref()))
    }

    /// The secret itself. Use it only where it has to leave the process.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// True if it is the empty text.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How a client's secret is stored. A secret of 256 random bits needs no slow hash: it can't be guessed, and
    /// introspection checks it on every call.
    pub fn digest(&self) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(digest::digest(&digest::SHA256, self.0.as_bytes()).as_ref());
        out
    }

    /// True if `stored` is its [`Secret::digest`]; takes the same time whatever differs.
    pub fn matches(&self, stored: &[u8; 32]) -> bool {
        self.digest().ct_eq(stored).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}
