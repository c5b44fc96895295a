//! The road to the server falls silent: connections stay open, and no answer comes.

use ficha_store::testing::TestDatabase;

use crate::road::Road;
use crate::serve::Service;
use crate::world::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_open_connection_is_outlived_by_one_lease_and_given_up_for_a_new_one() {
    let database = TestDatabase::sqlite().await;
    let road = Road::new().await;
    let app = server_behind(&database, &road.issuer()).await;
    road.leads_to(app.address);
    let service = Service::discover(&road.issuer(), &app).await;
    let (kept, revoked) = (app.login("alice").await, app.login("alice").await);
    for tokens in [&kept, &revoked] {
        service.takes(&tokens.access).await;
    }
    eventually("a poll is held", async || app.authority.followers_waiting() == 1).await;
    road.fall_silent();
    revoke(&app, &revoked.access).await;
    service.clock.advance(LEASE - TICK);
    for tokens in [&kept, &revoked] {
        service.takes(&tokens.access).await;
    }
    service.clock.advance(TICK);
    for tokens in [&kept, &revoked] {
        service.vouches_for_nothing(&tokens.access).await;
    }
    // New connections are taken, and as silent as the old one.
    let asked = road.asked().len();
    eventually("it asks on another one", async || road.asked().len() > asked).await;
    service.vouches_for_nothing(&kept.access).await;

    // On those that are there nothing ever comes any more.
    road.forward();
    service.comes_to_take(&kept.access).await;
    service.refuses(&revoked.access).await;
    eventually("a poll is held again", async || app.authority.followers_waiting() == 1).await;
    revoke(&app, &kept.access).await;
    service.comes_to_refuse(&kept.access).await;
}
