//! The JOSE vectors of Wycheproof. They are signed texts such as `foo` rather than access tokens, so they are checked
//! with `verify_jws`, which is all of the verifier except `typ` and the claims.
//!
//! Each difference from what Wycheproof expects is listed here with its reason. One more, or one less, fails the test.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ficha_token::verify_jws;
use ficha_token::{Algorithm, Jwk, JwkSet, TokenError, Unverified, VerifyingKey};
use serde_json::Value;
use wycheproof_ng_kdf_jose::json_web::{TestGroup, TestName, TestSet};

use crate::support::Service;

/// Valid for Wycheproof, refused here.
const SIGNATURE_REFUSED: [(usize, &str); 6] = [
    (346, "RFC 7520 figure 20: the token says PS384, its key PS256; a key is for one algorithm (A69)"),
    (347, "RFC 7520 figure 27: its key says ES521, which is not the name of an algorithm; see the test below"),
    (350, "as 346, with key_ops"),
    (351, "as 347, with key_ops"),
    (372, "a `?` in the header, to be skipped: other characters are refused (A72)"),
    (373, "a `?` in the payload, to be skipped: other characters are refused (A72)"),
];

/// Invalid for Wycheproof, accepted here.
const SIGNATURE_ACCEPTED: [(usize, &str); 2] = [
    (367, "called bad padding, but it is byte for byte the text of 357, which is valid: both can't be satisfied"),
    (370, "called bad padding in the payload, but it too is byte for byte the text of 357"),
];

const KEY_REFUSED: [(usize, &str); 1] = [(2, "a set of HMAC keys: a key set never gives an HMAC key (A60, A69)")];

const KEY_ACCEPTED: [(usize, &str); 1] =
    [(7, "a 2048-bit RSA modulus made by a broken card (ROCA): keys are not searched for weak primes")];

const CRYPTO_REFUSED: [(usize, &str); 3] = [
    (48, "a set of HMAC keys, as above"),
    (50, "an encrypted text that is valid: encrypted tokens are refused (A76)"),
    (67, "an encrypted text that is valid: encrypted tokens are refused (A76)"),
];

const CRYPTO_ACCEPTED: [(usize, &str); 1] = [(46, "ROCA, as above")];

/// The results for one file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    valid: usize,
    valid_accepted: usize,
    invalid: usize,
    invalid_refused: usize,
    /// Refused although valid.
    refused: Vec<usize>,
    /// Accepted although invalid.
    accepted: Vec<usize>,
}

#[test]
fn a69_a70_a72_signature_vectors_differ_only_where_documented() {
    let outcome = run(TestName::JsonWebSignature);
    println!("json_web_signature: {outcome:?}");
    assert_eq!((outcome.valid_accepted, outcome.valid), (40, 46));
    assert_eq!((outcome.invalid_refused, outcome.invalid), (353, 355));
    assert_differences(&outcome, &SIGNATURE_REFUSED, &SIGNATURE_ACCEPTED);
}

#[test]
fn a69_key_vectors_differ_only_where_documented() {
    let outcome = run(TestName::JsonWebKey);
    println!("json_web_key: {outcome:?}");
    assert_eq!((outcome.valid_accepted, outcome.valid), (4, 5));
    assert_eq!((outcome.invalid_refused, outcome.invalid), (20, 21));
    assert_differences(&outcome, &KEY_REFUSED, &KEY_ACCEPTED);
}

#[test]
fn a69_a76_mixed_vectors_differ_only_where_documented() {
    let outcome = run(TestName::JsonWebCrypto);
    println!("json_web_crypto: {outcome:?}");
    assert_eq!((outcome.valid_accepted, outcome.valid), (3, 6));
    assert_eq!((outcome.invalid_refused, outcome.invalid), (76, 77));
    assert_differences(&outcome, &CRYPTO_REFUSED, &CRYPTO_ACCEPTED);
}

#[test]
fn a76_every_encrypted_vector_is_refused_without_a_key_lookup() {
    let service = Service::new();
    let set = TestSet::load(TestName::JsonWebEncryption).unwrap();
    let texts: Vec<_> = tests(&set).map(|(_, text, _, _)| text).collect();
    assert_eq!(texts.len(), 139);
    for text in &texts {
        assert!(matches!(Unverified::parse(text).unwrap_err(), TokenError::Malformed(_)), "{text}");
        assert!(service.verifier.verify_now(text).is_err());
    }
    assert_eq!(service.lookups(), 0);
}

#[test]
fn the_two_accepted_invalid_vectors_are_the_text_of_a_valid_one() {
    let set = TestSet::load(TestName::JsonWebSignature).unwrap();
    let text = |id| tests(&set).find(|(tc_id, ..)| *tc_id == id).unwrap().1;
    for (id, _) in SIGNATURE_ACCEPTED {
        assert_eq!(text(id), text(357));
    }
}

/// 347 and 351 are about ES512, which works once the key names it correctly.
#[test]
fn rfc_7520_figure_27_verifies_when_its_key_says_es512() {
    let set = TestSet::load(TestName::JsonWebSignature).unwrap();
    for id in [347, 351] {
        let (_, text, group, _) = tests(&set).find(|(tc_id, ..)| *tc_id == id).unwrap();
        let mut key = group.public_key.clone().unwrap();
        assert_eq!(key["alg"], "ES521");
        key["alg"] = "ES512".into();
        let key = VerifyingKey::from_jwk(&serde_json::from_value::<Jwk>(key).unwrap()).unwrap();
        assert!(verify_jws(&text, &key).unwrap().starts_with("It’s a dangerous business".as_bytes()));
    }
}

/// 346 and 350 are about PS384.
#[test]
fn rfc_7520_figure_20_verifies_when_its_key_says_ps384() {
    let set = TestSet::load(TestName::JsonWebSignature).unwrap();
    for id in [346, 350] {
        let (_, text, group, _) = tests(&set).find(|(tc_id, ..)| *tc_id == id).unwrap();
        let mut key = group.public_key.clone().unwrap();
        key["alg"] = "PS384".into();
        let key = VerifyingKey::from_jwk(&serde_json::from_value::<Jwk>(key).unwrap()).unwrap();
        assert!(verify_jws(&text, &key).unwrap().starts_with("It’s a dangerous business".as_bytes()));
    }
}

/// Only access tokens get past the whole verifier, even with a valid signature.
#[test]
fn a67_no_vector_is_an_access_token() {
    for name in [TestName::JsonWebSignature, TestName::JsonWebKey, TestName::JsonWebCrypto] {
        let set = TestSet::load(name).unwrap();
        for (id, text, group, _) in tests(&set) {
            let service = Service::with_keys(group_keys(group));
            assert!(service.verifier.verify_now(&text).is_err(), "{name:?} {id}");
        }
    }
}

fn run(name: TestName) -> Outcome {
    let set = TestSet::load(name).unwrap();
    let mut outcome = Outcome::default();
    for (id, text, group, must_fail) in tests(&set) {
        let accepted = group_keys(group).iter().any(|key| verify_jws(&text, key).is_ok());
        match (must_fail, accepted) {
            (false, true) => outcome.valid_accepted += 1,
            (false, false) => outcome.refused.push(id),
            (true, false) => outcome.invalid_refused += 1,
            (true, true) => outcome.accepted.push(id),
        }
        *(if must_fail { &mut outcome.invalid } else { &mut outcome.valid }) += 1;
    }
    outcome
}

/// Number, text, group, and whether the text must be refused.
fn tests(set: &TestSet) -> impl Iterator<Item = (usize, String, &TestGroup, bool)> {
    set.test_groups.iter().flat_map(|group| {
        group.tests.iter().map(move |test| {
            let text = test.jws.as_ref().or(test.jwe.as_ref()).unwrap();
            let text = text.as_str().map_or_else(|| text.to_string(), str::to_owned);
            (test.tc_id, text, group, test.result.must_fail())
        })
    })
}

fn assert_differences(outcome: &Outcome, refused: &[(usize, &str)], accepted: &[(usize, &str)]) {
    let ids = |table: &[(usize, &str)]| table.iter().map(|(id, _)| *id).collect::<Vec<_>>();
    assert_eq!(outcome.refused, ids(refused), "valid and refused");
    assert_eq!(outcome.accepted, ids(accepted), "invalid and accepted");
}

/// The keys of a group, as a service would get them: a set or a public key as published, a secret as configured.
fn group_keys(group: &TestGroup) -> Vec<VerifyingKey> {
    let json = group.public_key.as_ref().or(group.private_key.as_ref()).unwrap();
    match json.get("keys").and_then(Value::as_array).map(Vec::as_slice) {
        // A single secret, which a service would have in its settings.
        Some([one]) if one["kty"] == "oct" => secret(one).into_iter().collect(),
        Some(_) => JwkSet::parse(json.to_string().as_bytes()).unwrap().0,
        None if json["kty"] == "oct" => secret(json).into_iter().collect(),
        None => public(json).into_iter().collect(),
    }
}

fn public(json: &Value) -> Option<VerifyingKey> {
    VerifyingKey::from_jwk(&serde_json::from_value(json.clone()).ok()?).ok()
}

fn secret(json: &Value) -> Option<VerifyingKey> {
    let algorithm: Algorithm = json["alg"].as_str()?.parse().ok()?;
    let secret = URL_SAFE_NO_PAD.decode(json["k"].as_str()?).ok()?;
    VerifyingKey::from_hmac(algorithm, &secret, json["kid"].as_str()?.to_owned()).ok()
}
