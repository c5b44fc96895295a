//! Signatures that are changed and still valid, and invalid ones.

use ficha_resource::VerifyError;
use ficha_token::{Algorithm, DenyId, SigningKey, TokenError};

use crate::support::*;

/// The order of P-256 (SEC 2 §2.4.2).
const ORDER: [u8; 32] = [
    0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC, 0xE6, 0xFA,
    0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
];

/// The token with `n - s` in place of `s`: another text with a valid signature.
pub fn twin(token: &str) -> String {
    let [header, claims, signature] = parts(token);
    let signature = decode(signature);
    let (r, s) = signature.split_at(32);
    format!("{header}.{claims}.{}", encode([r, &order_less(s)].concat()))
}

fn order_less(s: &[u8]) -> [u8; 32] {
    let mut result = [0; 32];
    let mut borrow = 0;
    for place in (0..32).rev() {
        let difference = i16::from(ORDER[place]) - i16::from(s[place]) - borrow;
        borrow = i16::from(difference < 0);
        result[place] = difference.rem_euclid(256) as u8;
    }
    result
}

#[test]
fn a69_an_ecdsa_signature_out_of_range_or_of_the_wrong_size_is_refused() {
    let service = Service::new();
    let [header, claims, signature] = parts(&ES256.sign(&claims()).unwrap()).map(str::to_owned);
    let signature = decode(&signature);
    let (r, s) = signature.split_at(32);
    let (zero, mut one, mut order_less_one) = ([0; 32], [0; 32], ORDER);
    one[31] = 1;
    order_less_one[31] -= 1;
    for (row, bad) in [
        ("r and s zero", [zero, zero].concat()),
        ("r zero", [&zero, s].concat()),
        ("s zero", [r, &zero].concat()),
        ("r and s one", [one, one].concat()),
        ("r and s the order", [ORDER, ORDER].concat()),
        ("r the order", [&ORDER, s].concat()),
        ("s the order", [r, &ORDER].concat()),
        ("r and s the order less one", [order_less_one, order_less_one].concat()),
        ("all ones", vec![0xFF; 64]),
        ("r and s swapped", [s, r].concat()),
        ("a byte short", signature[..63].to_vec()),
        ("a byte short in front", signature[1..].to_vec()),
        ("a zero behind", [&signature[..], &[0]].concat()),
        ("a zero in front", [&[0], &signature[..]].concat()),
        ("zeros in front of both", [&[0], r, &[0], s].concat()),
        ("r alone", r.to_vec()),
        ("twice", [&signature[..], &signature[..]].concat()),
        ("one byte", vec![0]),
        ("4 KiB of zeros", vec![0; 4096]),
        ("DER", der(r, s)),
        ("DER of zeros", vec![0x30, 6, 2, 1, 0, 2, 1, 0]),
    ] {
        let token = format!("{header}.{claims}.{}", encode(bad));
        service.refuses(row, &token, TokenError::BadSignature);
    }
    service.refuses("none", &format!("{header}.{claims}."), TokenError::Malformed("it has no signature"));
}

/// The signature in DER, as other protocols write it.
fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |bytes: &[u8]| {
        let sign = if bytes[0] >= 0x80 { &[0][..] } else { &[] };
        let length = (bytes.len() + sign.len()) as u8;
        [&[2, length][..], sign, bytes].concat()
    };
    let body = [integer(r), integer(s)].concat();
    [&[0x30, body.len() as u8][..], &body].concat()
}

#[test]
fn every_denied_id_also_denies_the_twin_of_a_token() {
    for denied in 0..3 {
        let service = Service::new();
        let claims = claims();
        let token = ES256.sign(&claims).unwrap();
        let twin = twin(&token);
        assert_ne!(token, twin);
        let ids: Vec<DenyId> = claims.deny_ids(ES256.kid());
        // The token has been seen and is in the cache; its twin has not.
        assert_eq!(service.accepts("the token", &token).deny_ids(), &ids);
        service.denied.deny(ids[denied]);
        for text in [&token, &twin] {
            assert_eq!(service.verifier.verify_now(text).unwrap_err(), VerifyError::Denied, "by id {denied}");
        }
    }
    let service = Service::new();
    let token = ES256.sign(&claims()).unwrap();
    assert_eq!(service.accepts("its twin", &twin(&token)).claims, service.accepts("it", &token).claims);
}

#[test]
fn eddsa_and_rsa_signatures_have_one_form() {
    let service = Service::new();
    for key in [&*EDDSA, &*RS256] {
        let token = key.sign(&claims()).unwrap();
        let [header, claims, signature] = parts(&token);
        let signature = decode(signature);
        let mut plus_order = signature.clone();
        // S + L (RFC 8032 §5.1.7 refuses it): the order of Ed25519 added to the second half, little-endian.
        if key.algorithm() == Algorithm::EdDSA {
            let order: [u8; 32] = [
                0xED, 0xD3, 0xF5, 0x5C, 0x1A, 0x63, 0x12, 0x58, 0xD6, 0x9C, 0xF7, 0xA2, 0xDE, 0xF9, 0xDE, 0x14, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
            ];
            let mut carry = 0;
            for (byte, more) in plus_order[32..].iter_mut().zip(order) {
                let sum = u16::from(*byte) + u16::from(more) + carry;
                *byte = (sum & 0xFF) as u8;
                carry = sum >> 8;
            }
        } else {
            plus_order[0] ^= 0x80;
        }
        for (row, bad) in [
            ("the order added", plus_order),
            ("zeros", vec![0; signature.len()]),
            ("ones", vec![0xFF; signature.len()]),
            ("one", [vec![0; signature.len() - 1], vec![1]].concat()),
            ("a byte short", signature[1..].to_vec()),
            ("a zero in front", [&[0], &signature[..]].concat()),
            ("a zero behind", [&signature[..], &[0]].concat()),
        ] {
            let row = format!("{}, {row}", key.algorithm());
            service.refuses(&row, &format!("{header}.{claims}.{}", encode(bad)), TokenError::BadSignature);
        }
    }
}

#[test]
fn a_part_of_another_token_is_refused() {
    let service = Service::new();
    let stranger = SigningKey::generate(Algorithm::ES256).unwrap();
    let (one, two, other) =
        (ES256.sign(&claims()).unwrap(), ES256.sign(&claims()).unwrap(), stranger.sign(&claims()).unwrap());
    let [header, claims, _] = parts(&one);
    for (row, text) in [
        ("another's claims", format!("{header}.{}.{}", parts(&two)[1], parts(&one)[2])),
        ("another's signature", format!("{header}.{claims}.{}", parts(&two)[2])),
        ("a stranger's signature", format!("{header}.{claims}.{}", parts(&other)[2])),
        ("a stranger's claims and signature", format!("{header}.{}.{}", parts(&other)[1], parts(&other)[2])),
    ] {
        service.refuses(row, &text, TokenError::BadSignature);
    }
}
