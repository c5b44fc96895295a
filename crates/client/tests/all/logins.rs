//! Repeated logins, logins that cannot be stored, and apps without a login.

use std::sync::atomic::Ordering;

use ficha_authority::Grant;
use ficha_client::{Error, MemoryStore, TokenSource, TokenStore};

use crate::stores::FailingStore;
use crate::world::World;
use ficha_testing::{PASSWORD, claims};

fn session_of(token: &ficha_client::AccessToken) -> String {
    claims(token.secret())["sid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_login_that_cannot_be_stored_is_ended_at_the_server_and_changes_nothing() {
    let world = World::start().await;
    let store = FailingStore::default();
    let source = world.login_alice(world.builder().store(store.clone())).await;
    let session = session_of(&source.access_token().await.unwrap());
    world.until_due().await;
    store.is_full.store(true, Ordering::SeqCst);
    // A refresh whose result could not be stored yet.
    assert!(matches!(source.access_token().await, Err(Error::Store(_))));
    assert!(matches!(source.login("alice", PASSWORD).await, Err(Error::Store(_))));
    assert_eq!(world.active_sessions().await, 1);
    world.app.advance(std::time::Duration::from_secs(60)).await;
    store.is_full.store(false, Ordering::SeqCst);
    let token = source.access_token().await.unwrap();
    assert_eq!(session_of(&token), session);
    assert!(world.accepts(&token).await);
    assert_eq!(world.refreshes().await, [1, 0, 0]);
}

#[tokio::test]
async fn logging_in_again_ends_the_previous_session() {
    let world = World::start().await;
    let source = world.login_alice(world.builder()).await;
    let first = source.access_token().await.unwrap();
    source.login("alice", PASSWORD).await.unwrap();
    assert!(!world.accepts(&first).await);
    assert!(world.accepts(&source.access_token().await.unwrap()).await);
    assert_eq!(world.active_sessions().await, 1);
}

#[tokio::test]
async fn logging_out_with_a_full_disk_ends_the_refreshed_session() {
    let world = World::start().await;
    let store = FailingStore::default();
    let source = world.login_alice(world.builder().store(store.clone())).await;
    world.until_due().await;
    store.is_full.store(true, Ordering::SeqCst);
    assert!(matches!(source.access_token().await, Err(Error::Store(_))));
    source.logout().await.unwrap();
    assert_eq!(world.active_sessions().await, 0);
    assert_eq!(store.load().await.unwrap(), None);
    assert!(matches!(source.access_token().await, Err(Error::NotLoggedIn)));
}

#[tokio::test]
async fn client_credentials_cannot_log_in_and_does_not_use_a_user_s_tokens() {
    let world = World::start().await;
    let client =
        world.app.add_client("night", |new| new.grants = vec![Grant::Password, Grant::ClientCredentials]).await;
    let store = MemoryStore::new();
    let builder = || {
        let builder = TokenSource::builder(&world.issuer, &client.id).client_secret(&*client.secret);
        builder.clock(world.clock()).store(store.clone())
    };
    let source = builder().client_credentials().build().unwrap();
    assert!(matches!(source.login("alice", PASSWORD).await, Err(Error::Setting(_))));
    let user = world.login_alice(builder()).await;
    let error = source.access_token().await.unwrap_err();
    assert!(matches!(error, Error::StoredForAnother { .. }) && !error.needs_login(), "{error:?}");
    user.logout().await.unwrap();
    assert!(source.access_token().await.is_ok());
    let error = builder().build().unwrap().access_token().await.unwrap_err();
    assert!(matches!(error, Error::StoredForAnother { .. }) && error.needs_login(), "{error:?}");
}
