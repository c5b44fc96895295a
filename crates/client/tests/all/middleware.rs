//! The middleware: the header, and the retry after a 401.

use std::sync::atomic::Ordering;
use std::time::Duration;

use ficha_authority::Grant;
use ficha_client::{Error, TokenSource, http_client};
use ficha_testing::{eventually, tester};
use reqwest::StatusCode;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};

use crate::network::StubServer;
use crate::stores::SlowStore;
use crate::world::World;

fn client(source: &TokenSource, origins: &[&str]) -> ClientWithMiddleware {
    let http = http_client().unwrap().no_proxy().build().unwrap();
    ClientBuilder::new(http).with(source.middleware(origins.iter().copied()).unwrap()).build()
}

async fn revoke_access_token(world: &World, source: &TokenSource) {
    let token = source.access_token().await.unwrap();
    let answer = world.app.post("/revoke", &[("token", token.secret())]).await;
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_request_carries_a_token_and_is_retried_with_a_new_one_after_a_401() {
    let world = World::start().await;
    let source = world.login_alice(world.builder()).await;
    let http = client(&source, &[&world.issuer]);
    let me = world.app.url("/users/me");
    assert_eq!(http.get(&me).send().await.unwrap().status(), StatusCode::OK);
    revoke_access_token(&world, &source).await;
    assert_eq!(http.get(&me).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(world.refreshes().await, [1, 0, 0]);
    // A header that the app has set is unchanged.
    assert_eq!(http.get(&me).bearer_auth("x").send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(world.refreshes().await, [1, 0, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_rejected_at_the_same_time_share_one_new_token() {
    let world = World::start().await;
    let source = world.login_alice(world.builder()).await;
    let http = client(&source, &[&world.issuer]);
    revoke_access_token(&world, &source).await;
    let requests = (0..30).map(|_| tokio::spawn(http.get(world.app.url("/users/me")).send()));
    for request in requests.collect::<Vec<_>>() {
        assert_eq!(request.await.unwrap().unwrap().status(), StatusCode::OK);
    }
    assert_eq!(world.refreshes().await, [1, 0, 0]);
}

#[tokio::test]
async fn a_request_rejected_while_the_new_token_is_being_saved_waits_for_it() {
    let world = World::start().await;
    let store = SlowStore::new(1);
    let source = world.login_alice(world.builder().store(store.clone())).await;
    let http = client(&source, &[&world.issuer]);
    revoke_access_token(&world, &source).await;
    let me = world.app.url("/users/me");
    let first = tokio::spawn(http.get(&me).send());
    eventually("the new token is being saved", async || store.saves.load(Ordering::SeqCst) == 2).await;
    // It has the old token, which is the current one until the new one is saved.
    let mut second = tokio::spawn(http.get(&me).send());
    tokio::time::timeout(Duration::from_millis(300), &mut second).await.expect_err("it waits");
    store.permits.add_permits(1);
    for request in [first, second] {
        assert_eq!(request.await.unwrap().unwrap().status(), StatusCode::OK);
    }
    assert_eq!(world.refreshes().await, [1, 0, 0]);
}

#[tokio::test]
async fn a_session_that_is_over_is_an_error_and_not_a_401() {
    let world = World::start().await;
    let source = world.login_alice(world.builder()).await;
    let http = client(&source, &[&world.issuer]);
    world.app.admin.revoke_user(&tester(), "alice").await.unwrap();
    world.app.authority.follow().await.unwrap();
    match http.get(world.app.url("/users/me")).send().await {
        Err(reqwest_middleware::Error::Middleware(error)) => {
            assert!(matches!(error.downcast_ref::<Error>(), Some(Error::SessionOver)), "{error:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_service_that_rejects_every_token_gets_one_retry_in_all() {
    let world = World::start().await;
    let source = world.login_alice(world.builder()).await;
    let service = StubServer::responding("401 Unauthorized\r\nWWW-Authenticate: Bearer\r\n").await;
    let http = client(&source, &[&service.url("")]);
    assert_eq!(http.get(service.url("/notes")).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(service.requests().len(), 2);
    assert_ne!(service.requests()[0], service.requests()[1]);
    for more in 1..=3 {
        assert_eq!(http.get(service.url("/notes")).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
        assert_eq!(service.requests().len(), 2 + more);
    }
    assert_eq!(world.refreshes().await, [1, 0, 0]);
}

#[tokio::test]
async fn a_403_and_a_body_that_cannot_be_sent_twice_are_not_retried() {
    let world = World::start().await;
    let source = world.login_alice(world.builder()).await;
    let forbidding = StubServer::responding("403 Forbidden\r\n").await;
    let http = client(&source, &[&forbidding.url("")]);
    assert_eq!(http.get(forbidding.url("/")).send().await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(forbidding.requests().len(), 1);
    let refusing = StubServer::responding("401 Unauthorized\r\n").await;
    let http = client(&source, &[&refusing.url("")]);
    let stream = reqwest::Body::from(world.app.get("/health/live").await);
    assert_eq!(http.post(refusing.url("/")).body(stream).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(refusing.requests().len(), 1);
    // The next request has a new token.
    assert_eq!(world.refreshes().await, [1, 0, 0]);
}

#[tokio::test]
async fn a_request_redirected_to_a_401_is_not_retried_and_the_next_one_has_a_new_token() {
    let world = World::start().await;
    let source = world.login_alice(world.builder()).await;
    let answer = |head: &str| match head.starts_with("post /notes") {
        true => "303 See Other\r\nLocation: /notes/1\r\n".to_owned(),
        false => "401 Unauthorized\r\n".to_owned(),
    };
    let service = StubServer::responding_by(answer).await;
    let http = client(&source, &[&service.url("")]);
    let before = source.access_token().await.unwrap();
    let answer = http.post(service.url("/notes")).body("a note").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let heard = service.requests();
    assert_eq!(heard.iter().filter(|head| head.starts_with("post")).count(), 1, "{heard:?}");
    assert_ne!(source.access_token().await.unwrap().secret(), before.secret());
}

#[tokio::test]
async fn a_401_is_returned_while_the_authorization_server_is_down() {
    let mut world = World::start().await;
    let source = world.login_alice(world.builder()).await;
    let service = StubServer::responding("401 Unauthorized\r\n").await;
    let http = client(&source, &[&service.url("")]);
    world.app.stop().await;
    for asked in 1..=2 {
        assert_eq!(http.get(service.url("/")).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
        assert_eq!(service.requests().len(), asked);
    }
}

#[tokio::test]
async fn a_service_that_rejects_every_token_causes_one_new_login_and_no_more() {
    let world = World::start().await;
    let change = |new: &mut ficha_authority::NewClient| (new.public, new.grants) = (true, vec![Grant::Password]);
    world.app.add_client("short", change).await;
    let source = world.login_alice(TokenSource::builder(&world.issuer, "short").clock(world.clock())).await;
    let service = StubServer::responding("401 Unauthorized\r\n").await;
    let http = client(&source, &[&service.url("")]);
    match http.get(service.url("/")).send().await {
        Err(reqwest_middleware::Error::Middleware(error)) => {
            assert!(matches!(error.downcast_ref::<Error>(), Some(Error::SessionOver)), "{error:?}");
        }
        other => panic!("{other:?}"),
    }
    source.login("alice", ficha_testing::PASSWORD).await.unwrap();
    for _ in 0..2 {
        assert_eq!(http.get(service.url("/")).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn no_token_is_sent_to_another_machine_without_tls() {
    let source = TokenSource::builder("https://auth.example.com", "app").build().unwrap();
    for plain in ["http://api.example.com", "http://10.0.0.1:8081"] {
        assert!(source.middleware([plain]).is_err(), "{plain}");
    }
    for good in ["https://api.example.com", "http://127.0.0.1:8081", "http://localhost"] {
        assert!(source.middleware([good]).is_ok(), "{good}");
    }
    let trusting = TokenSource::builder("https://auth.example.com", "app").allow_plain_http().build().unwrap();
    assert!(trusting.middleware(["http://api.example.com"]).is_ok());
}

#[tokio::test]
async fn no_other_origin_sees_the_token() {
    let world = World::start().await;
    let source = world.login_alice(world.builder()).await;
    let token = source.access_token().await.unwrap().secret().to_lowercase();
    let stranger = StubServer::responding("401 Unauthorized\r\n").await;
    let service = StubServer::responding(&format!("302 Found\r\nLocation: {}\r\n", stranger.url("/"))).await;
    let http = client(&source, &[&service.url("")]);
    assert_eq!(http.get(stranger.url("/direct")).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(http.get(service.url("/redirected")).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!((service.requests().len(), stranger.requests().len()), (1, 2));
    assert!(service.requests()[0].contains(&token));
    assert!(!stranger.requests().concat().contains("authorization"), "{:?}", stranger.requests());
    assert_eq!(world.refreshes().await, [0, 0, 0]);
}
