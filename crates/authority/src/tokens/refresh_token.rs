//! Refresh tokens: derived from a session's row, never stored.
//!
//! `base64url(version ‖ key id ‖ session id ‖ generation ‖ HMAC-SHA256(refresh key, all of that))`: 61 bytes, 82
//! characters. They are opaque to everyone else (RFC 6749 §1.5).

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use crate::keys::secret::Secret;

const VERSION: u8 = 1;
const BODY: usize = 1 + 4 + 16 + 8;
const WHOLE: usize = BODY + 32;
/// The length of a refresh token's text.
pub const REFRESH_TOKEN_CHARS: usize = 82;

/// The content of a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshToken {
    /// Which refresh key authenticates it.
    pub key_id: i32,
    /// The session that it continues.
    pub session: Uuid,
    /// How often that session had been refreshed when it was issued.
    pub generation: i64,
}

/// A refresh token whose HMAC has not been checked.
pub struct UncheckedRefreshToken {
    token: RefreshToken,
    bytes: [u8; WHOLE],
}

impl RefreshToken {
    /// The text that a client gets.
    pub fn seal(&self, key: &hmac::Key) -> Secret {
        let mut bytes = [0; WHOLE];
        self.write_body(&mut bytes);
        let tag = hmac::sign(key, &bytes[..BODY]);
        bytes[BODY..].copy_from_slice(tag.as_ref());
        Secret::new(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Parses a text without checking its HMAC. `None`: it was never one of ours.
    pub fn parse(text: &str) -> Option<UncheckedRefreshToken> {
        if text.len() != REFRESH_TOKEN_CHARS {
            return None;
        }
        // The engine refuses padding and non-zero trailing bits, so each token has only one text.
        let bytes: [u8; WHOLE] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (version, rest) = bytes.split_first()?;
        let (key_id, rest) = rest.split_first_chunk::<4>()?;
        let (session, rest) = rest.split_first_chunk::<16>()?;
        let (generation, _) = rest.split_first_chunk::<8>()?;
        let token = Self {
            key_id: i32::from_be_bytes(*key_id),
            session: Uuid::from_bytes(*session),
            generation: i64::from_be_bytes(*generation),
        };
        (*version == VERSION).then_some(UncheckedRefreshToken { token, bytes })
    }

    fn write_body(&self, bytes: &mut [u8; WHOLE]) {
        bytes[0] = VERSION;
        bytes[1..5].copy_from_slice(&self.key_id.to_be_bytes());
        bytes[5..21].copy_from_slice(self.session.as_bytes());
        bytes[21..29].copy_from_slice(&self.generation.to_be_bytes());
    }
}

impl UncheckedRefreshToken {
    /// The key that must have made it.
    pub fn key_id(&self) -> i32 {
        self.token.key_id
    }

    /// The token, if `key` made it. The comparison takes the same time whatever differs.
    pub fn check(self, key: &hmac::Key) -> Option<RefreshToken> {
        hmac::verify(key, &self.bytes[..BODY], &self.bytes[BODY..]).ok()?;
        Some(self.token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(byte: u8) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &[byte; 32])
    }

    proptest! {
        #[test]
        fn a_token_is_read_back_as_it_was_sealed(key_id: i32, session: u128, generation: i64) {
            let token = RefreshToken { key_id, session: Uuid::from_u128(session), generation };
            let text = token.seal(&key(1));
            prop_assert_eq!(text.expose().len(), REFRESH_TOKEN_CHARS);
            let unchecked = RefreshToken::parse(text.expose()).unwrap();
            prop_assert_eq!(unchecked.key_id(), key_id);
            prop_assert_eq!(unchecked.check(&key(1)), Some(token));
            prop_assert_eq!(RefreshToken::parse(text.expose()).unwrap().check(&key(2)), None);
        }

        #[test]
        fn one_changed_character_makes_it_invalid(position in 0..REFRESH_TOKEN_CHARS, with in "[A-Za-z0-9_-]") {
            let token = RefreshToken { key_id: 7, session: Uuid::from_u128(42), generation: 3 };
            let text = token.seal(&key(1)).expose().to_owned();
            let mut changed = text.clone();
            changed.replace_range(position..=position, &with);
            let accepted = RefreshToken::parse(&changed).and_then(|unchecked| unchecked.check(&key(1)));
            prop_assert_eq!(accepted.is_some(), changed == text);
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,200}") {
            let _ = RefreshToken::parse(&text);
        }
    }
}
