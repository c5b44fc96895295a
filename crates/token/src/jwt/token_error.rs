//! Why a token was refused.

/// What is wrong with a token. No message contains anything of the token, so it may be logged and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The text is not a compact JWS of ours; the string says what it is instead or what is wrong with it.
    #[error("malformed token: {0}")]
    Malformed(&'static str),
    /// More than [`MAX_TOKEN_BYTES`](crate::jwt::verify::MAX_TOKEN_BYTES).
    #[error("the token is too long")]
    TooLong,
    /// `alg` is `none`, unknown, or not among the expected ones.
    #[error("the token's algorithm is not accepted")]
    UnsupportedAlgorithm,
    /// `typ` is not `at+jwt` (RFC 9068 §4).
    #[error("the token is not an access token")]
    WrongType,
    /// The header has `crit` or `b64`: no extension is understood here (RFC 7515 §4.1.11, RFC 7797).
    #[error("the token requires an unsupported extension")]
    UnsupportedExtension,
    /// No key has the token's `kid`.
    #[error("the token's key is unknown")]
    UnknownKey,
    /// `alg` is not the one algorithm of the key (RFC 8725 §3.1).
    #[error("the token's algorithm does not match its key")]
    WrongAlgorithm,
    /// The key did not make this signature over this text.
    #[error("the token's signature is wrong")]
    BadSignature,
    /// A claim that RFC 9068 §2.2 or Ficha requires is missing.
    #[error("the token has no {0}")]
    MissingClaim(&'static str),
    /// A claim has the wrong type, or an impossible value.
    #[error("the token's {0} is malformed")]
    BadClaim(&'static str),
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` or `iat` lies in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// `iss` is another issuer.
    #[error("the token is from another issuer")]
    WrongIssuer,
    /// `aud` contains none of the expected audiences.
    #[error("the token is for another audience")]
    WrongAudience,
}
