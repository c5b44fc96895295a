//! A set of public keys as JSON (RFC 7517 §5).

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::crypto::key_error::KeyError;
use crate::jwt::jwk::{Jwk, MAX_KID_BYTES};
use crate::jwt::verify::VerifyingKey;

/// The largest key set that is read, in bytes.
pub const MAX_SET_BYTES: usize = 256 * 1024;
/// The most keys that are read from one set.
pub const MAX_SET_KEYS: usize = 100;

/// A key set (RFC 7517 §5), as it is published.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JwkSet {
    /// The public keys. Empty if tokens are signed with a shared secret.
    pub keys: Vec<Jwk>,
}

/// One key of a set that can't be used, and why. The others are not affected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("key {position} of the set: {error}")]
#[non_exhaustive]
pub struct KeyProblem {
    /// Its position in the set, from 0.
    pub position: usize,
    /// Its `kid`, if it has a usable one.
    pub kid: Option<String>,
    /// What is wrong with it.
    pub error: KeyError,
}

/// Why a whole key set can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeySetError {
    /// More than [`MAX_SET_BYTES`].
    #[error("the key set is larger than 256 KiB")]
    TooLarge,
    /// More than [`MAX_SET_KEYS`].
    #[error("the key set has more than 100 keys")]
    TooManyKeys,
    /// Not a JSON object with an array `keys`.
    #[error("not a JSON Web Key Set")]
    NotASet,
}

#[derive(Deserialize)]
struct RawSet {
    keys: Vec<Value>,
}

impl JwkSet {
    /// A set of these keys.
    pub fn new(keys: Vec<Jwk>) -> Self {
        Self { keys }
    }

    /// Reads a published key set, one key at a time: a key that can't be used becomes a [`KeyProblem`] and the rest is
    /// kept (RFC 7517 §5: unknown keys should be ignored).
    pub fn parse(bytes: &[u8]) -> Result<(Vec<VerifyingKey>, Vec<KeyProblem>), KeySetError> {
        if bytes.len() > MAX_SET_BYTES {
            return Err(KeySetError::TooLarge);
        }
        let set: RawSet = serde_json::from_slice(bytes).map_err(|_| KeySetError::NotASet)?;
        if set.keys.len() > MAX_SET_KEYS {
            return Err(KeySetError::TooManyKeys);
        }
        let mut keys = Vec::new();
        let mut problems = Vec::new();
        let mut kids = HashSet::new();
        for (position, value) in set.keys.into_iter().enumerate() {
            let kid = usable_kid(&value);
            let key = serde_json::from_value::<Jwk>(value).map_err(|_| KeyError::NotAKey);
            match key.and_then(|jwk| VerifyingKey::from_jwk(&jwk)) {
                Ok(key) if kids.insert(key.kid().to_owned()) => keys.push(key),
                Ok(_) => problems.push(KeyProblem { position, kid, error: KeyError::DuplicateKid }),
                Err(error) => problems.push(KeyProblem { position, kid, error }),
            }
        }
        Ok((keys, problems))
    }
}

/// The `kid` for a report, if it is short enough to print.
fn usable_kid(value: &Value) -> Option<String> {
    value.get("kid").and_then(Value::as_str).filter(|kid| kid.len() <= MAX_KID_BYTES).map(str::to_owned)
}
