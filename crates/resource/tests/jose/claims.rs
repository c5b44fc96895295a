//! Claims with a valid signature.

use ficha_resource::VerifyError;
use ficha_token::TokenError;
use serde_json::{Value, json};

use crate::support::*;

/// JSON texts that are not a sane number of seconds.
const NOT_A_TIME: [&str; 25] = [
    "\"1800000600\"",
    "\"\"",
    "\"never\"",
    "null",
    "true",
    "false",
    "[]",
    "[1800000600]",
    "{}",
    "{\"$numberLong\":\"1800000600\"}",
    "-1",
    "-0",
    "-1800000600",
    "1800000600.5",
    "1800000600.0",
    "1.8000006e9",
    "1e3",
    "1e300",
    "253402300800",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551616",
    "99999999999999999999999999999999999999",
];

#[test]
fn a74_a_time_that_is_not_a_sane_number_is_refused() {
    let service = Service::new();
    for name in ["exp", "iat", "nbf", "auth_time"] {
        for wrong in NOT_A_TIME {
            let text = claims_text_with(&format!("\"{name}\":{wrong}"));
            service.refuses_claims(&format!("{name}: {wrong}"), &text, TokenError::BadClaim(name));
        }
        for wrong in ["NaN", "Infinity", "-Infinity", "0x6B49D200", "01800000600", "+1800000600", "1_800", "1e400", ""]
        {
            let error = TokenError::Malformed("its claims are not a JSON object with each member once");
            service.refuses_claims(wrong, &claims_text_with(&format!("\"{name}\":{wrong}")), error);
        }
    }
    for name in ["exp", "iat", "auth_time"] {
        let text = without(claims_json(), name).to_string();
        service.refuses_claims(name, &text, TokenError::MissingClaim(name));
    }
}

#[test]
fn a74_a_sane_time_is_compared_with_the_clock() {
    let service = Service::new();
    for (member, outcome) in [
        ("\"exp\":0", Err(TokenError::Expired)),
        ("\"exp\":1", Err(TokenError::Expired)),
        ("\"exp\":1800000000", Err(TokenError::Expired)),
        ("\"exp\":1800000001", Ok(())),
        // Milliseconds in place of seconds: the year 59010.
        ("\"exp\":1800000600000", Err(TokenError::BadClaim("exp"))),
        ("\"exp\":253402300799", Ok(())),
        ("\"nbf\":1800000000", Ok(())),
        ("\"nbf\":1800000001", Err(TokenError::NotYetValid)),
        ("\"nbf\":253402300799", Err(TokenError::NotYetValid)),
        ("\"iat\":1800000060", Ok(())),
        ("\"iat\":1800000061", Err(TokenError::NotYetValid)),
        ("\"iat\":253402300799", Err(TokenError::NotYetValid)),
        ("\"iat\":0", Ok(())),
    ] {
        let token = forge(header().to_string(), claims_text_with(member));
        let result = service.verifier.verify_now(&token).map(|_| ());
        assert_eq!(result, outcome.map_err(VerifyError::Invalid), "{member}");
    }
}

#[test]
fn a67_a73_a_missing_malformed_or_foreign_audience_is_refused() {
    let service = Service::new();
    service.refuses_claims("no aud", &without(claims_json(), "aud").to_string(), TokenError::MissingClaim("aud"));
    let malformed = TokenError::BadClaim("aud");
    let another = TokenError::WrongAudience;
    for (aud, error) in [
        (json!(null), malformed),
        (json!(""), malformed),
        (json!(0), malformed),
        (json!(true), malformed),
        (json!([]), malformed),
        (json!({}), malformed),
        (json!({ "0": "notes" }), malformed),
        (json!([""]), malformed),
        (json!(["notes", ""]), malformed),
        (json!(["notes", 1]), malformed),
        (json!(["notes", null]), malformed),
        (json!([["notes"]]), malformed),
        (json!([{ "aud": "notes" }]), malformed),
        (json!("Notes"), another),
        (json!("NOTES"), another),
        (json!("notes "), another),
        (json!(" notes"), another),
        (json!("notes\0"), another),
        (json!("notes/"), another),
        (json!("note"), another),
        (json!("notes,mail"), another),
        (json!("notes mail"), another),
        (json!("*"), another),
        (json!(["mail", "Notes"]), another),
        (json!(ISSUER), another),
    ] {
        service.refuses_claims(&aud.to_string(), &with(claims_json(), "aud", aud.clone()).to_string(), error);
    }
}

#[test]
fn an_audience_may_be_one_of_very_many() {
    let service = Service::new();
    let many = |count: usize, last: &str| -> Value {
        (0..count).map(|number| format!("a{number}")).chain([last.to_owned()]).collect()
    };
    let claims = with(claims_json(), "aud", many(1_200, "notes")).to_string();
    assert_eq!(service.accepts("1,200", &forge(header().to_string(), claims)).claims.aud.len(), 1_201);
    let claims = with(claims_json(), "aud", many(1_200, "mail")).to_string();
    service.refuses_claims("1,200, none of them ours", &claims, TokenError::WrongAudience);
    let claims = with(claims_json(), "aud", many(100_000, "notes")).to_string();
    service.refuses_claims("100,000", &claims, TokenError::TooLong);
}

#[test]
fn a67_an_issuer_is_compared_byte_by_byte() {
    let service = Service::new();
    for issuer in [
        "https://auth.example.com/",
        "https://auth.example.com//",
        "https://auth.example.com?",
        "https://auth.example.com#",
        "https://auth.example.com:443",
        "https://AUTH.example.com",
        "HTTPS://auth.example.com",
        "http://auth.example.com",
        "//auth.example.com",
        "auth.example.com",
        "https://auth.example.com.",
        "https://auth.example.com.evil.example",
        "https://auth.example.com@evil.example",
        "https://evil.example/https://auth.example.com",
        "https://auth.example.com\0",
        "https://auth.example.com ",
        " https://auth.example.com",
        "https://auth.example.co",
        "https://аuth.example.com",
        "https://auth%2Eexample.com",
        "null",
    ] {
        let claims = with(claims_json(), "iss", issuer).to_string();
        service.refuses_claims(issuer, &claims, TokenError::WrongIssuer);
    }
    for issuer in [json!(null), json!(""), json!(1), json!([ISSUER]), json!({ "iss": ISSUER })] {
        let claims = with(claims_json(), "iss", issuer).to_string();
        service.refuses_claims("no text", &claims, TokenError::BadClaim("iss"));
    }
    service.refuses_claims("none", &without(claims_json(), "iss").to_string(), TokenError::MissingClaim("iss"));
}

#[test]
fn an_id_is_a_uuid_with_its_hyphens_and_nothing_else() {
    let service = Service::new();
    for name in ["sub", "jti", "sid"] {
        for wrong in [
            json!("alice"),
            json!("admin"),
            json!(""),
            json!("0"),
            json!("0198123456787abc8def0123456789ab"),
            json!("{01981234-5678-7abc-8def-0123456789ab}"),
            json!("urn:uuid:01981234-5678-7abc-8def-0123456789ab"),
            json!("01981234-5678-7abc-8def-0123456789ab "),
            json!("01981234-5678-7abc-8def-0123456789a"),
            json!("01981234-5678-7abc-8def-0123456789xy"),
            json!("01981234_5678_7abc_8def_0123456789ab"),
            json!("0198123456787abc8def-0123-4567-89ab-"),
            json!("٠١٩٨١٢٣٤-٥٦٧٨-٧"),
            json!("' OR 1=1 --"),
            json!("x".repeat(10_000)),
            json!(1),
            json!(null),
            json!(["01981234-5678-7abc-8def-0123456789ab"]),
        ] {
            let claims = with(claims_json(), name, wrong).to_string();
            service.refuses_claims(name, &claims, TokenError::BadClaim(name));
        }
        service.refuses_claims(name, &without(claims_json(), name).to_string(), TokenError::MissingClaim(name));
    }
}

/// Two spellings of an id must be the same id, or a denied token could be written in another way.
#[test]
fn an_id_in_capitals_is_denied_by_the_same_entry() {
    for name in ["jti", "sid"] {
        let service = Service::new();
        let id = "01981234-5678-7abc-8def-0123456789ab";
        let small = with(claims_json(), name, id);
        let capital = with(small.clone(), name, id.to_ascii_uppercase());
        let token = |claims: &Value| forge(header().to_string(), claims.to_string());
        service.accepts(name, &token(&small));
        service.accepts(name, &token(&capital));
        service.denied.deny(id.parse::<uuid::Uuid>().unwrap());
        for claims in [small, capital] {
            assert_eq!(service.verifier.verify_now(&token(&claims)).unwrap_err(), VerifyError::Denied);
        }
    }
}

#[test]
fn a75_a_duplicate_claim_is_refused() {
    let service = Service::new();
    let error = TokenError::Malformed("its claims are not a JSON object with each member once");
    let good = claims_json();
    for name in ["iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope", "sid", "auth_time"] {
        let escaped = format!("\\u{:04x}{}", name.as_bytes()[0], &name[1..]);
        for written in [name, &escaped] {
            let more = format!("\"{written}\":{}", good[name]);
            let text = good.to_string();
            service.refuses_claims(&more, &text.replacen('{', &format!("{{{more},"), 1), error);
            service.refuses_claims(&more, &format!("{},{more}}}", &text[..text.len() - 1]), error);
        }
    }
    for more in [
        r#""exp":9999999999"#,
        r#""\u0065xp":9999999999"#,
        r#""nbf":1,"nbf":2"#,
        r#""x":1,"\u0078":1"#,
        r#""x":{"a":1,"a":2}"#,
        r#""x":{"a":1,"\u0061":2}"#,
        r#""x":[[{"a":{"b":1,"b":1}}]]"#,
        r#""é":1,"\u00e9":1"#,
        r#""😀":1,"\ud83d\ude00":1"#,
    ] {
        service.refuses_claims(more, &good.to_string().replacen('{', &format!("{{{more},"), 1), error);
    }
}

#[test]
fn scope_client_and_roles_have_their_types() {
    let service = Service::new();
    for (name, wrong) in [
        ("scope", json!(["notes:read"])),
        ("scope", json!(null)),
        ("scope", json!(1)),
        ("scope", json!("notes:read\nadmin")),
        ("scope", json!("notes:\"read\"")),
        ("scope", json!("notes:réad")),
        ("client_id", json!(null)),
        ("client_id", json!("")),
        ("client_id", json!(["first-party"])),
        ("roles", json!(null)),
        ("roles", json!("admin")),
        ("roles", json!([1])),
        ("roles", json!({ "admin": true })),
    ] {
        let claims = with(claims_json(), name, wrong.clone()).to_string();
        service.refuses_claims(&format!("{name}: {wrong}"), &claims, TokenError::BadClaim(name));
    }
}
