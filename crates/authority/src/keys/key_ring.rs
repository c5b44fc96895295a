//! The keys in use, as this process has them in memory.
//!
//! Which key does what follows from the rows and the time alone, so servers that share a database agree without talking
//! to each other: the newest key whose `sign_from` has come signs, and every key that is not purged and whose last
//! token has not expired is published.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::hmac;
use ficha_store::{KeyPurpose, KeyRecord, NewKey};
use ficha_token::Algorithm;
use ficha_token::SigningKey;
use ficha_token::VerifyingKey;
use ficha_token::{Clock, Entropy, random_uuid};
use ficha_token::{Jwk, JwkSet};
use zeroize::Zeroizing;

use crate::error::StartError;
use crate::keys::master_key::MasterKey;
use crate::keys::secret::Secret;

/// The algorithm name in the row of a refresh key.
const REFRESH_ALGORITHM: &str = "HMAC-SHA256";

/// Every key that can still be used, parsed.
#[derive(Default)]
pub struct Keys {
    signers: Vec<Signer>,
    refresh: HashMap<i32, hmac::Key>,
    newest_refresh: i32,
    /// The epoch in which they were read: they do not sign for sessions of another epoch.
    epoch: i64,
    /// Set if a shared secret signs instead.
    shared: Option<Arc<SigningKey>>,
}

struct Signer {
    key: Arc<SigningKey>,
    verifying: VerifyingKey,
    jwk: Option<Jwk>,
    created_at: i64,
    sign_from: i64,
    expires_at: Option<i64>,
}

impl Keys {
    /// Opens and parses the stored keys of an epoch; purged ones are left out.
    pub fn open(
        records: &[KeyRecord],
        epoch: i64,
        master: &MasterKey,
        shared: Option<&Secret>,
    ) -> Result<Self, StartError> {
        let mut keys = Self { epoch, shared: shared.map(shared_key).transpose()?, ..Self::default() };
        for record in records.iter().filter(|record| record.purged_at.is_none()) {
            let plain = master.open(&sealed_name(record.purpose, &record.kid), &record.sealed);
            let plain = plain.ok_or(StartError::MasterKeyWrong)?;
            match record.purpose {
                KeyPurpose::Refresh => {
                    keys.refresh.insert(record.id, hmac::Key::new(hmac::HMAC_SHA256, &plain));
                    keys.newest_refresh = keys.newest_refresh.max(record.id);
                }
                KeyPurpose::Sign => keys.signers.push(Signer::open(record, &plain)?),
            }
        }
        keys.signers.sort_by_key(|signer| (signer.sign_from, signer.created_at));
        Ok(keys)
    }

    /// The epoch of these keys.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// The key that signs at `now`.
    pub fn signer(&self, now: i64) -> Option<Arc<SigningKey>> {
        if let Some(shared) = &self.shared {
            return Some(shared.clone());
        }
        let started = self.signers.iter().rev().find(|signer| signer.sign_from <= now);
        // The clock was set back to before the first key: there is no older key to use.
        started.or(self.signers.first()).map(|signer| signer.key.clone())
    }

    /// The key that `kid` names, if its tokens may still be valid at `now`.
    pub fn verifying(&self, kid: &str, now: i64) -> Option<VerifyingKey> {
        if let Some(shared) = self.shared.as_ref().filter(|shared| shared.kid() == kid) {
            return Some(shared.verifying_key());
        }
        self.signers
            .iter()
            .find(|signer| signer.key.kid() == kid && signer.is_published(now))
            .map(|signer| signer.verifying.clone())
    }

    /// The key set for `/.well-known/jwks.json`: empty if a shared secret signs.
    pub fn jwks(&self, now: i64) -> JwkSet {
        let published = self.signers.iter().filter(|signer| self.shared.is_none() && signer.is_published(now));
        JwkSet::new(published.filter_map(|signer| signer.jwk.clone()).collect())
    }

    fn kids(&self) -> impl Iterator<Item = &str> {
        self.signers.iter().map(|signer| signer.key.kid()).chain(self.shared.iter().map(|key| key.kid()))
    }

    /// The refresh key for new tokens and its number.
    pub fn newest_refresh(&self) -> Option<(i32, &hmac::Key)> {
        self.refresh.get(&self.newest_refresh).map(|key| (self.newest_refresh, key))
    }

    /// True if this number is higher than that of every refresh key: another process may have just made it.
    pub fn is_newer_refresh(&self, id: i32) -> bool {
        self.newest_refresh().is_none_or(|(newest, _)| id > newest)
    }

    /// The refresh key with that number.
    pub fn refresh(&self, id: i32) -> Option<&hmac::Key> {
        self.refresh.get(&id)
    }
}

impl Signer {
    fn open(record: &KeyRecord, plain: &[u8]) -> Result<Self, StartError> {
        let damaged = |why: String| StartError::Key { kid: record.kid.clone(), why };
        let algorithm: Algorithm =
            record.algorithm.parse().map_err(|_| damaged(format!("unknown algorithm {}", record.algorithm)))?;
        let key = SigningKey::from_pkcs8(algorithm, plain).map_err(|error| damaged(error.to_string()))?;
        if key.kid() != record.kid {
            return Err(damaged("its thumbprint differs from its kid".into()));
        }
        Ok(Self {
            verifying: key.verifying_key(),
            jwk: key.public_jwk(),
            key: Arc::new(key),
            created_at: record.created_at,
            sign_from: record.sign_from,
            expires_at: record.expires_at,
        })
    }

    fn is_published(&self, now: i64) -> bool {
        self.expires_at.is_none_or(|expires_at| now < expires_at)
    }
}

/// The HS256 key of a shared secret. Its `kid` is derived from the secret, so that it looks random, reveals nothing,
/// and is the same on every server and after every restart.
fn shared_key(secret: &Secret) -> Result<Arc<SigningKey>, StartError> {
    let bytes = secret.expose().as_bytes();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, bytes), b"ficha kid");
    let kid: String = tag.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let key = SigningKey::from_secret(bytes, kid.clone());
    key.map(Arc::new).map_err(|error| StartError::Key { kid, why: error.to_string() })
}

/// The keys in use, replaced as a whole whenever the rows change.
#[derive(Default)]
pub struct KeyRing {
    keys: RwLock<Arc<Keys>>,
    generation: std::sync::atomic::AtomicU64,
}

impl KeyRing {
    /// The keys in use.
    pub fn current(&self) -> Arc<Keys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the keys with newly read ones.
    pub fn replace(&self, keys: Keys) {
        let mut current = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let changed = current.kids().ne(keys.kids());
        *current = Arc::new(keys);
        // Raised after the new keys can be found. Rows that were merely read again do not affect what was verified with
        // them.
        if changed {
            self.generation.fetch_add(1, std::sync::atomic::Ordering::Release);
        }
    }

    /// Raised whenever the set of signing keys changes.
    pub fn generation(&self) -> u64 {
        self.generation.load(std::sync::atomic::Ordering::Acquire)
    }
}

/// A new signing key, sealed.
pub fn new_signing_key(
    algorithm: Algorithm,
    master: &MasterKey,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
    sign_from: i64,
) -> Result<NewKey, StartError> {
    let unusable = |why: String| StartError::Key { kid: "(new)".into(), why };
    let key = SigningKey::generate(algorithm).map_err(|error| unusable(error.to_string()))?;
    let public_jwk = key.public_jwk().map(|jwk| serde_json::to_string(&jwk)).transpose();
    let private = key.to_pkcs8().ok_or_else(|| unusable("it has no private part".into()))?;
    Ok(NewKey {
        purpose: KeyPurpose::Sign,
        algorithm: algorithm.to_string(),
        kid: key.kid().to_owned(),
        public_jwk: public_jwk.map_err(|error| unusable(error.to_string()))?,
        sealed: master.seal(entropy, &sealed_name(KeyPurpose::Sign, key.kid()), private),
        created_at: clock.unix_now(),
        sign_from,
    })
}

/// A new refresh key, sealed.
pub fn new_refresh_key(master: &MasterKey, clock: &dyn Clock, entropy: &dyn Entropy) -> NewKey {
    let mut bytes = Zeroizing::new([0; 32]);
    entropy.fill(bytes.as_mut());
    let kid = format!("refresh-{}", random_uuid(entropy));
    let now = clock.unix_now();
    NewKey {
        purpose: KeyPurpose::Refresh,
        algorithm: REFRESH_ALGORITHM.into(),
        sealed: master.seal(entropy, &sealed_name(KeyPurpose::Refresh, &kid), bytes.as_ref()),
        kid,
        public_jwk: None,
        created_at: now,
        sign_from: now,
    }
}

/// The name that a key's sealed bytes are bound to.
pub(crate) fn sealed_name(purpose: KeyPurpose, kid: &str) -> String {
    match purpose {
        KeyPurpose::Sign => format!("sign:{kid}"),
        KeyPurpose::Refresh => format!("refresh:{kid}"),
    }
}
