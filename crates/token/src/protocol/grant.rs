//! Grant types (RFC 6749 §4.3, §4.4, §6).

/// A grant that a client may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Grant {
    /// RFC 6749 §4.3.
    Password,
    /// RFC 6749 §6.
    RefreshToken,
    /// RFC 6749 §4.4.
    ClientCredentials,
}

impl Grant {
    /// The value of `grant_type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
        }
    }

    /// The grant that `text` names, if it is one that Ficha offers.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Password, Self::RefreshToken, Self::ClientCredentials].into_iter().find(|grant| grant.as_str() == text)
    }
}
