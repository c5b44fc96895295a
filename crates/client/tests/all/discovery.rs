//! Finding the endpoints.

use ficha_client::{Error, TokenSource};

use crate::network::Parrot;
use crate::world::World;
use ficha_testing::{ISSUER, PASSWORD};

#[tokio::test]
async fn an_issuer_with_a_path_is_found() {
    let world = World::start_below("/auth").await;
    let source = world.alice(world.builder()).await;
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
        Err(Error::Metadata(words)) => assert!(words.contains(ISSUER) && words.contains(&issuer), "{words}"),
        other => panic!("{other:?}"),
    }
    let metrics = app.get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains("ficha_login_failures_total 0") && metrics.contains("ficha_logins_total 0"), "{metrics}");
}

#[tokio::test]
async fn a_slash_at_the_end_makes_another_issuer() {
    let world = World::start().await;
    let source = TokenSource::builder(&format!("{}/", world.issuer), "first-party").build().unwrap();
    assert!(matches!(source.login("alice", PASSWORD).await, Err(Error::Metadata(_))));
}

#[tokio::test]
async fn a_server_without_metadata_is_said() {
    let parrot = Parrot::saying("404 Not Found\r\n").await;
    let source = TokenSource::builder(&parrot.url(""), "app").build().unwrap();
    let error = source.login("alice", PASSWORD).await.unwrap_err();
    assert!(matches!(&error, Error::Metadata(words) if words.contains("404")), "{error:?}");
    assert!(!parrot.heard().concat().contains("otters"), "no password went out");
}

#[tokio::test]
async fn no_password_goes_to_another_machine_without_tls() {
    let error = TokenSource::builder("http://auth.example.com", "app").build().unwrap_err();
    assert!(matches!(error, Error::PlainHttp(_)), "{error:?}");
    let by_hand = TokenSource::builder("https://auth.example.com", "app").endpoints("http://192.0.2.1/token", None);
    assert!(matches!(by_hand.build(), Err(Error::PlainHttp(_))));
}

#[tokio::test]
async fn no_message_holds_a_password_that_stands_in_an_address() {
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
