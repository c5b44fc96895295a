//! The connection to the server goes silent: it stays open, and no response comes.

use ficha_store::testing::TestDatabase;

use crate::proxy::Proxy;
use crate::serve::Service;
use crate::support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_outlives_a_half_open_connection_by_one_lease_and_reconnects() {
    let database = TestDatabase::sqlite().await;
    let proxy = Proxy::new().await;
    let app = server_behind(&database, &proxy.issuer()).await;
    proxy.forward_to(app.address);
    let service = Service::discover(&proxy.issuer(), &app).await;
    let (kept, revoked) = (app.login("alice").await, app.login("alice").await);
    for tokens in [&kept, &revoked] {
        service.accepts(&tokens.access).await;
    }
    eventually("a poll is held", async || app.authority.followers_waiting() == 1).await;
    proxy.go_silent();
    revoke(&app, &revoked.access).await;
    service.clock.advance(LEASE - TICK);
    for tokens in [&kept, &revoked] {
        service.accepts(&tokens.access).await;
    }
    service.clock.advance(TICK);
    for tokens in [&kept, &revoked] {
        service.is_unavailable(&tokens.access).await;
    }
    // New connections are accepted, and as silent as the old one.
    let asked = proxy.asked().len();
    eventually("it tries another connection", async || proxy.asked().len() > asked).await;
    service.is_unavailable(&kept.access).await;

    // The connections that are open now stay silent forever.
    proxy.forward();
    service.soon_accepts(&kept.access).await;
    service.rejects(&revoked.access).await;
    eventually("a poll is held again", async || app.authority.followers_waiting() == 1).await;
    revoke(&app, &kept.access).await;
    service.soon_rejects(&kept.access).await;
}
