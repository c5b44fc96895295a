//! Lost responses, and stores that fail.

use std::sync::atomic::Ordering;
use std::time::Duration;

use ficha_client::{Error, MemoryStore, TokenStore};

use crate::network::Relay;
use crate::stores::FailingStore;
use crate::world::World;

#[tokio::test]
async fn a_refresh_with_a_lost_response_gets_the_same_successor_again() {
    let world = World::start().await;
    let relay = Relay::to(world.app.address).await;
    let source = world.login_alice(world.builder().endpoints(&relay.url("/token"), None)).await;
    for lost in 1..=2 {
        world.until_due().await;
        relay.lose.store(lost, Ordering::SeqCst);
        assert!(world.accepts(&source.access_token().await.unwrap()).await);
        assert_eq!(relay.lose.load(Ordering::SeqCst), 0);
    }
    assert_eq!(world.refreshes().await, [2, 3, 0]);
    // The session continues.
    world.until_due().await;
    assert!(world.accepts(&source.access_token().await.unwrap()).await);
    assert_eq!(world.refreshes().await, [3, 3, 0]);
}

#[tokio::test]
async fn a_refresh_without_a_response_in_time_is_retried() {
    let world = World::start().await;
    let relay = Relay::to(world.app.address).await;
    let builder = world.builder().endpoints(&relay.url("/token"), None).time_limit(Duration::from_millis(500));
    let source = world.login_alice(builder).await;
    world.until_due().await;
    relay.open.send_replace(false);
    let waiting = tokio::spawn({
        let source = source.clone();
        async move { source.access_token().await }
    });
    // The responses to the login, to the first attempt (too late) and to the second attempt.
    relay.answers(3).await;
    relay.open.send_replace(true);
    assert!(world.accepts(&waiting.await.unwrap().unwrap()).await);
    assert_eq!(world.refreshes().await[0], 1);
    assert_eq!(world.refreshes().await[2], 0);
}

#[tokio::test]
async fn a_session_survives_a_process_that_ended_before_the_response_arrived() {
    let world = World::start().await;
    let relay = Relay::to(world.app.address).await;
    let store = MemoryStore::new();
    let builder = || world.builder().endpoints(&relay.url("/token"), None).store(store.clone());
    world.login_alice(builder()).await;
    world.until_due().await;
    relay.lose.store(usize::MAX, Ordering::SeqCst);
    let process = builder().build().unwrap();
    let ended = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // The token has not expired, so it is returned. Every response was lost, and the runtime ends.
        runtime.block_on(process.access_token()).unwrap();
    });
    ended.await.unwrap();
    relay.lose.store(0, Ordering::SeqCst);
    let restarted = builder().build().unwrap();
    assert!(world.accepts(&restarted.access_token().await.unwrap()).await);
    let [refreshes, retries, replays] = world.refreshes().await;
    assert!((refreshes, replays) == (1, 0) && retries >= 2, "{retries}");
}

#[tokio::test]
async fn no_token_is_returned_before_it_is_stored() {
    let world = World::start().await;
    let store = FailingStore::default();
    let source = world.login_alice(world.builder().store(store.clone())).await;
    let before = store.load().await.unwrap();
    world.until_due().await;
    store.is_full.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let error = source.access_token().await.unwrap_err();
        assert!(matches!(error, Error::Store(_)), "{error:?}");
        assert_eq!(store.load().await.unwrap(), before);
    }
    // The new token was not lost, although the grace period of the old one is over.
    world.app.advance(Duration::from_secs(60)).await;
    store.is_full.store(false, Ordering::SeqCst);
    let token = source.access_token().await.unwrap();
    assert_eq!(store.load().await.unwrap().unwrap().access_token().secret(), token.secret());
    assert!(world.accepts(&token).await);
    assert_eq!(world.refreshes().await, [1, 0, 0]);
    world.until_due().await;
    assert!(world.accepts(&source.access_token().await.unwrap()).await);
    assert_eq!(world.refreshes().await, [2, 0, 0]);
}
