//! Every other member of the header: `typ`, `crit`, `b64`, `zip`, and duplicates.

use ficha_token::TokenError;
use serde_json::json;

use crate::support::*;

const NOT_AN_OBJECT: TokenError = TokenError::Malformed("its header is not a JSON object with each member once");
const CLAIMS_NOT_AN_OBJECT: TokenError =
    TokenError::Malformed("its claims are not a JSON object with each member once");

#[test]
fn a67_only_the_type_of_an_access_token_is_accepted() {
    let service = Service::new();
    for typ in ["at+jwt", "AT+JWT", "At+Jwt", "application/at+jwt", "APPLICATION/AT+JWT"] {
        service.accepts(typ, &forge(with(header(), "typ", typ).to_string(), claims_json().to_string()));
    }
    for typ in [
        json!("JWT"),
        json!("jwt"),
        json!("rt+jwt"),
        json!("id+jwt"),
        json!("dpop+jwt"),
        json!("logout+jwt"),
        json!("token-introspection+jwt"),
        json!("at+jwt;charset=utf-8"),
        json!("at+jwt "),
        json!(" at+jwt"),
        json!("at+jwt\0"),
        json!("at jwt"),
        json!("at%2Bjwt"),
        json!("application/application/at+jwt"),
        json!("/at+jwt"),
        json!("text/at+jwt"),
        json!(""),
        json!(null),
        json!(1),
        json!(["at+jwt"]),
        json!({ "at+jwt": true }),
    ] {
        let row = typ.to_string();
        let token = forge(with(header(), "typ", typ).to_string(), claims_json().to_string());
        service.refuses_before_lookup(&row, &token, TokenError::WrongType);
    }
    service.refuses_header("none", &without(header(), "typ"), TokenError::WrongType);
}

#[test]
fn a71_any_critical_extension_is_refused() {
    let service = Service::new();
    for crit in [
        json!(["exp"]),
        json!(["b64"]),
        json!(["alg"]),
        json!(["kid"]),
        json!(["unknown"]),
        json!(["http://example.com/x"]),
        json!(["exp", "exp"]),
        json!([""]),
        json!([]),
        json!([1]),
        json!([null]),
        json!("b64"),
        json!({}),
        json!(null),
        json!(false),
    ] {
        let row = crit.to_string();
        let header = with(with(header(), "exp", NOW + 600), "crit", crit);
        let token = forge(header.to_string(), claims_json().to_string());
        service.refuses_before_lookup(&row, &token, TokenError::UnsupportedExtension);
    }
}

#[test]
fn a71_an_unencoded_payload_is_refused() {
    let service = Service::new();
    for b64 in [json!(false), json!(true), json!("false"), json!(null), json!(0)] {
        let unencoded = with(header(), "b64", b64);
        service.refuses_header("b64", &unencoded, TokenError::UnsupportedExtension);
        let critical = with(unencoded, "crit", json!(["b64"]));
        service.refuses_header("b64 and crit", &critical, TokenError::UnsupportedExtension);
    }
    // As in RFC 7797 §5.2: the payload as it is, and signed like that.
    let header = with(with(header(), "b64", false), "crit", json!(["b64"]));
    let detached = sign_text(&format!("{}.{}", encode(header.to_string()), "payload"));
    service.refuses_before_lookup("as it is", &detached, TokenError::UnsupportedExtension);
}

#[test]
fn a75_a_duplicate_header_member_is_refused() {
    let service = Service::new();
    let good = header().to_string();
    let kid = ES256.kid();
    for more in [
        r#""alg":"ES256""#.to_owned(),
        r#""alg":"none""#.to_owned(),
        r#""\u0061lg":"none""#.to_owned(),
        r#""\u0061\u006c\u0067":"ES256""#.to_owned(),
        r#""typ":"JWT""#.to_owned(),
        r#""\u0074yp":"at+jwt""#.to_owned(),
        format!(r#""kid":"{kid}""#),
        format!(r#""k\u0069d":"{kid}""#),
        r#""x":1,"x":1"#.to_owned(),
        r#""x":1,"\u0078":1"#.to_owned(),
        r#""x":{"a":1,"a":1}"#.to_owned(),
        r#""x":[[{"a":1,"\u0061":1}]]"#.to_owned(),
        r#""":1,"":1"#.to_owned(),
    ] {
        let first = good.replacen('{', &format!("{{{more},"), 1);
        let last = format!("{},{more}}}", &good[..good.len() - 1]);
        for text in [first, last] {
            service.refuses_before_lookup(&more, &forge(&text, claims_json().to_string()), NOT_AN_OBJECT);
        }
    }
    // Names that only look alike are other members, and unknown members are ignored.
    for other in [r#""Alg":"none""#, r#""alg ":"none""#, r#""alg\u0000":"none""#, r#""аlg":"none""#] {
        service.accepts(other, &forge(good.replacen('{', &format!("{{{other},"), 1), claims_json().to_string()));
    }
}

#[test]
fn a_compressed_payload_is_never_inflated() {
    let service = Service::new();
    // `{"a":"b"}`, deflated. JWS has no compression (RFC 7516 §4.1.3 is about JWE), so `zip` is an unknown member.
    let deflated = [0xab, 0x56, 0x4a, 0x54, 0xb2, 0x52, 0x4a, 0x52, 0xaa, 0x05, 0x00];
    let header = with(header(), "zip", "DEF").to_string();
    service.refuses("deflated", &forge(&header, deflated), CLAIMS_NOT_AN_OBJECT);
    service.accepts("not deflated", &forge(&header, claims_json().to_string()));
}

#[test]
fn a_token_inside_a_token_is_not_opened() {
    let service = Service::new();
    let inner = ES256.sign(&claims()).unwrap();
    let header = with(header(), "cty", "JWT").to_string();
    service.refuses("nested", &forge(&header, &inner), CLAIMS_NOT_AN_OBJECT);
    service.refuses("nested, quoted", &forge(&header, format!("\"{inner}\"")), CLAIMS_NOT_AN_OBJECT);
}
