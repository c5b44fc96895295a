//! Tokens of the usual size, the key for them, and a denylist without any of them.

use std::sync::Arc;

use ficha_resource::{DenySource, DenyVerdict, KeyLookup, KeySource, Verifier, VerifierSettings};
use ficha_token::Algorithm;
use ficha_token::{
    AccessClaims, Clock, DenyEntry, DenyId, DenySet, Entropy, Expected, Jwk, JwkSet, SigningKey, SystemClock,
    SystemEntropy, VerifyingKey, ordered_uuid, random_uuid,
};

use crate::Outcome;

/// The issuer of the tokens.
pub const ISSUER: &str = "https://auth.example.com";
/// Their audience.
pub const AUDIENCE: &str = "https://notes.example.com";
/// Their lifetime in seconds, longer than any run.
const LIFE: i64 = 3_600;

/// Makes tokens with one ES256 key.
pub struct Mint {
    key: SigningKey,
}

impl Mint {
    /// A new key.
    pub fn new() -> Outcome<Self> {
        Ok(Self { key: SigningKey::generate(Algorithm::ES256)? })
    }

    /// Creates `count` different tokens.
    pub fn tokens(&self, count: usize) -> Outcome<Vec<String>> {
        (0..count).map(|_| Ok(self.key.sign(&claims())?)).collect()
    }

    /// The public key as JSON.
    pub fn jwk(&self) -> Outcome<Jwk> {
        Ok(self.key.public_jwk().ok_or("a key pair has a public key")?)
    }

    /// The same as the only key of a set.
    pub fn key_set(&self) -> Outcome<String> {
        Ok(serde_json::to_string(&JwkSet::new(vec![self.jwk()?]))?)
    }
}

fn claims() -> AccessClaims {
    let now = SystemClock.unix_now();
    let mut extra = serde_json::Map::new();
    extra.insert("tenant".into(), "a-company-of-middle-size".into());
    let mut claims = AccessClaims::new(
        ISSUER,
        ordered_uuid(&SystemClock, &SystemEntropy),
        [AUDIENCE],
        "first-party",
        ordered_uuid(&SystemClock, &SystemEntropy),
        random_uuid(&SystemEntropy),
        now..now + LIFE,
    );
    claims.scope = "notes:read notes:write".parse().unwrap_or_default();
    claims.roles = vec!["editor".into(), "reviewer".into()];
    claims.extra = extra;
    claims
}

/// A verifier for these tokens, with a cache of `cache_bytes`. It never fetches anything.
pub fn verifier(jwk: &Jwk, denied: &Arc<DenySet>, cache_bytes: usize) -> Outcome<Verifier> {
    let expected =
        Expected::new(ISSUER, [AUDIENCE], [Algorithm::ES256, Algorithm::EdDSA, Algorithm::RS256]).with_leeway(30);
    let keys = Arc::new(OneKey(VerifyingKey::from_jwk(jwk)?));
    let denied = Arc::new(Denied(Arc::clone(denied)));
    let settings = VerifierSettings::new(expected).with_cache_bytes(cache_bytes);
    Ok(Verifier::new(settings, keys, denied, Arc::new(SystemClock)))
}

struct OneKey(VerifyingKey);

impl KeySource for OneKey {
    fn find(&self, kid: &str) -> KeyLookup {
        if kid == self.0.kid() { KeyLookup::Found(self.0.clone()) } else { KeyLookup::Unknown }
    }

    fn generation(&self) -> u64 {
        1
    }
}

struct Denied(Arc<DenySet>);

impl DenySource for Denied {
    fn look_up(&self, ids: &[DenyId], now: i64) -> DenyVerdict {
        if self.0.contains_any(ids, now) { DenyVerdict::Denied } else { DenyVerdict::Clear }
    }
}

/// `count` random entries that expire after any run.
pub fn entries(count: usize) -> Vec<DenyEntry> {
    let until = SystemClock.unix_now() + 2 * LIFE;
    let mut bytes = vec![0; 16 * count];
    SystemEntropy.fill(&mut bytes);
    let ids = bytes.as_chunks::<16>().0;
    ids.iter().map(|id| DenyEntry::new(DenyId::from(*id), until)).collect()
}

/// A denylist with `count` random ids.
pub fn deny_set(count: usize) -> DenySet {
    let set = DenySet::new();
    for entry in entries(count) {
        set.insert(entry);
    }
    set
}
