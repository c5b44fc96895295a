//! An HTTP client of one's own: redirects, proxies, certificates.

use ficha_authority::Issuer;
use ficha_client::{Error, TokenSource, http_client, http_client_trusting};
use ficha_store::testing::TestDatabase;

use crate::network::Parrot;
use crate::world::World;
use ficha_testing::{App, PASSWORD};

#[tokio::test]
async fn a_redirect_is_not_followed_with_a_password_whoever_made_the_client() {
    let elsewhere = Parrot::saying("200 OK\r\n").await;
    let parrot = Parrot::saying(&format!("307 Temporary Redirect\r\nLocation: {}\r\n", elsewhere.url("/"))).await;
    let builder = || TokenSource::builder(&parrot.url(""), "app").endpoints(&parrot.url("/token"), None);
    let own = http_client().unwrap().redirect(reqwest::redirect::Policy::limited(10));
    for (asked, builder) in [builder(), builder().http_client(own)].into_iter().enumerate() {
        assert!(matches!(builder.build().unwrap().login("alice", PASSWORD).await, Err(Error::BadAnswer(_))));
        assert_eq!((parrot.heard().len(), elsewhere.heard().len()), (1 + asked, 0));
    }
}

#[tokio::test]
async fn no_proxy_hears_what_goes_to_this_machine_without_tls() {
    let world = World::start().await;
    let proxy = Parrot::saying("502 Bad Gateway\r\n").await;
    let own = || http_client().unwrap().proxy(reqwest::Proxy::all(proxy.url("")).unwrap());
    world.alice(world.builder().http_client(own())).await;
    // The issuer is elsewhere, and one endpoint is here.
    let by_hand = |token: &str, revocation: &str| {
        let builder = TokenSource::builder("https://auth.example.com", "first-party").clock(world.clock());
        builder.endpoints(token, Some(revocation)).http_client(own())
    };
    world.alice(by_hand(&world.app.url("/token"), "https://auth.example.com/revoke")).await;
    assert!(proxy.heard().is_empty());
    let plain = by_hand("http://192.0.2.1/token", "http://192.0.2.1/revoke").allow_plain_http().build().unwrap();
    assert!(matches!(plain.login("alice", PASSWORD).await, Err(Error::Network(_))));
    assert_eq!(proxy.heard().len(), 1);
}

#[tokio::test]
async fn certificates_of_one_s_own_are_trusted_where_they_were_named_and_nowhere_else() {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
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
    let http = http_client_trusting(&std::fs::read(&certificate).unwrap()).unwrap();
    builder().http_client(http).build().unwrap().login("alice", PASSWORD).await.unwrap();
    for bad in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        assert!(matches!(http_client_trusting(bad.as_bytes()), Err(Error::Setting(_))), "{bad}");
    }
}
