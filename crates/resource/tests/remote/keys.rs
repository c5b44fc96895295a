//! Where keys come from, and how long they are used.

use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ficha_resource::{NotReady, OAuth2PasswordBearer, VerifyError};
use ficha_token::{Algorithm, DenyId, JwkSet, SigningKey, TokenError};
use serde_json::json;

use crate::server::{Answer, key_set};
use crate::support::{FAR, UNKNOWN_KEY, World, eventually, is_denied, keys_unavailable, new_key, refusal};

fn unavailable(error: &VerifyError) -> bool {
    matches!(error, VerifyError::KeysUnavailable { .. })
}

fn fetches(world: &World) -> usize {
    world.server.state().jwks_fetches
}

#[tokio::test]
async fn after_a_failed_first_load_requests_get_a_503_until_a_retry_succeeds() {
    let world = World::new().await;
    world.server.change(|state| state.jwks = Answer::status(500, ""));
    let oauth2 = world.service().build().await.unwrap();
    assert_eq!(oauth2.readiness().reasons(), [NotReady::NoKeys]);
    let token = world.token();
    assert!(keys_unavailable(&oauth2, &token));
    assert!(oauth2.verify(&token).await.is_err_and(|error| unavailable(&error)));
    assert!(oauth2.stats().key_fetches_failed > 1, "it tries again by itself");
    world.server.change(|state| state.jwks = key_set(&[&world.key]));
    eventually("the keys are there", || oauth2.verify_now(&token).is_ok()).await;
    assert!(oauth2.readiness().is_ready());
}

#[tokio::test]
async fn the_first_token_of_a_new_key_is_not_refused() {
    let world = World::new().await;
    let oauth2 = world.service().build().await.unwrap();
    let new = new_key();
    world.server.change(|state| state.jwks = key_set(&[&world.key, &new]));
    world.advance(6);
    let before = fetches(&world);
    let tokens: Vec<_> = (0..50).map(|_| new.sign(&world.claims()).unwrap()).collect();
    let callers: Vec<_> = tokens
        .into_iter()
        .map(|token| {
            let oauth2 = oauth2.clone();
            tokio::spawn(async move { oauth2.verify(&token).await.is_ok() })
        })
        .collect();
    for caller in callers {
        assert!(caller.await.unwrap());
    }
    assert_eq!(fetches(&world), before + 1, "one fetch for all of them");
    assert!(oauth2.verify_now(&world.token()).is_ok(), "the old key is still valid");
}

#[tokio::test]
async fn the_first_token_of_a_new_key_is_not_refused_because_of_an_earlier_fetch() {
    let world = World::new().await;
    let oauth2 = world.service().lease(Duration::from_secs(3_600)).build().await.unwrap();
    let new = new_key();
    world.server.change(|state| state.jwks = key_set(&[&world.key]).late(Duration::from_millis(500)));
    // A scheduled fetch is due, and while it is under way a new key is published.
    world.advance(300);
    eventually("a fetch is under way", || fetches(&world) == 2).await;
    world.server.change(|state| state.jwks = key_set(&[&world.key, &new]));
    assert!(oauth2.verify(&new.sign(&world.claims()).unwrap()).await.is_ok());
    assert_eq!(fetches(&world), 3);
}

#[tokio::test]
async fn a_key_rotated_just_after_a_fetch_is_not_refused() {
    let world = World::new().await;
    let oauth2 = world.service().build().await.unwrap();
    let new = new_key();
    world.server.change(|state| state.jwks = key_set(&[&new]));
    assert!(oauth2.verify(&new.sign(&world.claims()).unwrap()).await.is_ok());
}

#[tokio::test]
async fn verify_refuses_an_unknown_key_at_once_while_keys_are_fetched() {
    let world = World::new().await;
    let oauth2 = world.service().build().await.unwrap();
    let new = new_key();
    world.server.change(|state| state.jwks = key_set(&[&world.key, &new]));
    world.advance(6);
    let token = new.sign(&world.claims()).unwrap();
    assert_eq!(refusal(&oauth2, &token), UNKNOWN_KEY);
    eventually("the key is there", || oauth2.verify_now(&token).is_ok()).await;
}

#[tokio::test]
async fn a_flood_of_made_up_keys_causes_one_fetch_in_five_seconds() {
    let world = World::new().await;
    let oauth2 = world.service().build().await.unwrap();
    let stranger = new_key();
    let flood = || async {
        for _ in 0..100 {
            let token = stranger.sign(&world.claims()).unwrap();
            assert_eq!(oauth2.verify(&token).await.map(|_| ()), Err(UNKNOWN_KEY));
        }
    };
    flood().await;
    assert_eq!(fetches(&world), 2, "the first load, and one for all of them");
    for round in 3..6 {
        world.clock.advance(Duration::from_millis(4_999));
        flood().await;
        assert_eq!(fetches(&world), round - 1, "not yet");
        world.clock.advance(Duration::from_millis(1));
        flood().await;
        assert_eq!(fetches(&world), round);
    }
}

#[tokio::test]
async fn when_a_key_is_denied_its_successor_is_fetched_at_once() {
    let world = World::new().await;
    let oauth2 = world.service().build().await.unwrap();
    // The clock stands still, so nobody else causes a fetch after this.
    let stranger = new_key().sign(&world.claims()).unwrap();
    assert_eq!(oauth2.verify(&stranger).await.map(|_| ()), Err(UNKNOWN_KEY));
    let before = fetches(&world);
    let (old, new) = (world.token(), new_key());
    let token = new.sign(&world.claims()).unwrap();
    // The server that answers has not loaded its new key yet.
    world.server.deny(DenyId::of_key(world.key.kid()).to_uuid(), FAR);
    eventually("it asks again and again", || fetches(&world) > before + 2).await;
    assert!(is_denied(&oauth2, &old));
    assert!(keys_unavailable(&oauth2, &token), "it may be the successor");
    world.server.change(|state| state.jwks = key_set(&[&new]));
    eventually("the successor is there", || oauth2.verify_now(&token).is_ok()).await;
    let after = fetches(&world);
    world.server.settle().await;
    assert_eq!(fetches(&world), after, "then it is content");
    assert_eq!(refusal(&oauth2, &stranger), UNKNOWN_KEY);
}

#[tokio::test]
async fn a_bad_signature_causes_no_fetch() {
    let world = World::new().await;
    let oauth2 = world.service().build().await.unwrap();
    world.advance(60);
    let (token, other) = (world.token(), world.token());
    let forged = format!("{}.{}", token.rsplit_once('.').unwrap().0, other.rsplit_once('.').unwrap().1);
    for _ in 0..10 {
        let error = oauth2.verify(&forged).await.map(|_| ()).unwrap_err();
        assert_eq!(error, VerifyError::Invalid(TokenError::BadSignature));
    }
    world.server.settle().await;
    assert_eq!(fetches(&world), 1);
}

#[tokio::test]
async fn a_slow_fetch_does_not_stall_other_requests() {
    let world = World::new().await;
    let oauth2 = world.service().build().await.unwrap();
    let (token, unseen) = (world.token(), world.token());
    let strange = new_key().sign(&world.claims()).unwrap();
    assert!(oauth2.verify_now(&token).is_ok());
    world.server.change(|state| state.jwks = Answer::Silence);
    world.advance(6);
    #[expect(clippy::disallowed_methods, reason = "how long it really takes")]
    let start = Instant::now();
    assert_eq!(refusal(&oauth2, &strange), UNKNOWN_KEY);
    eventually("the fetch is under way", || fetches(&world) == 2).await;
    for _ in 0..100 {
        assert!(oauth2.verify_now(&token).is_ok() && oauth2.verify_now(&unseen).is_ok());
        assert!(oauth2.verify(&unseen).await.is_ok());
    }
    assert!(start.elapsed() < Duration::from_millis(1_500));
    let error = oauth2.verify(&strange).await.map(|_| ()).unwrap_err();
    assert!(unavailable(&error), "not decided yet");
    let waited = start.elapsed();
    assert!((Duration::from_millis(1_900)..Duration::from_millis(4_500)).contains(&waited), "{waited:?}");
}

#[tokio::test]
async fn a_fetch_has_a_time_limit() {
    let world = World::new().await;
    world.server.change(|state| state.jwks = Answer::Silence);
    let building = tokio::spawn(world.service().build());
    eventually("it fetches", || fetches(&world) == 1).await;
    world.server.change(|state| state.jwks = key_set(&[&world.key]));
    let oauth2 = building.await.unwrap().unwrap();
    let token = world.token();
    eventually("it fetches again", || oauth2.verify_now(&token).is_ok()).await;
    assert_eq!(fetches(&world), 2);
}

#[tokio::test]
async fn one_unusable_key_does_not_discard_the_others() {
    let world = World::new().await;
    let good = world.key.public_jwk().unwrap();
    let bad = json!({"kty": "EC", "crv": "P-256", "kid": "bad", "x": "AA", "y": "AA"});
    let odd = json!({"kty": "quantum"});
    world.server.change(|state| state.jwks = Answer::json(&json!({"keys": [bad, 7, good, odd, null]})));
    let oauth2 = world.service().build().await.unwrap();
    assert!(oauth2.verify_now(&world.token()).is_ok());
    assert_eq!(oauth2.stats().keys, 1);
}

/// Makes the service fetch the keys again, and waits for it.
async fn refetch(world: &World, oauth2: &OAuth2PasswordBearer) {
    let count = |stats: &ficha_resource::Stats| stats.key_fetches_ok + stats.key_fetches_failed;
    let before = count(&oauth2.stats());
    world.advance(6);
    let _ = oauth2.verify_now(&new_key().sign(&world.claims()).unwrap());
    eventually("the keys were fetched", || count(&oauth2.stats()) > before).await;
}

#[tokio::test]
async fn a_set_without_usable_keys_removes_no_key() {
    let world = World::new().await;
    let oauth2 = world.service().build().await.unwrap();
    let (token, kid) = (world.token(), world.key.kid().to_owned());
    for body in [
        "<html>maintenance</html>".to_owned(),
        r#"{"keys":[{"kty":"quantum"},7]}"#.to_owned(),
        json!({"keys": [{"kty": "quantum", "kid": kid}]}).to_string(),
        "x".repeat(300_000),
    ] {
        world.server.change(|state| state.jwks = Answer::Reply { status: 200, headers: String::new(), body });
        refetch(&world, &oauth2).await;
        assert!(oauth2.verify_now(&token).is_ok());
    }
    assert_eq!(oauth2.stats().key_fetches_failed, 4);
}

#[tokio::test]
async fn a_removed_key_is_gone_and_so_are_the_cached_tokens_it_verified() {
    let others = new_key();
    let named_only = json!({"keys": [{"kty": "quantum", "kid": "another"}]});
    for without in [key_set(&[&others]), key_set(&[]), Answer::json(&named_only)] {
        let world = World::new().await;
        let oauth2 = world.service().build().await.unwrap();
        let (seen, unseen) = (world.token(), world.token());
        assert!(oauth2.verify_now(&seen).is_ok());
        world.server.change(|state| state.jwks = without);
        refetch(&world, &oauth2).await;
        for token in [&seen, &unseen] {
            assert!(matches!(refusal(&oauth2, token), UNKNOWN_KEY | VerifyError::KeysUnavailable { .. }));
        }
        world.server.change(|state| state.jwks = key_set(&[&world.key]));
        refetch(&world, &oauth2).await;
        assert!(oauth2.verify_now(&seen).is_ok() && oauth2.verify_now(&unseen).is_ok(), "it was added again");
    }
}

#[tokio::test]
async fn an_unchanged_set_keeps_the_cache_warm() {
    let world = World::new().await;
    let second = new_key();
    world.server.change(|state| state.jwks = key_set(&[&world.key, &second]));
    let oauth2 = world.service().build().await.unwrap();
    let token = world.token();
    assert!(oauth2.verify_now(&token).is_ok());
    world.server.change(|state| state.jwks = key_set(&[&second, &world.key]));
    refetch(&world, &oauth2).await;
    let hits = oauth2.stats().cache.hits;
    assert!(oauth2.verify_now(&token).is_ok());
    assert_eq!(oauth2.stats().cache.hits, hits + 1);
}

#[tokio::test]
async fn keys_are_fetched_again_before_they_expire() {
    let world = World::new().await;
    world.server.change(|state| state.jwks = key_set(&[&world.key]).with_headers("cache-control: max-age=600\r\n"));
    let oauth2 = world.service().lease(Duration::from_secs(3_600)).build().await.unwrap();
    // Another service looks at the time as often, and for it this is not too early.
    let other = World::new().await;
    let eager = other.service().lease(Duration::from_secs(3_600)).build().await.unwrap();
    world.advance(239);
    for fetched in 2..=3 {
        other.advance(3_600);
        eventually("the other looks", || fetches(&other) == fetched).await;
    }
    assert_eq!(fetches(&world), 1, "too early: the earliest is at two fifths");
    drop(eager);
    world.advance(242);
    eventually("they are fetched", || fetches(&world) == 2).await;
    assert!(oauth2.verify_now(&world.token()).is_ok());
}

#[tokio::test]
async fn the_age_of_keys_counts_from_the_request_and_not_from_a_slow_answer() {
    let world = World::new().await;
    let slow = key_set(&[&world.key]).with_headers("cache-control: max-age=600\r\n").late(Duration::from_millis(500));
    let _oauth2 = world.service().lease(Duration::from_secs(3_600)).build().await.unwrap();
    world.server.change(|state| state.jwks = slow);
    world.advance(600);
    eventually("they are requested", || fetches(&world) == 2).await;
    // The answer is still on its way.
    world.advance(600);
    eventually("they are requested again", || fetches(&world) == 3).await;
}

#[tokio::test]
async fn keys_outlive_an_outage_up_to_the_limit() {
    let world = World::new().await;
    let limit = Duration::from_secs(3_600);
    let oauth2 = world.service().no_denylist().keys_outage_limit(limit).build().await.unwrap();
    let token = world.token();
    assert!(oauth2.verify_now(&token).is_ok());
    world.server.change(|state| state.jwks = Answer::status(500, ""));
    refetch(&world, &oauth2).await;
    world.advance(3_593);
    assert!(oauth2.verify_now(&token).is_ok() && oauth2.verify_now(&world.token()).is_ok());
    let strange = new_key().sign(&world.claims()).unwrap();
    assert!(unavailable(&refusal(&oauth2, &strange)), "it may be a new key");
    world.advance(1);
    assert!(keys_unavailable(&oauth2, &world.token()));
    assert!(keys_unavailable(&oauth2, &token), "one that was seen before as well");
    assert_eq!(oauth2.readiness().reasons(), [NotReady::KeysTooOld]);
    world.server.change(|state| state.jwks = key_set(&[&world.key]));
    eventually("they are valid again", || oauth2.verify_now(&token).is_ok()).await;
    assert!(oauth2.readiness().is_ready());
}

#[tokio::test]
async fn a_cached_token_does_not_outlive_the_limit_without_any_key_lookup() {
    let world = World::new().await;
    let limit = Duration::from_secs(3_600);
    let oauth2 = world.service().no_denylist().keys_outage_limit(limit).build().await.unwrap();
    let token = world.token();
    assert!(oauth2.verify_now(&token).is_ok());
    world.server.change(|state| state.jwks = Answer::status(500, ""));
    world.advance(3_600);
    eventually("it is given up", || keys_unavailable(&oauth2, &token)).await;
}

#[tokio::test]
async fn given_keys_need_no_network() {
    let world = World::new().await;
    let keys = JwkSet::new(vec![world.key.public_jwk().unwrap()]);
    let issuer = world.server.state().issuer.clone();
    let by_hand = OAuth2PasswordBearer::by_hand(issuer.as_str()).audience("notes").clock(world.shared_clock());
    let oauth2 = by_hand.keys(keys).no_denylist().build().await.unwrap();
    assert!(oauth2.verify_now(&world.token()).is_ok());
    assert_eq!(refusal(&oauth2, &new_key().sign(&world.claims()).unwrap()), UNKNOWN_KEY);
    assert_eq!((fetches(&world), world.server.state().metadata_fetches, oauth2.stats().keys), (0, 0, 1));
}

#[tokio::test]
async fn a_shared_secret_verifies_its_tokens_under_any_kid_and_no_others() {
    let world = World::new().await;
    let secret = [7; 32];
    let claims = world.claims();
    let oauth2 = OAuth2PasswordBearer::by_hand(claims.iss.as_str())
        .audience("notes")
        .clock(world.shared_clock())
        .shared_secret(secret)
        .denylist_url(world.server.url("/denylist"))
        .build()
        .await
        .unwrap();
    for kid in ["a", "b"] {
        let key = SigningKey::from_secret(&secret, kid.to_owned()).unwrap();
        assert_eq!(oauth2.verify_now(&key.sign(&claims).unwrap()).unwrap().kid, kid);
    }
    let other = SigningKey::from_secret(&[8; 32], "a".to_owned()).unwrap();
    let error = refusal(&oauth2, &other.sign(&claims).unwrap());
    assert_eq!(error, VerifyError::Invalid(TokenError::BadSignature));
    let error = refusal(&oauth2, &world.token());
    assert_eq!(error, VerifyError::Invalid(TokenError::UnsupportedAlgorithm));
    let purged = SigningKey::from_secret(&secret, "a".to_owned()).unwrap();
    world.server.deny(purged.verifying_key().deny_id().to_uuid(), FAR);
    let token = purged.sign(&claims).unwrap();
    eventually("the key is denied", || oauth2.verify_now(&token).is_err()).await;
    assert_eq!(refusal(&oauth2, &token), VerifyError::Denied);
}

#[tokio::test]
async fn a_shared_secret_is_used_only_with_the_named_algorithm() {
    let world = World::new().await;
    let (claims, secret) = (world.claims(), [7; 64]);
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        let oauth2 = OAuth2PasswordBearer::by_hand(claims.iss.as_str())
            .audience("notes")
            .clock(world.shared_clock())
            .algorithms([algorithm])
            .shared_secret(secret)
            .no_denylist()
            .build()
            .await
            .unwrap();
        for (other, hash) in [
            (Algorithm::HS256, hmac::HMAC_SHA256),
            (Algorithm::HS384, hmac::HMAC_SHA384),
            (Algorithm::HS512, hmac::HMAC_SHA512),
        ] {
            let header = json!({"typ": "at+jwt", "alg": other.as_str(), "kid": "k"}).to_string();
            let claims = serde_json::to_vec(&claims).unwrap();
            let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
            let tag = hmac::sign(&hmac::Key::new(hash, &secret), text.as_bytes());
            let verified = oauth2.verify_now(&format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag)));
            assert_eq!(verified.is_ok(), other == algorithm, "{other} for {algorithm}");
        }
    }
}

#[tokio::test]
async fn only_the_listed_algorithms_are_accepted() {
    let world = World::new().await;
    let edwards = SigningKey::generate(Algorithm::EdDSA).unwrap();
    let p384 = SigningKey::generate(Algorithm::ES384).unwrap();
    world.server.change(|state| state.jwks = key_set(&[&world.key, &edwards, &p384]));
    let usual = world.service().build().await.unwrap();
    assert!(usual.verify_now(&edwards.sign(&world.claims()).unwrap()).is_ok());
    let error = VerifyError::Invalid(TokenError::UnsupportedAlgorithm);
    assert_eq!(refusal(&usual, &p384.sign(&world.claims()).unwrap()), error);
    let odd = world.service().algorithms([Algorithm::ES384]).build().await.unwrap();
    assert!(odd.verify_now(&p384.sign(&world.claims()).unwrap()).is_ok());
    assert_eq!(refusal(&odd, &world.token()), error);
}
