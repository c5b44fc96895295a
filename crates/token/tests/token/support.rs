//! Keys and tokens, well-formed and malformed.

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ficha_token::{AccessClaims, Algorithm, Expected, SigningKey, TokenError, Unverified};
use serde_json::{Value, json};

pub const NOW: i64 = 1_763_800_000;

/// One ES256 key for all tests.
pub static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate(Algorithm::ES256).unwrap());

/// One RSA key: making one takes a while.
pub static RSA: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate(Algorithm::RS256).unwrap());

pub fn claims() -> AccessClaims {
    let mut claims = AccessClaims::new(
        "https://auth.example.com",
        "01981234-5678-7abc-8def-0123456789ab".parse().unwrap(),
        ["notes"],
        "first-party",
        "01981234-5678-7abc-8def-aaaaaaaaaaaa".parse().unwrap(),
        "3f2504e0-4f89-41d3-9a0c-0305e82c3301".parse().unwrap(),
        NOW..NOW + 600,
    );
    claims.scope = "notes:read notes:write".parse().unwrap();
    claims.auth_time = NOW - 5;
    claims
}

pub fn expected() -> Expected {
    Expected::new(
        "https://auth.example.com",
        ["calendar", "notes"],
        [Algorithm::ES256, Algorithm::EdDSA, Algorithm::RS256],
    )
}

pub fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn unb64(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

pub fn parts(token: &str) -> [&str; 3] {
    let parts: Vec<_> = token.split('.').collect();
    parts.try_into().unwrap()
}

/// The header of our tokens, as JSON for tests to change.
pub fn header() -> Value {
    json!({ "typ": "at+jwt", "alg": "ES256", "kid": KEY.kid() })
}

/// The claims of our tokens, as JSON for tests to change.
pub fn payload() -> Value {
    serde_json::to_value(claims()).unwrap()
}

/// The JSON with one member set to something else.
pub fn with(mut json: Value, name: &str, value: Value) -> Value {
    json[name] = value;
    json
}

/// The JSON without one member.
pub fn without(mut json: Value, name: &str) -> Value {
    json.as_object_mut().unwrap().remove(name);
    json
}

/// Signs any text as header and claims, with a valid signature.
pub fn forge(header: &str, payload: &str) -> String {
    let message = format!("{}.{}", b64(header), b64(payload));
    let signature = raw_signature(message.as_bytes());
    format!("{message}.{}", b64(signature))
}

pub fn raw_signature(message: &[u8]) -> Vec<u8> {
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, KEY.to_pkcs8().unwrap()).unwrap();
    key.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
}

/// The whole check, with the ES256 key.
pub fn verify(token: &str) -> Result<AccessClaims, TokenError> {
    Unverified::parse(token)?.verify(&KEY.verifying_key(), &expected(), NOW)
}

pub fn verify_header(header: &Value) -> Result<AccessClaims, TokenError> {
    verify(&forge(&header.to_string(), &payload().to_string()))
}

pub fn verify_payload(payload: &Value) -> Result<AccessClaims, TokenError> {
    verify(&forge(&header().to_string(), &payload.to_string()))
}

/// The same value with a change.
pub fn changed<T>(mut value: T, change: impl FnOnce(&mut T)) -> T {
    change(&mut value);
    value
}
