//! The text of a token, before any of it is decoded.

use ficha_token::TokenError;

use crate::support::*;

const CHARACTER: TokenError = TokenError::Malformed("it has a character that no token has");
const PARTS: TokenError = TokenError::Malformed("it does not have three parts");
const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

#[test]
fn a72_padding_white_space_and_other_characters_are_refused_anywhere() {
    let service = Service::new();
    let token = ES256.sign(&claims()).unwrap();
    let [header, claims, signature] = parts(&token);
    for extra in [
        "=",
        "==",
        "===",
        "%3D",
        "\n",
        "\r\n",
        "\r",
        " ",
        "\t",
        "\0",
        "+",
        "/",
        "\"",
        "'",
        ",",
        ";",
        "~",
        "?",
        "#",
        "é",
        "\u{a0}",
        "\u{feff}",
        "\u{200b}",
        "\u{ff0e}",
        "А",
        "\u{1f600}",
    ] {
        for text in [
            format!("{token}{extra}"),
            format!("{extra}{token}"),
            format!("{header}{extra}.{claims}.{signature}"),
            format!("{header}.{extra}{claims}.{signature}"),
            format!("{header}.{claims}{extra}.{signature}"),
            format!("{header}.{claims}.{extra}{signature}"),
            format!("{}{extra}{}", &token[..10], &token[10..]),
        ] {
            service.refuses_before_lookup(&format!("{extra:?}"), &text, CHARACTER);
        }
        // Also if the signature covers it, as if signed by software that skips it.
        let signed = sign_text(&format!("{header}{extra}.{claims}"));
        service.refuses_before_lookup(&format!("{extra:?}, signed"), &signed, CHARACTER);
    }
    service.accepts("without any", &token);
}

#[test]
fn a72_the_other_alphabet_is_refused() {
    let service = Service::new();
    // A token with both characters that differ between the two alphabets.
    let token = std::iter::repeat_with(|| ES256.sign(&claims()).unwrap())
        .find(|token| token.contains('-') && token.contains('_'))
        .unwrap();
    service.refuses_before_lookup("standard base64", &token.replace('-', "+").replace('_', "/"), CHARACTER);
    service.refuses_before_lookup("a mix", &token.replace('-', "+"), CHARACTER);
}

#[test]
fn a72_unused_bits_must_be_zero_in_every_part() {
    let service = Service::new();
    let not_canonical = |part: &str| -> Vec<String> {
        let last = ALPHABET.find(&part[part.len() - 1..]).unwrap();
        let free = if part.len() % 4 == 2 { 16 } else { 4 };
        assert_eq!(last % free, 0, "canonical");
        (1..free).map(|bits| format!("{}{}", &part[..part.len() - 1], &ALPHABET[last + bits..=last + bits])).collect()
    };
    // Spaces after the JSON, until a part ends with unused bits.
    for spaces in 0..3 {
        let header = encode(format!("{}{}", header(), " ".repeat(spaces)));
        if header.len() % 4 != 0 {
            for other in not_canonical(&header) {
                let signed = sign_text(&format!("{other}.{}", encode(claims_json().to_string())));
                service.refuses_before_lookup(&other, &signed, TokenError::Malformed("its header is not base64url"));
            }
        }
        let claims = encode(format!("{}{}", claims_json(), " ".repeat(spaces)));
        if claims.len() % 4 != 0 {
            for other in not_canonical(&claims) {
                let signed = sign_text(&format!("{header}.{other}"));
                service.refuses_before_lookup(&other, &signed, TokenError::Malformed("its claims are not base64url"));
            }
        }
        let token = sign_text(&format!("{header}.{claims}"));
        service.accepts("canonical, with spaces", &token);
        for other in not_canonical(parts(&token)[2]) {
            let text = format!("{header}.{claims}.{other}");
            service.refuses_before_lookup(&other, &text, TokenError::Malformed("its signature is not base64url"));
        }
    }
}

#[test]
fn a72_a_part_of_an_impossible_length_is_refused() {
    let service = Service::new();
    let token = ES256.sign(&claims()).unwrap();
    let [header, claims, signature] = parts(&token);
    // One character more than a multiple of four does not encode any bytes.
    let odd = |part: &str| format!("{part}{}", "A".repeat((5 - part.len() % 4) % 4));
    for (text, what) in [
        (format!("{}.{claims}.{signature}", odd(header)), "its header is not base64url"),
        (format!("{header}.{}.{signature}", odd(claims)), "its claims are not base64url"),
        (format!("{header}.{claims}.{}", odd(signature)), "its signature is not base64url"),
    ] {
        service.refuses_before_lookup(what, &text, TokenError::Malformed(what));
    }
}

#[test]
fn a_token_has_three_parts_and_none_is_empty() {
    let service = Service::new();
    let token = ES256.sign(&claims()).unwrap();
    let [header, claims, signature] = parts(&token);
    let not_an_object = TokenError::Malformed("its header is not a JSON object with each member once");
    for (text, error) in [
        (String::new(), TokenError::Malformed("it is empty")),
        (".".into(), PARTS),
        ("..".into(), TokenError::Malformed("it has no signature")),
        ("...".into(), PARTS),
        (header.to_owned(), PARTS),
        (format!("{header}.{claims}"), PARTS),
        (format!("{header}.{claims}."), TokenError::Malformed("it has no signature")),
        (format!("{header}..{signature}"), TokenError::BadSignature),
        (format!(".{claims}.{signature}"), not_an_object),
        (format!("..{signature}"), not_an_object),
        (format!("{token}."), PARTS),
        (format!(".{token}"), PARTS),
        (format!("{token}.{signature}"), PARTS),
        (format!("{header}.{header}.{claims}.{signature}"), PARTS),
        (format!("{token}.{token}"), PARTS),
    ] {
        service.refuses(&text, &text, error);
    }
    let empty = sign_text(&format!("{header}."));
    service.refuses(
        "empty claims, signed",
        &empty,
        TokenError::Malformed("its claims are not a JSON object with each member once"),
    );
}
