//! The header.

use ficha_token::{Algorithm, SigningKey, TokenError, Unverified};
use serde_json::json;

use crate::support::*;

#[test]
fn a63_the_header_contains_only_type_algorithm_and_key_id() {
    let token = KEY.sign(&claims()).unwrap();
    let header = String::from_utf8(unb64(parts(&token)[0])).unwrap();
    assert_eq!(header, format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{}"}}"#, KEY.kid()));
}

#[test]
fn a67_only_the_type_of_an_access_token_is_taken() {
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"] {
        assert_eq!(verify_header(&with(header(), "typ", typ.into())), Ok(claims()), "{typ}");
    }
    for typ in
        [json!("JWT"), json!(""), json!("at+jwt "), json!("text/at+jwt"), json!(null), json!(1), json!(["at+jwt"])]
    {
        assert_eq!(verify_header(&with(header(), "typ", typ.clone())), Err(TokenError::WrongType), "{typ}");
    }
    assert_eq!(verify_header(&without(header(), "typ")), Err(TokenError::WrongType));
}

#[test]
fn a69_a_key_verifies_only_one_algorithm() {
    for alg in ["ES384", "HS256", "RS256", "EdDSA", "Ed25519", "PS256"] {
        let token = forge(&with(header(), "alg", alg.into()).to_string(), &payload().to_string());
        let unverified = Unverified::parse(&token).unwrap();
        assert_eq!(unverified.verify_signature(&KEY.verifying_key()), Err(TokenError::WrongAlgorithm), "{alg}");
    }
}

#[test]
fn a69_an_algorithm_that_the_service_does_not_expect_is_refused() {
    let token = KEY.sign(&claims()).unwrap();
    let unverified = Unverified::parse(&token).unwrap();
    for algorithms in [vec![], vec![Algorithm::RS256, Algorithm::HS256]] {
        let expected = changed(expected(), |it| it.algorithms = algorithms);
        let result = unverified.verify(&KEY.verifying_key(), &expected, NOW);
        assert_eq!(result, Err(TokenError::UnsupportedAlgorithm));
    }
}

#[test]
fn a70_alg_none_is_refused_in_any_letter_case() {
    for alg in ["none", "None", "NONE", "nOnE", "", "es256", "ES521", "ES256K", "dir"] {
        let header = with(header(), "alg", alg.into());
        assert_eq!(verify_header(&header), Err(TokenError::UnsupportedAlgorithm), "{alg}");
        let unsigned = format!("{}.{}.", b64(header.to_string()), b64(payload().to_string()));
        assert!(matches!(verify(&unsigned), Err(TokenError::Malformed(_))), "{alg}");
    }
    for alg in [json!(null), json!(1), json!(["ES256"]), json!({})] {
        assert!(matches!(verify_header(&with(header(), "alg", alg)), Err(TokenError::Malformed(_))));
    }
    assert!(matches!(verify_header(&without(header(), "alg")), Err(TokenError::Malformed(_))));
}

#[test]
fn a71_every_extension_is_refused() {
    for crit in [json!(["exp"]), json!(["b64"]), json!([]), json!(null), json!("b64"), json!({})] {
        assert_eq!(
            verify_header(&with(header(), "crit", crit.clone())),
            Err(TokenError::UnsupportedExtension),
            "{crit}"
        );
    }
    for b64 in [json!(false), json!(true), json!(null)] {
        assert_eq!(verify_header(&with(header(), "b64", b64)), Err(TokenError::UnsupportedExtension));
    }
}

#[test]
fn a75_a_duplicate_header_member_is_refused() {
    let kid = KEY.kid();
    for header in [
        format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{kid}","kid":"{kid}"}}"#),
        format!(r#"{{"typ":"at+jwt","alg":"none","alg":"ES256","kid":"{kid}"}}"#),
        format!(r#"{{"typ":"at+jwt","alg":"ES256","\u0061lg":"ES256","kid":"{kid}"}}"#),
        format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{kid}","x":{{"a":1,"a":1}}}}"#),
    ] {
        assert!(matches!(verify(&forge(&header, &payload().to_string())), Err(TokenError::Malformed(_))), "{header}");
    }
}

#[test]
fn a_header_that_is_not_an_object_is_refused() {
    for header in ["", "null", "[]", "1", "\"at+jwt\"", "{", "{}}", "\u{0}"] {
        assert!(matches!(verify(&forge(header, &payload().to_string())), Err(TokenError::Malformed(_))), "{header}");
    }
}

#[test]
fn the_kid_is_a_short_text_and_names_the_key() {
    for kid in [json!(null), json!(""), json!(1), json!(["a"]), json!("x".repeat(257))] {
        assert!(matches!(verify_header(&with(header(), "kid", kid)), Err(TokenError::Malformed(_))));
    }
    assert!(matches!(verify_header(&without(header(), "kid")), Err(TokenError::Malformed(_))));
    assert_eq!(verify_header(&with(header(), "kid", "another".into())), Err(TokenError::UnknownKey));
}

#[test]
fn a_key_in_the_header_is_not_used() {
    let attacker = SigningKey::generate(Algorithm::ES256).unwrap();
    let jwk = serde_json::to_value(attacker.public_jwk()).unwrap();
    let header = with(with(header(), "jwk", jwk), "jku", "https://attacker.example/jwks".into());
    let header = with(with(header, "x5u", "https://attacker.example/x5u".into()), "x5c", json!(["MIIB"]));
    // With our own signature it is ignored; with the attacker's it does not help.
    assert_eq!(verify_header(&header), Ok(claims()));
    let forged = attacker.sign(&claims()).unwrap();
    let message = format!("{}.{}", b64(header.to_string()), parts(&forged)[1]);
    assert_eq!(verify(&format!("{message}.{}", parts(&forged)[2])), Err(TokenError::BadSignature));
}
