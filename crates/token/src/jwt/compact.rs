//! Parsing a compact JWS (RFC 7515 §7.1), strictly.

use std::fmt;

use serde_json::{Map, Value};

use crate::crypto::algorithm::Algorithm;
use crate::jwt::base64url;
use crate::jwt::claims::AccessClaims;
use crate::jwt::json;
use crate::jwt::jwk::MAX_KID_BYTES;
use crate::jwt::token_error::TokenError;
use crate::jwt::verify::VerifyingKey;

/// The longest token that is parsed, in bytes. A header line of 16 KiB is more than most servers accept.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;
/// The longest header, in base64url bytes.
const MAX_HEADER_BYTES: usize = 4 * 1024;

/// A token that has been parsed but not verified. Nothing in it can be trusted yet; `kid` and `alg` only say which key
/// to try.
pub struct Unverified<'t> {
    signed: &'t str,
    signature: &'t str,
    payload: Vec<u8>,
    kid: String,
    algorithm: Algorithm,
}

impl<'t> Unverified<'t> {
    /// Parses a token. Sizes and characters are checked first, so that a text that is not a token costs almost nothing;
    /// then the header. Keys that the header carries or points to (`jwk`, `jku`, `x5c`, `x5u`) are neither read nor
    /// fetched.
    pub fn parse(token: &'t str) -> Result<Self, TokenError> {
        Self::parse_as(token, Kind::AccessToken)
    }

    fn parse_as(token: &'t str, kind: Kind) -> Result<Self, TokenError> {
        let [header, payload, signature] = split(token)?;
        let signed = &token[..header.len() + 1 + payload.len()];
        if header.len() > MAX_HEADER_BYTES {
            return Err(TokenError::Malformed("its header is too long"));
        }
        let header = base64url::decode(header).ok_or(TokenError::Malformed("its header is not base64url"))?;
        let header = json::object(&header)
            .ok_or(TokenError::Malformed("its header is not a JSON object with each member once"))?;
        let (algorithm, kid) = read_header(&header, kind)?;
        let payload = base64url::decode(payload).ok_or(TokenError::Malformed("its claims are not base64url"))?;
        if base64url::decode(signature).is_none() {
            return Err(TokenError::Malformed("its signature is not base64url"));
        }
        Ok(Self { signed, signature, payload, kid: kid.to_owned(), algorithm })
    }

    /// The id of the key that is said to have signed it, at most 256 bytes.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The algorithm that the header names.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Checks that `key` signed exactly this text, and reads the claims. Times, issuer and audience are still
    /// unchecked: see [`check_claims`](crate::check_claims).
    pub fn verify_signature(&self, key: &VerifyingKey) -> Result<AccessClaims, TokenError> {
        self.check_signature(key)?;
        AccessClaims::from_json(&self.payload)
    }

    fn check_signature(&self, key: &VerifyingKey) -> Result<(), TokenError> {
        if key.kid() != self.kid {
            return Err(TokenError::UnknownKey);
        }
        // The key decides the algorithm, never the token: otherwise a public RSA key could serve as an HMAC secret.
        if key.algorithm() != self.algorithm {
            return Err(TokenError::WrongAlgorithm);
        }
        if !key.accepts(self.signed.as_bytes(), self.signature) {
            return Err(TokenError::BadSignature);
        }
        Ok(())
    }
}

/// The payload of a compact JWS of any type, if `key` signed it: the layer below access tokens, for test vectors that
/// are not access tokens. It checks neither `typ` nor any claim, so it must not be used to authorize requests.
#[doc(hidden)]
pub fn verify_jws(text: &str, key: &VerifyingKey) -> Result<Vec<u8>, TokenError> {
    let unverified = Unverified::parse_as(text, Kind::Anything)?;
    unverified.check_signature(key)?;
    Ok(unverified.payload)
}

/// What `typ` must be.
#[derive(Clone, Copy)]
enum Kind {
    AccessToken,
    Anything,
}

impl fmt::Debug for Unverified<'_> {
    // The text is a credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unverified").field("kid", &self.kid).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// Splits a token into three parts of base64url characters: one pass over the bytes, and nothing is decoded.
fn split(token: &str) -> Result<[&str; 3], TokenError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(TokenError::TooLong);
    }
    match token.as_bytes().first() {
        None => return Err(TokenError::Malformed("it is empty")),
        Some(b'{') => return Err(TokenError::Malformed("it is the JSON serialization")),
        Some(_) => {}
    }
    if !token.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')) {
        return Err(TokenError::Malformed("it has a character that no token has"));
    }
    let mut parts = token.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(_), Some(_), Some(""), None, ..) => Err(TokenError::Malformed("it has no signature")),
        (Some(header), Some(payload), Some(signature), None, ..) => Ok([header, payload, signature]),
        (.., Some(_), None) => Err(TokenError::Malformed("it is encrypted")),
        _ => Err(TokenError::Malformed("it does not have three parts")),
    }
}

fn read_header(header: &Map<String, Value>, kind: Kind) -> Result<(Algorithm, &str), TokenError> {
    // RFC 7515 §4.1.11: a recipient that does not understand a critical extension must reject. None is understood here,
    // and an empty list is not allowed either. `b64` changes what is signed (RFC 7797).
    if header.contains_key("crit") || header.contains_key("b64") {
        return Err(TokenError::UnsupportedExtension);
    }
    let algorithm = match header.get("alg") {
        Some(Value::String(name)) => name.parse().map_err(|_| TokenError::UnsupportedAlgorithm)?,
        Some(_) => return Err(TokenError::Malformed("its alg is not a string")),
        None => return Err(TokenError::Malformed("it has no alg")),
    };
    match (kind, header.get("typ")) {
        (Kind::AccessToken, Some(Value::String(name))) if is_access_token_type(name) => {}
        (Kind::AccessToken, _) => return Err(TokenError::WrongType),
        (Kind::Anything, _) => {}
    }
    match header.get("kid") {
        Some(Value::String(kid)) if !kid.is_empty() && kid.len() <= MAX_KID_BYTES => Ok((algorithm, kid)),
        Some(_) => Err(TokenError::Malformed("its kid is not a string of 1 to 256 bytes")),
        None => Err(TokenError::Malformed("it has no kid")),
    }
}

/// RFC 9068 §4 with RFC 7515 §4.1.9: a media type, so case is ignored and `application/` may be left out.
fn is_access_token_type(name: &str) -> bool {
    name.eq_ignore_ascii_case("at+jwt") || name.eq_ignore_ascii_case("application/at+jwt")
}
