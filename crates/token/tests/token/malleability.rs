//! Changed signatures that are still valid, and signatures that never were.

use ficha_token::{TokenError, Unverified};

use crate::support::*;

/// The order of P-256 (SEC 2 §2.4.2).
const ORDER: [u8; 32] = [
    0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC, 0xE6, 0xFA,
    0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
];

/// The order minus `s`.
fn negated(s: &[u8]) -> [u8; 32] {
    let mut result = [0; 32];
    let mut borrow = 0;
    for place in (0..32).rev() {
        let difference = i16::from(ORDER[place]) - i16::from(s[place]) - borrow;
        borrow = i16::from(difference < 0);
        result[place] = (difference & 0xFF) as u8;
    }
    result
}

fn resigned(token: &str, signature: &[u8]) -> String {
    let (message, _) = token.rsplit_once('.').unwrap();
    format!("{message}.{}", b64(signature))
}

#[test]
fn n_minus_s_is_another_text_with_the_same_ids() {
    let token = KEY.sign(&claims()).unwrap();
    let signature = unb64(parts(&token)[2]);
    let (r, s) = signature.split_at(32);
    let other = resigned(&token, &[r, &negated(s)].concat());
    assert_ne!(other, token);
    let ids = |token: &str| {
        let unverified = Unverified::parse(token).unwrap();
        unverified.verify_signature(&KEY.verifying_key()).unwrap().deny_ids(unverified.kid())
    };
    assert_eq!(ids(&other), ids(&token), "denying one denies the other");
}

#[test]
fn an_ecdsa_signature_of_zero_or_of_the_order_or_of_another_size_is_refused() {
    let token = KEY.sign(&claims()).unwrap();
    let signature = unb64(parts(&token)[2]);
    let (r, s) = signature.split_at(32);
    let zero = [0; 32];
    for bad in [
        [zero, zero].concat(),
        [r, &zero].concat(),
        [&zero, s].concat(),
        [ORDER, ORDER].concat(),
        [r, &ORDER].concat(),
        [&[0xFF; 64][..]].concat(),
        signature[..63].to_vec(),
        [&signature[..], &[0]].concat(),
        [&[0], &signature[..]].concat(),
        vec![0; 1],
        // ASN.1, as other protocols write it.
        [&[0x30, 0x44, 0x02, 0x20][..], r, &[0x02, 0x20], s].concat(),
    ] {
        assert_eq!(verify(&resigned(&token, &bad)), Err(TokenError::BadSignature), "{bad:?}");
    }
}

#[test]
fn a_signature_over_another_text_is_refused() {
    let token = KEY.sign(&claims()).unwrap();
    let mut other = claims();
    other.exp += 1;
    let other = KEY.sign(&other).unwrap();
    assert_eq!(verify(&resigned(&token, &unb64(parts(&other)[2]))), Err(TokenError::BadSignature));
    let spliced = format!("{}.{}.{}", parts(&token)[0], parts(&other)[1], parts(&token)[2]);
    assert_eq!(verify(&spliced), Err(TokenError::BadSignature));
}
