//! What the server's refusals mean to the app.

use std::sync::atomic::{AtomicUsize, Ordering};

use ficha_authority::{ClientChange, Grant};
use ficha_client::{Error, MemoryStore, TokenSource, TokenStore};
use serde_json::json;

use crate::network::{self, StubServer};
use crate::stores::FailingStore;
use crate::world::World;
use ficha_testing::PASSWORD;

/// The variant, and whether a login is needed.
fn meaning(error: &Error) -> (&'static str, bool) {
    let variant = match error {
        Error::SessionOver => "session over",
        Error::RefreshRefused(_) => "refresh refused",
        Error::WrongPassword => "wrong password",
        Error::ClientRefused(_) => "client refused",
        Error::InvalidScope(_) => "invalid scope",
        Error::Busy { .. } => "busy",
        Error::Refused(_) => "refused",
        Error::BadAnswer(_) => "bad answer",
        other => panic!("{other:?}"),
    };
    (variant, error.needs_login())
}

/// Issues tokens `granted` times, and then sends `answer`.
async fn server(granted: usize, answer: String) -> (StubServer, TokenSource, MemoryStore) {
    let count = AtomicUsize::new(0);
    let server = StubServer::responding_by(move |_| match count.fetch_add(1, Ordering::SeqCst) < granted {
        true => network::tokens(),
        false => answer.clone(),
    })
    .await;
    let store = MemoryStore::new();
    let builder = TokenSource::builder(&server.url(""), "app").endpoints(&server.url("/token"), None);
    let source = builder.store(store.clone()).build().unwrap();
    (server, source, store)
}

fn answers() -> [String; 8] {
    let refusal = |status: &str, code: &str| network::json(status, &json!({ "error": code }));
    [
        refusal("400 Bad Request", "invalid_grant"),
        refusal("401 Unauthorized", "invalid_client"),
        refusal("400 Bad Request", "unauthorized_client"),
        refusal("400 Bad Request", "unsupported_grant_type"),
        refusal("400 Bad Request", "invalid_scope"),
        refusal("400 Bad Request", "invalid_request"),
        "503 Service Unavailable\r\n".to_owned(),
        "404 Not Found\r\n".to_owned(),
    ]
}

#[tokio::test]
async fn a_refused_login_asks_for_the_password_again_only_if_another_one_would_help() {
    let expected = [
        ("wrong password", true),
        ("client refused", false),
        ("client refused", false),
        ("refused", false),
        ("invalid scope", false),
        ("refused", false),
        ("busy", false),
        ("bad answer", false),
    ];
    for (answer, expected) in answers().into_iter().zip(expected) {
        let (_server, source, _) = server(0, answer.clone()).await;
        assert_eq!(meaning(&source.login("alice", PASSWORD).await.unwrap_err()), expected, "{answer}");
    }
}

#[tokio::test]
async fn a_refused_refresh_needs_a_login_if_the_session_cannot_go_on() {
    let expected = [
        ("session over", true),
        ("client refused", false),
        ("refresh refused", true),
        ("refresh refused", true),
        ("refresh refused", true),
        ("refused", false),
        ("busy", false),
        ("bad answer", false),
    ];
    for (answer, expected) in answers().into_iter().zip(expected) {
        let (_server, source, store) = server(1, answer.clone()).await;
        source.login("alice", PASSWORD).await.unwrap();
        // The second call is answered from the first one's failure.
        for _ in 0..if expected.0 == "session over" { 1 } else { 2 } {
            assert_eq!(meaning(&source.access_token().await.unwrap_err()), expected, "{answer}");
        }
        // Only a session that is over is forgotten.
        assert_eq!(store.load().await.unwrap().is_none(), expected.0 == "session over", "{answer}");
    }
}

#[tokio::test]
async fn a_client_that_may_no_longer_refresh_goes_on_with_a_login() {
    let world = World::start().await;
    world.app.add_client("short", |new| new.public = true).await;
    let source = world.login_alice(TokenSource::builder(&world.issuer, "short").clock(world.clock())).await;
    let change = ClientChange { grants: Some(vec![Grant::Password]), ..Default::default() };
    world.app.admin.change_client(&ficha_testing::tester(), "short", change).await.unwrap();
    world.until_due().await;
    // Also during the pause after the failure, while the old access token has not expired.
    for _ in 0..3 {
        let error = source.access_token().await.unwrap_err();
        assert_eq!(meaning(&error), ("refresh refused", true));
        assert!(error.to_string().contains("unauthorized_client"), "{error}");
    }
    source.login("alice", PASSWORD).await.unwrap();
    assert!(world.accepts(&source.access_token().await.unwrap()).await);
}

#[tokio::test]
async fn a_session_that_is_over_needs_a_login_even_if_the_store_cannot_be_cleared() {
    let world = World::start().await;
    let store = FailingStore::default();
    let source = world.login_alice(world.builder().store(store.clone())).await;
    world.app.admin.revoke_user(&ficha_testing::tester(), "alice").await.unwrap();
    world.until_due().await;
    store.is_stuck.store(true, Ordering::SeqCst);
    for _ in 0..2 {
        assert_eq!(meaning(&source.access_token().await.unwrap_err()), ("session over", true));
    }
    source.login("alice", PASSWORD).await.unwrap();
    assert!(world.accepts(&source.access_token().await.unwrap()).await);
}
