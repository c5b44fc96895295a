//! Finding the addresses, and the errors of building.

use std::time::Duration;

use ficha_resource::{BearerBuilder, BuildError, NotReady, OAuth2PasswordBearer};
use ficha_token::{Algorithm, JwkSet};
use serde_json::json;

use crate::support::{World, eventually, keys_unavailable, new_key};

async fn error(builder: BearerBuilder) -> BuildError {
    builder.build().await.map(|_| ()).unwrap_err()
}

fn by_hand(world: &World) -> BearerBuilder {
    let issuer = world.server.state().issuer.clone();
    OAuth2PasswordBearer::by_hand(issuer).audience("notes").clock(world.shared_clock())
}

#[tokio::test]
async fn everything_is_found_in_the_metadata() {
    let world = World::new().await;
    let oauth2 = world.service().scope("b", "B").scope("a", "A").realm("notes").build().await.unwrap();
    let description = oauth2.description();
    assert_eq!(description.token_url, Some(world.server.url("/token")));
    assert_eq!(description.issuer, world.server.state().issuer);
    assert_eq!(description.scopes, [("b".into(), "B".into()), ("a".into(), "A".into())]);
    assert_eq!(description.realm, "notes");
    assert!(oauth2.verify_now(&world.token()).is_ok());
}

#[tokio::test]
async fn a54_an_issuer_with_a_path_has_its_metadata_between_host_and_path() {
    let world = World::new().await;
    world.server.change(|state| state.issuer.push_str("/tenant"));
    let oauth2 = world.service().build().await.unwrap();
    assert!(oauth2.verify_now(&world.token()).is_ok());
}

#[tokio::test]
async fn the_metadata_of_another_issuer_is_refused() {
    let world = World::new().await;
    let expected = world.server.state().issuer.clone();
    for found in [format!("{expected}/"), "https://evil.example.com".to_owned(), expected.to_uppercase()] {
        world.server.change(|state| {
            state.metadata = Some(
                json!({"issuer": found, "jwks_uri": "http://127.0.0.1/", "denylist_endpoint": "http://127.0.0.1/"}),
            );
        });
        assert_eq!(error(world.service()).await, BuildError::WrongIssuer { expected: expected.clone(), found });
    }
}

#[tokio::test]
async fn metadata_without_usable_addresses_is_refused() {
    let world = World::new().await;
    let issuer = world.server.state().issuer.clone();
    let with = |jwks: Option<&str>, denylist: Option<&str>| {
        let metadata = json!({"issuer": issuer, "jwks_uri": jwks, "denylist_endpoint": denylist});
        world.server.change(|state| state.metadata = Some(metadata));
        world.service()
    };
    let good = Some("http://127.0.0.1:1/x");
    assert_eq!(error(with(None, good)).await, BuildError::NoKeys);
    assert_eq!(error(with(good, None)).await, BuildError::NoDenylist);
    let elsewhere = Some("http://auth.example.com/x");
    assert!(matches!(error(with(elsewhere, good)).await, BuildError::PlainHttp { .. }));
    assert!(matches!(error(with(good, elsewhere)).await, BuildError::PlainHttp { .. }));
    assert!(matches!(error(with(Some("jwks"), good)).await, BuildError::BadUrl { .. }));
    // Given addresses take precedence over the metadata, and what is not needed is not checked.
    let metadata =
        json!({"issuer": issuer, "jwks_uri": elsewhere, "denylist_endpoint": "x", "token_endpoint": "https://a/token"});
    world.server.change(|state| state.metadata = Some(metadata));
    let given = world.service().jwks_url(world.server.url("/jwks")).denylist_url(world.server.url("/denylist"));
    let given = given.build().await.unwrap();
    assert!(given.verify_now(&world.token()).is_ok());
    eventually("the token URL is there", || given.description().token_url.is_some()).await;
}

#[tokio::test]
async fn a_service_may_start_before_its_authorization_server() {
    let mut world = World::new().await;
    let token = world.token();
    world.server.stop().await;
    let oauth2 = world.service().build().await.unwrap();
    assert_eq!(oauth2.readiness().reasons(), [NotReady::NoMetadata, NotReady::NoKeys, NotReady::NoDenylist]);
    assert!(keys_unavailable(&oauth2, &token));
    assert_eq!(oauth2.description().token_url, None);
    world.server.restart().await;
    eventually("it serves", || oauth2.verify_now(&token).is_ok()).await;
    assert!(oauth2.readiness().is_ready());
    assert_eq!(oauth2.description().token_url, Some(world.server.url("/token")));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let world = World::new().await;
    let moved = crate::server::Answer::status(302, &format!("location: {}\r\n", world.server.url("/jwks")));
    world.server.change(|state| state.feed = crate::server::Feed::Other(moved));
    let oauth2 = world.service().credentials("notes-api", "secret").build().await.unwrap();
    assert_eq!(oauth2.readiness().reasons(), [NotReady::NoDenylist]);
    assert_eq!(world.server.state().jwks_fetches, 1, "only the fetch of the keys");
}

#[tokio::test]
async fn build_fails_for_mistakes_that_waiting_does_not_fix() {
    let world = World::new().await;
    let issuer = world.server.state().issuer.clone();
    let seconds = Duration::from_secs;
    let none = OAuth2PasswordBearer::discover(issuer.as_str());
    assert_eq!(error(none).await, BuildError::NoAudience);
    assert_eq!(error(world.service().leeway(seconds(61))).await, BuildError::Leeway);
    assert_eq!(error(world.service().leeway(Duration::from_millis(900))).await, BuildError::Leeway);
    assert_eq!(error(world.service().audience("")).await, BuildError::EmptyAudience);
    for (id, secret) in [("", "secret"), ("notes-api", ""), ("", "")] {
        assert_eq!(error(world.service().credentials(id, secret)).await, BuildError::EmptyCredentials);
    }
    assert_eq!(error(world.service().lease(Duration::from_millis(4_999))).await, BuildError::Lease);
    assert_eq!(error(world.service().lease(seconds(3_601))).await, BuildError::Lease);
    assert_eq!(error(world.service().keys_outage_limit(seconds(59))).await, BuildError::KeysOutageLimit);
    assert_eq!(error(world.service().algorithms([])).await, BuildError::NoAlgorithm);
    for several in [vec![Algorithm::ES256], vec![Algorithm::HS256, Algorithm::ES256], vec![Algorithm::HS256; 2]] {
        let contradiction = error(world.service().shared_secret([1; 32]).algorithms(several)).await;
        assert!(matches!(contradiction, BuildError::Algorithms { .. }));
    }
    let contradiction = error(world.service().algorithms([Algorithm::HS256])).await;
    assert!(matches!(contradiction, BuildError::Algorithms { .. }), "a published key is never used with HMAC");
    assert_eq!(error(world.service().scope("a b", "")).await, BuildError::BadScope("a b".into()));
    assert_eq!(error(world.service().root_certificate("x")).await, BuildError::BadCertificate);
    assert_eq!(error(by_hand(&world).no_denylist()).await, BuildError::NoKeys);
    assert_eq!(error(by_hand(&world).shared_secret([1; 32])).await, BuildError::NoDenylist);
    let short = error(by_hand(&world).no_denylist().shared_secret("short")).await;
    assert!(matches!(short, BuildError::BadKey { position: 0, .. }));
    let short = error(by_hand(&world).no_denylist().shared_secret([1; 32]).algorithms([Algorithm::HS384])).await;
    assert!(matches!(short, BuildError::BadKey { position: 0, .. }));
    let mut bad = new_key().public_jwk().unwrap();
    bad.x = Some("AA".into());
    let keys = JwkSet::new(vec![new_key().public_jwk().unwrap(), bad]);
    let unusable = error(by_hand(&world).no_denylist().keys(keys)).await;
    assert!(matches!(unusable, BuildError::BadKey { position: 1, .. }));
    for url in ["auth.example.com", "ftp://auth.example.com", "https://u:p@auth.example.com", "https://a/?b"] {
        let builder = OAuth2PasswordBearer::discover(url).audience("notes");
        assert!(matches!(error(builder).await, BuildError::BadUrl { .. }), "{url}");
    }
    let plain = OAuth2PasswordBearer::discover("http://auth.example.com").audience("notes");
    assert_eq!(error(plain).await, BuildError::PlainHttp { what: "the issuer" });
    let plain = by_hand(&world).jwks_url("http://auth.example.com/jwks").no_denylist();
    assert_eq!(error(plain).await, BuildError::PlainHttp { what: "the JWKS URL" });
    let plain = by_hand(&world).shared_secret([1; 32]).denylist_url("http://10.0.0.1/");
    assert_eq!(error(plain).await, BuildError::PlainHttp { what: "the denylist URL" });
}

#[tokio::test]
async fn a_token_must_be_for_this_service_unless_any_audience_is_accepted() {
    let world = World::new().await;
    let token = world.token();
    let issuer = world.server.state().issuer.clone();
    let builder = || OAuth2PasswordBearer::discover(issuer.as_str()).clock(world.shared_clock());
    assert!(builder().audience("mail").build().await.unwrap().verify_now(&token).is_err());
    assert!(builder().audience("mail").audience("notes").build().await.unwrap().verify_now(&token).is_ok());
    assert!(builder().any_audience().build().await.unwrap().verify_now(&token).is_ok());
}

#[tokio::test]
async fn the_default_leeway_is_half_a_minute() {
    let world = World::new().await;
    let mut claims = world.claims();
    claims.exp = claims.iat + 600;
    let token = world.key.sign(&claims).unwrap();
    let algorithms = [Algorithm::ES256];
    let usual = world.service().algorithms(algorithms).no_denylist().build().await.unwrap();
    let strict = world.service().leeway(Duration::ZERO).no_denylist().build().await.unwrap();
    world.advance(599);
    assert!(usual.verify_now(&token).is_ok() && strict.verify_now(&token).is_ok());
    world.advance(1);
    assert!(usual.verify_now(&token).is_ok() && strict.verify_now(&token).is_err());
    world.advance(30);
    assert!(usual.verify_now(&token).is_err());
}

#[test]
fn build_needs_a_tokio_runtime() {
    // Polled by hand, without any runtime.
    let mut building = Box::pin(OAuth2PasswordBearer::discover("https://a").audience("a").build());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(outcome) = building.as_mut().poll(&mut context) else { panic!("it waits") };
    assert_eq!(outcome.map(|_| ()).unwrap_err(), BuildError::NoRuntime);
}

#[test]
fn a_runtime_without_timers_or_sockets_is_a_mistake_and_no_panic() {
    let build = |builder: &mut tokio::runtime::Builder| {
        let service = OAuth2PasswordBearer::discover("http://127.0.0.1:1").audience("notes");
        builder.build().unwrap().block_on(error(service))
    };
    let runtime = tokio::runtime::Builder::new_current_thread;
    assert_eq!(build(&mut runtime()), BuildError::RuntimeLacks { call: "enable_time()" });
    assert_eq!(build(runtime().enable_io()), BuildError::RuntimeLacks { call: "enable_time()" });
    let lacks = build(runtime().enable_time());
    assert_eq!(lacks, BuildError::RuntimeLacks { call: "enable_io()" });
    assert!(lacks.to_string().contains("enable_all()"), "{lacks}");
}

#[tokio::test]
async fn with_given_keys_build_does_not_wait_and_the_token_url_is_found_later() {
    let mut world = World::new().await;
    let keys = JwkSet::new(vec![world.key.public_jwk().unwrap()]);
    world.server.stop().await;
    let oauth2 = world.service().keys(keys).no_denylist().build().await.unwrap();
    let found_later = oauth2.clone();
    assert!(oauth2.verify_now(&world.token()).is_ok());
    world.server.restart().await;
    eventually("the token URL is there", || found_later.description().token_url.is_some()).await;
    assert!(oauth2.readiness().is_ready());
}

#[tokio::test]
async fn a_service_that_needs_no_metadata_is_ready_without_it() {
    let mut world = World::new().await;
    let keys = JwkSet::new(vec![world.key.public_jwk().unwrap()]);
    world.server.stop().await;
    for builder in [world.service().keys(keys), world.service().shared_secret([7; 32])] {
        let oauth2 = builder.no_denylist().build().await.unwrap();
        assert!(oauth2.readiness().is_ready(), "{}", oauth2.readiness());
    }
}

#[tokio::test]
async fn given_addresses_are_used_at_once_while_the_metadata_is_missing() {
    let world = World::new().await;
    // Nothing listens there.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).unwrap();
    let issuer = format!("http://{closed}");
    let builder = OAuth2PasswordBearer::discover(issuer.as_str())
        .audience("notes")
        .clock(world.shared_clock())
        .jwks_url(world.server.url("/jwks"))
        .denylist_url(world.server.url("/denylist"));
    let oauth2 = tokio::time::timeout(Duration::from_secs(3), builder.build()).await.expect("at once").unwrap();
    assert!(oauth2.readiness().is_ready(), "{}", oauth2.readiness());
    let mut claims = world.claims();
    claims.iss = issuer;
    assert!(oauth2.verify_now(&world.key.sign(&claims).unwrap()).is_ok());
}
