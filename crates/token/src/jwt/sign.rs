//! Signing access tokens.

use std::fmt;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaEncoding, RsaKeyPair,
    RsaPublicKeyComponents,
};
use jsonwebtoken::EncodingKey;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::crypto::algorithm::{Algorithm, Family};
use crate::crypto::der::pkcs1_of_pkcs8;
use crate::crypto::engine::SigningEngine;
use crate::crypto::key_error::KeyError;
use crate::crypto::provider::PrivateKey;
use crate::jwt::base64url;
use crate::jwt::claims::AccessClaims;
use crate::jwt::jwk::{Jwk, PublicParts};
use crate::jwt::verify::{MAX_TOKEN_BYTES, VerifyingKey};

/// A key that signs access tokens. `Debug` shows no secret, and its bytes are wiped when it is dropped.
pub struct SigningKey {
    engine: SigningEngine,
    pkcs8: Option<Zeroizing<Vec<u8>>>,
    jwk: Option<Jwk>,
    verifying: VerifyingKey,
    /// The encoded header and the dot after it: the same for every token.
    header: String,
}

/// Why a token could not be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// A claim has a value that our verifier would reject, or appears in `extra` as well.
    #[error("the claim {0} can't be signed")]
    BadClaim(&'static str),
    /// The token would be longer than [`MAX_TOKEN_BYTES`].
    #[error("the token would be longer than 16 KiB")]
    TooLong,
    /// The library failed.
    #[error("signing failed")]
    Failed,
}

/// The header, in this order.
#[derive(Serialize)]
struct Header<'k> {
    typ: &'static str,
    alg: Algorithm,
    kid: &'k str,
}

/// A key pair from PKCS#8: the form for jsonwebtoken, the parsed private key, and the public key to publish.
struct Parsed {
    encoding: EncodingKey,
    private: PrivateKey,
    public: PublicParts,
}

impl SigningKey {
    /// Generates a key with the library's own random generator. RSA keys have 2048 bits and take about a second.
    pub fn generate(algorithm: Algorithm) -> Result<Self, KeyError> {
        let pkcs8 = match algorithm.family() {
            Family::Ecdsa => EcdsaKeyPair::generate(ecdsa_algorithm(algorithm)?)
                .and_then(|key| key.to_pkcs8v1())
                .map(|document| Zeroizing::new(document.as_ref().to_vec())),
            Family::Ed25519 => Ed25519KeyPair::generate()
                .and_then(|key| key.to_pkcs8v1())
                .map(|document| Zeroizing::new(document.as_ref().to_vec())),
            Family::Rsa => RsaKeyPair::generate(KeySize::Rsa2048)
                .and_then(|key| key.as_der())
                .map(|document: Pkcs8V1Der<'static>| Zeroizing::new(document.as_ref().to_vec())),
            Family::Hmac => return Err(KeyError::WrongKind(algorithm)),
        };
        Self::from_pkcs8(algorithm, &pkcs8.map_err(|_| KeyError::Generation)?)
    }

    /// Reads the key from an unencrypted PKCS#8 document, as returned by [`SigningKey::to_pkcs8`].
    pub fn from_pkcs8(algorithm: Algorithm, der: &[u8]) -> Result<Self, KeyError> {
        let Parsed { encoding, private, public } = parse_pkcs8(algorithm, der)?;
        let jwk = Jwk::new(algorithm, &public)?;
        let verifying = VerifyingKey::from_jwk(&jwk)?;
        Self::new(encoding, private, verifying, Some(Zeroizing::new(der.to_vec())), Some(jwk))
    }

    /// An HS256 key: a secret of at least 32 bytes. Its `kid` is passed in, because a hash of the secret would help to
    /// guess it.
    pub fn from_secret(secret: &[u8], kid: String) -> Result<Self, KeyError> {
        let verifying = VerifyingKey::from_secret(secret, kid)?;
        let private = PrivateKey::Hmac(Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret)));
        Self::new(EncodingKey::from_secret(secret), private, verifying, None, None)
    }

    fn new(
        encoding: EncodingKey,
        private: PrivateKey,
        verifying: VerifyingKey,
        pkcs8: Option<Zeroizing<Vec<u8>>>,
        jwk: Option<Jwk>,
    ) -> Result<Self, KeyError> {
        let algorithm = verifying.algorithm();
        let header = Header { typ: "at+jwt", alg: algorithm, kid: verifying.kid() };
        let header = serde_json::to_vec(&header).map_err(|_| KeyError::BadKid)?;
        let header = base64url::encode(header) + ".";
        let engine = SigningEngine::new(algorithm, encoding, private);
        Ok(Self { engine, pkcs8, jwk, verifying, header })
    }

    /// The PKCS#8 document, to be sealed by a key ring. None for HS256.
    pub fn to_pkcs8(&self) -> Option<&[u8]> {
        self.pkcs8.as_ref().map(|document| document.as_slice())
    }

    /// The key's id: its RFC 7638 thumbprint (SHA-256, base64url), or for HS256 the one that was passed in.
    pub fn kid(&self) -> &str {
        self.verifying.kid()
    }

    /// The only algorithm that the key signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.verifying.algorithm()
    }

    /// The public key to publish. None for HS256.
    pub fn public_jwk(&self) -> Option<Jwk> {
        self.jwk.clone()
    }

    /// The key that verifies what this one signs.
    pub fn verifying_key(&self) -> VerifyingKey {
        self.verifying.clone()
    }

    /// Signs the claims as a compact JWS whose header contains only `typ`, `alg` and `kid`. Claims that our verifier
    /// would refuse are not signed.
    pub fn sign(&self, claims: &AccessClaims) -> Result<String, SignError> {
        if let Some(name) = claims.problem() {
            return Err(SignError::BadClaim(name));
        }
        let payload = serde_json::to_vec(claims).map_err(|_| SignError::Failed)?;
        let mut token = String::with_capacity(self.header.len() + payload.len() * 4 / 3 + 400);
        token.push_str(&self.header);
        base64url::encode_to(&payload, &mut token);
        let signature = self.engine.sign(token.as_bytes()).map_err(|_| SignError::Failed)?;
        token.push('.');
        token.push_str(&signature);
        if token.len() > MAX_TOKEN_BYTES { Err(SignError::TooLong) } else { Ok(token) }
    }

    #[cfg(test)]
    pub(crate) fn addresses(&self) -> Option<(usize, usize)> {
        self.engine.address().zip(self.verifying.address())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid())
            .field("algorithm", &self.algorithm())
            .finish_non_exhaustive()
    }
}

fn parse_pkcs8(algorithm: Algorithm, der: &[u8]) -> Result<Parsed, KeyError> {
    let invalid = KeyError::Invalid(algorithm);
    match algorithm.family() {
        Family::Ecdsa => {
            let key = EcdsaKeyPair::from_pkcs8(ecdsa_algorithm(algorithm)?, der).map_err(|_| invalid)?;
            let public = PublicParts::Point(key.public_key().as_ref().to_vec());
            Ok(Parsed { encoding: EncodingKey::from_ec_der(der), private: PrivateKey::Ecdsa(key), public })
        }
        Family::Ed25519 => {
            let key = Ed25519KeyPair::from_pkcs8(der).map_err(|_| invalid)?;
            let public = PublicParts::Ed25519(key.public_key().as_ref().to_vec());
            Ok(Parsed { encoding: EncodingKey::from_ed_der(der), private: PrivateKey::Ed25519(key), public })
        }
        Family::Rsa => {
            let padding = rsa_padding(algorithm)?;
            let pkcs1 = pkcs1_of_pkcs8(der).ok_or(invalid)?;
            let key = RsaKeyPair::from_pkcs8(der).map_err(|_| invalid)?;
            let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(key.public_key());
            let public = PublicParts::Rsa { n, e };
            Ok(Parsed { encoding: EncodingKey::from_rsa_der(pkcs1), private: PrivateKey::Rsa(key, padding), public })
        }
        Family::Hmac => Err(KeyError::WrongKind(algorithm)),
    }
}

fn ecdsa_algorithm(algorithm: Algorithm) -> Result<&'static EcdsaSigningAlgorithm, KeyError> {
    match algorithm {
        Algorithm::ES256 => Ok(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
        Algorithm::ES384 => Ok(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
        Algorithm::ES512 => Ok(&signature::ECDSA_P521_SHA512_FIXED_SIGNING),
        _ => Err(KeyError::WrongKind(algorithm)),
    }
}

fn rsa_padding(algorithm: Algorithm) -> Result<&'static dyn RsaEncoding, KeyError> {
    match algorithm {
        Algorithm::RS256 => Ok(&signature::RSA_PKCS1_SHA256),
        Algorithm::RS384 => Ok(&signature::RSA_PKCS1_SHA384),
        Algorithm::RS512 => Ok(&signature::RSA_PKCS1_SHA512),
        Algorithm::PS256 => Ok(&signature::RSA_PSS_SHA256),
        Algorithm::PS384 => Ok(&signature::RSA_PSS_SHA384),
        Algorithm::PS512 => Ok(&signature::RSA_PSS_SHA512),
        _ => Err(KeyError::WrongKind(algorithm)),
    }
}
