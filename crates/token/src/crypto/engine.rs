//! A parsed key and how it is used: through jsonwebtoken if that supports the algorithm, otherwise directly with
//! aws-lc. jsonwebtoken 11 does not support ES512.

use aws_lc_rs::error::Unspecified;
use jsonwebtoken::{DecodingKey, EncodingKey};

use crate::crypto::algorithm::Algorithm;
use crate::crypto::provider::{self, Pin, PrivateKey, PublicKey};
use crate::jwt::base64url;

/// Signs with one key.
pub(crate) enum SigningEngine {
    Jsonwebtoken {
        // First, because fields are dropped in this order and the pin must be dropped before its bytes.
        _pin: Pin<PrivateKey>,
        encoding: EncodingKey,
        algorithm: jsonwebtoken::Algorithm,
    },
    AwsLc(PrivateKey),
}

impl SigningEngine {
    pub(crate) fn new(algorithm: Algorithm, encoding: EncodingKey, parsed: PrivateKey) -> Self {
        match algorithm.to_jsonwebtoken() {
            Some(algorithm) => {
                Self::Jsonwebtoken { _pin: provider::pin_private(&encoding, algorithm, parsed), encoding, algorithm }
            }
            None => Self::AwsLc(parsed),
        }
    }

    /// The signature over `message`, in base64url.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<String, Unspecified> {
        match self {
            Self::Jsonwebtoken { encoding, algorithm, .. } => {
                jsonwebtoken::crypto::sign(message, encoding, *algorithm).map_err(|_| Unspecified)
            }
            Self::AwsLc(key) => key.sign(message).map(base64url::encode),
        }
    }

    #[cfg(test)]
    pub(crate) fn address(&self) -> Option<usize> {
        match self {
            Self::Jsonwebtoken { encoding, .. } => Some(provider::private_address(encoding)),
            Self::AwsLc(_) => None,
        }
    }
}

/// Verifies with one key.
pub(crate) enum VerifyingEngine {
    Jsonwebtoken {
        // First, as above.
        _pin: Pin<PublicKey>,
        decoding: DecodingKey,
        algorithm: jsonwebtoken::Algorithm,
    },
    AwsLc(PublicKey),
}

impl VerifyingEngine {
    pub(crate) fn new(algorithm: Algorithm, decoding: DecodingKey, parsed: PublicKey) -> Self {
        match algorithm.to_jsonwebtoken() {
            Some(algorithm) => {
                Self::Jsonwebtoken { _pin: provider::pin_public(&decoding, algorithm, parsed), decoding, algorithm }
            }
            None => Self::AwsLc(parsed),
        }
    }

    /// True if `signature`, in base64url, is this key's signature over `message`.
    pub(crate) fn accepts(&self, message: &[u8], signature: &str) -> bool {
        match self {
            Self::Jsonwebtoken { decoding, algorithm, .. } => {
                jsonwebtoken::crypto::verify(signature, message, decoding, *algorithm).unwrap_or(false)
            }
            Self::AwsLc(key) => {
                base64url::decode(signature).is_some_and(|signature| key.verify(message, &signature).is_ok())
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn address(&self) -> Option<usize> {
        match self {
            Self::Jsonwebtoken { decoding, .. } => Some(provider::public_address(decoding)),
            Self::AwsLc(_) => None,
        }
    }
}
