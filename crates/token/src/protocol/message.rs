//! The responses of the token endpoint, for server and client (RFC 6749 §5), and the OAuth error codes.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroize as _;

use crate::protocol::scope::Scope;

/// An error code of the OAuth family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OAuthErrorCode {
    /// `invalid_request`: [RFC 6749 §5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2), and for bearer tokens
    /// [RFC 6750 §3.1](https://www.rfc-editor.org/rfc/rfc6750#section-3.1).
    InvalidRequest,
    /// `invalid_client`: [RFC 6749 §5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2).
    InvalidClient,
    /// `invalid_grant`: [RFC 6749 §5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2).
    InvalidGrant,
    /// `unauthorized_client`: [RFC 6749 §5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2).
    UnauthorizedClient,
    /// `unsupported_grant_type`: [RFC 6749 §5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2).
    UnsupportedGrantType,
    /// `invalid_scope`: [RFC 6749 §5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2).
    InvalidScope,
    /// `invalid_token`: [RFC 6750 §3.1](https://www.rfc-editor.org/rfc/rfc6750#section-3.1).
    InvalidToken,
    /// `insufficient_scope`: [RFC 6750 §3.1](https://www.rfc-editor.org/rfc/rfc6750#section-3.1).
    InsufficientScope,
    /// `unsupported_token_type`: [RFC 7009 §2.2.1](https://www.rfc-editor.org/rfc/rfc7009#section-2.2.1).
    UnsupportedTokenType,
    /// `invalid_target`: [RFC 8707 §2](https://www.rfc-editor.org/rfc/rfc8707#section-2).
    InvalidTarget,
    /// `temporarily_unavailable`: [RFC 6749 §4.1.2.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1). That
    /// section is the authorization endpoint's; here it is the body of a 503.
    TemporarilyUnavailable,
    /// `server_error`: [RFC 6749 §4.1.2.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1). That section is
    /// the authorization endpoint's; here it is the body of a 500.
    ServerError,
}

impl OAuthErrorCode {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::InvalidRequest,
        Self::InvalidClient,
        Self::InvalidGrant,
        Self::UnauthorizedClient,
        Self::UnsupportedGrantType,
        Self::InvalidScope,
        Self::InvalidToken,
        Self::InsufficientScope,
        Self::UnsupportedTokenType,
        Self::InvalidTarget,
        Self::TemporarilyUnavailable,
        Self::ServerError,
    ];

    /// The code as it is sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::UnsupportedTokenType => "unsupported_token_type",
            Self::InvalidTarget => "invalid_target",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::ServerError => "server_error",
        }
    }
}

impl fmt::Display for OAuthErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text that is a credential. `Debug` does not show it, and it is wiped when it is dropped.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl PartialEq for Secret {
    // Takes the same time wherever the texts differ.
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// `token_type`. There is only one; its case is ignored when it is read (RFC 6749 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenType;

impl Serialize for TokenType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("Bearer")
    }
}

impl<'de> Deserialize<'de> for TokenType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        if text.eq_ignore_ascii_case("Bearer") {
            Ok(Self)
        } else {
            Err(serde::de::Error::custom("the token type is not Bearer"))
        }
    }
}

/// A successful response of the token endpoint (RFC 6749 §5.1). `Debug` does not show the tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TokenResponse {
    /// The access token.
    pub access_token: Secret,
    /// Always `Bearer`.
    pub token_type: TokenType,
    /// For how many seconds the access token is valid.
    pub expires_in: u64,
    /// The refresh token. `client_credentials` has none (RFC 6749 §4.4.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<Secret>,
    /// The granted scope. Ficha always sends it; a response without it reads as the empty scope.
    #[serde(default)]
    pub scope: Scope,
}

impl TokenResponse {
    /// A response with a bearer token that is valid for `expires_in` seconds.
    pub fn new(access_token: String, expires_in: u64, refresh_token: Option<String>, scope: Scope) -> Self {
        Self {
            access_token: access_token.into(),
            token_type: TokenType,
            expires_in,
            refresh_token: refresh_token.map(Secret::from),
            scope,
        }
    }
}

/// An error response (RFC 6749 §5.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ErrorBody {
    /// The code.
    pub error: OAuthErrorCode,
    /// A text for the developer. It is always written through [`printable`].
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "write_printable")]
    pub error_description: Option<String>,
}

impl ErrorBody {
    /// The code alone.
    pub fn new(error: OAuthErrorCode) -> Self {
        Self { error, error_description: None }
    }

    /// The code and a text for the developer.
    pub fn described(error: OAuthErrorCode, description: &str) -> Self {
        Self { error, error_description: Some(printable(description)) }
    }
}

/// The text with every character that RFC 6749 §5.2 does not allow in `error_description` replaced with `?`. Allowed
/// are %x20-21 / %x23-5B / %x5D-7E, so neither a double quote nor a backslash.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if matches!(c, ' '..='!' | '#'..='[' | ']'..='~') { c } else { '?' }).collect()
}

#[expect(clippy::ref_option, reason = "serde hands the field over by reference")]
fn write_printable<S: Serializer>(text: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    text.as_deref().map(printable).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_code_is_sent_as_its_name() {
        for &code in OAuthErrorCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }

    #[test]
    fn a_token_response_hides_its_tokens_and_says_bearer() {
        let response = TokenResponse::new("access".into(), 600, Some("refresh".into()), "a b".parse().unwrap());
        let shown = format!("{response:?}");
        assert!(!shown.contains("access\"") && !shown.contains("\"refresh"), "{shown}");
        let text = serde_json::to_string(&response).unwrap();
        let expected = r#"{"access_token":"access","token_type":"Bearer","expires_in":600,"refresh_token":"refresh","scope":"a b"}"#;
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<TokenResponse>(&text.replace("Bearer", "bearer")).unwrap(), response);
        assert!(serde_json::from_str::<TokenResponse>(&text.replace("Bearer", "mac")).is_err());
    }

    proptest! {
        #[test]
        fn a12_a_description_is_printable_whatever_the_input(text in any::<String>()) {
            let body = ErrorBody { error: OAuthErrorCode::InvalidRequest, error_description: Some(text) };
            let json = serde_json::to_value(&body).unwrap();
            let sent = json["error_description"].as_str().unwrap();
            prop_assert!(sent.bytes().all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5B | 0x5D..=0x7E)));
        }
    }
}
