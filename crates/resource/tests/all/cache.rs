//! What is cached of a verified token, and what is checked again each time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ficha_resource::{VerifierSettings, VerifyError};
use ficha_token::{Algorithm, Expected, SigningKey, TokenError};

use crate::support::{ISSUER, LIFE, START, World, changed, claims};

fn refusal(world: &World, token: &str) -> VerifyError {
    world.verifier.verify_now(token).map(|_| ()).unwrap_err()
}

#[test]
fn a_token_seen_before_is_found_in_the_cache() {
    let world = World::new();
    let token = world.token();
    let first = world.verifier.verify_now(&token).unwrap();
    let second = world.verifier.verify_now(&token).unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    let stats = world.verifier.stats();
    assert_eq!((stats.hits, stats.misses, stats.entries), (1, 1, 1));
}

#[test]
fn a_token_denied_after_it_was_cached_is_refused_at_once() {
    let world = World::new();
    let token = world.token();
    let ids = world.verifier.verify_now(&token).unwrap().deny_ids().to_vec();
    world.denied.deny(ids[0], START + LIFE + 120);
    assert_eq!(refusal(&world, &token), VerifyError::Denied);
    assert_eq!(world.verifier.stats().hits, 1);
}

#[test]
fn a_token_that_expires_after_it_was_cached_is_refused() {
    let world = World::new();
    let token = world.token();
    assert!(world.verifier.verify_now(&token).is_ok());
    world.advance(LIFE - 1);
    assert!(world.verifier.verify_now(&token).is_ok());
    world.advance(1);
    assert_eq!(refusal(&world, &token), VerifyError::Invalid(TokenError::Expired));
    assert_eq!(world.verifier.stats().hits, 2);
}

#[test]
fn a_cached_token_is_refused_once_its_key_is_removed() {
    let world = World::new();
    let token = world.token();
    assert!(world.verifier.verify_now(&token).is_ok());
    world.keys.remove(world.key.kid());
    assert_eq!(refusal(&world, &token), VerifyError::Invalid(TokenError::UnknownKey));
    world.keys.add(world.key.verifying_key());
    assert!(world.verifier.verify_now(&token).is_ok());
}

#[test]
fn a_new_key_with_an_old_kid_is_not_taken_for_the_old_one() {
    let old = SigningKey::from_secret(&[1; 32], "k".to_owned()).unwrap();
    let new = SigningKey::from_secret(&[2; 32], "k".to_owned()).unwrap();
    let expected = Expected::for_any_audience(ISSUER, [Algorithm::HS256]);
    let world = World::with_settings(VerifierSettings::new(expected));
    world.keys.add(old.verifying_key());
    let token = old.sign(&claims()).unwrap();
    assert!(world.verifier.verify_now(&token).is_ok());
    world.keys.add(new.verifying_key());
    assert_eq!(refusal(&world, &token), VerifyError::Invalid(TokenError::BadSignature));
}

#[test]
fn recheck_distinguishes_a_new_key_with_an_old_kid_from_the_old_one() {
    let key = |secret: u8| SigningKey::from_secret(&[secret; 32], "k".to_owned()).unwrap();
    let expected = Expected::for_any_audience(ISSUER, [Algorithm::HS256]);
    let world = World::with_settings(VerifierSettings::new(expected));
    world.keys.add(key(1).verifying_key());
    let verified = world.verifier.verify_now(&key(1).sign(&claims()).unwrap()).unwrap();
    // Loaded again, it is the same key.
    world.keys.add(key(1).verifying_key());
    assert_eq!(world.verifier.recheck(&verified), Ok(()));
    world.keys.add(key(2).verifying_key());
    assert_eq!(world.verifier.recheck(&verified), Err(VerifyError::Invalid(TokenError::UnknownKey)));
}

#[test]
fn without_a_cache_every_token_is_verified_each_time() {
    let world = World::with_cache(0);
    let token = world.token();
    for _ in 0..3 {
        assert!(world.verifier.verify_now(&token).is_ok());
    }
    let stats = world.verifier.stats();
    assert_eq!((stats.hits, stats.misses, stats.entries, stats.bytes), (0, 3, 0, 0));
}

#[test]
fn the_cache_stays_within_its_size() {
    let bytes = 256 * 1024;
    let world = World::with_cache(bytes);
    for _ in 0..400 {
        assert!(world.verifier.verify_now(&world.token()).is_ok());
    }
    let stats = world.verifier.stats();
    assert!(stats.bytes <= bytes && stats.entries > 50, "{stats:?}");
    assert_eq!(stats.evictions as usize + stats.entries, 400);
}

#[test]
fn expired_tokens_are_dropped_as_new_ones_arrive() {
    // Small enough for one shard: with several, chance decides which of them the new tokens go to.
    let world = World::with_cache(127 * 1024);
    for _ in 0..20 {
        assert!(world.verifier.verify_now(&world.token()).is_ok());
    }
    world.advance(LIFE + 60);
    for _ in 0..20 {
        let claims = changed(claims(), |it| it.exp = START + 3 * LIFE);
        assert!(world.verifier.verify_now(&world.key.sign(&claims).unwrap()).is_ok());
    }
    let stats = world.verifier.stats();
    assert_eq!(stats.entries, 20, "{stats:?}");
    assert_eq!(stats.evictions, 0, "{stats:?}");
}

#[test]
fn a_stale_list_costs_one_signature_per_token_and_not_one_per_request() {
    let world = World::new();
    world.denied.set_stale(Some(Duration::from_secs(1)));
    let token = world.token();
    for _ in 0..3 {
        assert!(matches!(refusal(&world, &token), VerifyError::Stale { .. }));
    }
    assert_eq!(world.verifier.stats().hits, 2);
}

#[test]
fn tokens_are_never_mixed_up_while_keys_come_and_go() {
    let world = World::with_cache(64 * 1024);
    let tokens: Vec<_> = (0..100)
        .map(|_| {
            let claims = claims();
            (world.key.sign(&claims).unwrap(), claims.jti)
        })
        .collect();
    let other = SigningKey::generate(Algorithm::ES256).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|worker| {
                let (world, tokens) = (&world, &tokens);
                scope.spawn(move || {
                    for round in 0..1_000 {
                        let (token, jti) = &tokens[(round * 7 + worker * 13) % tokens.len()];
                        assert_eq!(world.verifier.verify_now(token).unwrap().claims.jti, *jti);
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                world.keys.add(other.verifying_key());
                world.keys.remove(other.kid());
                thread::yield_now();
            }
        });
        for worker in workers {
            worker.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
}
