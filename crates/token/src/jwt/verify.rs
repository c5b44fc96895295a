//! Verifying access tokens: first the text and its signature, then the claims.
//!
//! jsonwebtoken's `decode` accepts an unknown `crit`, any `typ` and a missing `aud`, and reads the machine's clock
//! (seen with 11.1). So a token is parsed here, jsonwebtoken verifies only the signature, and the claims are checked
//! against a time that the caller passes in.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents, VerificationAlgorithm};
use aws_lc_rs::{digest, hmac};
use jsonwebtoken::DecodingKey;

use crate::crypto::algorithm::Algorithm;
use crate::crypto::engine::VerifyingEngine;
use crate::crypto::key_error::KeyError;
use crate::crypto::provider::PublicKey;
use crate::denylist::deny_id::DenyId;
use crate::jwt::claims::AccessClaims;
use crate::jwt::jwk::{Jwk, MAX_KID_BYTES, PublicParts};

#[doc(hidden)]
pub use crate::jwt::compact::verify_jws;
pub use crate::jwt::compact::{MAX_TOKEN_BYTES, Unverified};
pub use crate::jwt::token_error::TokenError;

/// The shortest HS256 secret, in bytes: the size of the hash (RFC 7518 §3.2).
pub const MIN_SECRET_BYTES: usize = 32;
/// The largest leeway for clocks that disagree, in seconds. [`DENY_MARGIN_SECONDS`](crate::DENY_MARGIN_SECONDS) relies
/// on it.
pub const MAX_LEEWAY_SECONDS: u32 = 60;
/// The largest RSA modulus, 8192 bits: aws-lc does not verify larger ones.
const MAX_RSA_BYTES: usize = 1024;
/// How far `iat` may lie in the future beyond the leeway, in seconds.
const MAX_ISSUED_AHEAD_SECONDS: i64 = 60;

/// A key that verifies tokens: its `kid`, its only algorithm, and the key itself, parsed once. Cloning it is cheap.
#[derive(Clone)]
pub struct VerifyingKey(Arc<Inner>);

struct Inner {
    engine: VerifyingEngine,
    algorithm: Algorithm,
    kid: String,
    deny_id: DenyId,
    fingerprint: [u8; 32],
}

impl VerifyingKey {
    /// The key of a published JWK. It needs a `kid` and exactly one algorithm; an RSA key needs at least 2048 bits.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, KeyError> {
        let other_use = jwk.key_use.as_deref().is_some_and(|key_use| key_use != "sig");
        if other_use || jwk.key_ops.as_ref().is_some_and(|ops| !ops.iter().any(|op| op == "verify")) {
            return Err(KeyError::NotForSignatures);
        }
        let algorithm = jwk.algorithm()?;
        let kid = jwk.kid.clone().ok_or(KeyError::NoKid)?;
        Self::from_parts(algorithm, kid, &jwk.parts()?)
    }

    /// An HS256 key.
    pub fn from_secret(secret: &[u8], kid: String) -> Result<Self, KeyError> {
        Self::from_hmac(Algorithm::HS256, secret, kid)
    }

    /// An HMAC key. The secret must be at least as long as the hash: 32 bytes for HS256, 48 for HS384, 64 for HS512
    /// (RFC 7518 §3.2).
    pub fn from_hmac(algorithm: Algorithm, secret: &[u8], kid: String) -> Result<Self, KeyError> {
        let hash = match algorithm {
            Algorithm::HS256 => hmac::HMAC_SHA256,
            Algorithm::HS384 => hmac::HMAC_SHA384,
            Algorithm::HS512 => hmac::HMAC_SHA512,
            _ => return Err(KeyError::WrongKind(algorithm)),
        };
        if secret.len() < hash.digest_algorithm().output_len() {
            return Err(KeyError::SecretTooShort);
        }
        let key = hmac::Key::new(hash, secret);
        // Not a hash of the secret, which would help to guess it.
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(&hmac::sign(&key, b"ficha key fingerprint").as_ref()[..32]);
        Self::new(algorithm, kid, DecodingKey::from_secret(secret), PublicKey::Hmac(Box::new(key)), fingerprint)
    }

    pub(crate) fn from_parts(algorithm: Algorithm, kid: String, parts: &PublicParts) -> Result<Self, KeyError> {
        let invalid = KeyError::Invalid(algorithm);
        let (decoding, parsed) = match parts {
            PublicParts::Point(point) => {
                let parsed = ParsedPublicKey::new(curve(algorithm)?, point).map_err(|_| invalid)?;
                (DecodingKey::from_ec_der(point), parsed)
            }
            PublicParts::Ed25519(x) => {
                let parsed = ParsedPublicKey::new(curve(algorithm)?, x).map_err(|_| invalid)?;
                (DecodingKey::from_ed_der(x), parsed)
            }
            PublicParts::Rsa { n, e } => {
                if n.len() > MAX_RSA_BYTES {
                    return Err(invalid);
                }
                // Counted in bits, because 2041 bits fill 256 bytes too.
                let bits = n.len() * 8 - n.first().map_or(0, |first| first.leading_zeros() as usize);
                if bits < 2048 {
                    return Err(KeyError::RsaTooSmall);
                }
                // A product of two large primes is odd.
                if n.last().is_none_or(|last| last % 2 == 0) {
                    return Err(KeyError::BadMember("n"));
                }
                // RFC 8017 §3.1: odd and at least 3. aws-lc accepts 2, and with 1 anyone can sign. Exponents of more
                // than 32 bits are not in use, and would make every check slow.
                if e.last().is_none_or(|last| last % 2 == 0) || e.as_slice() == [1] || e.len() > 4 {
                    return Err(KeyError::BadMember("e"));
                }
                let parsed = RsaPublicKeyComponents { n, e }
                    .to_parsed_public_key(rsa_parameters(algorithm)?)
                    .map_err(|_| invalid)?;
                (DecodingKey::from_rsa_raw_components(n, e), parsed)
            }
        };
        Self::new(algorithm, kid, decoding, PublicKey::Asymmetric(parsed), fingerprint(parts))
    }

    fn new(
        algorithm: Algorithm,
        kid: String,
        decoding: DecodingKey,
        parsed: PublicKey,
        fingerprint: [u8; 32],
    ) -> Result<Self, KeyError> {
        if kid.is_empty() || kid.len() > MAX_KID_BYTES {
            return Err(KeyError::BadKid);
        }
        let engine = VerifyingEngine::new(algorithm, decoding, parsed);
        let deny_id = DenyId::of_key(&kid);
        Ok(Self(Arc::new(Inner { engine, algorithm, kid, deny_id, fingerprint })))
    }

    /// The id by which tokens name the key.
    pub fn kid(&self) -> &str {
        &self.0.kid
    }

    /// The only algorithm that the key verifies.
    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm
    }

    /// The id under which the whole key would be denied, computed once: the same as [`DenyId::of_key`] of its `kid`.
    pub fn deny_id(&self) -> DenyId {
        self.0.deny_id
    }

    /// True if `signature`, in base64url, is this key's signature over `message`.
    pub(crate) fn accepts(&self, message: &[u8], signature: &str) -> bool {
        self.0.engine.accepts(message, signature)
    }

    #[cfg(test)]
    pub(crate) fn address(&self) -> Option<usize> {
        self.0.engine.address()
    }
}

/// Two are equal if they are the same key under the same `kid` for the same algorithm, wherever each was read.
impl PartialEq for VerifyingKey {
    fn eq(&self, other: &Self) -> bool {
        let facts = |key: &Self| (key.0.algorithm, key.0.fingerprint);
        Arc::ptr_eq(&self.0, &other.0) || (facts(self) == facts(other) && self.0.kid == other.0.kid)
    }
}

impl Eq for VerifyingKey {}

impl fmt::Debug for VerifyingKey {
    // The key of HS256 is a secret, so none is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey").field("kid", &self.0.kid).field("algorithm", &self.0.algorithm).finish()
    }
}

/// Distinguishes public keys of one algorithm.
fn fingerprint(parts: &PublicParts) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    match parts {
        PublicParts::Point(bytes) | PublicParts::Ed25519(bytes) => context.update(bytes),
        PublicParts::Rsa { n, e } => {
            // RFC 8017 §3.1 fixes neither length, so the length of `n` is included.
            context.update(&n.len().to_le_bytes());
            context.update(n);
            context.update(e);
        }
    }
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(context.finish().as_ref());
    fingerprint
}

fn curve(algorithm: Algorithm) -> Result<&'static dyn VerificationAlgorithm, KeyError> {
    match algorithm {
        Algorithm::ES256 => Ok(&signature::ECDSA_P256_SHA256_FIXED),
        Algorithm::ES384 => Ok(&signature::ECDSA_P384_SHA384_FIXED),
        Algorithm::ES512 => Ok(&signature::ECDSA_P521_SHA512_FIXED),
        Algorithm::EdDSA => Ok(&signature::ED25519),
        _ => Err(KeyError::WrongKind(algorithm)),
    }
}

fn rsa_parameters(algorithm: Algorithm) -> Result<&'static RsaParameters, KeyError> {
    match algorithm {
        Algorithm::RS256 => Ok(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Ok(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Ok(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => Ok(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => Ok(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => Ok(&signature::RSA_PSS_2048_8192_SHA512),
        _ => Err(KeyError::WrongKind(algorithm)),
    }
}

/// What a service requires of a token. [`Expected::new`] creates it; later versions may add requirements.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Expected {
    /// The issuer. Compared byte by byte (RFC 8414 §3.3 has no normalisation).
    pub issuer: String,
    /// The audiences of this service: the token must have one of them. If empty, any audience is accepted.
    pub audiences: Vec<String>,
    /// By how many seconds clocks may disagree. A larger value counts as [`MAX_LEEWAY_SECONDS`].
    pub leeway: u32,
    /// The algorithms that this service accepts, in addition to the rule that each key has only one. If empty, no token
    /// is accepted.
    pub algorithms: Vec<Algorithm>,
}

impl Expected {
    /// Tokens of this issuer for at least one of these audiences, signed with one of these algorithms, without leeway. If
    /// there is no audience, tokens for any audience are accepted.
    pub fn new(
        issuer: impl Into<String>,
        audiences: impl IntoIterator<Item = impl Into<String>>,
        algorithms: impl IntoIterator<Item = Algorithm>,
    ) -> Self {
        Self {
            issuer: issuer.into(),
            audiences: audiences.into_iter().map(Into::into).collect(),
            leeway: 0,
            algorithms: algorithms.into_iter().collect(),
        }
    }

    /// Tokens of this issuer for any audience: also those that were issued for another service.
    pub fn for_any_audience(issuer: impl Into<String>, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        Self::new(issuer, std::iter::empty::<String>(), algorithms)
    }

    /// Sets [`Expected::leeway`], in seconds.
    pub fn with_leeway(mut self, seconds: u32) -> Self {
        self.leeway = seconds;
        self
    }
}

/// Checks issuer, audience and times at `now` (Unix seconds). A token is valid from `nbf - leeway` on, and before
/// `exp + leeway`. An `iat` more than a minute beyond the leeway in the future is refused: RFC 7519 §4.1.6 does not require
/// that, but such a token was issued with a broken clock, and its life can't be what its issuer intended.
pub fn check_claims(claims: &AccessClaims, expected: &Expected, now: i64) -> Result<(), TokenError> {
    if claims.iss != expected.issuer {
        return Err(TokenError::WrongIssuer);
    }
    if claims.aud.is_empty() {
        return Err(TokenError::WrongAudience);
    }
    if !expected.audiences.is_empty() && !claims.aud.iter().any(|audience| expected.audiences.contains(audience)) {
        return Err(TokenError::WrongAudience);
    }
    check_times(claims, expected, now)
}

/// The part of [`check_claims`] whose result changes with time. It is enough for claims that have passed all of it once
/// with the same `expected`.
pub fn check_times(claims: &AccessClaims, expected: &Expected, now: i64) -> Result<(), TokenError> {
    let leeway = i64::from(expected.leeway.min(MAX_LEEWAY_SECONDS));
    if claims.exp <= now.saturating_sub(leeway) {
        return Err(TokenError::Expired);
    }
    let latest = now.saturating_add(leeway);
    if claims.nbf.is_some_and(|nbf| nbf > latest) || claims.iat > latest.saturating_add(MAX_ISSUED_AHEAD_SECONDS) {
        return Err(TokenError::NotYetValid);
    }
    Ok(())
}

impl Unverified<'_> {
    /// Checks everything: the algorithm against what is expected and against the key's, the signature, and the claims
    /// at `now` (Unix seconds). It does not check whether the token is denied.
    pub fn verify(&self, key: &VerifyingKey, expected: &Expected, now: i64) -> Result<AccessClaims, TokenError> {
        if !expected.algorithms.contains(&self.algorithm()) {
            return Err(TokenError::UnsupportedAlgorithm);
        }
        let claims = self.verify_signature(key)?;
        check_claims(&claims, expected, now)?;
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_of_rfc_8037_a_4_is_verified() {
        let jwk = r#"{"kty":"OKP","crv":"Ed25519","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        let key = VerifyingKey::from_jwk(&serde_json::from_str(jwk).unwrap()).unwrap();
        assert_eq!(key.algorithm(), Algorithm::EdDSA);
        let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        assert!(key.accepts(message, signature));
        assert!(!key.accepts(&message[1..], signature));
        assert!(!key.accepts(message, &format!("{signature}==")));
    }

    #[test]
    fn the_same_key_read_twice_is_equal_and_every_other_is_not() {
        let jwk = crate::SigningKey::generate(Algorithm::ES256).unwrap().public_jwk().unwrap();
        let key = |jwk: &Jwk| VerifyingKey::from_jwk(jwk).unwrap();
        assert_eq!(key(&jwk), key(&jwk));
        let other = crate::SigningKey::generate(Algorithm::ES256).unwrap().public_jwk().unwrap();
        assert_ne!(key(&jwk), key(&Jwk { kid: jwk.kid.clone(), ..other }), "another key under its name");
        assert_ne!(key(&jwk), key(&Jwk { kid: Some("k".into()), ..jwk.clone() }), "under another name");
        let secret = |secret: u8, algorithm| VerifyingKey::from_hmac(algorithm, &[secret; 48], "k".into()).unwrap();
        assert_eq!(secret(1, Algorithm::HS256), secret(1, Algorithm::HS256));
        assert_ne!(secret(1, Algorithm::HS256), secret(2, Algorithm::HS256));
        assert_ne!(secret(1, Algorithm::HS256), secret(1, Algorithm::HS384));
    }
}
