//! Keys and key sets.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use ficha_token::{Algorithm, Jwk, JwkSet, KeyError, KeySetError, SigningKey, TokenError, Unverified, VerifyingKey};
use serde_json::{Value, json};

use crate::support::*;

fn published(key: &SigningKey) -> Value {
    serde_json::to_value(key.public_jwk().unwrap()).unwrap()
}

fn set(keys: Value) -> (Vec<VerifyingKey>, Vec<KeyError>) {
    let (keys, problems) = JwkSet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap();
    (keys, problems.into_iter().map(|problem| problem.error).collect())
}

#[test]
fn a60_a_published_key_has_no_private_member() {
    let edwards = SigningKey::generate(Algorithm::EdDSA).unwrap();
    for (key, members) in
        [(&*KEY, "alg crv kid kty use x y"), (&edwards, "alg crv kid kty use x"), (&*RSA, "alg e kid kty n use")]
    {
        let jwk = published(key);
        let names: Vec<_> = jwk.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names.join(" "), members);
        assert_eq!(jwk["use"], "sig");
        assert_eq!(jwk["alg"], key.algorithm().as_str());
    }
    let kids: BTreeSet<_> = [KEY.kid(), edwards.kid(), RSA.kid()].into();
    assert_eq!(kids.len(), 3, "unique kids");
    assert_eq!(SigningKey::from_secret(&[7; 32], "k".into()).unwrap().public_jwk(), None);
}

#[test]
fn a60_private_members_do_not_survive_reading() {
    let mut jwk = published(&RSA);
    for name in ["d", "p", "q", "dp", "dq", "qi", "k", "oth"] {
        jwk[name] = "c2VjcmV0".into();
    }
    let read: Jwk = serde_json::from_value(jwk).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), published(&RSA));
}

#[test]
fn a61_the_kid_equals_an_independently_computed_thumbprint() {
    let edwards = SigningKey::generate(Algorithm::EdDSA).unwrap();
    for (key, members) in
        [(&*KEY, &["crv", "kty", "x", "y"][..]), (&edwards, &["crv", "kty", "x"]), (&*RSA, &["e", "kty", "n"])]
    {
        let jwk = published(key);
        let members: Vec<_> = members.iter().map(|name| format!("\"{name}\":{}", jwk[name])).collect();
        let canonical = format!("{{{}}}", members.join(","));
        assert_eq!(key.kid(), b64(digest(&SHA256, canonical.as_bytes())));
        assert_eq!(jwk["kid"], key.kid());
    }
}

#[test]
fn a61_the_thumbprint_of_rfc_8037_is_reproduced() {
    // RFC 8037 §A.3.
    let jwk: Jwk = serde_json::from_value(
        json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }),
    )
    .unwrap();
    assert_eq!(jwk.thumbprint().unwrap(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn another_library_reads_our_tokens_with_our_published_keys() {
    let edwards = SigningKey::generate(Algorithm::EdDSA).unwrap();
    for (key, algorithm) in [
        (&*KEY, jsonwebtoken::Algorithm::ES256),
        (&edwards, jsonwebtoken::Algorithm::EdDSA),
        (&*RSA, jsonwebtoken::Algorithm::RS256),
    ] {
        let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(published(key)).unwrap();
        let mut validation = jsonwebtoken::Validation::new(algorithm);
        validation.validate_exp = false;
        validation.set_audience(&["notes"]);
        let token = key.sign(&claims()).unwrap();
        let public = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
        let read = jsonwebtoken::decode::<Value>(&token, &public, &validation).unwrap();
        assert_eq!(read.claims, payload());
        assert_eq!(read.header.kid.as_deref(), Some(key.kid()));
    }
}

#[test]
fn a66_every_algorithm_signs_and_verifies() {
    let generated = [Algorithm::ES256, Algorithm::ES384, Algorithm::ES512, Algorithm::EdDSA]
        .map(|algorithm| SigningKey::generate(algorithm).unwrap());
    let rsa = RSA.to_pkcs8().unwrap();
    let same_rsa =
        [Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::PS256, Algorithm::PS384, Algorithm::PS512]
            .map(|algorithm| SigningKey::from_pkcs8(algorithm, rsa).unwrap());
    let secret = SigningKey::from_secret(&[7; 32], "k".into()).unwrap();
    for key in generated.iter().chain(&same_rsa).chain([&secret]) {
        let token = key.sign(&claims()).unwrap();
        let unverified = Unverified::parse(&token).unwrap();
        assert_eq!(unverified.algorithm(), key.algorithm());
        assert_eq!(unverified.kid(), key.kid());
        assert_eq!(unverified.verify_signature(&key.verifying_key()), Ok(claims()), "{}", key.algorithm());
        if let Some(jwk) = key.public_jwk() {
            let published = VerifyingKey::from_jwk(&jwk).unwrap();
            assert_eq!(unverified.verify_signature(&published), Ok(claims()), "{}", key.algorithm());
        }
    }
}

#[test]
fn hs384_and_hs512_are_verified() {
    for (algorithm, hash) in [(Algorithm::HS384, hmac::HMAC_SHA384), (Algorithm::HS512, hmac::HMAC_SHA512)] {
        let secret = [7; 64];
        let header = with(with(header(), "alg", algorithm.as_str().into()), "kid", "k".into());
        let message = format!("{}.{}", b64(header.to_string()), b64(payload().to_string()));
        let tag = hmac::sign(&hmac::Key::new(hash, &secret), message.as_bytes());
        let key = VerifyingKey::from_hmac(algorithm, &secret, "k".into()).unwrap();
        let verify = |token: &str| Unverified::parse(token).unwrap().verify_signature(&key);
        assert_eq!(verify(&format!("{message}.{}", b64(tag))), Ok(claims()));
        assert_eq!(verify(&format!("{message}.{}", b64(&tag.as_ref()[..32]))), Err(TokenError::BadSignature));
    }
}

#[test]
fn es512_has_signatures_of_132_bytes_on_p_521() {
    let key = SigningKey::generate(Algorithm::ES512).unwrap();
    let jwk = published(&key);
    assert_eq!((&jwk["kty"], &jwk["crv"], &jwk["alg"]), (&json!("EC"), &json!("P-521"), &json!("ES512")));
    assert_eq!(unb64(jwk["x"].as_str().unwrap()).len(), 66, "with its leading zeros");
    let token = key.sign(&claims()).unwrap();
    let [header, payload, signature] = parts(&token);
    let signature = unb64(signature);
    assert_eq!(signature.len(), 132);
    for bad in [&[0; 132][..], &signature[..131], &[&signature[..], &[0]].concat(), &[]] {
        let token = format!("{header}.{payload}.{}", b64(bad));
        let refused = Unverified::parse(&token).and_then(|token| token.verify_signature(&key.verifying_key()));
        assert!(refused.is_err());
    }
    for (name, value) in [("x", b64([1; 66])), ("x", b64([1; 65])), ("alg", "ES256".into()), ("crv", "P-256".into())] {
        let (keys, problems) = set(json!([with(jwk.clone(), name, value.into())]));
        assert_eq!((keys.len(), problems.len()), (0, 1), "{name}");
    }
}

#[test]
fn key_ops_with_verify_are_accepted() {
    let (keys, problems) = set(json!([with(published(&KEY), "key_ops", json!(["sign", "verify"]))]));
    assert_eq!((keys.len(), problems.len()), (1, 0));
}

#[test]
fn a_key_survives_a_round_trip_through_pkcs8() {
    for key in [&*KEY, &*RSA] {
        let again = SigningKey::from_pkcs8(key.algorithm(), key.to_pkcs8().unwrap()).unwrap();
        assert_eq!(again.kid(), key.kid());
        assert!(
            Unverified::parse(&again.sign(&claims()).unwrap()).unwrap().verify_signature(&key.verifying_key()).is_ok()
        );
    }
    assert_eq!(SigningKey::from_secret(&[7; 32], "k".into()).unwrap().to_pkcs8(), None);
}

#[test]
fn a_key_of_another_kind_is_refused() {
    let (ec, rsa) = (KEY.to_pkcs8().unwrap(), RSA.to_pkcs8().unwrap());
    for (algorithm, der) in [
        (Algorithm::ES384, ec),
        (Algorithm::EdDSA, ec),
        (Algorithm::RS256, ec),
        (Algorithm::ES256, rsa),
        (Algorithm::ES256, &[][..]),
        (Algorithm::RS256, &rsa[..rsa.len() - 1]),
    ] {
        assert_eq!(SigningKey::from_pkcs8(algorithm, der).unwrap_err(), KeyError::Invalid(algorithm));
    }
    assert_eq!(SigningKey::from_pkcs8(Algorithm::HS256, ec).unwrap_err(), KeyError::WrongKind(Algorithm::HS256));
    assert_eq!(SigningKey::generate(Algorithm::HS256).unwrap_err(), KeyError::WrongKind(Algorithm::HS256));
}

#[test]
fn a_secret_has_at_least_32_bytes_and_a_kid_at_most_256() {
    assert_eq!(SigningKey::from_secret(&[7; 31], "k".into()).unwrap_err(), KeyError::SecretTooShort);
    assert_eq!(VerifyingKey::from_secret(&[7; 31], "k".into()).unwrap_err(), KeyError::SecretTooShort);
    for (algorithm, size) in [(Algorithm::HS256, 32), (Algorithm::HS384, 48), (Algorithm::HS512, 64)] {
        let too_short = VerifyingKey::from_hmac(algorithm, &vec![7; size - 1], "k".into());
        assert_eq!(too_short.unwrap_err(), KeyError::SecretTooShort, "{algorithm}");
        assert_eq!(VerifyingKey::from_hmac(algorithm, &vec![7; size], "k".into()).unwrap().algorithm(), algorithm);
    }
    let wrong = VerifyingKey::from_hmac(Algorithm::ES256, &[7; 64], "k".into());
    assert_eq!(wrong.unwrap_err(), KeyError::WrongKind(Algorithm::ES256));
    for kid in [String::new(), "x".repeat(257)] {
        assert_eq!(SigningKey::from_secret(&[7; 32], kid).unwrap_err(), KeyError::BadKid);
    }
}

#[test]
fn debug_shows_no_key() {
    let secret = SigningKey::from_secret(b"hunter2hunter2hunter2hunter2hunter2", "the-kid".into()).unwrap();
    let shown = format!("{secret:?} {:?}", secret.verifying_key());
    assert!(shown.contains("the-kid") && !shown.contains("hunter2") && !shown.contains("104, 117"), "{shown}");
}

#[test]
fn a_bad_key_does_not_discard_the_rest_of_the_set() {
    let good = published(&KEY);
    let alter = |name: &str, value: Value| with(with(good.clone(), "kid", "other".into()), name, value);
    for (bad, error) in [
        (without(good.clone(), "kid"), KeyError::NoKid),
        (alter("kid", "".into()), KeyError::BadKid),
        (alter("kid", "x".repeat(257).into()), KeyError::BadKid),
        (alter("kid", 1.into()), KeyError::NotAKey),
        (alter("use", "enc".into()), KeyError::NotForSignatures),
        (alter("alg", "ES384".into()), KeyError::BadAlgorithm),
        (alter("alg", "none".into()), KeyError::BadAlgorithm),
        (alter("alg", "HS256".into()), KeyError::BadAlgorithm),
        (alter("crv", "P-521".into()), KeyError::BadAlgorithm),
        (alter("crv", "secp256k1".into()), KeyError::UnsupportedType),
        (alter("key_ops", json!(["encrypt"])), KeyError::NotForSignatures),
        (alter("key_ops", json!(["sign"])), KeyError::NotForSignatures),
        (alter("key_ops", json!([])), KeyError::NotForSignatures),
        (alter("key_ops", json!("verify")), KeyError::NotAKey),
        (alter("crv", "P-384".into()), KeyError::BadAlgorithm),
        (alter("kty", "oct".into()), KeyError::UnsupportedType),
        (alter("kty", "OKP".into()), KeyError::UnsupportedType),
        (without(alter("use", "sig".into()), "y"), KeyError::BadMember("y")),
        (alter("x", "AA".into()), KeyError::BadMember("x")),
        (alter("x", format!("{}=", good["x"].as_str().unwrap()).into()), KeyError::BadMember("x")),
        (alter("x", b64([1; 32]).into()), KeyError::Invalid(Algorithm::ES256)),
        (with(without(published(&RSA), "alg"), "kid", "r".into()), KeyError::BadAlgorithm),
        (with(published(&RSA), "alg", "ES256".into()), KeyError::BadAlgorithm),
        (with(published(&RSA), "n", b64([0xFF; 128]).into()), KeyError::RsaTooSmall),
        (with(published(&RSA), "n", b64([[0x01; 1].as_slice(), &[0xFF; 255]].concat()).into()), KeyError::RsaTooSmall),
        (
            with(published(&RSA), "n", b64([[0x00; 1].as_slice(), &[0xFF; 256]].concat()).into()),
            KeyError::BadMember("n"),
        ),
        (with(published(&RSA), "e", b64([2]).into()), KeyError::BadMember("e")),
        (with(published(&RSA), "e", b64([1]).into()), KeyError::BadMember("e")),
        (with(published(&RSA), "e", b64([1, 0, 0]).into()), KeyError::BadMember("e")),
        (with(published(&RSA), "e", "".into()), KeyError::BadMember("e")),
        (with(published(&RSA), "n", b64([[0xFF; 255].as_slice(), &[0xFE]].concat()).into()), KeyError::BadMember("n")),
        (with(published(&RSA), "e", b64([0xFF; 5]).into()), KeyError::BadMember("e")),
        (with(published(&RSA), "n", b64([0xFF; 1025]).into()), KeyError::Invalid(Algorithm::RS256)),
        (json!({ "kty": "oct", "kid": "k", "k": b64([7; 32]), "alg": "HS256" }), KeyError::UnsupportedType),
        (good.clone(), KeyError::DuplicateKid),
        (json!(null), KeyError::NotAKey),
        (json!([]), KeyError::NotAKey),
        (json!({}), KeyError::NotAKey),
    ] {
        // The good key comes first, so that a second one with its kid is the one that is refused.
        let (keys, problems) = set(json!([good, bad, published(&RSA)]));
        let kids: Vec<_> = keys.iter().map(VerifyingKey::kid).collect();
        assert_eq!(kids, [KEY.kid(), RSA.kid()], "{bad}");
        assert_eq!(problems, [error], "{bad}");
    }
}

#[test]
fn alg_and_use_may_be_left_out_if_the_curve_implies_the_algorithm() {
    let (keys, problems) = set(json!([without(without(published(&KEY), "alg"), "use")]));
    assert_eq!((keys.len(), problems.len()), (1, 0));
    assert_eq!(keys[0].algorithm(), Algorithm::ES256);
}

#[test]
fn an_invalid_set_is_refused_and_an_empty_one_is_not() {
    for text in ["", "{}", "[]", "null", "{\"keys\":{}}", "{\"keys\":null}", "{\"keys\":[]} x"] {
        assert_eq!(JwkSet::parse(text.as_bytes()).unwrap_err(), KeySetError::NotASet, "{text}");
    }
    let (keys, problems) = JwkSet::parse(b"{\"keys\":[],\"other\":1}").unwrap();
    assert!(keys.is_empty() && problems.is_empty());
    assert_eq!(serde_json::to_string(&JwkSet::default()).unwrap(), "{\"keys\":[]}");
    let many = json!({ "keys": vec![Value::Null; 101] }).to_string();
    assert_eq!(JwkSet::parse(many.as_bytes()).unwrap_err(), KeySetError::TooManyKeys);
    assert_eq!(JwkSet::parse(&vec![b' '; 256 * 1024 + 1]).unwrap_err(), KeySetError::TooLarge);
}
