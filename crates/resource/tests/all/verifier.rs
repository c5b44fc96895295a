//! Which tokens are valid.

use std::time::Duration;

use ficha_resource::{VerifierSettings, VerifyError};
use ficha_token::MAX_LEEWAY_SECONDS;
use ficha_token::{Algorithm, DenyId, Expected, SigningKey, TokenError};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::support::{ISSUER, LIFE, START, World, changed, claims, claims_json, encode, twin};

fn refusal(world: &World, token: &str) -> VerifyError {
    world.verifier.verify_now(token).map(|_| ()).unwrap_err()
}

fn invalid(error: TokenError) -> VerifyError {
    VerifyError::Invalid(error)
}

/// A signed token with one claim changed.
fn with_claim(world: &World, name: &str, value: Value) -> String {
    let mut claims = claims_json();
    claims[name] = value;
    world.forge(&world.header(), &claims)
}

#[test]
fn a_valid_token_is_accepted_with_its_claims() {
    let world = World::new();
    let claims = claims();
    let verified = world.verifier.verify_now(&world.key.sign(&claims).unwrap()).unwrap();
    assert_eq!(verified.claims, claims);
    assert_eq!(verified.kid, world.key.kid());
    assert_eq!(verified.deny_ids(), &claims.deny_ids(world.key.kid()));
}

#[test]
fn a67_another_type_issuer_or_audience_is_refused() {
    let world = World::new();
    for typ in [json!("JWT"), json!("jwt"), json!("rt+jwt"), json!(""), Value::Null] {
        let mut header = world.header();
        header["typ"] = typ;
        assert_eq!(refusal(&world, &world.forge(&header, &claims_json())), invalid(TokenError::WrongType));
    }
    for issuer in ["https://auth.example.com/", "https://evil.example.com", "HTTPS://auth.example.com"] {
        assert_eq!(refusal(&world, &with_claim(&world, "iss", issuer.into())), invalid(TokenError::WrongIssuer));
    }
    for audience in [json!("mail"), json!(["mail", "photos"]), json!("Notes"), json!(ISSUER)] {
        assert_eq!(refusal(&world, &with_claim(&world, "aud", audience)), invalid(TokenError::WrongAudience));
    }
    assert!(world.verifier.verify_now(&with_claim(&world, "aud", json!(["mail", "notes"]))).is_ok());
}

#[test]
fn a69_a_key_is_for_one_algorithm_and_a_service_accepts_those_it_lists() {
    let world = World::new();
    let mut header = world.header();
    header["alg"] = "ES384".into();
    assert_eq!(refusal(&world, &world.forge(&header, &claims_json())), invalid(TokenError::UnsupportedAlgorithm));

    let expected = Expected::for_any_audience(ISSUER, [Algorithm::ES256, Algorithm::ES384, Algorithm::HS256]);
    let lenient = World::with_settings(VerifierSettings::new(expected).with_cache_bytes(0));
    for name in ["ES384", "HS256"] {
        let mut header = lenient.header();
        header["alg"] = name.into();
        assert_eq!(refusal(&lenient, &lenient.forge(&header, &claims_json())), invalid(TokenError::WrongAlgorithm));
    }
    // Its key is in the set, but its algorithm is not accepted.
    let edwards = SigningKey::generate(Algorithm::EdDSA).unwrap();
    lenient.keys.add(edwards.verifying_key());
    let token = edwards.sign(&claims()).unwrap();
    assert_eq!(refusal(&lenient, &token), invalid(TokenError::UnsupportedAlgorithm));
}

#[test]
fn a70_none_is_refused_in_any_case() {
    let world = World::new();
    for name in ["none", "None", "NONE", "nOnE"] {
        let header = json!({"typ": "at+jwt", "alg": name, "kid": world.key.kid()});
        let unsigned = format!("{}.{}.", encode(header.to_string()), encode(claims_json().to_string()));
        assert!(matches!(refusal(&world, &unsigned), VerifyError::Invalid(TokenError::Malformed(_))));
        let signed = world.forge(&header, &claims_json());
        assert_eq!(refusal(&world, &signed), invalid(TokenError::UnsupportedAlgorithm));
    }
}

#[test]
fn a71_an_extension_that_must_be_understood_is_refused() {
    let world = World::new();
    for (name, value) in [("crit", json!(["exp"])), ("crit", json!([])), ("b64", json!(true))] {
        let mut header = world.header();
        header[name] = value;
        assert_eq!(refusal(&world, &world.forge(&header, &claims_json())), invalid(TokenError::UnsupportedExtension));
    }
}

#[test]
fn a72_no_character_may_be_added_to_a_token() {
    let world = World::new();
    let token = world.token();
    for changed in [format!("{token}="), format!("{token}\n"), format!(" {token}"), format!("{token}+")] {
        assert!(matches!(refusal(&world, &changed), VerifyError::Invalid(TokenError::Malformed(_))));
    }
}

#[test]
fn a73_a_missing_audience_is_refused() {
    let world = World::new();
    let mut claims = claims_json();
    claims.as_object_mut().unwrap().remove("aud");
    let token = world.forge(&world.header(), &claims);
    assert_eq!(refusal(&world, &token), invalid(TokenError::MissingClaim("aud")));
    assert_eq!(refusal(&world, &with_claim(&world, "aud", json!([]))), invalid(TokenError::BadClaim("aud")));
}

#[test]
fn a74_a_time_that_is_not_a_sane_number_is_refused() {
    let world = World::new();
    for name in ["exp", "iat", "nbf"] {
        for value in [json!("1900000000"), json!(-1), json!(1e300), json!(null), json!(253_402_300_800_i64)] {
            assert_eq!(refusal(&world, &with_claim(&world, name, value)), invalid(TokenError::BadClaim(name)));
        }
    }
}

#[test]
fn a75_a_duplicate_member_is_refused() {
    let world = World::new();
    let good = world.token();
    let [header, claims, signature] = good.split('.').collect::<Vec<_>>()[..] else { unreachable!() };
    let doubled = encode(world.header().to_string().replacen('{', r#"{"alg":"ES256","#, 1));
    let token = format!("{doubled}.{claims}.{signature}");
    assert!(matches!(refusal(&world, &token), VerifyError::Invalid(TokenError::Malformed(_))));
    assert_ne!(header, doubled);
}

#[test]
fn a76_encrypted_and_json_tokens_are_refused_without_a_key_lookup() {
    let world = World::new();
    world.keys.set_unavailable(Some(Duration::from_secs(1)));
    for token in ["a.b.c.d.e", r#"{"payload":"a","signatures":[]}"#, "", "a", "a.b", "...."] {
        assert!(matches!(refusal(&world, token), VerifyError::Invalid(TokenError::Malformed(_))), "{token}");
    }
    assert_eq!(refusal(&world, &"a".repeat(100_000)), invalid(TokenError::TooLong));
}

#[test]
fn a_changed_signature_is_refused_every_time() {
    let world = World::new();
    let token = world.token();
    let (signed, _) = token.rsplit_once('.').unwrap();
    let (_, other) = world.token().rsplit_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    for _ in 0..3 {
        assert_eq!(refusal(&world, &format!("{signed}.{other}")), invalid(TokenError::BadSignature));
    }
    assert_eq!(world.verifier.stats().entries, 0, "failures are not cached");
    assert!(world.verifier.verify_now(&token).is_ok());
}

#[test]
fn a_token_is_valid_from_its_nbf_until_its_exp() {
    let world = World::new();
    let token = world.token();
    let later = with_claim(&world, "nbf", (START + 10).into());
    assert_eq!(refusal(&world, &later), invalid(TokenError::NotYetValid));
    world.advance(10);
    assert!(world.verifier.verify_now(&later).is_ok());
    world.advance(LIFE - 11);
    assert!(world.verifier.verify_now(&token).is_ok());
    world.advance(1);
    assert_eq!(refusal(&world, &token), invalid(TokenError::Expired));
}

#[test]
fn the_leeway_is_capped() {
    let expected = Expected::for_any_audience(ISSUER, [Algorithm::ES256]).with_leeway(100_000);
    let world = World::with_settings(VerifierSettings::new(expected));
    let token = world.token();
    world.advance(LIFE + i64::from(MAX_LEEWAY_SECONDS) - 1);
    assert!(world.verifier.verify_now(&token).is_ok());
    world.advance(1);
    assert_eq!(refusal(&world, &token), invalid(TokenError::Expired));
}

#[test]
fn the_time_never_runs_backwards() {
    let world = World::new();
    let token = world.token();
    let unseen = world.token();
    assert!(world.verifier.verify_now(&token).is_ok());
    world.advance(LIFE);
    assert_eq!(refusal(&world, &token), invalid(TokenError::Expired));
    world.clock.set_wall(OffsetDateTime::from_unix_timestamp(START).unwrap());
    assert_eq!(refusal(&world, &token), invalid(TokenError::Expired));
    assert_eq!(refusal(&world, &unseen), invalid(TokenError::Expired));
}

#[test]
fn a_wrong_time_is_dropped_once_no_token_from_then_can_be_valid() {
    let world = World::new();
    // The clock is a week ahead.
    let right = OffsetDateTime::from_unix_timestamp(START).unwrap() - time::Duration::weeks(1);
    let claims = changed(claims(), |it| {
        it.iat = right.unix_timestamp();
        it.exp = START;
    });
    let token = world.key.sign(&claims).unwrap();
    assert_eq!(refusal(&world, &token), invalid(TokenError::Expired));
    world.clock.set_wall(right);
    assert_eq!(refusal(&world, &token), invalid(TokenError::Expired));
    // A day, and the margin of denylist entries.
    world.advance(86_400 + 119);
    assert_eq!(refusal(&world, &token), invalid(TokenError::Expired), "entries may have been dropped by then");
    world.advance(1);
    assert!(world.verifier.verify_now(&token).is_ok());
}

#[test]
fn a_token_is_denied_by_its_own_id_its_session_or_its_key() {
    for number in 0..3 {
        let world = World::new();
        let token = world.token();
        let other = world.token();
        let ids = world.verifier.verify_now(&token).unwrap().deny_ids().to_vec();
        world.denied.deny(ids[number], START + LIFE + 120);
        assert_eq!(refusal(&world, &token), VerifyError::Denied);
        // Both tokens have the same key.
        assert_eq!(world.verifier.verify_now(&other).is_ok(), number < 2);
    }
}

#[test]
fn every_token_of_a_denied_session_is_refused() {
    let world = World::new();
    let first = claims();
    let second = changed(claims(), |it| it.sid = first.sid);
    world.denied.deny(first.sid, START + LIFE + 120);
    assert_eq!(refusal(&world, &world.key.sign(&first).unwrap()), VerifyError::Denied);
    assert_eq!(refusal(&world, &world.key.sign(&second).unwrap()), VerifyError::Denied);
    assert!(world.verifier.verify_now(&world.token()).is_ok());
}

#[test]
fn the_twin_of_a_denied_token_is_refused() {
    let world = World::new();
    let claims = claims();
    let token = world.key.sign(&claims).unwrap();
    let twin = twin(&token);
    assert_ne!(token, twin);
    assert!(world.verifier.verify_now(&twin).is_ok(), "the twin's signature is valid");
    world.denied.deny(claims.jti, START + LIFE + 120);
    assert_eq!(refusal(&world, &token), VerifyError::Denied);
    assert_eq!(refusal(&world, &twin), VerifyError::Denied);
}

#[test]
fn a_stale_denylist_is_distinguished_from_an_invalid_token() {
    let world = World::new();
    let good = world.token();
    assert!(world.verifier.verify_now(&good).is_ok());
    let retry_after = Duration::from_secs(3);
    world.denied.set_stale(Some(retry_after));
    assert_eq!(refusal(&world, &good), VerifyError::Stale { retry_after }, "seen before");
    assert_eq!(refusal(&world, &world.token()), VerifyError::Stale { retry_after }, "never seen");
    let wrong = with_claim(&world, "aud", "mail".into());
    assert_eq!(refusal(&world, &wrong), invalid(TokenError::WrongAudience), "invalid whatever the list says");
    world.denied.set_stale(None);
    assert!(world.verifier.verify_now(&good).is_ok());
}

#[test]
fn an_unknown_key_is_distinguished_from_one_that_cannot_be_looked_up() {
    let world = World::new();
    let stranger = SigningKey::generate(Algorithm::ES256).unwrap();
    let token = stranger.sign(&claims()).unwrap();
    assert_eq!(refusal(&world, &token), invalid(TokenError::UnknownKey));
    let retry_after = Duration::from_secs(2);
    world.keys.set_unavailable(Some(retry_after));
    assert_eq!(refusal(&world, &token), VerifyError::KeysUnavailable { retry_after });
    world.keys.set_unavailable(None);
    world.keys.add(stranger.verifying_key());
    assert!(world.verifier.verify_now(&token).is_ok());
}

#[test]
fn a_key_is_denied_by_the_hash_of_its_kid() {
    let world = World::new();
    world.denied.deny(DenyId::of_key(world.key.kid()), START + LIFE + 120);
    assert_eq!(refusal(&world, &world.token()), VerifyError::Denied);
}
