//! The text of a token.

use ficha_token::{MAX_TOKEN_BYTES, TokenError, Unverified};

use crate::support::*;

fn is_malformed(token: &str) -> bool {
    matches!(verify(token), Err(TokenError::Malformed(_)))
}

#[test]
fn a_valid_token_is_accepted() {
    let token = KEY.sign(&claims()).unwrap();
    assert_eq!(verify(&token), Ok(claims()));
    assert_eq!(verify(&forge(&header().to_string(), &payload().to_string())), Ok(claims()));
}

#[test]
fn a72_characters_outside_the_alphabet_are_refused() {
    let token = KEY.sign(&claims()).unwrap();
    for extra in ["=", "==", "\n", "\r\n", " ", "\t", "\0", "+", "/", "%", "é", "\u{feff}"] {
        assert!(is_malformed(&format!("{token}{extra}")), "{extra:?} after");
        assert!(is_malformed(&format!("{extra}{token}")), "{extra:?} before");
        assert!(is_malformed(&token.replacen('.', &format!("{extra}."), 1)), "{extra:?} in the header");
        assert!(is_malformed(&token.replacen('.', &format!(".{extra}"), 1)), "{extra:?} in the claims");
    }
}

#[test]
fn a72_trailing_bits_must_be_zero() {
    // 64 bytes of signature leave four bits in the last character.
    let token = KEY.sign(&claims()).unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = alphabet.find(token.chars().last().unwrap()).unwrap();
    assert_eq!(last % 16, 0, "canonical");
    for bits in 1..16 {
        let changed = format!("{}{}", &token[..token.len() - 1], &alphabet[last + bits..=last + bits]);
        assert!(is_malformed(&changed), "{bits}");
    }
}

#[test]
fn a_token_has_exactly_three_parts() {
    let token = KEY.sign(&claims()).unwrap();
    let [header, payload, signature] = parts(&token);
    for text in [
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        header.to_owned(),
        format!("{header}.{payload}"),
        format!("{header}.{payload}."),
        format!("{header}..{signature}"),
        format!(".{payload}.{signature}"),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.{signature}"),
    ] {
        assert!(verify(&text).is_err(), "{text}");
    }
}

#[test]
fn a76_jwe_and_the_json_serialization_are_refused_before_anything_is_decoded() {
    let encrypted = "a.b.c.d.e";
    assert_eq!(Unverified::parse(encrypted).unwrap_err(), TokenError::Malformed("it is encrypted"));
    for json in ["{", "{\"payload\":\"\"}", "{\"payload\":\"e30\",\"signatures\":[]}"] {
        assert_eq!(Unverified::parse(json).unwrap_err(), TokenError::Malformed("it is the JSON serialization"));
    }
    assert!(matches!(Unverified::parse("[1]"), Err(TokenError::Malformed(_))));
}

#[test]
fn a_token_that_is_too_long_is_refused_by_its_length() {
    assert_eq!(Unverified::parse(&"a".repeat(MAX_TOKEN_BYTES + 1)).unwrap_err(), TokenError::TooLong);
    assert_eq!(Unverified::parse(&"é".repeat(MAX_TOKEN_BYTES)).unwrap_err(), TokenError::TooLong);
    let long_header = with(header(), "x", "x".repeat(4_000).into());
    assert!(matches!(verify_header(&long_header), Err(TokenError::Malformed(_))));
}

#[test]
fn no_error_shows_any_part_of_the_token() {
    let token = KEY.sign(&claims()).unwrap();
    let other = format!("{}x", token);
    for error in [verify(&other).unwrap_err(), verify_payload(&with(payload(), "exp", "hunter2".into())).unwrap_err()] {
        let text = format!("{error} {error:?}");
        assert!(!text.contains("hunter2") && !text.contains(&token[10..20]), "{text}");
    }
    let unverified = Unverified::parse(&token).unwrap();
    let shown = format!("{unverified:?}");
    assert!(!shown.contains(parts(&token)[2]) && !shown.contains(parts(&token)[1]), "{shown}");
}
