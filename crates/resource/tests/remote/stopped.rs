//! A value that outlives the runtime in which it was built.

use std::time::Duration;

use ficha_resource::{NotReady, OAuth2PasswordBearer, OnStale, VerifyError};
use ficha_token::JwkSet;
use tokio::runtime::{Builder, Runtime};

use crate::log::Log;
use crate::support::{World, new_key};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A world whose server keeps running, and a value whose own runtime has ended.
fn outlived() -> (Runtime, World, OAuth2PasswordBearer) {
    let servers = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let world = servers.block_on(World::new());
    let oauth2 = runtime().block_on(world.service().build()).unwrap();
    (servers, world, oauth2)
}

#[test]
fn it_says_so_and_serves_until_the_lease_is_over() {
    let (_servers, world, oauth2) = outlived();
    let token = world.token();
    assert_eq!(oauth2.readiness().reasons(), [NotReady::Stopped]);
    assert!(!oauth2.stats().ready);
    assert!(oauth2.verify_now(&token).is_ok(), "the lease is still valid");
    let stranger = new_key().sign(&world.claims()).unwrap();
    assert_eq!(oauth2.verify_now(&stranger).map(|_| ()), Err(VerifyError::Stopped), "the key may be a new one");
    world.advance(30);
    assert_eq!(oauth2.verify_now(&token).map(|_| ()), Err(VerifyError::Stopped));
    assert_eq!(oauth2.readiness().reasons(), [NotReady::Stopped, NotReady::LeaseOver]);
    assert!(oauth2.on_stale(OnStale::Accept).verify_now(&token).is_ok(), "that is what the setting says");
}

#[test]
fn the_next_request_logs_it_and_only_that_one() {
    let (_servers, world, oauth2) = outlived();
    let token = world.token();
    let log = Log::new();
    log.during(|| {
        for _ in 0..3 {
            let _ = oauth2.verify_now(&token);
            let _ = oauth2.readiness();
        }
    });
    let lines = log.lines("ERROR");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("build()") && lines[0].contains("runtime"), "{lines:?}");
}

#[test]
fn another_test_that_shares_it_is_told_at_once() {
    let (_servers, world, oauth2) = outlived();
    world.advance(30);
    let stranger = new_key().sign(&world.claims()).unwrap();
    // No key will come, so it does not wait for one.
    let at_once = async { tokio::time::timeout(Duration::from_secs(1), oauth2.verify(&stranger)).await.unwrap() };
    let error = runtime().block_on(at_once).map(|_| ()).unwrap_err();
    assert_eq!(error, VerifyError::Stopped);
    assert!(error.to_string().contains("runtime in which build() was called"), "{error}");
}

#[test]
fn a_value_that_reads_nothing_needs_no_runtime() {
    let servers = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let world = servers.block_on(World::new());
    let keys = JwkSet::new(vec![world.key.public_jwk().unwrap()]);
    world.server.change(|state| state.metadata = Some(serde_json::Value::Null));
    let oauth2 = runtime().block_on(world.service().keys(keys).no_denylist().build()).unwrap();
    assert!(oauth2.readiness().is_ready(), "{}", oauth2.readiness());
    assert!(oauth2.verify_now(&world.token()).is_ok());
}
