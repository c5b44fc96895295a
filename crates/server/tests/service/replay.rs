//! Something between the service and its server answers in the server's place, with what it once said.

use ficha_store::testing::TestDatabase;

use crate::road::Road;
use crate::serve::Service;
use crate::world::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cache_that_replays_answers_renews_no_lease() {
    let database = TestDatabase::sqlite().await;
    let road = Road::new().await;
    let app = server_behind(&database, &road.issuer()).await;
    road.leads_to(app.address);
    let service = Service::discover(&road.issuer(), &app).await;
    let (kept, revoked, early) = (app.login("alice").await, app.login("alice").await, app.login("alice").await);
    service.takes(&revoked.access).await;
    revoke(&app, &early.access).await;
    service.comes_to_refuse(&early.access).await;

    road.replay();
    revoke(&app, &revoked.access).await;
    // The answers are well-formed, and true of an earlier time; each has been read, and none counts.
    service.fails_to_poll(0, 3).await;
    service.clock.advance(LEASE - TICK);
    service.takes(&kept.access).await;
    service.takes(&revoked.access).await;
    service.clock.advance(TICK);
    for _ in 0..2 {
        service.fails_to_poll(service.polls_failed(), 1).await;
        for tokens in [&kept, &revoked] {
            service.vouches_for_nothing(&tokens.access).await;
        }
        service.refuses(&early.access).await;
        service.clock.advance(LEASE);
    }

    road.forward();
    service.comes_to_take(&kept.access).await;
    service.refuses(&revoked.access).await;
    service.refuses(&early.access).await;
}
