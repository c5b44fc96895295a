//! Servers that hang, fail or send `Retry-After`, and other processes that hold the lock.

use std::future::Future;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use ficha_client::{Clock, Error, FileStore, MemoryStore, TokenSource, TokenStore};

use crate::network::{Relay, StubServer};
use crate::world::{TestClock, World};

/// Far less than a time limit (9 s), and far more than a caller with a valid token should wait.
async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(6), work).await.expect("the caller had to wait too long")
}

#[tokio::test]
async fn a_session_survives_a_lost_response_and_an_outage_without_further_calls() {
    let world = World::start().await;
    let relay = Relay::to(world.app.address).await;
    let source = world.login_alice(world.builder().endpoints(&relay.url("/token"), None)).await;
    let before = source.access_token().await.unwrap();
    world.until_due().await;
    // The login got its response. The next four responses are lost.
    relay.lose.store(4, Ordering::SeqCst);
    assert_eq!(source.access_token().await.unwrap().secret(), before.secret());
    let fifth = tokio::time::timeout(Duration::from_secs(20), relay.answers(6)).await;
    // The response has left the relay, but on a busy machine it may take a moment to arrive.
    source.settled().await;
    // The next call is made after the grace period.
    world.app.advance(Duration::from_secs(40)).await;
    assert!(world.accepts(&source.access_token().await.unwrap()).await);
    assert!(fifth.is_ok());
    assert_eq!(world.refreshes().await, [1, 4, 0]);
}

#[tokio::test]
async fn a_process_can_wait_for_a_background_refresh_before_it_exits() {
    let world = World::start().await;
    let relay = Relay::to(world.app.address).await;
    let store = MemoryStore::new();
    let builder = world.builder().endpoints(&relay.url("/token"), None).store(store.clone());
    let source = world.login_alice(builder).await;
    source.settled().await;
    world.until_due().await;
    relay.lose.store(3, Ordering::SeqCst);
    let old = source.access_token().await.unwrap();
    source.settled().await;
    let stored = store.load().await.unwrap().unwrap().access_token();
    assert_ne!(stored.secret(), old.secret());
    assert!(world.accepts(&stored).await);
}

#[tokio::test]
async fn a_server_that_hangs_does_not_delay_callers_with_a_valid_token() {
    let world = World::start().await;
    let relay = Relay::to(world.app.address).await;
    let store = MemoryStore::new();
    let builder = || world.builder().endpoints(&relay.url("/token"), None).store(store.clone());
    let before = world.login_alice(builder()).await.access_token().await.unwrap();
    world.until_due().await;
    relay.open.send_replace(false);
    // A second source, which finds its token in the store.
    let source = builder().build().unwrap();
    assert_eq!(soon(source.access_token()).await.unwrap().secret(), before.secret());
    let moment = Duration::from_millis(500);
    let second = tokio::time::timeout(moment, source.access_token()).await.expect("only the first call waits");
    assert_eq!(second.unwrap().secret(), before.secret());
    // The refresh has continued in the background.
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
    assert!(world.accepts(&newer.await).await);
    assert_eq!(world.refreshes().await, [1, 0, 0]);
}

#[tokio::test]
async fn a_lock_held_by_another_process_does_not_delay_callers_with_a_valid_token() {
    let world = World::start().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token.json");
    let first = world.login_alice(world.builder().store(FileStore::new(&path))).await;
    let before = first.access_token().await.unwrap();
    let second = world.builder().store(FileStore::new(&path)).build().unwrap();
    assert_eq!(second.access_token().await.unwrap().secret(), before.secret());
    world.until_due().await;
    // A second open file, as in another process.
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
    // A token that another process has obtained is found without the lock.
    lock.try_lock().unwrap();
    assert_eq!(soon(second.access_token()).await.unwrap().secret(), newer.secret());
    assert_eq!(world.refreshes().await, [1, 0, 0]);
}

#[tokio::test]
async fn a_server_that_fails_is_not_asked_again_at_once() {
    let server = StubServer::responding("500 Internal Server Error\r\n").await;
    let builder = TokenSource::builder(&server.url(""), "night").client_secret("secret").client_credentials();
    let source = builder.endpoints(&server.url("/token"), None).build().unwrap();
    assert!(matches!(source.access_token().await, Err(Error::Network(_))));
    let asked = server.requests().len();
    for _ in 0..20 {
        assert!(matches!(source.access_token().await, Err(Error::Network(_))));
    }
    assert_eq!(server.requests().len(), asked);
}

#[tokio::test]
async fn the_retry_after_of_a_busy_server_is_respected() {
    let server = StubServer::responding("503 Service Unavailable\r\nRetry-After: 40\r\n").await;
    let builder = TokenSource::builder(&server.url(""), "night").client_secret("secret").client_credentials();
    let source = builder.endpoints(&server.url("/token"), None).build().unwrap();
    for _ in 0..3 {
        let error = source.access_token().await.unwrap_err();
        assert!(matches!(error, Error::Busy { retry_after: Some(wait), .. } if wait.as_secs() == 40), "{error:?}");
    }
    assert_eq!(server.requests().len(), 1);
}

/// Another clock's time, set back by a duration.
#[derive(Clone)]
struct Shifted(TestClock, Arc<Mutex<Duration>>);

impl Clock for Shifted {
    fn now(&self) -> SystemTime {
        self.0.now() - *self.1.lock().unwrap()
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_lengthen_a_pause() {
    let world = World::start().await;
    let relay = Relay::to(world.app.address).await;
    let back = Arc::new(Mutex::new(Duration::ZERO));
    let builder = world.builder().clock(Shifted(world.clock(), back.clone()));
    let source = world.login_alice(builder.endpoints(&relay.url("/token"), None)).await;
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
    assert!(world.accepts(&newer.await).await);
}

#[tokio::test]
async fn a_refresh_that_is_being_retried_gives_way_to_the_end_of_the_session() {
    let world = World::start().await;
    let relay = Relay::to(world.app.address).await;
    let store = MemoryStore::new();
    let builder = world.builder().endpoints(&relay.url("/token"), None).store(store.clone());
    let source = world.login_alice(builder).await;
    world.until_due().await;
    relay.lose.store(usize::MAX, Ordering::SeqCst);
    source.access_token().await.unwrap();
    // One response to the login, and four that were lost: the next attempt is two seconds away.
    relay.answers(5).await;
    let moment = Duration::from_secs(1);
    tokio::time::timeout(moment, source.forget()).await.expect("the refresh gives way").unwrap();
    source.settled().await;
    assert!(matches!(source.access_token().await, Err(Error::NotLoggedIn)));
    assert_eq!(store.load().await.unwrap(), None);
}
