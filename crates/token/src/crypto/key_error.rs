//! Why a key can't be used.

use crate::crypto::algorithm::Algorithm;

/// Why a key was refused. The messages contain nothing of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The bytes are not a key of that algorithm.
    #[error("not a valid {0} key")]
    Invalid(Algorithm),
    /// The algorithm has no key of that kind, such as PKCS#8 for HS256.
    #[error("{0} does not take a key of this kind")]
    WrongKind(Algorithm),
    /// RSA below 2048 bits (RFC 7518 §3.3).
    #[error("an RSA key needs at least 2048 bits")]
    RsaTooSmall,
    /// A secret shorter than the hash: 32, 48 or 64 bytes (RFC 7518 §3.2).
    #[error("an HMAC secret must be at least as long as the hash: 32 bytes for HS256, 48 for HS384, 64 for HS512")]
    SecretTooShort,
    /// Without `kid` no token could name the key.
    #[error("the key has no kid")]
    NoKid,
    /// A `kid` that is longer than 256 bytes, or empty.
    #[error("the kid is empty or longer than 256 bytes")]
    BadKid,
    /// A `use` that is not `sig`, or `key_ops` without `verify` (RFC 7517 §4.2, §4.3).
    #[error("the key is not for signatures")]
    NotForSignatures,
    /// A `kty` or `crv` that is not known here. Symmetric keys (`oct`) are never taken from a key set.
    #[error("the key type or curve is not supported")]
    UnsupportedType,
    /// `alg` is missing where the key type does not imply it, or is unknown, or does not fit the key type.
    #[error("the key's alg is missing, unknown, or does not fit the key")]
    BadAlgorithm,
    /// A member that the key type needs is missing, or is not canonical base64url of the right length.
    #[error("the key's {0} is missing or malformed")]
    BadMember(&'static str),
    /// Another key in the set has the same `kid`; the first one counts.
    #[error("another key in the set has the same kid")]
    DuplicateKid,
    /// It is not a JSON object as defined by RFC 7517 §4.
    #[error("not a JSON Web Key")]
    NotAKey,
    /// The random generator or the library failed.
    #[error("the key could not be generated")]
    Generation,
}
