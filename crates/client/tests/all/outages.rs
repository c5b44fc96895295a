//! Servers that hang, fail or ask to be left alone, and other processes that hold the lock.

use std::future::Future;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use ficha_client::{Clock, Error, FileStore, MemoryStore, TokenSource, TokenStore};

use crate::network::{Parrot, Relay};
use crate::world::{MovedClock, World};

/// Far less than a time limit (9 s), and far more than a caller with a good token should wait.
async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(6), work).await.expect("nobody is held up")
}

#[tokio::test]
async fn a_lost_answer_and_an_outage_end_no_session_although_nobody_calls_meanwhile() {
    let world = World::start().await;
    let relay = Relay::to(world.app.address).await;
    let source = world.alice(world.builder().endpoints(&relay.url("/token"), None)).await;
    let before = source.access_token().await.unwrap();
    world.until_due().await;
    // One answer to the login; the next four are lost.
    relay.lose.store(4, Ordering::SeqCst);
    assert_eq!(source.access_token().await.unwrap().secret(), before.secret());
    let fifth = tokio::time::timeout(Duration::from_secs(20), relay.answers(6)).await;
    // The answer has left the relay; it may take a busy machine a moment to arrive.
    source.settled().await;
    // The next caller comes when the grace is over.
    world.app.advance(Duration::from_secs(40)).await;
    assert!(world.takes(&source.access_token().await.unwrap()).await);
    assert!(fifth.is_ok());
    assert_eq!(world.refreshes().await, [1, 4, 0]);
}

#[tokio::test]
async fn a_process_that_is_about_to_end_can_wait_for_the_refresh_that_goes_on() {
    let world = World::start().await;
    let relay = Relay::to(world.app.address).await;
    let store = MemoryStore::new();
    let builder = world.builder().endpoints(&relay.url("/token"), None).store(store.clone());
    let source = world.alice(builder).await;
    source.settled().await;
    world.until_due().await;
    relay.lose.store(3, Ordering::SeqCst);
    let old = source.access_token().await.unwrap();
    source.settled().await;
    let stored = store.load().await.unwrap().unwrap().access_token();
    assert_ne!(stored.secret(), old.secret());
    assert!(world.takes(&stored).await);
}

#[tokio::test]
async fn a_server_that_hangs_holds_nobody_up_whose_token_is_good() {
    let world = World::start().await;
    let relay = Relay::to(world.app.address).await;
    let store = MemoryStore::new();
    let builder = || world.builder().endpoints(&relay.url("/token"), None).store(store.clone());
    let before = world.alice(builder()).await.access_token().await.unwrap();
    world.until_due().await;
    relay.open.send_replace(false);
    // One that finds its token in the store.
    let source = builder().build().unwrap();
    assert_eq!(soon(source.access_token()).await.unwrap().secret(), before.secret());
    let moment = Duration::from_millis(500);
    let second = tokio::time::timeout(moment, source.access_token()).await.expect("one wait is enough");
    assert_eq!(second.unwrap().secret(), before.secret());
    // The refresh went on by itself.
    relay.open.send_replace(true);
    let newer = soon(async {
        loop {
            let token = source.access_token().await.unwrap();
            if token.secret() != before.secret() {
                return token;
            }
            tokio::task::yield_now().await;
        }
    });
    assert!(world.takes(&newer.await).await);
    assert_eq!(world.refreshes().await, [1, 0, 0]);
}

#[tokio::test]
async fn a_lock_that_another_process_holds_holds_nobody_up_whose_token_is_good() {
    let world = World::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token.json");
    let first = world.alice(world.builder().store(FileStore::new(&path))).await;
    let before = first.access_token().await.unwrap();
    let second = world.builder().store(FileStore::new(&path)).build().unwrap();
    assert_eq!(second.access_token().await.unwrap().secret(), before.secret());
    world.until_due().await;
    // Another open file, as another process would have.
    let lock = std::fs::File::open(path.with_extension("json.lock")).unwrap();
    lock.try_lock().unwrap();
    assert_eq!(soon(first.access_token()).await.unwrap().secret(), before.secret());
    lock.unlock().unwrap();
    let newer = soon(async {
        loop {
            let token = first.access_token().await.unwrap();
            if token.secret() != before.secret() {
                return token;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let newer = newer.await;
    // What another has refreshed is found without the lock.
    lock.try_lock().unwrap();
    assert_eq!(soon(second.access_token()).await.unwrap().secret(), newer.secret());
    assert_eq!(world.refreshes().await, [1, 0, 0]);
}

#[tokio::test]
async fn a_server_that_fails_is_not_asked_again_at_once() {
    let parrot = Parrot::saying("500 Internal Server Error\r\n").await;
    let builder = TokenSource::builder(&parrot.url(""), "night").client_secret("secret").client_credentials();
    let source = builder.endpoints(&parrot.url("/token"), None).build().unwrap();
    assert!(matches!(source.access_token().await, Err(Error::Network(_))));
    let asked = parrot.heard().len();
    for _ in 0..20 {
        assert!(matches!(source.access_token().await, Err(Error::Network(_))));
    }
    assert_eq!(parrot.heard().len(), asked);
}

#[tokio::test]
async fn a_server_that_asks_to_be_left_alone_is_left_alone() {
    let parrot = Parrot::saying("503 Service Unavailable\r\nRetry-After: 40\r\n").await;
    let builder = TokenSource::builder(&parrot.url(""), "night").client_secret("secret").client_credentials();
    let source = builder.endpoints(&parrot.url("/token"), None).build().unwrap();
    for _ in 0..3 {
        let error = source.access_token().await.unwrap_err();
        assert!(matches!(error, Error::Busy { retry_after: Some(wait), .. } if wait.as_secs() == 40), "{error:?}");
    }
    assert_eq!(parrot.heard().len(), 1);
}

/// Another clock's time, put back or forward.
#[derive(Clone)]
struct Shifted(MovedClock, Arc<Mutex<Duration>>);

impl Clock for Shifted {
    fn now(&self) -> SystemTime {
        self.0.now() - *self.1.lock().unwrap()
    }
}

#[tokio::test]
async fn a_clock_that_is_put_back_makes_no_pause_longer() {
    let world = World::start().await;
    let relay = Relay::to(world.app.address).await;
    let back = Arc::new(Mutex::new(Duration::ZERO));
    let builder = world.builder().clock(Shifted(world.clock(), back.clone()));
    let source = world.alice(builder.endpoints(&relay.url("/token"), None)).await;
    let before = source.access_token().await.unwrap();
    world.until_due().await;
    relay.refuse.store(true, Ordering::SeqCst);
    assert_eq!(source.access_token().await.unwrap().secret(), before.secret());
    *back.lock().unwrap() = Duration::from_secs(3_600);
    relay.refuse.store(false, Ordering::SeqCst);
    let newer = soon(async {
        loop {
            let token = source.access_token().await.unwrap();
            if token.secret() != before.secret() {
                return token;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(world.takes(&newer.await).await);
}

#[tokio::test]
async fn a_refresh_that_is_sent_again_and_again_gives_way_to_whoever_ends_the_session() {
    let world = World::start().await;
    let relay = Relay::to(world.app.address).await;
    let store = MemoryStore::new();
    let builder = world.builder().endpoints(&relay.url("/token"), None).store(store.clone());
    let source = world.alice(builder).await;
    world.until_due().await;
    relay.lose.store(usize::MAX, Ordering::SeqCst);
    source.access_token().await.unwrap();
    // One answer to the login, and four that were lost: the next attempt is two seconds away.
    relay.answers(5).await;
    let moment = Duration::from_secs(1);
    tokio::time::timeout(moment, source.forget()).await.expect("nobody waits for it").unwrap();
    source.settled().await;
    assert!(matches!(source.access_token().await, Err(Error::NotLoggedIn)));
    assert_eq!(store.load().await.unwrap(), None);
}
