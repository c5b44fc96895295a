//! The claims.

use ficha_token::{AccessClaims, DenyId, SignError, TokenError, check_claims};
use serde_json::{Value, json};

use crate::support::*;

#[test]
fn a64_a65_a_token_has_every_required_claim() {
    let token = KEY.sign(&claims()).unwrap();
    let payload: Value = serde_json::from_slice(&unb64(parts(&token)[1])).unwrap();
    assert_eq!(
        payload,
        json!({
            "iss": "https://auth.example.com", "sub": "01981234-5678-7abc-8def-0123456789ab", "aud": "notes",
            "exp": NOW + 600, "iat": NOW, "jti": "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "client_id": "first-party",
            "scope": "notes:read notes:write", "sid": "01981234-5678-7abc-8def-aaaaaaaaaaaa", "auth_time": NOW - 5,
        })
    );
}

#[test]
fn a64_a_token_without_a_required_claim_is_refused() {
    for name in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti", "scope", "sid", "auth_time"] {
        assert_eq!(verify_payload(&without(payload(), name)), Err(TokenError::MissingClaim(name)));
        for wrong in [json!(null), json!(true), json!([1]), json!({}), json!([])] {
            assert_eq!(
                verify_payload(&with(payload(), name, wrong.clone())),
                Err(TokenError::BadClaim(name)),
                "{wrong}"
            );
        }
    }
    for name in ["iss", "client_id", "aud"] {
        assert_eq!(verify_payload(&with(payload(), name, "".into())), Err(TokenError::BadClaim(name)));
    }
    for name in ["nbf", "roles"] {
        assert_eq!(verify_payload(&with(payload(), name, json!(null))), Err(TokenError::BadClaim(name)));
    }
}

#[test]
fn an_id_has_only_one_form() {
    let id = "01981234-5678-7abc-8def-0123456789ab";
    for name in ["sub", "jti", "sid"] {
        for wrong in [
            id.replace('-', ""),
            format!("{{{id}}}"),
            format!("urn:uuid:{id}"),
            format!("{id} "),
            id.replace("ab", "xy"),
            "alice".to_owned(),
        ] {
            assert_eq!(verify_payload(&with(payload(), name, wrong.into())), Err(TokenError::BadClaim(name)));
        }
    }
}

#[test]
fn a67_another_issuer_is_refused() {
    for iss in ["https://auth.example.com/", "https://AUTH.example.com", "http://auth.example.com", "x"] {
        assert_eq!(verify_payload(&with(payload(), "iss", iss.into())), Err(TokenError::WrongIssuer));
    }
}

#[test]
fn a67_another_audience_is_refused() {
    for aud in [json!("Notes"), json!("notes2"), json!(["other", "more"])] {
        assert_eq!(verify_payload(&with(payload(), "aud", aud)), Err(TokenError::WrongAudience));
    }
    for aud in [json!("calendar"), json!(["other", "notes"]), json!(["notes"])] {
        assert!(verify_payload(&with(payload(), "aud", aud)).is_ok());
    }
}

#[test]
fn a73_a_missing_audience_is_refused_even_if_any_audience_is_accepted() {
    let any = changed(expected(), |it| it.audiences = Vec::new());
    assert_eq!(check_claims(&claims(), &any, NOW), Ok(()));
    assert_eq!(check_claims(&changed(claims(), |it| it.aud = vec!["other".into()]), &any, NOW), Ok(()));
    let none = changed(claims(), |it| it.aud = Vec::new());
    assert_eq!(check_claims(&none, &any, NOW), Err(TokenError::WrongAudience));
    assert_eq!(verify_payload(&without(payload(), "aud")), Err(TokenError::MissingClaim("aud")));
    for aud in [json!([]), json!([""]), json!(["notes", ""]), json!(["notes", 1])] {
        assert_eq!(verify_payload(&with(payload(), "aud", aud)), Err(TokenError::BadClaim("aud")));
    }
}

#[test]
fn a74_a_time_is_a_whole_number_in_a_sensible_range() {
    let text = payload().to_string();
    for name in ["exp", "iat", "nbf", "auth_time"] {
        for wrong in [
            "\"1763800600\"",
            "-1",
            "-0",
            "1763800600.5",
            "1763800600.0",
            "1.7638006e9",
            "253402300800",
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551615",
            "99999999999999999999999",
            "1e400",
            "NaN",
            "Infinity",
            "01763800600",
            "+1763800600",
            "0x1",
        ] {
            let value = payload()[name].to_string();
            let spoilt = if name == "nbf" {
                text.replacen('{', &format!("{{\"nbf\":{wrong},"), 1)
            } else {
                text.replacen(&format!("\"{name}\":{value}"), &format!("\"{name}\":{wrong}"), 1)
            };
            assert_ne!(spoilt, text);
            assert!(verify(&forge(&header().to_string(), &spoilt)).is_err(), "{name} {wrong}");
        }
    }
}

#[test]
fn a75_a_duplicate_claim_is_refused() {
    let text = payload().to_string();
    for extra in
        ["\"exp\":9999999999", "\"\\u0065xp\":9999999999", "\"x\":{\"a\":1,\"a\":2}", "\"x\":[{\"a\":1,\"a\":2}]"]
    {
        let spoilt = text.replacen('{', &format!("{{{extra},"), 1);
        assert!(matches!(verify(&forge(&header().to_string(), &spoilt)), Err(TokenError::Malformed(_))), "{extra}");
    }
}

#[test]
fn a_token_is_valid_while_now_is_before_exp_plus_leeway() {
    for leeway in [0, 1, 60] {
        let expected = changed(expected(), |it| it.leeway = leeway);
        let end = claims().exp + i64::from(leeway);
        assert_eq!(check_claims(&claims(), &expected, end - 1), Ok(()));
        assert_eq!(check_claims(&claims(), &expected, end), Err(TokenError::Expired));
    }
    let greedy = changed(expected(), |it| it.leeway = 3600);
    assert_eq!(check_claims(&claims(), &greedy, claims().exp + 60), Err(TokenError::Expired), "60 is the most");
}

#[test]
fn a_token_is_valid_from_nbf_minus_leeway_on() {
    let claims = changed(claims(), |it| it.nbf = Some(NOW + 100));
    for leeway in [0, 1, 60] {
        let expected = changed(expected(), |it| it.leeway = leeway);
        let start = NOW + 100 - i64::from(leeway);
        assert_eq!(check_claims(&claims, &expected, start), Ok(()));
        assert_eq!(check_claims(&claims, &expected, start - 1), Err(TokenError::NotYetValid));
    }
}

#[test]
fn a_token_from_far_in_the_future_is_refused() {
    let expected = changed(expected(), |it| it.leeway = 10);
    assert_eq!(check_claims(&claims(), &expected, NOW - 70), Ok(()));
    assert_eq!(check_claims(&claims(), &expected, NOW - 71), Err(TokenError::NotYetValid));
}

#[test]
fn no_time_makes_the_check_overflow() {
    for now in [i64::MIN, i64::MAX] {
        assert!(check_claims(&claims(), &changed(expected(), |it| it.leeway = u32::MAX), now).is_err());
    }
}

#[test]
fn custom_claims_and_roles_are_read_back() {
    #[derive(serde::Deserialize, PartialEq, Debug)]
    struct Mine {
        tenant: String,
    }
    let mut claims = changed(claims(), |it| {
        it.roles = vec!["editor".into()];
        it.aud = vec!["notes".into(), "b".into()];
    });
    claims.nbf = Some(NOW);
    claims.extra.insert("tenant".into(), "blue".into());
    let token = KEY.sign(&claims).unwrap();
    let read = verify(&token).unwrap();
    assert_eq!(read, claims);
    assert_eq!(read.custom::<Mine>().unwrap(), Mine { tenant: "blue".into() });
    assert!(claims.custom::<Vec<String>>().is_err());
}

#[test]
fn a_type_may_name_any_claim() {
    #[derive(serde::Deserialize, PartialEq, Debug)]
    struct Mine {
        sub: uuid::Uuid,
        roles: Vec<String>,
        scope: String,
        exp: i64,
        tenant: Option<String>,
    }
    let claims = claims();
    let of = |claims: &AccessClaims| claims.custom::<Mine>().unwrap();
    let mine = of(&claims);
    assert_eq!((mine.sub, mine.exp, mine.tenant), (claims.sub, claims.exp, None));
    assert_eq!((mine.roles, mine.scope), (Vec::<String>::new(), claims.scope.to_string()));
    let editor = changed(claims, |it| it.roles = vec!["editor".into()]);
    assert_eq!(of(&editor).roles, ["editor"]);
}

#[test]
fn claims_that_would_not_be_read_are_not_signed() {
    let bad = |claims: AccessClaims| KEY.sign(&claims).unwrap_err();
    assert_eq!(bad(changed(claims(), |it| it.exp = -1)), SignError::BadClaim("exp"));
    assert_eq!(bad(changed(claims(), |it| it.iat = i64::MAX)), SignError::BadClaim("iat"));
    assert_eq!(bad(changed(claims(), |it| it.aud = vec![])), SignError::BadClaim("aud"));
    assert_eq!(bad(changed(claims(), |it| it.iss = String::new())), SignError::BadClaim("iss"));
    assert_eq!(bad(changed(claims(), |it| it.client_id = String::new())), SignError::BadClaim("client_id"));
    for &name in AccessClaims::NAMES {
        let mut claims = claims();
        claims.extra.insert(name.into(), 1.into());
        assert_eq!(bad(claims), SignError::BadClaim(name), "it would occur twice");
    }
    let mut long = claims();
    long.extra.insert("x".into(), "x".repeat(20_000).into());
    assert_eq!(bad(long), SignError::TooLong);
    let mut deep = claims();
    deep.extra.insert("x".into(), (0..20).fold(Value::Null, |inner, _| json!([inner])));
    assert_eq!(bad(deep), SignError::BadClaim("extra"), "no verifier would read it");
}

#[test]
fn a_token_is_denied_by_its_own_id_its_session_and_its_key() {
    let ids = claims().deny_ids("kid");
    assert_eq!(ids, [DenyId::from(claims().jti), DenyId::from(claims().sid), DenyId::of_key("kid")]);
    assert_eq!(KEY.verifying_key().deny_id(), DenyId::of_key(KEY.kid()));
}
