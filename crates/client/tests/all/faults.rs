//! Answers that get lost, and stores that fail.

use std::sync::atomic::Ordering;
use std::time::Duration;

use ficha_client::{Error, MemoryStore, TokenStore};

use crate::network::Relay;
use crate::stores::Stubborn;
use crate::world::World;

#[tokio::test]
async fn a_refresh_whose_answer_is_lost_gets_the_same_successor_again() {
    let world = World::start().await;
    let relay = Relay::to(world.app.address).await;
    let source = world.alice(world.builder().endpoints(&relay.url("/token"), None)).await;
    for lost in 1..=2 {
        world.until_due().await;
        relay.lose.store(lost, Ordering::SeqCst);
        assert!(world.takes(&source.access_token().await.unwrap()).await);
        assert_eq!(relay.lose.load(Ordering::SeqCst), 0);
    }
    assert_eq!(world.refreshes().await, [2, 3, 0]);
    // The session goes on.
    world.until_due().await;
    assert!(world.takes(&source.access_token().await.unwrap()).await);
    assert_eq!(world.refreshes().await, [3, 3, 0]);
}

#[tokio::test]
async fn a_refresh_that_gets_no_answer_in_time_is_tried_again() {
    let world = World::start().await;
    let relay = Relay::to(world.app.address).await;
    let builder = world.builder().endpoints(&relay.url("/token"), None).time_limit(Duration::from_millis(500));
    let source = world.alice(builder).await;
    world.until_due().await;
    relay.open.send_replace(false);
    let waiting = tokio::spawn({
        let source = source.clone();
        async move { source.access_token().await }
    });
    // One answer to the login, one that came too late, and the one to the second attempt.
    relay.answers(3).await;
    relay.open.send_replace(true);
    assert!(world.takes(&waiting.await.unwrap().unwrap()).await);
    assert_eq!(world.refreshes().await[0], 1);
    assert_eq!(world.refreshes().await[2], 0);
}

#[tokio::test]
async fn a_session_survives_a_process_that_ended_before_the_answer_came() {
    let world = World::start().await;
    let relay = Relay::to(world.app.address).await;
    let store = MemoryStore::new();
    let builder = || world.builder().endpoints(&relay.url("/token"), None).store(store.clone());
    world.alice(builder()).await;
    world.until_due().await;
    relay.lose.store(usize::MAX, Ordering::SeqCst);
    let process = builder().build().unwrap();
    let ended = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // It is still good, so it is handed out; every answer was lost, and the runtime ends.
        runtime.block_on(process.access_token()).unwrap();
    });
    ended.await.unwrap();
    relay.lose.store(0, Ordering::SeqCst);
    let restarted = builder().build().unwrap();
    assert!(world.takes(&restarted.access_token().await.unwrap()).await);
    let [refreshes, retries, replays] = world.refreshes().await;
    assert!((refreshes, replays) == (1, 0) && retries >= 2, "{retries}");
}

#[tokio::test]
async fn no_token_is_handed_out_that_is_not_stored() {
    let world = World::start().await;
    let store = Stubborn::default();
    let source = world.alice(world.builder().store(store.clone())).await;
    let before = store.load().await.unwrap();
    world.until_due().await;
    store.is_full.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let error = source.access_token().await.unwrap_err();
        assert!(matches!(error, Error::Store(_)), "{error:?}");
        assert_eq!(store.load().await.unwrap(), before);
    }
    // The successor was not lost, although the grace of the old one is over.
    world.app.advance(Duration::from_secs(60)).await;
    store.is_full.store(false, Ordering::SeqCst);
    let token = source.access_token().await.unwrap();
    assert_eq!(store.load().await.unwrap().unwrap().access_token().secret(), token.secret());
    assert!(world.takes(&token).await);
    assert_eq!(world.refreshes().await, [1, 0, 0]);
    world.until_due().await;
    assert!(world.takes(&source.access_token().await.unwrap()).await);
    assert_eq!(world.refreshes().await, [2, 0, 0]);
}
