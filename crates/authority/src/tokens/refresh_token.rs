//! Refresh tokens: derived from a session's row, never stored ([`Sealed`]). They are opaque to everyone else (RFC 6749
//! §1.5).

use aws_lc_rs::hmac;
use uuid::Uuid;

use crate::keys::secret::Secret;
use crate::tokens::sealed::{Kind, Sealed, Unchecked};

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
pub struct UncheckedRefreshToken(Unchecked);

impl RefreshToken {
    /// The text that a client gets.
    pub fn seal(&self, key: &hmac::Key) -> Secret {
        let Self { key_id, session, generation } = *self;
        Sealed { kind: Kind::RefreshToken, key_id, session, number: generation }.seal(key)
    }

    /// Parses a text without checking its HMAC. `None`: it was never one of ours.
    pub fn parse(text: &str) -> Option<UncheckedRefreshToken> {
        Sealed::parse(Kind::RefreshToken, text).map(UncheckedRefreshToken)
    }
}

impl UncheckedRefreshToken {
    /// The key that must have made it.
    pub fn key_id(&self) -> i32 {
        self.0.key_id()
    }

    /// The token, if `key` made it. The comparison takes the same time whatever differs.
    pub fn check(self, key: &hmac::Key) -> Option<RefreshToken> {
        let Sealed { key_id, session, number, .. } = self.0.check(key)?;
        Some(RefreshToken { key_id, session, generation: number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::sealed::SEALED_CHARS;
    use proptest::prelude::*;

    fn key(byte: u8) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &[byte; 32])
    }

    proptest! {
        #[test]
        fn a_token_is_read_back_as_it_was_sealed(key_id: i32, session: u128, generation: i64) {
            let token = RefreshToken { key_id, session: Uuid::from_u128(session), generation };
            let text = token.seal(&key(1));
            prop_assert_eq!(text.expose().len(), SEALED_CHARS);
            let unchecked = RefreshToken::parse(text.expose()).unwrap();
            prop_assert_eq!(unchecked.key_id(), key_id);
            prop_assert_eq!(unchecked.check(&key(1)), Some(token));
            prop_assert_eq!(RefreshToken::parse(text.expose()).unwrap().check(&key(2)), None);
        }

        #[test]
        fn one_changed_character_makes_it_invalid(position in 0..SEALED_CHARS, with in "[A-Za-z0-9_-]") {
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
