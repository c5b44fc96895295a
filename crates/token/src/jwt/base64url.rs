//! base64url as in JOSE (RFC 7515 §2): without padding, and canonical.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Appends the text to `buffer`.
pub(crate) fn encode_to(bytes: &[u8], buffer: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, buffer);
}

/// The bytes, or nothing: padding, other characters and trailing bits that are not zero are refused, so that no two
/// texts decode to the same bytes.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_text_is_read() {
        assert_eq!(decode("AQ"), Some(vec![1]));
        for text in ["AQ==", "AR", "A", "AQ\n", " AQ", "A+", "A/", "AQ.", "é"] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}
