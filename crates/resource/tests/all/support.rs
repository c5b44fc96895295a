//! An issuer, its keys, its denylist and a clock, all in the same process.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ficha_resource::{DenySource, DenyVerdict, KeyLookup, KeySource, Verifier, VerifierSettings};
use ficha_token::{AccessClaims, Algorithm, Clock, DenyId, Expected, ManualClock, SigningKey, VerifyingKey};
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

pub const ISSUER: &str = "https://auth.example.com";
pub const START: i64 = 1_800_000_000;
pub const LIFE: i64 = 600;

/// A key set that can be changed or made unavailable.
#[derive(Default)]
pub struct Keys {
    set: RwLock<HashMap<String, VerifyingKey>>,
    unavailable: Mutex<Option<Duration>>,
    generation: AtomicU64,
}

impl Keys {
    pub fn add(&self, key: VerifyingKey) {
        self.set.write().unwrap().insert(key.kid().to_owned(), key);
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    pub fn remove(&self, kid: &str) {
        self.set.write().unwrap().remove(kid);
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    pub fn set_unavailable(&self, retry_after: Option<Duration>) {
        *self.unavailable.lock().unwrap() = retry_after;
    }
}

impl KeySource for Keys {
    fn find(&self, kid: &str) -> KeyLookup {
        if let Some(retry_after) = *self.unavailable.lock().unwrap() {
            return KeyLookup::Unavailable { retry_after };
        }
        match self.set.read().unwrap().get(kid) {
            Some(key) => KeyLookup::Found(key.clone()),
            None => KeyLookup::Unknown,
        }
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }
}

/// A denylist that can be made stale.
#[derive(Default)]
pub struct Denied {
    ids: RwLock<HashMap<DenyId, i64>>,
    stale: Mutex<Option<Duration>>,
}

impl Denied {
    pub fn deny(&self, id: impl Into<DenyId>, until: i64) {
        self.ids.write().unwrap().insert(id.into(), until);
    }

    pub fn set_stale(&self, retry_after: Option<Duration>) {
        *self.stale.lock().unwrap() = retry_after;
    }
}

impl DenySource for Denied {
    fn look_up(&self, ids: &[DenyId], now: i64) -> DenyVerdict {
        if let Some(retry_after) = *self.stale.lock().unwrap() {
            return DenyVerdict::Stale { retry_after };
        }
        let denied = self.ids.read().unwrap();
        if ids.iter().any(|id| denied.get(id).is_some_and(|until| *until > now)) {
            DenyVerdict::Denied
        } else {
            DenyVerdict::Clear
        }
    }
}

/// A verifier, and everything that a test can change about it.
pub struct World {
    pub key: SigningKey,
    pub keys: Arc<Keys>,
    pub denied: Arc<Denied>,
    pub clock: Arc<ManualClock>,
    pub verifier: Verifier,
}

impl World {
    pub fn new() -> Self {
        Self::with_cache(1024 * 1024)
    }

    pub fn with_cache(cache_bytes: usize) -> Self {
        let expected = Expected::new(ISSUER, ["notes"], [Algorithm::ES256]);
        Self::with_settings(VerifierSettings::new(expected).with_cache_bytes(cache_bytes))
    }

    pub fn with_settings(settings: VerifierSettings) -> Self {
        let key = SigningKey::generate(Algorithm::ES256).unwrap();
        let keys = Arc::new(Keys::default());
        keys.add(key.verifying_key());
        let denied = Arc::new(Denied::default());
        let clock = Arc::new(ManualClock::new(OffsetDateTime::from_unix_timestamp(START).unwrap()));
        let verifier = Verifier::new(
            settings,
            Arc::clone(&keys) as Arc<dyn KeySource>,
            Arc::clone(&denied) as Arc<dyn DenySource>,
            Arc::clone(&clock) as Arc<dyn Clock>,
        );
        Self { key, keys, denied, clock, verifier }
    }

    /// A valid token with the scope `notes:read`.
    pub fn token(&self) -> String {
        self.key.sign(&claims()).unwrap()
    }

    pub fn advance(&self, seconds: i64) {
        self.clock.advance(Duration::from_secs(seconds.unsigned_abs()));
    }

    /// A token with a valid signature over a header and claims that the issuer would never sign.
    pub fn forge(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, self.key.to_pkcs8().unwrap()).unwrap();
        let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", encode(signature))
    }

    pub fn header(&self) -> Value {
        json!({"typ": "at+jwt", "alg": "ES256", "kid": self.key.kid()})
    }
}

/// Valid claims with fresh ids.
pub fn claims() -> AccessClaims {
    let mut claims =
        AccessClaims::new(ISSUER, fresh_id(), ["notes"], "first-party", fresh_id(), fresh_id(), START..START + LIFE);
    claims.scope = "notes:read".parse().unwrap();
    claims
}

/// Valid claims as JSON, for tests that change them.
pub fn claims_json() -> Value {
    serde_json::to_value(claims()).unwrap()
}

pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn fresh_id() -> Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Uuid::from_u64_pair(NEXT.fetch_add(1, Ordering::Relaxed), 7)
}

/// The same token with the other valid signature: `n - s` in place of `s`.
pub fn twin(token: &str) -> String {
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
        0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let mut borrow = 0;
    for position in (0..32).rev() {
        let difference = i16::from(ORDER[position]) - i16::from(signature[32 + position]) - borrow;
        borrow = i16::from(difference < 0);
        signature[32 + position] = difference.rem_euclid(256) as u8;
    }
    format!("{signed}.{}", encode(signature))
}

/// The same value with a change.
pub fn changed<T>(mut value: T, change: impl FnOnce(&mut T)) -> T {
    change(&mut value);
    value
}
