//! A cache between the service and its server answers with old responses.

use ficha_store::testing::TestDatabase;

use crate::proxy::Proxy;
use crate::serve::Service;
use crate::support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cache_that_replays_responses_renews_no_lease() {
    let database = TestDatabase::sqlite().await;
    let proxy = Proxy::new().await;
    let app = server_behind(&database, &proxy.issuer()).await;
    proxy.forward_to(app.address);
    let service = Service::discover(&proxy.issuer(), &app).await;
    let (kept, revoked, early) = (app.login("alice").await, app.login("alice").await, app.login("alice").await);
    service.accepts(&revoked.access).await;
    revoke(&app, &early.access).await;
    service.soon_rejects(&early.access).await;

    proxy.replay();
    revoke(&app, &revoked.access).await;
    // The responses are well-formed, and were once true. The service reads each of them, and none renews its lease.
    service.fails_to_poll(0, 3).await;
    service.clock.advance(LEASE - TICK);
    service.accepts(&kept.access).await;
    service.accepts(&revoked.access).await;
    service.clock.advance(TICK);
    for _ in 0..2 {
        service.fails_to_poll(service.polls_failed(), 1).await;
        for tokens in [&kept, &revoked] {
            service.is_unavailable(&tokens.access).await;
        }
        service.rejects(&early.access).await;
        service.clock.advance(LEASE);
    }

    proxy.forward();
    service.soon_accepts(&kept.access).await;
    service.rejects(&revoked.access).await;
    service.rejects(&early.access).await;
}
