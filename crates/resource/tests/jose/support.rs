//! A verifier with fixed keys that counts key lookups, and tokens that no issuer would make.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ficha_resource::{
    DenySource, DenyVerdict, KeyLookup, KeySource, Verified, Verifier, VerifierSettings, VerifyError,
};
use ficha_token::{AccessClaims, Algorithm, DenyId, Expected, ManualClock, SigningKey, TokenError, VerifyingKey};
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

pub const ISSUER: &str = "https://auth.example.com";
pub const NOW: i64 = 1_800_000_000;

/// The issuer's keys, shared by all tests because generating an RSA key takes a while.
pub static ES256: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate(Algorithm::ES256).unwrap());
pub static EDDSA: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate(Algorithm::EdDSA).unwrap());
pub static RS256: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate(Algorithm::RS256).unwrap());

/// Fixed keys that count lookups.
pub struct CountingKeys {
    set: HashMap<String, VerifyingKey>,
    lookups: AtomicUsize,
}

impl KeySource for CountingKeys {
    fn find(&self, kid: &str) -> KeyLookup {
        self.lookups.fetch_add(1, Ordering::SeqCst);
        self.set.get(kid).map_or(KeyLookup::Unknown, |key| KeyLookup::Found(key.clone()))
    }

    fn generation(&self) -> u64 {
        0
    }
}

/// Ids that are denied for ever.
#[derive(Default)]
pub struct Denied(Mutex<HashSet<DenyId>>);

impl Denied {
    pub fn deny(&self, id: impl Into<DenyId>) {
        self.0.lock().unwrap().insert(id.into());
    }
}

impl DenySource for Denied {
    fn look_up(&self, ids: &[DenyId], _now: i64) -> DenyVerdict {
        let denied = self.0.lock().unwrap();
        if ids.iter().any(|id| denied.contains(id)) { DenyVerdict::Denied } else { DenyVerdict::Clear }
    }
}

/// A service that accepts every algorithm, so that only the algorithm of the key protects it from an attacker.
pub struct Service {
    pub verifier: Verifier,
    pub denied: Arc<Denied>,
    keys: Arc<CountingKeys>,
}

impl Service {
    /// A service that knows the three keys of the issuer.
    pub fn new() -> Self {
        Self::with_keys([&*ES256, &*EDDSA, &*RS256].map(SigningKey::verifying_key))
    }

    pub fn with_keys(keys: impl IntoIterator<Item = VerifyingKey>) -> Self {
        let set = keys.into_iter().map(|key| (key.kid().to_owned(), key)).collect();
        let keys = Arc::new(CountingKeys { set, lookups: AtomicUsize::new(0) });
        let denied = Arc::new(Denied::default());
        let expected = Expected::new(ISSUER, ["notes"], Algorithm::ALL.to_vec());
        let clock = Arc::new(ManualClock::new(OffsetDateTime::from_unix_timestamp(NOW).unwrap()));
        let settings = VerifierSettings::new(expected);
        let verifier = Verifier::new(settings, keys.clone(), denied.clone(), clock);
        Self { verifier, denied, keys }
    }

    /// How often a key was looked up.
    pub fn lookups(&self) -> usize {
        self.keys.lookups.load(Ordering::SeqCst)
    }

    pub fn accepts(&self, row: &str, token: &str) -> Arc<Verified> {
        self.verifier.verify_now(token).unwrap_or_else(|error| panic!("{row}: refused, {error}"))
    }

    /// Asserts that the token is refused with this error, a second time too, and not cached.
    pub fn refuses(&self, row: &str, token: &str, error: TokenError) {
        let before = self.verifier.stats().entries;
        for time in ["first", "second"] {
            let result = self.verifier.verify_now(token).map(|verified| verified.claims.clone());
            assert_eq!(result, Err(VerifyError::Invalid(error)), "{row}, the {time} time");
        }
        assert_eq!(self.verifier.stats().entries, before, "{row} was cached");
    }

    /// As [`Service::refuses`], and without a key lookup: such a token causes neither a fetch nor a signature check.
    pub fn refuses_before_lookup(&self, row: &str, token: &str, error: TokenError) {
        let before = self.lookups();
        self.refuses(row, token, error);
        assert_eq!(self.lookups(), before, "{row} caused a key lookup");
    }

    pub fn refuses_header(&self, row: &str, header: &Value, error: TokenError) {
        self.refuses(row, &forge(header.to_string(), claims_json().to_string()), error);
    }

    pub fn refuses_claims(&self, row: &str, claims: &str, error: TokenError) {
        self.refuses(row, &forge(header().to_string(), claims), error);
    }
}

/// Valid claims with fresh ids.
pub fn claims() -> AccessClaims {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    let id = || Uuid::from_u64_pair(NEXT.fetch_add(1, Ordering::Relaxed) as u64, 7);
    let mut claims = AccessClaims::new(ISSUER, id(), ["notes"], "first-party", id(), id(), NOW..NOW + 600);
    claims.scope = "notes:read".parse().unwrap();
    claims
}

pub fn claims_json() -> Value {
    serde_json::to_value(claims()).unwrap()
}

/// Valid claims as text, in which `member` (`"name":value`) is added or replaces the one of that name.
pub fn claims_text_with(member: &str) -> String {
    let name = member.split('"').nth(1).unwrap();
    let mut json = claims_json();
    json.as_object_mut().unwrap().remove(name);
    json.to_string().replacen('{', &format!("{{{member},"), 1)
}

/// The header of the ES256 key's tokens.
pub fn header() -> Value {
    json!({ "typ": "at+jwt", "alg": "ES256", "kid": ES256.kid() })
}

/// The JSON with one member replaced.
pub fn with(mut json: Value, name: &str, value: impl Into<Value>) -> Value {
    json[name] = value.into();
    json
}

/// The JSON without one member.
pub fn without(mut json: Value, name: &str) -> Value {
    json.as_object_mut().unwrap().remove(name);
    json
}

/// A token with any bytes as header and claims, and the issuer's valid ES256 signature over them.
pub fn forge(header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
    sign_text(&format!("{}.{}", encode(header), encode(claims)))
}

/// Any text with the issuer's ES256 signature over it.
pub fn sign_text(text: &str) -> String {
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, ES256.to_pkcs8().unwrap()).unwrap();
    let signature = key.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
    format!("{text}.{}", encode(signature))
}

pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// Header, claims and signature of a token.
pub fn parts(token: &str) -> [&str; 3] {
    token.split('.').collect::<Vec<_>>().try_into().unwrap()
}
