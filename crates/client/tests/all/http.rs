//! HTTP clients configured by the app: redirects, proxies, certificates.

use ficha_authority::Issuer;
use ficha_client::{Error, TokenSource, http_client, http_client_trusting};
use ficha_store::testing::TestDatabase;

use crate::network::StubServer;
use crate::world::World;
use ficha_testing::{App, PASSWORD};

#[tokio::test]
async fn no_http_client_follows_a_redirect_with_a_password() {
    let elsewhere = StubServer::responding("200 OK\r\n").await;
    let server =
        StubServer::responding(&format!("307 Temporary Redirect\r\nLocation: {}\r\n", elsewhere.url("/"))).await;
    let builder = || TokenSource::builder(&server.url(""), "app").endpoints(&server.url("/token"), None);
    let own = http_client().unwrap().redirect(reqwest::redirect::Policy::limited(10));
    for (asked, builder) in [builder(), builder().http_client(own)].into_iter().enumerate() {
        assert!(matches!(builder.build().unwrap().login("alice", PASSWORD).await, Err(Error::BadAnswer(_))));
        assert_eq!((server.requests().len(), elsewhere.requests().len()), (1 + asked, 0));
    }
}

#[tokio::test]
async fn no_proxy_is_used_for_a_loopback_address_without_tls() {
    let world = World::start().await;
    let proxy = StubServer::responding("502 Bad Gateway\r\n").await;
    let own = || http_client().unwrap().proxy(reqwest::Proxy::all(proxy.url("")).unwrap());
    world.login_alice(world.builder().http_client(own())).await;
    // The issuer is on another machine, and one endpoint on loopback.
    let by_hand = |token: &str, revocation: &str| {
        let builder = TokenSource::builder("https://auth.example.com", "first-party").clock(world.clock());
        builder.endpoints(token, Some(revocation)).http_client(own())
    };
    world.login_alice(by_hand(&world.app.url("/token"), "https://auth.example.com/revoke")).await;
    assert!(proxy.requests().is_empty());
    let plain = by_hand("http://192.0.2.1/token", "http://192.0.2.1/revoke").allow_plain_http().build().unwrap();
    assert!(matches!(plain.login("alice", PASSWORD).await, Err(Error::Network(_))));
    assert_eq!(proxy.requests().len(), 1);
}

#[tokio::test]
async fn extra_certificates_are_trusted_only_by_the_client_that_names_them() {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = (directory.path().join("certificate.pem"), directory.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let issuer = format!("https://{free}");
    let database = TestDatabase::sqlite().await;
    let app = App::start_with(&database, |options| {
        *options = std::mem::take(options).tls(certificate.clone(), key);
        options.server.bind = free;
        options.settings.issuer = Issuer::parse(&issuer).unwrap();
    })
    .await;
    app.add_user("alice", "notes:read").await;
    let builder = || TokenSource::builder(&issuer, "first-party");
    let stranger = builder().build().unwrap();
    assert!(matches!(stranger.login("alice", PASSWORD).await, Err(Error::Network(_))));
    let pem = std::fs::read(&certificate).unwrap();
    let http = http_client_trusting(&pem).unwrap();
    builder().http_client(http).build().unwrap().login("alice", PASSWORD).await.unwrap();
    builder().trusted_certificates(&*pem).build().unwrap().login("alice", PASSWORD).await.unwrap();
    let both = builder().trusted_certificates(pem).http_client(http_client().unwrap()).build();
    assert!(matches!(both, Err(Error::Setting(text)) if text.contains("http_client_trusting")));
    for bad in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        assert!(matches!(http_client_trusting(bad.as_bytes()), Err(Error::Setting(_))), "{bad}");
        assert!(matches!(builder().trusted_certificates(bad).build(), Err(Error::Setting(_))), "{bad}");
    }
}
