//! Discovery of the endpoints.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ficha_client::{Error, MemoryStore, TokenSource};

use crate::network::{self, StubServer};
use crate::world::World;
use ficha_testing::{ISSUER, PASSWORD};

#[tokio::test]
async fn the_metadata_of_an_issuer_with_a_path_is_found() {
    let world = World::start_with_path("/auth").await;
    let source = world.login_alice(world.builder()).await;
    source.access_token().await.unwrap();
    source.logout().await.unwrap();
}

#[tokio::test]
async fn metadata_of_another_issuer_is_refused() {
    let database = ficha_store::testing::TestDatabase::sqlite().await;
    let app = ficha_testing::App::start(&database).await;
    let issuer = app.url("");
    let source = TokenSource::builder(&issuer, "first-party").build().unwrap();
    match source.login("alice", PASSWORD).await {
        Err(Error::Metadata(text)) => assert!(text.contains(ISSUER) && text.contains(&issuer), "{text}"),
        other => panic!("{other:?}"),
    }
    let metrics = app.get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains("ficha_login_failures_total 0") && metrics.contains("ficha_logins_total 0"), "{metrics}");
}

#[tokio::test]
async fn a_trailing_slash_makes_another_issuer() {
    let world = World::start().await;
    let source = TokenSource::builder(&format!("{}/", world.issuer), "first-party").build().unwrap();
    assert!(matches!(source.login("alice", PASSWORD).await, Err(Error::Metadata(_))));
}

#[tokio::test]
async fn a_server_without_metadata_is_reported() {
    let server = StubServer::responding("404 Not Found\r\n").await;
    let source = TokenSource::builder(&server.url(""), "app").build().unwrap();
    let error = source.login("alice", PASSWORD).await.unwrap_err();
    assert!(matches!(&error, Error::Metadata(text) if text.contains("404")), "{error:?}");
    assert_eq!(server.requests().len(), 1);
}

/// A server whose metadata fails with `failure` so many times before it is there, and that issues tokens.
async fn failing(failure: &str, times: usize) -> StubServer {
    let (failure, count) = (failure.to_owned(), AtomicUsize::new(0));
    StubServer::responding_by(move |head| match head.starts_with("get /.well-known/") {
        true if count.fetch_add(1, Ordering::SeqCst) < times => failure.clone(),
        true => network::metadata(head),
        false => network::tokens(),
    })
    .await
}

#[tokio::test]
async fn metadata_is_fetched_again_after_a_failure_that_may_pass() {
    for (failure, times) in [("", 2), ("502 Bad Gateway\r\n", 2), ("503 Service Unavailable\r\nRetry-After: 1\r\n", 1)]
    {
        let server = failing(failure, times).await;
        let source = TokenSource::builder(&server.url(""), "app").build().unwrap();
        source.login("alice", PASSWORD).await.unwrap();
        let requests = server.requests();
        assert_eq!(
            requests.iter().filter(|head| head.starts_with("get /.well-known/")).count(),
            times + 1,
            "{failure}"
        );
        // The password is sent once.
        assert_eq!(requests.len(), times + 2, "{failure}");
    }
}

#[tokio::test]
async fn metadata_is_fetched_three_times_at_most_and_once_if_the_server_is_busy() {
    let server = StubServer::responding("").await;
    let source = TokenSource::builder(&server.url(""), "app").build().unwrap();
    let error = source.login("alice", PASSWORD).await.unwrap_err();
    assert!(matches!(error, Error::Network(_)), "{error:?}");
    assert_eq!(server.requests().len(), 3);
    let server = StubServer::responding("503 Service Unavailable\r\nRetry-After: 17\r\n").await;
    let source = TokenSource::builder(&server.url(""), "app").build().unwrap();
    let error = source.login("alice", PASSWORD).await.unwrap_err();
    assert!(matches!(error, Error::Busy { retry_after: Some(wait), .. } if wait.as_secs() == 17), "{error:?}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_refresh_that_waits_for_metadata_gives_way_to_the_end_of_the_session() {
    let is_up = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let server = StubServer::responding_by({
        let is_up = is_up.clone();
        move |head| match head.starts_with("get /.well-known/") {
            true if is_up.load(Ordering::SeqCst) => network::metadata(head),
            true => "503 Service Unavailable\r\nRetry-After: 2\r\n".to_owned(),
            false => network::tokens(),
        }
    })
    .await;
    let store = MemoryStore::new();
    let build = || TokenSource::builder(&server.url(""), "app").store(store.clone()).build().unwrap();
    build().login("alice", PASSWORD).await.unwrap();
    is_up.store(false, Ordering::SeqCst);
    let source = build();
    let refresh = tokio::spawn({
        let source = source.clone();
        async move { source.access_token().await }
    });
    while server.requests().len() < 3 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The next two attempts would be made two and four seconds later.
    let moment = Duration::from_secs(1);
    tokio::time::timeout(moment, source.forget()).await.expect("the refresh gives way").unwrap();
    assert!(matches!(refresh.await.unwrap(), Err(Error::Busy { .. })));
}

#[tokio::test]
async fn no_password_is_sent_to_another_machine_without_tls() {
    let error = TokenSource::builder("http://auth.example.com", "app").build().unwrap_err();
    assert!(matches!(error, Error::PlainHttp(_)), "{error:?}");
    let by_hand = TokenSource::builder("https://auth.example.com", "app").endpoints("http://192.0.2.1/token", None);
    assert!(matches!(by_hand.build(), Err(Error::PlainHttp(_))));
}

#[tokio::test]
async fn no_message_contains_the_password_of_a_url() {
    let broken = "https://alice:otters@exa mple.com";
    let odd = "ftp:alice:otters@example.com";
    for bad in [broken, odd, "https://alice:otters@example.com"] {
        let builder = TokenSource::builder(bad, "app");
        assert!(!format!("{builder:?}").contains("otters"), "{builder:?}");
        let error = builder.build().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("otters"), "{error:?}");
        let source = TokenSource::builder("https://auth.example.com", "app").build().unwrap();
        let error = source.middleware([bad]).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("otters"), "{error:?}");
    }
}
