//! Login, refresh and logout.

use std::sync::atomic::Ordering;
use std::time::Duration;

use ficha_authority::{ClientScopes, Grant};
use ficha_client::{Error, MemoryStore, TokenSource, TokenStore};

use crate::network::{Relay, StubServer};
use crate::stores::CountingStore;
use crate::world::{LIFETIME, World};
use ficha_testing::{PASSWORD, claims, tester};

#[tokio::test]
async fn a_user_logs_in_and_gets_a_valid_token() {
    let world = World::start().await;
    let source = world.builder().scope("notes:read").build().unwrap();
    assert!(matches!(source.access_token().await, Err(Error::NotLoggedIn)));
    let tokens = source.login("alice", PASSWORD).await.unwrap();
    assert_eq!((tokens.scope(), tokens.client_id()), (Some("notes:read"), "first-party"));
    assert_eq!(tokens.expires_at().duration_since(tokens.issued_at()).unwrap(), LIFETIME);
    let token = source.access_token().await.unwrap();
    assert!(world.accepts(&token).await);
    assert_eq!(token.secret(), tokens.access_token().secret());
    assert_eq!(claims(token.secret())["scope"], "notes:read");
    let shown = format!("{source:?} {tokens:?} {token:?} {:?}", world.builder().client_secret("the-secret"));
    assert!(!shown.contains(token.secret()) && !shown.contains("the-secret"), "{shown}");
}

#[test]
fn settings_with_which_nothing_could_work_are_refused() {
    let builder = || TokenSource::builder("https://auth.example.com", "notes-app");
    for (builder, word) in [
        (builder().client_secret(""), "the client secret is empty"),
        (builder().time_limit(Duration::ZERO), "the time limit is zero"),
        (TokenSource::builder("https://auth.example.com", ""), "the client id is empty"),
    ] {
        let error = builder.build().unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_reported_and_leaves_the_session_unchanged() {
    let world = World::start().await;
    let source = world.login_alice(world.builder()).await;
    let before = source.access_token().await.unwrap();
    for (name, password) in [("alice", "wrong"), ("nobody", PASSWORD)] {
        let error = source.login(name, password).await.unwrap_err();
        assert!(matches!(error, Error::WrongPassword), "{error:?}");
    }
    assert_eq!(source.access_token().await.unwrap().secret(), before.secret());
}

#[tokio::test]
async fn each_kind_of_rejection_has_its_own_error() {
    let world = World::start().await;
    let source = world.builder().scope("notes:delete").build().unwrap();
    assert!(matches!(source.login("alice", PASSWORD).await, Err(Error::InvalidScope(_))));
    let client = world.app.add_client("web", |_| ()).await;
    let wrong = TokenSource::builder(&world.issuer, &client.id).client_secret("wrong").build().unwrap();
    assert!(matches!(wrong.login("alice", PASSWORD).await, Err(Error::ClientRefused(_))));
    let limited = world.app.add_client("limited", |new| new.grants = vec![Grant::ClientCredentials]).await;
    let limited = TokenSource::builder(&world.issuer, &limited.id).client_secret(limited.secret).build().unwrap();
    assert!(matches!(limited.login("alice", PASSWORD).await, Err(Error::ClientRefused(_))));
}

#[tokio::test]
async fn a_token_is_refreshed_before_it_expires_and_not_much_earlier() {
    let world = World::start().await;
    let source = world.login_alice(world.builder()).await;
    let first = source.access_token().await.unwrap();
    world.app.advance(LIFETIME - Duration::from_secs(31)).await;
    assert_eq!(source.access_token().await.unwrap().secret(), first.secret());
    world.app.advance(Duration::from_secs(1)).await;
    let second = source.access_token().await.unwrap();
    assert_ne!(second.secret(), first.secret());
    assert!(world.accepts(&second).await);
    assert_eq!(world.refreshes().await, [1, 0, 0]);
    for _ in 0..3 {
        world.until_due().await;
        assert!(world.accepts(&source.access_token().await.unwrap()).await);
    }
    assert_eq!(world.refreshes().await, [4, 0, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_callers_share_one_refresh() {
    let world = World::start().await;
    let store = CountingStore::default();
    let source = world.login_alice(world.builder().store(store.clone())).await;
    for round in 1..=5 {
        world.until_due().await;
        let callers = (0..100).map(|_| {
            let source = source.clone();
            tokio::spawn(async move { source.access_token().await.unwrap().secret().to_owned() })
        });
        let callers: Vec<_> = callers.collect();
        let mut seen = Vec::new();
        for caller in callers {
            seen.push(caller.await.unwrap());
        }
        seen.dedup();
        assert_eq!(seen.len(), 1);
        assert_eq!(world.refreshes().await, [round, 0, 0]);
        // One refresh reads the store before and after it waits for the lock. A hundred refreshes that find the new
        // token in the store would read it more often.
        assert_eq!(store.loads.load(Ordering::SeqCst) as u64, 1 + 2 * round);
    }
}

#[tokio::test]
async fn a_refresh_continues_for_the_others_when_the_first_caller_goes_away() {
    let world = World::start().await;
    let relay = Relay::to(world.app.address).await;
    let store = MemoryStore::new();
    let builder = world.builder().endpoints(&relay.url("/token"), None).store(store.clone());
    let source = world.login_alice(builder).await;
    world.until_due().await;
    relay.open.send_replace(false);
    let first = tokio::spawn({
        let source = source.clone();
        async move { source.access_token().await }
    });
    relay.answers(2).await;
    let second = tokio::spawn({
        let source = source.clone();
        async move { source.access_token().await }
    });
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    relay.open.send_replace(true);
    let token = second.await.unwrap().unwrap();
    assert_eq!(store.load().await.unwrap().unwrap().access_token().secret(), token.secret());
    assert_eq!(world.refreshes().await, [1, 0, 0]);
}

#[tokio::test]
async fn a_refresh_is_saved_even_if_no_caller_waits_for_it() {
    let world = World::start().await;
    let relay = Relay::to(world.app.address).await;
    let store = MemoryStore::new();
    let builder = world.builder().endpoints(&relay.url("/token"), None).store(store.clone());
    let source = world.login_alice(builder).await;
    let before = store.load().await.unwrap();
    world.until_due().await;
    relay.open.send_replace(false);
    let only = tokio::spawn({
        let source = source.clone();
        async move { source.access_token().await }
    });
    relay.answers(2).await;
    only.abort();
    assert!(only.await.unwrap_err().is_cancelled());
    relay.open.send_replace(true);
    // The refresh holds the store's lock until it has finished.
    drop(store.lock(LIFETIME).await.unwrap());
    assert_ne!(store.load().await.unwrap(), before);
    assert!(world.accepts(&source.access_token().await.unwrap()).await);
    assert_eq!(world.refreshes().await, [1, 0, 0]);
}

#[tokio::test]
async fn a_session_that_is_over_needs_a_login() {
    let world = World::start().await;
    let store = MemoryStore::new();
    let source = world.login_alice(world.builder().store(store.clone())).await;
    world.app.admin.revoke_user(&tester(), "alice").await.unwrap();
    world.until_due().await;
    let error = source.access_token().await.unwrap_err();
    assert!(matches!(error, Error::SessionOver) && error.needs_login(), "{error:?}");
    assert_eq!(store.load().await.unwrap(), None);
    assert!(matches!(source.access_token().await, Err(Error::NotLoggedIn)));
    source.login("alice", PASSWORD).await.unwrap();
    assert!(world.accepts(&source.access_token().await.unwrap()).await);
}

#[tokio::test]
async fn an_access_token_without_a_refresh_token_is_used_until_it_expires() {
    let world = World::start().await;
    let change = |new: &mut ficha_authority::NewClient| (new.public, new.grants) = (true, vec![Grant::Password]);
    world.app.add_client("short", change).await;
    let source = TokenSource::builder(&world.issuer, "short").clock(world.clock()).build().unwrap();
    assert!(!source.login("alice", PASSWORD).await.unwrap().can_be_refreshed());
    let first = source.access_token().await.unwrap();
    world.until_due().await;
    assert_eq!(source.access_token().await.unwrap().secret(), first.secret());
    assert!(matches!(source.replace(&first).await, Err(Error::SessionOver)));
    world.app.advance(Duration::from_secs(20)).await;
    assert!(matches!(source.access_token().await, Err(Error::SessionOver)));
}

#[tokio::test]
async fn an_app_obtains_tokens_with_client_credentials() {
    let world = World::start().await;
    let scopes = ClientScopes::Only("notes:read".parse().unwrap());
    let client = world.app.add_client("night + day: 100%", |new| new.scopes = scopes).await;
    let builder = TokenSource::builder(&world.issuer, &client.id).client_secret(&*client.secret).clock(world.clock());
    let source = builder.client_credentials().build().unwrap();
    let first = source.access_token().await.unwrap();
    assert!(world.accepts(&first).await);
    assert_eq!(first.scope(), Some("notes:read"));
    world.until_due().await;
    let second = source.access_token().await.unwrap();
    assert_ne!(first.secret(), second.secret());
    assert!(world.accepts(&second).await);
    let unusable = world.builder().client_credentials().build();
    assert!(matches!(unusable, Err(Error::Setting(_))));
}

#[tokio::test]
async fn logging_out_ends_the_session_at_the_server() {
    let world = World::start().await;
    let store = MemoryStore::new();
    let source = world.login_alice(world.builder().store(store.clone())).await;
    let token = source.access_token().await.unwrap();
    source.logout().await.unwrap();
    assert!(!world.accepts(&token).await);
    assert_eq!(store.load().await.unwrap(), None);
    assert!(matches!(source.access_token().await, Err(Error::NotLoggedIn)));
    source.logout().await.unwrap();
}

#[tokio::test]
async fn the_tokens_are_kept_until_the_server_has_confirmed_the_logout() {
    let mut world = World::start().await;
    let store = MemoryStore::new();
    let source = world.login_alice(world.builder().store(store.clone())).await;
    world.app.stop().await;
    assert!(matches!(source.logout().await, Err(Error::Network(_))));
    assert!(store.load().await.unwrap().is_some());
    source.forget().await.unwrap();
    assert_eq!(store.load().await.unwrap(), None);
    assert!(matches!(source.access_token().await, Err(Error::NotLoggedIn)));
}

#[tokio::test]
async fn a_token_that_has_not_expired_is_returned_while_the_server_is_down() {
    let mut world = World::start().await;
    let source = world.login_alice(world.builder()).await;
    let token = source.access_token().await.unwrap();
    world.until_due().await;
    world.app.stop().await;
    for _ in 0..3 {
        assert_eq!(source.access_token().await.unwrap().secret(), token.secret());
    }
    world.app.clock.advance(Duration::from_secs(21));
    let error = source.access_token().await.unwrap_err();
    assert!(matches!(error, Error::Network(_)) && error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn the_error_of_a_busy_server_contains_its_retry_after() {
    let server = StubServer::responding("503 Service Unavailable\r\nRetry-After: 17\r\n").await;
    let source = TokenSource::builder(&server.url(""), "app").endpoints(&server.url("/token"), None).build().unwrap();
    let error = source.login("alice", PASSWORD).await.unwrap_err();
    assert!(matches!(error, Error::Busy { retry_after: Some(wait), .. } if wait.as_secs() == 17), "{error:?}");
    assert_eq!(server.requests().len(), 1);
}
