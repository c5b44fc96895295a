//! What the server gives out and recognizes later without storing it: it is authenticated by a refresh key.
//!
//! `base64url(kind ‖ key id ‖ session id ‖ number ‖ HMAC-SHA256(refresh key, all of that))`: 61 bytes, 82 characters. The
//! kind is part of what is authenticated, so that nothing can be used in another's place.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use crate::keys::secret::Secret;

const BODY: usize = 1 + 4 + 16 + 8;
const WHOLE: usize = BODY + 32;
/// The length of its text.
pub const SEALED_CHARS: usize = 82;

/// What something sealed is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A refresh token; its number is the session's generation.
    RefreshToken = 1,
    /// The cookie of a browser that is signed in. Its number is 0.
    BrowserSession = 2,
    /// What a form of a signed-in browser sends back. Its number is 0.
    FormToken = 3,
    /// The proof that the password was typed again; its number is the time, in Unix seconds.
    Confirmation = 4,
    /// What the sign-in form sends back; the session is a random number that the browser has in a cookie.
    SignInForm = 5,
}

/// Something sealed, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    /// What it is for.
    pub kind: Kind,
    /// Which refresh key authenticates it.
    pub key_id: i32,
    /// The session that it belongs to.
    pub session: Uuid,
    /// See [`Kind`].
    pub number: i64,
}

/// Something whose HMAC has not been checked.
pub struct Unchecked {
    sealed: Sealed,
    bytes: [u8; WHOLE],
}

impl Sealed {
    /// Its text.
    pub fn seal(&self, key: &hmac::Key) -> Secret {
        let mut bytes = [0; WHOLE];
        bytes[0] = self.kind as u8;
        bytes[1..5].copy_from_slice(&self.key_id.to_be_bytes());
        bytes[5..21].copy_from_slice(self.session.as_bytes());
        bytes[21..29].copy_from_slice(&self.number.to_be_bytes());
        let tag = hmac::sign(key, &bytes[..BODY]);
        bytes[BODY..].copy_from_slice(tag.as_ref());
        Secret::new(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Parses a text of this kind without checking its HMAC. `None`: it was never one of ours.
    pub fn parse(kind: Kind, text: &str) -> Option<Unchecked> {
        if text.len() != SEALED_CHARS {
            return None;
        }
        // The engine refuses padding and non-zero trailing bits, so each has only one text.
        let bytes: [u8; WHOLE] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (first, rest) = bytes.split_first()?;
        let (key_id, rest) = rest.split_first_chunk::<4>()?;
        let (session, rest) = rest.split_first_chunk::<16>()?;
        let (number, _) = rest.split_first_chunk::<8>()?;
        let sealed = Self {
            kind,
            key_id: i32::from_be_bytes(*key_id),
            session: Uuid::from_bytes(*session),
            number: i64::from_be_bytes(*number),
        };
        (*first == kind as u8).then_some(Unchecked { sealed, bytes })
    }
}

impl Unchecked {
    /// The key that must have made it.
    pub fn key_id(&self) -> i32 {
        self.sealed.key_id
    }

    /// What it contains, if `key` made it. The comparison takes the same time whatever differs.
    pub fn check(self, key: &hmac::Key) -> Option<Sealed> {
        hmac::verify(key, &self.bytes[..BODY], &self.bytes[BODY..]).ok()?;
        Some(self.sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_can_be_used_in_the_place_of_another_kind() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
        let kinds = [Kind::RefreshToken, Kind::BrowserSession, Kind::FormToken, Kind::Confirmation, Kind::SignInForm];
        for made in kinds {
            let sealed = Sealed { kind: made, key_id: 3, session: Uuid::from_u128(9), number: 0 };
            let text = sealed.seal(&key);
            for read in kinds {
                let checked = Sealed::parse(read, text.expose()).and_then(|unchecked| unchecked.check(&key));
                assert_eq!(checked, (made == read).then_some(sealed), "{made:?} as {read:?}");
            }
        }
    }
}
