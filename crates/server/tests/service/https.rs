//! Following over HTTPS.

use ficha_server::TlsSettings;
use ficha_store::testing::TestDatabase;
use ficha_token::{Clock, ManualClock};

use crate::place::Place;
use crate::serve::Service;
use crate::support::*;
use ficha_testing::{App, Tokens};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_follows_over_https_and_serves_again_when_the_server_is_back() {
    let database = TestDatabase::sqlite().await;
    let place = Place::free();
    let issuer = format!("https://{}", place.address());
    let made = rcgen::generate_simple_self_signed([place.address().ip().to_string()]).expect("a certificate");
    let files = tempfile::tempdir().expect("a folder");
    let tls =
        TlsSettings { certificate: files.path().join("certificate.pem"), key: files.path().join("private-key.pem") };
    std::fs::write(&tls.certificate, made.cert.pem()).expect("a file");
    std::fs::write(&tls.key, made.signing_key.serialize_pem()).expect("a file");
    let over_https = |options: &mut ficha_testing::Options| {
        options.settings.issuer = ficha_authority::Issuer::parse(&issuer).expect("a good issuer");
        options.server.tls = Some(tls.clone());
    };
    let trusting = || {
        let root = reqwest::Certificate::from_der(made.cert.der()).expect("a certificate");
        reqwest::Client::builder().tls_certs_only([root]).no_proxy().build().expect("a client")
    };

    let mut app = server_with(&database, place, over_https).await;
    app.http = trusting();
    let clock = ManualClock::new(app.clock.now());
    let service = Service::with_clock(&issuer, clock, |builder| builder.root_certificate(made.cert.pem())).await;
    let (kept, first, second) = (app.login("alice").await, app.login("alice").await, app.login("alice").await);
    ends(&app, &service, &first).await;
    service.accepts(&kept.access).await;

    let gone = app.end().await;
    service.clock.advance(LEASE);
    service.is_unavailable(&kept.access).await;
    let again = gone.start_with(&database, |options| {
        at(place)(options);
        over_https(options);
    });
    let mut app = again.await;
    app.http = trusting();
    service.soon_accepts(&kept.access).await;
    ends(&app, &service, &second).await;
    service.rejects(&first.access).await;
}

async fn ends(app: &App, service: &Service, tokens: &Tokens) {
    service.accepts(&tokens.access).await;
    revoke(app, &tokens.access).await;
    service.soon_rejects(&tokens.access).await;
}
