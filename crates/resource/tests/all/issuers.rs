//! A service that accepts the tokens of several issuers.

use ficha_resource::{Issuers, NotReady, OAuth2PasswordBearer, OnStale, Presented, TestIssuer, VerifyError};
use ficha_token::{Algorithm, SigningKey, TokenError};

use crate::support::encode;

fn refusal(issuers: &Issuers, token: &str) -> VerifyError {
    issuers.verify_now(token).map(|_| ()).unwrap_err()
}

#[test]
#[should_panic(expected = "no issuer is given")]
fn a_service_that_trusts_nobody_does_not_start() {
    drop(OAuth2PasswordBearer::any_of([]));
}

#[test]
fn each_token_is_checked_by_the_issuer_that_it_names() {
    // The first is a prefix of the second; the others, of different lengths, differ only in their last characters.
    let names = ["https://a.test/te", "https://a.test/tenant", "https://a.test/1", "https://a.test/2"];
    let names =
        names.into_iter().chain(["https://a.test/10", "https://a.test/11", "https://a.test/100", "https://a.test/101"]);
    let issuers: Vec<_> = names.map(TestIssuer::named).collect();
    let all = OAuth2PasswordBearer::any_of(issuers.iter().map(TestIssuer::oauth2));
    for issuer in &issuers {
        let token = issuer.token().sign();
        assert_eq!(all.verify_now(&token).unwrap().claims.iss, issuer.issuer());
        issuer.revoke(&token);
        assert_eq!(refusal(&all, &token), VerifyError::Denied);
    }
    let stranger = TestIssuer::named("https://a.test/3");
    assert_eq!(refusal(&all, &stranger.token().sign()), VerifyError::Invalid(TokenError::WrongIssuer));
}

#[test]
fn a_key_of_one_issuer_does_not_verify_tokens_of_another() {
    let key = SigningKey::generate(Algorithm::ES256).unwrap();
    let document = key.to_pkcs8().unwrap().to_vec();
    let honest = TestIssuer::named("https://honest.test");
    let rogue = TestIssuer::with_key("https://rogue.test", key);
    let both = OAuth2PasswordBearer::any_of([honest.oauth2(), rogue.oauth2()]);
    // Signed with the rogue issuer's key, but with the honest issuer's `iss`.
    let key = SigningKey::from_pkcs8(Algorithm::ES256, &document).unwrap();
    let forger = TestIssuer::with_key("https://honest.test", key);
    let forged = forger.token().sign();
    assert!(forger.oauth2().verify_now(&forged).is_ok(), "its signature is valid");
    assert_eq!(refusal(&both, &forged), VerifyError::Invalid(TokenError::UnknownKey));
    assert!(both.verify_now(&rogue.token().sign()).is_ok());
}

#[test]
fn a_token_seen_before_is_found_in_its_issuers_cache() {
    let (one, two) = (TestIssuer::named("https://one.test"), TestIssuer::named("https://two.test"));
    let both = OAuth2PasswordBearer::any_of([one.oauth2(), two.oauth2()]);
    let token = two.token().sign();
    for _ in 0..3 {
        assert!(both.verify_now(&token).is_ok());
    }
    let stats = two.oauth2().verifier().stats();
    assert_eq!((stats.hits, stats.misses), (2, 1));
    assert_eq!(one.oauth2().verifier().stats().misses, 0);
}

#[test]
fn the_issuer_is_found_wherever_iss_is_in_the_claims() {
    let issuer = TestIssuer::named("https://one.test");
    let other = TestIssuer::named("https://two.test");
    let both = OAuth2PasswordBearer::any_of([issuer.oauth2(), other.oauth2()]);
    let [header, signature] = [0, 2].map(|part| issuer.token().sign().split('.').nth(part).unwrap().to_owned());
    let with_claims = |claims: &str| format!("{header}.{}.{signature}", encode(claims));
    // The signature does not match. Getting as far as the signature shows which issuer was selected.
    let moved = with_claims(r#"{"sub":"x","iss":"https:\/\/one.test"}"#);
    assert!(matches!(refusal(&both, &moved), VerifyError::Invalid(TokenError::UnknownKey | TokenError::BadSignature)));
    for claims in [r#"{"iss":7}"#, r#"{"sub":"x"}"#, "{", r#"{"iss":"https://one.test","iss":"https://two.test"}"#] {
        assert!(matches!(refusal(&both, &with_claims(claims)), VerifyError::Invalid(_)), "{claims}");
    }
    for token in ["", "a", "a.b", "a.!.c", "....", &"a".repeat(100_000)] {
        assert!(matches!(refusal(&both, token), VerifyError::Invalid(_)));
    }
}

#[test]
fn an_issuer_that_is_not_ready_does_not_make_the_others_so() {
    let (one, two) = (TestIssuer::named("https://one.test"), TestIssuer::named("https://two.test"));
    let both = OAuth2PasswordBearer::any_of([one.oauth2(), two.oauth2()]);
    let reasons = || both.readiness().issuers().iter().map(|issuer| issuer.reasons().to_vec()).collect::<Vec<_>>();
    assert!(both.readiness().is_ready() && both.readiness().not_ready().next().is_none());
    two.set_stale(true);
    assert!(both.readiness().is_ready());
    assert_eq!(reasons(), [vec![], vec![NotReady::LeaseOver]]);
    assert_eq!(both.readiness().to_string(), "ready; https://two.test: not ready: the denylist is stale");
    one.set_stale(true);
    assert!(!both.readiness().is_ready());
    one.set_stale(false);
    let stats: Vec<_> = both.stats().into_iter().map(|stats| (stats.issuer, stats.ready)).collect();
    assert_eq!(stats, [("https://one.test".to_owned(), true), ("https://two.test".to_owned(), false)]);
}

#[test]
fn each_recheck_is_the_business_of_the_issuer_that_verified_the_token() {
    let (one, two) = (TestIssuer::named("https://one.test"), TestIssuer::named("https://two.test"));
    let both = OAuth2PasswordBearer::any_of([one.oauth2(), two.oauth2()]);
    let [of_one, of_two] = [&one, &two].map(|issuer| issuer.token().sign());
    let verified = [&of_one, &of_two].map(|token| both.verify_now(token).unwrap());
    two.revoke(&of_two);
    assert_eq!(both.recheck(&verified[0]), Ok(()));
    assert_eq!(both.recheck(&verified[1]), Err(VerifyError::Denied));
    let stranger = TestIssuer::named("https://three.test");
    let strange = stranger.oauth2().verify_now(&stranger.token().sign()).unwrap();
    assert_eq!(both.recheck(&strange), Err(VerifyError::Invalid(TokenError::WrongIssuer)));
}

#[test]
fn a_clone_has_its_own_choice_about_stale_lists() {
    let (one, two) = (TestIssuer::named("https://one.test"), TestIssuer::named("https://two.test"));
    let strict = OAuth2PasswordBearer::any_of([one.oauth2(), two.oauth2().on_stale(OnStale::Accept)]);
    let lenient = strict.clone().on_stale(OnStale::Accept);
    one.set_stale(true);
    two.set_stale(true);
    let (of_one, of_two) = (one.token().sign(), two.token().sign());
    assert!(matches!(refusal(&strict, &of_one), VerifyError::Stale { .. }));
    let verified = lenient.verify_now(&of_one).unwrap();
    assert!(lenient.recheck(&verified).is_ok() && strict.recheck(&verified).is_err());
    assert!(strict.verify_now(&of_two).is_ok(), "its own value accepts it");
    assert!(strict.clone().on_stale(OnStale::Refuse).verify_now(&of_two).is_err());
    assert!(two.oauth2().verify_now(&of_two).is_err() && two.http_bearer().verify_now(&of_two).is_err());
}

#[test]
fn what_is_presented_does_not_show_its_token() {
    let shown = format!("{:?}", Presented::bearer("needle"));
    assert!(!shown.contains("needle"), "{shown}");
}
