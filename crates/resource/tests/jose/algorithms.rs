//! The algorithm that a token claims for itself.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::hmac;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ficha_token::{Algorithm, JwkSet, SigningKey, TokenError};
use serde_json::{Value, json};

use crate::support::*;

const UNSIGNED: TokenError = TokenError::Malformed("it has no signature");

#[test]
fn a70_none_is_refused_in_every_case_with_and_without_a_signature() {
    let service = Service::new();
    for bits in 0..16_u8 {
        let cased = |(place, letter): (usize, char)| {
            if bits >> place & 1 == 1 { letter.to_ascii_uppercase() } else { letter }
        };
        let name: String = "none".chars().enumerate().map(cased).collect();
        for kid in [Some(ES256.kid()), Some(RS256.kid()), None] {
            let header = json!({ "typ": "at+jwt", "alg": name, "kid": kid }).to_string();
            let text = format!("{}.{}", encode(header), encode(claims_json().to_string()));
            service.refuses_before_lookup(&name, &format!("{text}."), UNSIGNED);
            service.refuses_before_lookup(&name, &format!("{text}.AA"), TokenError::UnsupportedAlgorithm);
            service.refuses_before_lookup(&name, &sign_text(&text), TokenError::UnsupportedAlgorithm);
        }
    }
}

#[test]
fn a69_a70_an_unknown_algorithm_name_is_refused() {
    let service = Service::new();
    for name in
        ["", " ", "none ", "NONE\0", "es256", "ES256 ", "ES256\0", "ES521", "ES256K", "HS1", "RS1", "dir", "A128KW"]
    {
        service.refuses_header(name, &with(header(), "alg", name), TokenError::UnsupportedAlgorithm);
    }
    for odd in [json!(null), json!(0), json!(true), json!(["ES256"]), json!({ "ES256": 1 })] {
        let header = with(header(), "alg", odd);
        service.refuses_header("no string", &header, TokenError::Malformed("its alg is not a string"));
    }
    service.refuses_header("no alg", &without(header(), "alg"), TokenError::Malformed("it has no alg"));
}

#[test]
fn a69_a_public_key_in_any_form_is_not_an_hmac_secret() {
    let service = Service::new();
    for (key, forms) in [(&*RS256, rsa_forms()), (&*ES256, ec_forms()), (&*EDDSA, jwk_forms(&EDDSA))] {
        for (form, secret) in forms {
            for (alg, hash, error) in [
                ("HS256", hmac::HMAC_SHA256, TokenError::WrongAlgorithm),
                ("HS384", hmac::HMAC_SHA384, TokenError::WrongAlgorithm),
                ("HS512", hmac::HMAC_SHA512, TokenError::WrongAlgorithm),
                (key.algorithm().as_str(), hmac::HMAC_SHA256, TokenError::BadSignature),
            ] {
                let header = json!({ "typ": "at+jwt", "alg": alg, "kid": key.kid() }).to_string();
                let text = format!("{}.{}", encode(header), encode(claims_json().to_string()));
                let tag = hmac::sign(&hmac::Key::new(hash, &secret), text.as_bytes());
                service.refuses(&format!("{alg} by {form}"), &format!("{text}.{}", encode(tag)), error);
            }
        }
    }
}

#[test]
fn a69_a_key_is_not_used_for_another_algorithm_of_its_kind() {
    let service = Service::new();
    // The same RSA key signs with another padding or hash, which the issuer never does.
    for algorithm in [Algorithm::RS384, Algorithm::RS512, Algorithm::PS256, Algorithm::PS384, Algorithm::PS512] {
        let same_key = SigningKey::from_pkcs8(algorithm, RS256.to_pkcs8().unwrap()).unwrap();
        assert_eq!(same_key.kid(), RS256.kid());
        let token = same_key.sign(&claims()).unwrap();
        service.refuses(algorithm.as_str(), &token, TokenError::WrongAlgorithm);
    }
    for alg in ["ES384", "ES512", "EdDSA", "Ed25519", "RS256", "PS256", "HS256"] {
        service.refuses_header(alg, &with(header(), "alg", alg), TokenError::WrongAlgorithm);
    }
    // One key of the issuer with the `kid` of another.
    let text = |kid: &str| {
        let header = json!({ "typ": "at+jwt", "alg": "ES256", "kid": kid }).to_string();
        format!("{}.{}", encode(header), encode(claims_json().to_string()))
    };
    service.refuses("the RSA key's kid", &sign_text(&text(RS256.kid())), TokenError::WrongAlgorithm);
    service.refuses("the Ed25519 key's kid", &sign_text(&text(EDDSA.kid())), TokenError::WrongAlgorithm);
    service.accepts("its own kid", &sign_text(&text(ES256.kid())));
}

#[test]
fn a66_a69_every_algorithm_is_verified_through_the_whole_verifier() {
    let rsa = RS256.to_pkcs8().unwrap();
    for &algorithm in Algorithm::ALL {
        let key = match algorithm {
            // HS384 and HS512 are only ever verified here: see the tests of ficha-token.
            Algorithm::HS384 | Algorithm::HS512 => continue,
            Algorithm::HS256 => SigningKey::from_secret(&[7; 32], "secret".into()),
            Algorithm::ES256 | Algorithm::ES384 | Algorithm::ES512 | Algorithm::EdDSA => {
                SigningKey::generate(algorithm)
            }
            _ => SigningKey::from_pkcs8(algorithm, rsa),
        };
        let key = key.unwrap();
        let service = Service::with_keys([key.verifying_key()]);
        let claims = claims();
        let token = key.sign(&claims).unwrap();
        assert_eq!(service.accepts(algorithm.as_str(), &token).claims, claims);
        let stranger = Service::with_keys([]);
        stranger.refuses(algorithm.as_str(), &token, TokenError::UnknownKey);
    }
}

fn pem(label: &str, der: &[u8]) -> Vec<u8> {
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n")).into_bytes()
}

fn pem_forms(spki: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let text = pem("PUBLIC KEY", spki);
    vec![
        ("PEM without its last newline", text.trim_ascii().to_vec()),
        ("PEM with CRLF", String::from_utf8(text.clone()).unwrap().replace('\n', "\r\n").into_bytes()),
        ("PEM", text),
        ("DER", spki.to_vec()),
    ]
}

fn jwk_forms(key: &SigningKey) -> Vec<(&'static str, Vec<u8>)> {
    let jwk = key.public_jwk().unwrap();
    let mut forms = vec![
        ("JWK", serde_json::to_vec(&jwk).unwrap()),
        ("JWK by name of member", serde_json::to_vec(&serde_json::to_value(&jwk).unwrap()).unwrap()),
        ("JWK over lines", serde_json::to_vec_pretty(&jwk).unwrap()),
        ("JWKS", serde_json::to_vec(&JwkSet::new(vec![jwk.clone()])).unwrap()),
        ("kid", key.kid().into()),
        ("nothing", Vec::new()),
        ("zeros", vec![0; 32]),
    ];
    let json: Value = serde_json::to_value(&jwk).unwrap();
    for name in ["n", "x"] {
        if let Some(member) = json[name].as_str() {
            forms.push(("a member", member.into()));
            forms.push(("a member's bytes", decode(member)));
        }
    }
    forms
}

fn rsa_forms() -> Vec<(&'static str, Vec<u8>)> {
    let pair = KeyPair::from_pkcs8(RS256.to_pkcs8().unwrap()).unwrap();
    let pkcs1 = pair.public_key().as_ref().to_vec();
    let mut forms = pem_forms(pair.public_key().as_der().unwrap().as_ref());
    forms.extend([("PKCS#1 PEM", pem("RSA PUBLIC KEY", &pkcs1)), ("PKCS#1 DER", pkcs1)]);
    forms.extend(jwk_forms(&RS256));
    forms
}

fn ec_forms() -> Vec<(&'static str, Vec<u8>)> {
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, ES256.to_pkcs8().unwrap()).unwrap();
    let mut forms = pem_forms(pair.public_key().as_der().unwrap().as_ref());
    forms.push(("the point", pair.public_key().as_ref().to_vec()));
    forms.extend(jwk_forms(&ES256));
    forms
}
