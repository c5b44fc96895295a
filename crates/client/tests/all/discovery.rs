//! Discovery of the endpoints.

use ficha_client::{Error, TokenSource};

use crate::network::StubServer;
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
    assert!(!server.requests().concat().contains("otters"), "no password was sent");
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
