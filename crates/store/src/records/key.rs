//! Keys, sealed under the master key.

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPurpose {
    /// Signs access tokens.
    Sign,
    /// Authenticates refresh tokens.
    Refresh,
}

impl KeyPurpose {
    /// The text that is stored and displayed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sign => "sign",
            Self::Refresh => "refresh",
        }
    }

    /// Parses the stored text.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Sign, Self::Refresh].into_iter().find(|purpose| purpose.as_str() == text)
    }
}

/// A key, sealed under the master key.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// Its number; refresh tokens carry it.
    pub id: i32,
    /// What it is for.
    pub purpose: KeyPurpose,
    /// `ES256`, …, or `HMAC-SHA256` for a refresh key.
    pub algorithm: String,
    /// Its RFC 7638 thumbprint; a unique name for a refresh key.
    pub kid: String,
    /// Its public half as a JWK, if it has one.
    pub public_jwk: Option<String>,
    /// Its private half, encrypted.
    pub sealed: Vec<u8>,
    /// When it was created, and published.
    pub created_at: i64,
    /// The time from which it signs.
    pub sign_from: i64,
    /// When its last token has expired and it is no longer published; `None` while it is the newest.
    pub expires_at: Option<i64>,
    /// When it was purged. From then on, everything that it signed is rejected.
    pub purged_at: Option<i64>,
}

impl std::fmt::Debug for KeyRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRecord")
            .field("id", &self.id)
            .field("purpose", &self.purpose)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

/// A key to be stored. The database assigns its number.
#[derive(Clone)]
pub struct NewKey {
    /// See [`KeyRecord`].
    pub purpose: KeyPurpose,
    /// See [`KeyRecord`].
    pub algorithm: String,
    /// See [`KeyRecord`].
    pub kid: String,
    /// See [`KeyRecord`].
    pub public_jwk: Option<String>,
    /// See [`KeyRecord`].
    pub sealed: Vec<u8>,
    /// See [`KeyRecord`].
    pub created_at: i64,
    /// See [`KeyRecord`].
    pub sign_from: i64,
}

/// What is needed to check whether the master key is the right one.
#[derive(Clone)]
pub struct SealedKey {
    /// See [`KeyRecord`].
    pub purpose: KeyPurpose,
    /// See [`KeyRecord`].
    pub kid: String,
    /// See [`KeyRecord`].
    pub sealed: Vec<u8>,
}
