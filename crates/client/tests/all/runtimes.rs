//! Without a runtime, or in one that lacks something: errors, and no panics.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ficha_client::{Error, FileStore, MemoryStore, TokenSource, TokenStore};

use crate::network::{self, StubServer};
use crate::world::World;
use ficha_testing::PASSWORD;

/// The result of a future that has nothing to wait for, without any runtime.
fn without_runtime<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("it waits"),
    }
}

fn is_refused<T: std::fmt::Debug>(result: Result<T, Error>, word: &str) -> bool {
    let error = result.unwrap_err();
    matches!(error, Error::NoRuntime(_)) && error.to_string().contains(word)
}

#[test]
fn everything_outside_a_runtime_is_an_error() {
    let source = TokenSource::builder("https://auth.example.com", "app").build().unwrap();
    let word = "there is no tokio runtime here";
    assert!(is_refused(without_runtime(source.access_token()), word));
    assert!(is_refused(without_runtime(source.login("alice", PASSWORD)), word));
    assert!(is_refused(without_runtime(source.logout()), word));
    assert!(is_refused(without_runtime(source.forget()), word));
    without_runtime(source.settled());
    let file = FileStore::new(tempfile::tempdir().unwrap().path().join("token.json"));
    assert!(without_runtime(file.load()).unwrap_err().to_string().contains(word));
    assert!(without_runtime(file.clear()).unwrap_err().to_string().contains(word));
}

#[test]
fn a_lock_that_is_not_free_outside_a_runtime_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let (file, memory) = (FileStore::new(directory.path().join("token.json")), MemoryStore::new());
    for store in [&file as &dyn TokenStore, &memory] {
        let held = without_runtime(store.lock(Duration::from_secs(1))).unwrap();
        let error = without_runtime(store.lock(Duration::from_secs(1))).unwrap_err();
        assert!(error.to_string().contains("there is no tokio runtime here"), "{error}");
        drop(held);
        without_runtime(store.lock(Duration::ZERO)).unwrap();
    }
}

#[test]
fn a_runtime_that_lacks_something_is_an_error_and_the_same_source_works_in_another() {
    let build = |change: fn(&mut tokio::runtime::Builder) -> &mut tokio::runtime::Builder| {
        change(&mut tokio::runtime::Builder::new_current_thread()).build().unwrap()
    };
    let complete = build(|runtime| runtime.enable_all());
    let server = complete.block_on(StubServer::responding_by(|head| match head.starts_with("get") {
        true => network::metadata(head),
        false => network::tokens(),
    }));
    let source = TokenSource::builder(&server.url(""), "app").build().unwrap();
    for (lacking, word) in
        [(build(|runtime| runtime.enable_io()), "enable_time"), (build(|runtime| runtime.enable_time()), "enable_io")]
    {
        assert!(is_refused(lacking.block_on(source.login("alice", PASSWORD)), word));
        assert!(is_refused(lacking.block_on(source.access_token()), word));
    }
    assert!(server.requests().is_empty());
    complete.block_on(source.login("alice", PASSWORD)).unwrap();
}

#[tokio::test]
async fn a_valid_token_in_memory_needs_no_runtime() {
    let world = World::start().await;
    let source = world.login_alice(world.builder()).await;
    let token = source.access_token().await.unwrap();
    let elsewhere = std::thread::spawn(move || without_runtime(source.access_token()).unwrap().secret().to_owned());
    assert_eq!(elsewhere.join().unwrap(), token.secret());
}
