//! JSON that is meant to confuse, exhaust or crash a parser. The signature is valid each time: an issuer that signs
//! what its users enter must not be a way to attack a service.

use ficha_token::TokenError;
use serde_json::{Value, json};

use crate::support::*;

const HEADER: TokenError = TokenError::Malformed("its header is not a JSON object with each member once");
const CLAIMS: TokenError = TokenError::Malformed("its claims are not a JSON object with each member once");

#[test]
fn json_that_is_nested_too_deeply_is_refused() {
    let service = Service::new();
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        // 100,000 brackets do not fit into a token; what does fit must not exhaust the stack either.
        for (depth, error) in [(17, CLAIMS), (1_500, CLAIMS), (100_000, TokenError::TooLong)] {
            let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            service.refuses_claims("deep", &claims_text_with(&format!("\"x\":{deep}")), error);
            service.refuses_claims("deep and torn", &claims_text_with(&format!("\"x\":{}", open.repeat(depth))), error);
            service.refuses_claims("deep and nothing else", &deep, error);
        }
        for depth in [16, 300] {
            let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            let text = header().to_string().replacen('{', &format!("{{\"x\":{deep},"), 1);
            service.refuses_before_lookup("deep header", &forge(text, claims_json().to_string()), HEADER);
        }
        let flat = format!("\"x\":{}1{}", open.repeat(15), close.repeat(15));
        service.accepts("deep enough", &forge(header().to_string(), claims_text_with(&flat)));
    }
    let brackets = forge(header().to_string(), "[".repeat(11_000));
    service.refuses("11,000 brackets", &brackets, CLAIMS);
}

#[test]
fn invalid_utf_8_is_refused() {
    let service = Service::new();
    let good = (header().to_string(), claims_json().to_string());
    for bad in [
        &b"\xFF"[..],
        b"\x80",
        b"\xC0\xAF", // an overlong slash
        b"\xC1\xBF",
        b"\xE0\x80\xAF",
        b"\xED\xA0\x80", // half of a surrogate pair
        b"\xED\xA0\x80\xED\xB0\x80",
        b"\xF4\x90\x80\x80", // beyond Unicode
        b"\xF8\x88\x80\x80\x80",
        b"\xE2\x82", // truncated
    ] {
        for member in [[b"{\"x\":\"", bad, b"\","].concat(), [b"{\"", bad, b"\":1,"].concat()] {
            let spoil = |text: &str| [&member[..], &text.as_bytes()[1..]].concat();
            service.refuses(&format!("{bad:x?}"), &forge(&good.0, spoil(&good.1)), CLAIMS);
            service.refuses_before_lookup(&format!("{bad:x?}"), &forge(spoil(&good.0), &good.1), HEADER);
        }
    }
}

#[test]
fn a_byte_order_mark_or_another_encoding_is_refused() {
    let service = Service::new();
    let good = (header().to_string(), claims_json().to_string());
    let utf16 = |text: &str, big: bool| -> Vec<u8> {
        text.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    };
    for spoil in [
        |text: &str, _: &dyn Fn(&str, bool) -> Vec<u8>| format!("\u{feff}{text}").into_bytes(),
        |text: &str, utf16: &dyn Fn(&str, bool) -> Vec<u8>| utf16(text, true),
        |text: &str, utf16: &dyn Fn(&str, bool) -> Vec<u8>| utf16(text, false),
        |text: &str, _: &dyn Fn(&str, bool) -> Vec<u8>| [text.as_bytes(), b"\0"].concat(),
    ] {
        service.refuses("claims", &forge(&good.0, spoil(&good.1, &utf16)), CLAIMS);
        service.refuses_before_lookup("header", &forge(spoil(&good.0, &utf16), &good.1), HEADER);
    }
}

#[test]
fn a_lone_surrogate_is_refused() {
    let service = Service::new();
    for bad in [r"\ud800", r"\udc00", r"\ud800\ud800", r"\udc00\ud800", r"\ud800x", r"\ud800\n", r"\uD8", r"\uzzzz"] {
        service.refuses_claims(bad, &claims_text_with(&format!("\"x\":\"{bad}\"")), CLAIMS);
        service.refuses_claims(bad, &claims_text_with(&format!("\"client_id\":\"{bad}\"")), CLAIMS);
        let text = header().to_string().replacen('{', &format!("{{\"x\":\"{bad}\","), 1);
        service.refuses_before_lookup(bad, &forge(text, claims_json().to_string()), HEADER);
    }
    let pair = claims_text_with(r#""x":"\ud83d\ude00""#);
    assert_eq!(service.accepts("a pair", &forge(header().to_string(), pair)).claims.extra["x"], "😀");
}

#[test]
fn anything_but_a_json_object_is_refused() {
    let service = Service::new();
    let (good_header, good) = (header().to_string(), claims_json().to_string());
    for text in [
        "",
        " ",
        "null",
        "true",
        "0",
        "\"\"",
        "[]",
        &format!("[{good}]"),
        &format!("{good}{good}"),
        &format!("{good} {{}}"),
        &format!("{good},"),
        &format!("{good}x"),
        &good[..good.len() - 1],
        &good[1..],
        &good.replace('"', "'"),
        &good.replacen('{', "{/* c */", 1),
        &good.replacen('{', "{,", 1),
        &good.replacen('}', ",}", 1),
        &good.replacen('{', "{x:1,", 1),
        &good.replacen('{', "{\"x\":undefined,", 1),
        &good.replacen('{', "{\"x\":NaN,", 1),
        &good.replacen('{', "{\"x\":+1,", 1),
        &good.replacen('{', "{\"x\":01,", 1),
        &good.replacen('{', "{\"x\":.5,", 1),
        &good.replacen('{', "{\"x\":1.,", 1),
        &good.replacen('{', "{\"x\":0x1,", 1),
        &good.replacen('{', "{\"x\":\"a\nb\",", 1),
        &good.replacen('{', "{\"x\":\"a\0b\",", 1),
        &good.replacen('{', "{\"x\":\"\\x41\",", 1),
        &good.replacen('{', "{\"x\":1e999,", 1),
        &good.replacen('{', "{\"x\":-1e999,", 1),
        &good.replacen('{', &format!("{{\"x\":{},", "9".repeat(4_000)), 1),
    ] {
        service.refuses(text, &forge(&good_header, text), CLAIMS);
    }
    for text in ["", "null", "[]", "0", "\"at+jwt\"", &format!("[{good_header}]"), &good_header[1..]] {
        service.refuses_before_lookup(text, &forge(text, &good), HEADER);
    }
}

#[test]
fn unusual_but_valid_json_is_read_correctly() {
    let service = Service::new();
    // White space and escapes may be used freely (RFC 8259).
    let claims = claims();
    let text = serde_json::to_string_pretty(&claims).unwrap().replace("\"exp\"", r#""\u0065xp""#);
    assert_eq!(service.accepts("pretty", &forge(header().to_string(), text)).claims, claims);
    for (member, value) in [
        (r#""x":123456789012345678901234567890"#, json!(123_456_789_012_345_678_901_234_567_890_f64)),
        (r#""x":1e-999"#, json!(0.0)),
        (r#""x":-0"#, json!(-0.0)),
        (r#""":null"#, Value::Null),
    ] {
        let verified = service.accepts(member, &forge(header().to_string(), claims_text_with(member)));
        assert_eq!(verified.claims.extra[member.split('"').nth(1).unwrap()], value, "{member}");
    }
    // Names that only begin like a claim are other members.
    let look_alike = claims_text_with(r#""exp\u0000":1"#);
    service.accepts("exp and NUL", &forge(header().to_string(), look_alike));
}
