//! `TestIssuer`.

use std::time::Duration;

use ficha_resource::{NotReady, TestIssuer, VerifyError};
use ficha_token::TokenError;
use serde_json::json;
use uuid::Uuid;

fn refusal(issuer: &TestIssuer, token: &str) -> VerifyError {
    issuer.oauth2().verify_now(token).map(|_| ()).unwrap_err()
}

#[test]
fn a_test_token_has_the_claims_that_were_set() {
    let issuer = TestIssuer::new();
    let (subject, session) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let token = issuer
        .token()
        .subject(subject)
        .session(session)
        .scope("b a")
        .client("app")
        .roles(["editor"])
        .claim("team", json!({"name": "blue"}))
        .expires_in(Duration::from_secs(7))
        .sign();
    let claims = issuer.oauth2().verify_now(&token).unwrap().claims.clone();
    assert_eq!((claims.sub, claims.sid, claims.client_id.as_str()), (subject, session, "app"));
    assert_eq!((claims.scope.to_string(), claims.exp - claims.iat), ("a b".to_owned(), 7));
    assert_eq!((claims.roles, &claims.extra["team"]["name"]), (vec!["editor".to_owned()], &json!("blue")));
}

#[test]
fn each_kind_of_revocation_covers_what_it_should() {
    let issuer = TestIssuer::new();
    let session = Uuid::from_u128(3);
    let [first, second] = [0, 1].map(|_| issuer.token().session(session).sign());
    let other = issuer.token().sign();
    issuer.revoke(&first);
    assert_eq!(refusal(&issuer, &first), VerifyError::Denied);
    assert!(issuer.oauth2().verify_now(&second).is_ok());
    issuer.revoke_session(&first);
    assert_eq!(refusal(&issuer, &second), VerifyError::Denied);
    assert!(issuer.oauth2().verify_now(&other).is_ok());
    issuer.purge_key();
    assert_eq!(refusal(&issuer, &other), VerifyError::Denied);
    assert!(issuer.oauth2().verify_now(&issuer.token().sign()).is_ok());
}

#[test]
fn a_rotated_key_is_valid_until_it_is_removed() {
    let issuer = TestIssuer::new();
    let old = issuer.token().sign();
    issuer.rotate_key();
    let new = issuer.token().sign();
    assert!(issuer.oauth2().verify_now(&old).is_ok() && issuer.oauth2().verify_now(&new).is_ok());
    issuer.forget_old_keys();
    assert_eq!(refusal(&issuer, &old), VerifyError::Invalid(TokenError::UnknownKey));
    assert!(issuer.oauth2().verify_now(&new).is_ok());
}

#[test]
fn a_token_expires_when_the_clock_is_moved() {
    let issuer = TestIssuer::new();
    let token = issuer.token().expires_in(Duration::from_secs(10)).sign();
    issuer.advance(Duration::from_millis(9_999));
    assert!(issuer.oauth2().verify_now(&token).is_ok());
    issuer.advance(Duration::from_millis(1));
    assert_eq!(refusal(&issuer, &token), VerifyError::Invalid(TokenError::Expired));
}

#[test]
fn a_stale_issuer_is_not_ready() {
    let issuer = TestIssuer::new();
    assert!(issuer.oauth2().readiness().is_ready());
    issuer.set_stale(true);
    assert_eq!(issuer.oauth2().readiness().reasons(), [NotReady::LeaseOver]);
    assert!(!issuer.http_bearer().stats().ready);
    issuer.set_stale(false);
    assert!(issuer.oauth2().readiness().is_ready());
}
