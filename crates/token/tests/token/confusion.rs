//! A public key must never work as an HMAC secret (RFC 8725 §2.1).

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::hmac;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ficha_token::{Algorithm, JwkSet, TokenError, Unverified, VerifyingKey};
use serde_json::json;

use crate::support::*;

fn public_forms() -> Vec<Vec<u8>> {
    let pair = KeyPair::from_pkcs8(RSA.to_pkcs8().unwrap()).unwrap();
    let pkcs1 = pair.public_key().as_ref().to_vec();
    let spki = pair.public_key().as_der().unwrap().as_ref().to_vec();
    let pem = |label: &str, der: &[u8]| {
        let text = STANDARD.encode(der);
        let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n")).into_bytes()
    };
    let jwk = RSA.public_jwk().unwrap();
    vec![
        pem("PUBLIC KEY", &spki),
        pem("PUBLIC KEY", &spki).trim_ascii().to_vec(),
        pem("RSA PUBLIC KEY", &pkcs1),
        spki,
        pkcs1,
        serde_json::to_vec(&jwk).unwrap(),
        jwk.n.as_deref().unwrap().into(),
        unb64(jwk.n.as_deref().unwrap()),
        serde_json::to_vec(&JwkSet::new(vec![jwk])).unwrap(),
    ]
}

#[test]
fn a69_a_public_rsa_key_is_not_an_hmac_secret_in_any_form() {
    let everything = changed(expected(), |it| it.algorithms = Algorithm::ALL.to_vec());
    for secret in public_forms() {
        for (alg, algorithm) in [
            ("HS256", hmac::HMAC_SHA256),
            ("HS384", hmac::HMAC_SHA384),
            ("HS512", hmac::HMAC_SHA512),
            ("RS256", hmac::HMAC_SHA256),
        ] {
            let header = json!({ "typ": "at+jwt", "alg": alg, "kid": RSA.kid() }).to_string();
            let message = format!("{}.{}", b64(header), b64(payload().to_string()));
            let tag = hmac::sign(&hmac::Key::new(algorithm, &secret), message.as_bytes());
            let token = format!("{message}.{}", b64(tag));
            let refused = Unverified::parse(&token).unwrap().verify(&RSA.verifying_key(), &everything, NOW);
            let expected = if alg == "RS256" { TokenError::BadSignature } else { TokenError::WrongAlgorithm };
            assert_eq!(refused, Err(expected));
        }
    }
}

#[test]
fn a69_a_key_set_never_yields_an_hmac_key() {
    let jwk = RSA.public_jwk().unwrap();
    for alg in ["HS256", "HS384", "HS512"] {
        let renamed = json!({ "kty": "RSA", "kid": "k", "alg": alg, "n": jwk.n, "e": jwk.e });
        let symmetric = json!({ "kty": "oct", "kid": "k", "alg": alg, "k": b64([7; 64]) });
        let (keys, problems) = JwkSet::parse(json!({ "keys": [renamed, symmetric] }).to_string().as_bytes()).unwrap();
        assert!(keys.is_empty());
        assert_eq!(problems.len(), 2);
    }
}

#[test]
fn a_secret_with_the_same_kid_verifies_no_other_algorithm() {
    let secret = VerifyingKey::from_secret(&[7; 32], KEY.kid().to_owned()).unwrap();
    let token = KEY.sign(&claims()).unwrap();
    let result = Unverified::parse(&token).unwrap().verify_signature(&secret);
    assert_eq!(result, Err(TokenError::WrongAlgorithm));
}
