//! Refusing what is not a token of the issuer must cost next to nothing.

use std::time::Duration;

use ficha_token::{Clock as _, MAX_TOKEN_BYTES, SystemClock, TokenError};
use serde_json::json;

use crate::support::*;

const ENCRYPTED: TokenError = TokenError::Malformed("it is encrypted");
const SERIALIZED: TokenError = TokenError::Malformed("it is the JSON serialization");

#[test]
fn a76_a_token_of_16_mb_is_refused_by_its_length_alone() {
    let service = Service::new();
    let good = ES256.sign(&claims()).unwrap();
    for text in [
        "a".repeat(16_000_000),
        "é".repeat(8_000_000),
        ".".repeat(16_000_000),
        "{".repeat(16_000_000),
        format!("{good}{}", "A".repeat(16_000_000)),
    ] {
        service.refuses_before_lookup("16 MB", &text, TokenError::TooLong);
        // Reading each byte 2,000 times (32 GB) takes seconds on any machine; reading the length does not.
        let start = SystemClock.elapsed();
        for _ in 0..2_000 {
            assert!(service.verifier.verify_now(&text).is_err());
        }
        assert!(SystemClock.elapsed() - start < Duration::from_secs(1));
    }
}

#[test]
fn a76_the_longest_token_is_accepted_and_one_byte_more_is_not() {
    let service = Service::new();
    let mut claims = claims();
    let length = |claims: &ficha_token::AccessClaims| ES256.sign(claims).map(|token| token.len());
    claims.extra.insert("x".into(), "".into());
    let rest = MAX_TOKEN_BYTES - length(&claims).unwrap();
    for more in (rest * 3 / 4 - 3)..=(rest * 3 / 4 + 3) {
        claims.extra.insert("x".into(), "x".repeat(more).into());
        let token = forge(header().to_string(), serde_json::to_string(&claims).unwrap());
        if token.len() <= MAX_TOKEN_BYTES {
            assert_eq!(service.accepts("just short enough", &token).claims, claims);
        } else {
            service.refuses_before_lookup("just too long", &token, TokenError::TooLong);
        }
    }
}

#[test]
fn a76_encrypted_tokens_are_refused_before_anything_is_decoded() {
    let service = Service::new();
    let good = ES256.sign(&claims()).unwrap();
    let header = json!({ "alg": "dir", "enc": "A256GCM", "typ": "at+jwt", "kid": ES256.kid(), "zip": "DEF" });
    let slow = json!({ "alg": "PBES2-HS512+A256KW", "enc": "A256GCM", "p2c": 2_147_483_647, "p2s": "AAAA" });
    for text in [
        "a.b.c.d.e".to_owned(),
        "....".into(),
        "....AA".into(),
        format!("{}..AAAA.{}.AAAA", encode(header.to_string()), encode(claims_json().to_string())),
        // A number of rounds that would take minutes.
        format!("{}.AAAA.AAAA.AAAA.AAAA", encode(slow.to_string())),
        format!("{good}.AAAA.AAAA"),
    ] {
        service.refuses_before_lookup(&text, &text, ENCRYPTED);
    }
}

#[test]
fn a76_the_json_serialization_is_refused_by_its_first_byte() {
    let service = Service::new();
    let good = ES256.sign(&claims()).unwrap();
    let [header, payload, signature] = parts(&good);
    let one = json!({ "protected": header, "signature": signature });
    for text in [
        json!({ "protected": header, "payload": payload, "signature": signature }).to_string(),
        json!({ "payload": payload, "signatures": [one] }).to_string(),
        json!({ "payload": payload, "signatures": [one, one] }).to_string(),
        json!({ "payload": payload, "signatures": [] }).to_string(),
        json!({ "protected": header, "ciphertext": "AAAA", "iv": "AAAA", "tag": "AAAA" }).to_string(),
        "{".into(),
        "{".repeat(MAX_TOKEN_BYTES),
        format!("{{{good}}}"),
    ] {
        service.refuses_before_lookup(&text, &text, SERIALIZED);
    }
    for text in [" {}".to_owned(), json!([good]).to_string(), json!(good).to_string()] {
        service.refuses_before_lookup(&text, &text, TokenError::Malformed("it has a character that no token has"));
    }
}

#[test]
fn a_header_has_its_own_bound() {
    let service = Service::new();
    let long = with(header(), "x", "x".repeat(3_100));
    let token = forge(long.to_string(), claims_json().to_string());
    service.refuses_before_lookup("a long header", &token, TokenError::Malformed("its header is too long"));
    let short = with(header(), "x", "x".repeat(2_800));
    service.accepts("a shorter one", &forge(short.to_string(), claims_json().to_string()));
}
