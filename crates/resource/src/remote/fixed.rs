//! Keys that are given rather than fetched, and an empty denylist.

use std::collections::HashMap;
use std::fmt;

use ficha_token::{Algorithm, DenyId, JwkSet, VerifyingKey};
use zeroize::Zeroizing;

use crate::build_error::BuildError;
use crate::source::{DenySource, DenyVerdict, KeyLookup, KeySource};

/// Keys that never change.
pub(crate) struct FixedKeys(HashMap<String, VerifyingKey>);

impl FixedKeys {
    pub(crate) fn new(set: &JwkSet) -> Result<Self, BuildError> {
        let keys = set.keys.iter().enumerate().map(|(position, jwk)| {
            let key = VerifyingKey::from_jwk(jwk).map_err(|error| BuildError::BadKey { position, error })?;
            Ok((key.kid().to_owned(), key))
        });
        keys.collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl KeySource for FixedKeys {
    fn find(&self, kid: &str) -> KeyLookup {
        self.0.get(kid).map_or(KeyLookup::Unknown, |key| KeyLookup::Found(key.clone()))
    }

    fn generation(&self) -> u64 {
        0
    }
}

/// One HMAC secret, under any `kid`. The `kid` is signed like everything else, so only someone with the secret can
/// choose it. It still determines the id under which the key would be denied.
pub(crate) struct SharedSecret {
    secret: Zeroizing<Vec<u8>>,
    algorithm: Algorithm,
}

impl SharedSecret {
    pub(crate) fn new(secret: Zeroizing<Vec<u8>>, algorithm: Algorithm) -> Result<Self, BuildError> {
        VerifyingKey::from_hmac(algorithm, &secret, "k".to_owned())
            .map_err(|error| BuildError::BadKey { position: 0, error })?;
        Ok(Self { secret, algorithm })
    }
}

impl KeySource for SharedSecret {
    fn find(&self, kid: &str) -> KeyLookup {
        let key = VerifyingKey::from_hmac(self.algorithm, &self.secret, kid.to_owned());
        key.map_or(KeyLookup::Unknown, KeyLookup::Found)
    }

    fn generation(&self) -> u64 {
        0
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret([redacted])")
    }
}

/// A denylist without entries.
pub(crate) struct NoDenylist;

impl DenySource for NoDenylist {
    fn look_up(&self, _ids: &[DenyId], _now: i64) -> DenyVerdict {
        DenyVerdict::Clear
    }

    fn reached(&self) -> Option<i64> {
        // Nothing is ever dropped.
        Some(i64::MIN)
    }
}
