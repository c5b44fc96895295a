//! `TestIssuer`.

use std::time::Duration;

use ficha_resource::{Algorithm, NotReady, OAuth2PasswordBearer, OnStale, TestIssuer, TokenError, VerifyError};
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

#[test]
fn an_issuer_takes_the_settings_of_the_service() {
    let settings = || OAuth2PasswordBearer::discover("https://auth.example.com").audience("notes").audience("mail");
    let leeway = Duration::from_secs(20);
    let issuer = TestIssuer::with_settings(
        settings().scope("notes:read", "Read").realm("notes").leeway(leeway).on_stale(OnStale::Accept),
    );
    let oauth2 = issuer.oauth2();
    let description = oauth2.description();
    assert_eq!((description.issuer.as_str(), description.realm.as_str()), ("https://auth.example.com", "notes"));
    assert_eq!(description.scopes, [("notes:read".to_owned(), "Read".to_owned())]);
    assert_eq!(description.token_url.as_deref(), Some("https://auth.example.com/token"));
    let token = issuer.token().sign();
    assert_eq!(oauth2.verify_now(&token).unwrap().claims.aud, ["notes"]);
    assert!(oauth2.verify_now(&issuer.token().audience("mail").sign()).is_ok());
    assert!(oauth2.verify_now(&issuer.token().audience("photos").sign()).is_err());
    issuer.set_stale(true);
    assert!(oauth2.verify_now(&token).is_ok(), "the service accepts stale lists");
    issuer.advance(Duration::from_secs(600 + 19));
    assert!(oauth2.verify_now(&token).is_ok(), "the leeway is the service's");
    issuer.advance(Duration::from_secs(1));
    assert_eq!(refusal(&issuer, &token), VerifyError::Invalid(TokenError::Expired));
    for algorithm in [Algorithm::EdDSA, Algorithm::ES384] {
        let issuer = TestIssuer::with_settings(settings().algorithms([algorithm]));
        let token = issuer.token().sign();
        issuer.rotate_key();
        let verified = [&token, &issuer.token().sign()].map(|token| issuer.oauth2().verify_now(token).is_ok());
        assert_eq!(verified, [true, true], "{algorithm}");
    }
    let shared = TestIssuer::with_settings(settings().shared_secret([7; 32]));
    assert!(shared.oauth2().verify_now(&shared.token().sign()).is_ok());
}

#[test]
#[should_panic(expected = "no audience is set")]
fn settings_that_no_service_could_use_are_refused() {
    drop(TestIssuer::with_settings(OAuth2PasswordBearer::discover("https://auth.example.com")));
}

#[test]
fn the_text_of_a_token_can_be_passed_on_and_is_never_shown() {
    let issuer = TestIssuer::new();
    let token = issuer.token().sign();
    for _ in 0..2 {
        let verified = issuer.oauth2().verify_now(&token).unwrap();
        assert_eq!(verified.token(), token);
        let shown = format!("{verified:?}");
        assert!(!token.split('.').any(|part| shown.contains(part)), "{shown}");
    }
}
